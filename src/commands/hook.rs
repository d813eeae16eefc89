//! `hook command`, `hook pre-exit` and `hook inside`: the commands that the plugin's hooks call.

use super::{pipeline, report};
use crate::cli::{Hook, InsideArgs, plain_run};
use crate::job::environment::variable;
use crate::job::{self, PlaceRule, Repository, Request, RunOptions, Selection, Task, Verbosity};
use anyhow::Result;
use rust_vmm_ci_core::config::Mode;
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_effects::container::{self, Inside};
use rust_vmm_ci_effects::process;

/// Does the work of a hook.
///
/// # Errors
/// With the exit code in the error; `pre-exit` has none, since it must not fail a job.
pub fn run(selection: &Selection, verbosity: Verbosity, hook: Hook) -> Result<Exit> {
    match hook {
        Hook::Command => command(selection, verbosity),
        Hook::PreExit => {
            job::clean_up();
            Ok(Exit::Passed)
        }
        Hook::Inside(args) => {
            let InsideArgs { checkout, target, read_only, command } = args;
            container::inside(&Inside { checkout, target, read_only, command })
        }
    }
}

/// Uploads a pipeline, runs the command of the step, or runs the checks.
fn command(selection: &Selection, verbosity: Verbosity) -> Result<Exit> {
    process::heed_signals()?;
    // The agent starts a hook in the checkout, which may be a part of another repository.
    let here =
        Selection { dir: Some(selection.dir.clone().unwrap_or_else(|| ".".into())), ..selection.clone() };
    let repository = Repository::of_the_job(&here)?;
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
