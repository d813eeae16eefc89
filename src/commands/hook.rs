//! `hook command`, `hook pre-exit` and `hook inside`: the commands that the plugin's hooks call.

use super::{pipeline, report};
use crate::cli::{Hook, InsideArgs, plain_run};
use crate::job::environment::variable;
use crate::job::{self, PlaceRule, Repository, Request, RunOptions, Selection, Task, Verbosity, unreported};
use anyhow::Result;
use rust_vmm_ci_core::config::Mode;
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_effects::container::{self, Inside};
use rust_vmm_ci_effects::{process, say};

/// Does the work of a hook.
///
/// # Errors
/// With the exit code in the error; `pre-exit` has none, since it must not fail a job.
pub fn run(selection: &Selection, verbosity: Verbosity, hook: Hook) -> Result<Exit> {
    match hook {
        Hook::Command => command(selection, verbosity),
        Hook::PreExit => {
            job::clean_up();
            if let Err(error) = tell_of_job_without_report(selection) {
                say::error(format_args!("the end of the job is not on the page of the build: {error:#}"));
            }
            Ok(Exit::Passed)
        }
        Hook::Inside(args) => {
            let InsideArgs { checkout, target, read_only, command } = args;
            container::inside(&Inside { checkout, target, read_only, command })
        }
    }
}

/// The repository whose job this is. The agent starts a hook in the checkout, which may be a part of another
/// repository.
fn repository_of_the_job(selection: &Selection) -> Result<Repository> {
    let dir = Some(selection.dir.clone().unwrap_or_else(|| ".".into()));
    Repository::of_the_job(&Selection { dir, ..selection.clone() })
}

/// Tells the build where the command hook has run checks and ended without a report. A command of a person's own
/// leaves no report, whatever its status is.
fn tell_of_job_without_report(selection: &Selection) -> Result<()> {
    let Some(status) = unreported::status() else { return Ok(()) };
    let script = variable("BUILDKITE_COMMAND");
    if script.as_deref().is_some_and(|script| plain_run(script).is_none()) {
        return Ok(());
    }
    let repository = repository_of_the_job(selection)?;
    let config = repository.config();
    if config.mode != Mode::Run || config.summary {
        return Ok(());
    }
    unreported::tell(&repository, status, script.as_deref().unwrap_or("rust-vmm-ci run"))
}

/// Uploads a pipeline, runs the command of the step, or runs the checks.
fn command(selection: &Selection, verbosity: Verbosity) -> Result<Exit> {
    process::heed_signals()?;
    let repository = repository_of_the_job(selection)?;
    let config = repository.config();
    if config.mode == Mode::Upload || config.summary {
        container::refuse_agents_variables(&container::Job::here(&repository.root), false)?;
    }
    match (config.mode, config.summary) {
        (Mode::Upload, _) => return pipeline::upload(&repository),
        // The step that an upload with this option has added last.
        (Mode::Run, true) => return report::summarize(),
        (Mode::Run, false) => {}
    }
    let script = variable("BUILDKITE_COMMAND");
    let plain_run = script.as_deref().and_then(plain_run);
    let task = match script {
        Some(script) => Task::OwnCommand(script),
        None => Task::Checks(RunOptions { platform: selection.platform, verbosity, ..RunOptions::default() }),
    };
    job::run(repository, Vec::new(), &Request { task, place: PlaceRule::Configured, plain_run })
}
