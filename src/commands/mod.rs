//! One file a subcommand: gathers facts, asks the core, does what it says.

mod cache;
mod configuration;
mod emulated;
mod environment;
mod explain;
mod facts;
mod hook;
mod init;
mod job_files;
mod list;
mod machine;
mod migrate;
mod pipeline;
mod place;
mod reporting;
mod run;
mod set_up;

use crate::cli::{Cli, Command};
use anyhow::Result;
use rust_vmm_ci_core::exit::Exit;

/// Does what the command line says.
///
/// # Errors
/// With the exit code in it; see [`rust_vmm_ci_core::exit::of`].
pub fn dispatch(cli: &Cli) -> Result<Exit> {
    match &cli.command {
        Command::Run(args) => run::run(&cli.common, args),
        Command::Pipeline { format } => pipeline::print(&cli.common, *format),
        Command::List => list::run(&cli.common),
        Command::Explain { label } => explain::run(&cli.common, label),
        Command::Cache { command } => cache::cache(command.unwrap_or_default()),
        Command::Init { mode, dry_run } => init::init(&cli.common, *mode, *dry_run),
        Command::Migrate { dry_run } => migrate::migrate(&cli.common, *dry_run),
        Command::Hook(which) => hook::run(&cli.common, which),
    }
}
