//! The rust-vmm CI: one binary behind a Buildkite plugin's hooks.
//!
//! `docs/architecture.md` says where what is, and why.

// clippy.toml allows them in test modules, and knows none under `all(test, …)`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::zombie_processes))]

mod cli;
mod commands;

use clap::Parser;
use rust_vmm_ci_core::exit;
use rust_vmm_ci_effects::run;

fn main() {
    // And not by `ExitCode`, which is a byte: on Windows a status has 32 bits.
    std::process::exit(status());
}

/// Does what the command line says; the exit status.
fn status() -> i32 {
    if let Some(replaced) = run::stand_in(std::env::args_os) {
        return replaced.unwrap_or_else(|error| {
            eprintln!("rust-vmm-ci: {error:#}");
            exit::of(&error).code()
        });
    }
    let cli = cli::Cli::parse();
    let exit = commands::dispatch(&cli).unwrap_or_else(|error| {
        eprintln!("rust-vmm-ci: {error:#}");
        exit::of(&error)
    });
    exit.code()
}
