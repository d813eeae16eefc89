//! `hook command`, `hook pre-exit` and `hook inside`: the commands that the plugin's hooks call.

use super::pipeline;
use crate::cli::{Hook, InsideArgs};
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
    // The mode decides between entries of a pipeline file only, and in a job the agent names the entry.
    let repository = Repository::find(selection, Mode::Run)?;
    if repository.config().mode == Mode::Upload {
        return pipeline::upload(&repository);
    }
    let task = match variable("BUILDKITE_COMMAND") {
        Some(script) => Task::OwnCommand(script),
        None => Task::Checks(RunOptions { platform: selection.platform, verbosity, ..RunOptions::default() }),
    };
    job::run(repository, &Request { task, place: PlaceRule::Configured })
}
