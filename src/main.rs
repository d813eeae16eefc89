//! The rust-vmm CI: one binary behind the hooks of a Buildkite plugin.
//!
//! `docs/architecture.md` says which module does what, and why.

// clippy.toml allows these in test modules, but does not know those under `all(test, …)`.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::disallowed_macros,
        clippy::disallowed_methods,
        clippy::zombie_processes
    )
)]

mod cli;
mod commands;
mod job;
mod log;
mod report_files;

use anyhow::Error;
use clap::Parser;
use job::Verbosity;
use rust_vmm_ci_core::exit::{self, Exit};
use rust_vmm_ci_effects::{process, run, say};
use std::panic::{self, PanicHookInfo, UnwindSafe};

fn main() {
    if let Some(status) = process::act_as_keeper(std::env::args_os()) {
        std::process::exit(status);
    }
    process::end_with_where_it_aborts(Exit::Infrastructure.code());
    panic::set_hook(Box::new(|panic| say::error(bug(panic))));
    // `ExitCode` holds a byte; on Windows a status has 32 bits.
    std::process::exit(guarded(status));
}

/// Does what the command line says, and returns the exit status.
fn status() -> i32 {
    if let Some(replaced) = run::act_as_shim(std::env::args_os) {
        return replaced.unwrap_or_else(|error| failed(&error).code());
    }
    process::end_children_with_this_process();
    let arguments = cli::Cli::parse();
    job::environment::choose_color(arguments.common.color());
    let (selection, verbosity, command) = arguments.into_parts();
    match verbosity {
        Verbosity::Quiet => say::be_quiet(),
        Verbosity::Normal => {}
        Verbosity::Verbose => log::show(),
    }
    commands::dispatch(&selection, verbosity, command).unwrap_or_else(|error| failed(&error)).code()
}

/// Says what went wrong.
fn failed(error: &Error) -> Exit {
    say::error(format_args!("{error:#}"));
    exit::of(error)
}

/// The status that `work` returns; 3 where it panics: Rust's own 101 would look like the status of a
/// person's command. The panic hook has said why.
fn guarded(work: impl FnOnce() -> i32 + UnwindSafe) -> i32 {
    panic::catch_unwind(work).unwrap_or_else(|_| Exit::Infrastructure.code())
}

/// The message about a panic.
fn bug(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let what = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message");
    let place = panic.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
    format!(
        "this is a bug of rust-vmm-ci {}, at {place}: {what}; please report it at {}/issues",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_REPOSITORY")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_with_the_status_of_broken_infrastructure() {
        assert_eq!(guarded(|| panic!("a test's own panic")), 3);
        assert_eq!(guarded(|| 1), 1);
    }
}
