//! One file for each subcommand. Each is a thin caller of [`crate::job`] or of the other crates.

mod cache;
mod completions;
mod doctor;
mod explain;
mod hook;
mod init;
mod list;
mod migrate;
mod pipeline;
mod report;
mod reproduce;
mod run;
mod set_up;

use crate::cli::{Command, Hook};
use crate::job::environment::require_text;
use crate::job::{Selection, Verbosity};
use anyhow::Result;
use rust_vmm_ci_core::exit::{Exit, infrastructure};
use rust_vmm_ci_effects::say;

/// Does what the command line says.
///
/// # Errors
/// With the exit code in the error; see [`rust_vmm_ci_core::exit::of`].
pub fn dispatch(selection: &Selection, verbosity: Verbosity, command: Command) -> Result<Exit> {
    // `pre-exit` must not fail a job, and in a container the hook has looked before.
    if !matches!(command, Command::Hook(Hook::PreExit | Hook::Inside(_))) {
        require_text()?;
    }
    let is_job = matches!(command, Command::Run(_) | Command::Hook(_) | Command::Reproduce { .. });
    let exit = perform(selection, verbosity, command)?;
    // A job has a verdict, which stays. What the other commands print is their result.
    if !is_job && exit == Exit::Passed && say::lost_output() {
        return Err(infrastructure("the output could not be written to standard output"));
    }
    Ok(exit)
}

fn perform(selection: &Selection, verbosity: Verbosity, command: Command) -> Result<Exit> {
    match command {
        Command::Run(args) => run::run(selection, &args.into_request(selection, verbosity)),
        Command::Pipeline { format } => pipeline::print(selection, format),
        Command::List => list::run(selection),
        Command::Explain { label } => explain::run(selection, &label),
        Command::Report { files, wanted } => {
            let wanted: Vec<_> = wanted.into();
            report::run(&files, &wanted)
        }
        Command::Reproduce { report, yes } => reproduce::run(selection, &report, yes),
        Command::Cache { command } => cache::cache(command.unwrap_or_default()),
        Command::Doctor { format } => doctor::doctor(format),
        Command::Init { mode, dry_run } => init::init(selection, mode, dry_run),
        Command::Migrate(args) => migrate::migrate(selection, args),
        Command::Completions { shell } => Ok(completions::print(shell)),
        Command::Man { dir } => completions::man_pages(&dir),
        Command::Hook(hook) => hook::run(selection, verbosity, hook),
    }
}
