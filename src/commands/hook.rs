//! `hook command` and `hook pre-exit`: what the plugin's hooks call.

use super::environment::variable;
use super::job_files::JobFiles;
use super::place::Task;
use super::{configuration, pipeline, place, reporting, run};
use crate::cli::{Common, Hook, RunArgs};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::config::{Config, Mode};
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::model::Os;
use rust_vmm_ci_effects::container;
use rust_vmm_ci_effects::process::{self, Ended};
use rust_vmm_ci_effects::run::shell::Script;
use std::path::Path;
use std::time::Duration;

/// Does what a hook is for.
///
/// # Errors
/// With the exit code in it; `pre-exit` has none, since it must not fail a job.
pub fn run(common: &Common, hook: &Hook) -> Result<Exit> {
    match hook {
        Hook::Command => command(common),
        Hook::PreExit => {
            place::clean_up();
            Ok(Exit::Passed)
        }
        Hook::Inside(args) => place::inside(args),
    }
}

fn command(common: &Common) -> Result<Exit> {
    process::heed_signals()?;
    let root = configuration::root(common)?;
    // The mode decides between entries of a pipeline file only, and in a job the agent has decided.
    let found = configuration::find(common, &root, Mode::Run)?;
    if found.config.mode == Mode::Upload {
        return pipeline::upload(&root, &found);
    }
    let script = variable("BUILDKITE_COMMAND");
    let checks = RunArgs::default();
    let task = script.as_deref().map_or(Task::Checks(&checks), Task::Own);
    if let Some(placed) = place::of_job(common, &root, &found, task)? {
        return place::run(&placed, &root, found.config.annotate);
    }
    let files = JobFiles::make()?;
    match script {
        Some(script) => own_command(&root, &found.config, &script, &files),
        None => {
            let report = run::in_job(common, &checks, &root, &found)?;
            reporting::tell_buildkite(&root, &report, found.config.annotate);
            Ok(report.exit())
        }
    }
}

/// What a step's own command is given to end in: `rust-vmm-ci run` in it has checks to end and a report
/// to write first.
const GRACE: Duration = Duration::from_secs(4);

/// Runs the step's own command. `rust-vmm-ci run …` in it leaves its report where it is told to, and
/// the build is told of it from here: in a container there is no agent.
fn own_command(root: &Path, config: &Config, script: &str, files: &JobFiles) -> Result<Exit> {
    let os = Os::of_this_machine().unwrap_or(Os::Linux);
    let report = files.report();
    let path = files.path_with_this_program()?;
    let script = Script::new(os, script)?;
    let shell =
        script.command.clone().dir(root).env("PATH", path).env(container::REPORT, &report).grace(GRACE);
    let ended = process::supervise_inheriting(&shell, None);
    if let Ok(text) = std::fs::read_to_string(&report) {
        let report = serde_json::from_str(&text).context("reading the report of `rust-vmm-ci run`");
        match report {
            Ok(report) => reporting::tell_buildkite(root, &report, config.annotate),
            Err(error) => eprintln!("rust-vmm-ci: {error:#}; the build has no annotation for it"),
        }
    }
    Ok(match ended? {
        Ended::Exited(status) => Exit::Command(status),
        // As shells say it: 128 and the signal's number.
        Ended::Signaled(signal) => Exit::Command(128 + signal),
        Ended::TimedOut | Ended::Cancelled => Exit::Infrastructure,
    })
}
