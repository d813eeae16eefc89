//! The rust-vmm CI: one binary behind a Buildkite plugin's hooks.
//!
//! `docs/architecture.md` says where what is, and why.

mod agent;
mod checks;
mod cli;
mod commands;
mod config;
mod exit;
mod git;
mod model;
mod plan;
mod predecessor;
mod process;
mod report;
mod run;
mod workspace;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let exit = commands::dispatch(&cli).unwrap_or_else(|error| {
        eprintln!("rust-vmm-ci: {error:#}");
        exit::of(&error)
    });
    ExitCode::from(exit.code())
}
