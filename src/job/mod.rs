//! A job, in five steps. Each step has a file and happens once:
//!
//! 1. [`gather`] reads the configuration, the repository's facts, the environment and the machine.
//! 2. [`plan`] decides which checks run.
//! 3. [`place`] decides where they run: on this machine, in a container, or in a container that
//!    emulates another platform.
//! 4. [`execute`] runs them there.
//! 5. [`report`] tells the person, the files and the build.
//!
//! `run`, `run --docker` and the command hook differ only in their [`Request`]. The command of a step is
//! a job too: its plan has no checks.

pub mod build_page;
pub mod configuration;
mod emulated;
pub mod environment;
mod execute;
pub mod facts;
mod gather;
mod host;
pub mod job_files;
pub mod kvm;
mod last_run;
mod machine;
mod place;
mod plan;
mod pod;
mod promise;
mod report;
mod request;
mod selection;
#[cfg(test)]
mod testing;
pub mod unreported;

pub use gather::{Repository, policy};
pub use host::variables_that_matter;
pub use machine::cores;
pub use report::write_files;
pub use request::{PlaceRule, Request, RunOptions, Selection, Task, Verbosity};

use anyhow::Result;
use gather::Gathered;
use job_files::JobFiles;
use place::Place;
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::plan::Plan;
use rust_vmm_ci_core::report::Report;
use rust_vmm_ci_effects::{container, process};
use std::path::Path;

/// Does a job in a repository whose configuration is known. `others` are further configurations whose
/// checks it runs too.
///
/// # Errors
/// Exit 2 for what is wrong in the request, the configuration or the repository's files. Exit 3 where the
/// agent's policy is wrong or a program that the job needs fails. What goes wrong with a check is no error
/// but the check's outcome.
pub fn run(repository: Repository, others: Vec<Repository>, request: &Request) -> Result<Exit> {
    Ok(Ready::of(repository, others, request)?.run(true)?.0)
}

/// A job of which everything is decided and nothing has begun.
pub struct Ready<'a> {
    gathered: Gathered,
    request: &'a Request,
    plan: Plan,
    place: Place,
}

impl<'a> Ready<'a> {
    /// Does the first three steps of a job.
    ///
    /// # Errors
    /// As [`run`], for everything that is known before the job begins.
    pub fn of(repository: Repository, others: Vec<Repository>, request: &'a Request) -> Result<Self> {
        let gathered = Gathered::read(repository, others, request)?;
        let plan = plan::plan(&gathered, request)?;
        let place = place::place(&gathered, request, &plan)?;
        if !matches!(place, Place::Host) {
            container::refuse_agents_variables(&container::Job::here(gathered.root()), false)?;
        }
        Ok(Self { gathered, request, plan, place })
    }

    /// Does the rest. Returns the report too, where there is one. `decides` says whether the program ends as
    /// this job does.
    ///
    /// # Errors
    /// As [`run`], for what goes wrong on the way.
    pub fn run(self, decides: bool) -> Result<(Exit, Option<Report>)> {
        let Self { gathered, request, plan, place } = self;
        // The folder must outlive the report: what reporting writes for a moment is in it too.
        let files = match (&place, request.place) {
            (Place::Host, PlaceRule::Configured) => Some(JobFiles::make()?),
            _ => None,
        };
        let promise = promise::Promise::of(&gathered, request, &plan);
        let mut done = execute::execute(&gathered, request, &plan, place, files.as_ref(), &promise)?;
        if decides {
            process::status_is_known(done.exit.code());
        }
        promise.settle();
        report::report(&gathered, request, &mut done);
        Ok((done.exit, done.report))
    }
}

/// Removes what the containers of this job and of earlier ones may have left.
pub fn clean_up() {
    // This job's checkout is not used: each folder that was left behind names its own checkout.
    container::clean_up(&container::Job::here(Path::new(".")));
}
