//! One file a subcommand: gathers facts, asks the core, does what it says.

mod configuration;
mod environment;
mod facts;
mod hook;
mod job_files;
mod reporting;
mod run;

use crate::cli::{Cli, Command};
use crate::exit::{self, Exit};
use anyhow::Result;

/// Does what the command line says.
///
/// # Errors
/// With the exit code in it; see [`exit::of`].
pub fn dispatch(cli: &Cli) -> Result<Exit> {
    match &cli.command {
        Command::Run(args) => run::run(&cli.common, args),
        Command::Hook(which) => hook::run(&cli.common, *which),
        _ => Err(exit::usage("not available yet")),
    }
}
