//! The checks that this program knows by name: what each one guarantees, what it runs, and how the result is
//! read. This crate has the data and pure functions. The effects crate runs the checks.
//!
//! [`CHECKS`] is the table of all checks. To add one, add a file to this folder and a line to the table. The
//! rest of the program reads the table. A check that runs a cargo command needs a line in the table and its
//! commands in `standard.json`. That file lists the standard checks for each platform and system in the
//! predecessor's format, so the parser of a repository's own files can read it.

pub mod audit;
pub mod base;
pub mod bench;
pub mod bench_plot;
pub mod cargo;
mod check;
pub mod commit_format;
pub mod coverage;
pub mod deny;
pub mod dependency;
pub mod emulated;
pub mod examples;
pub mod lock_file;
pub mod messages;
pub mod msrv;
pub mod outage;
mod own;
pub mod semver;
pub mod shard;
pub mod style;
pub mod test_output;
pub mod times;
mod work;

pub use check::{Check, Membership, OwnOption, Runs};
pub use work::{Answer, Compiles, Logic, Needs, Program, Tool, Work};

use crate::exit::usage;
use anyhow::Result;
use serde_json::{Map, Value};

/// The descriptions of the standard checks, in the predecessor's format with our additional key `os`.
pub const STANDARD: &str = include_str!("standard.json");

/// Every check that this program knows by name.
pub static CHECKS: [Check; 19] = [
    command("build-gnu", "all targets build for glibc without warnings", 34.0),
    command("build-musl", "all targets build for musl without warnings", 34.0),
    command("build-msvc", "all targets build with MSVC without warnings", 34.0),
    command("style", "the code is formatted, in documentation too", 1.0),
    command("doc", "the documentation builds without warnings", 9.0),
    tests("unittests-gnu", "the tests pass on glibc", 66.0),
    tests("unittests-musl", "the tests pass on musl", 66.0),
    tests("unittests-msvc", "the tests pass with MSVC", 66.0),
    tests("unittests-gnu-release", "the tests pass on glibc in the release profile", 68.0),
    tests("unittests-musl-release", "the tests pass on musl in the release profile", 68.0),
    tests("unittests-msvc-release", "the tests pass with MSVC in the release profile", 68.0),
    command("clippy", "clippy has no warnings, and every unsafe block says why it is sound", 22.0),
    coverage::CHECK,
    commit_format::CHECK,
    audit::CHECK,
    bench::CHECK,
    deny::CHECK,
    msrv::CHECK,
    semver::CHECK,
];

/// A standard check that is a command of `standard.json`.
const fn command(name: &'static str, holds: &'static str, seconds: f64) -> Check {
    let runs = Runs::Command { check_options: own::read_none };
    Check { name, holds, membership: Membership::Standard, advisory: false, options: &[], runs, seconds }
}

/// The same for unit tests, which can be divided among jobs.
const fn tests(name: &'static str, holds: &'static str, seconds: f64) -> Check {
    let runs = Runs::Command { check_options: shard::check_options };
    Check {
        name,
        holds,
        membership: Membership::Standard,
        advisory: false,
        options: shard::OPTIONS,
        runs,
        seconds,
    }
}

/// The check with this name.
pub fn find(name: &str) -> Option<&'static Check> {
    CHECKS.iter().find(|check| check.name == name)
}

/// The checks that run only if somebody asks for them.
pub fn opt_in() -> impl Iterator<Item = &'static Check> {
    CHECKS.iter().filter(|check| check.is_opt_in())
}

/// Checks the own options of a check, or of a step of the repository. A step must not have any.
///
/// # Errors
/// Exit 2 with the key path and what was meant, for an unknown option or a wrong value.
pub fn check_options(name: &str, own: &Map<String, Value>) -> Result<()> {
    let check = find(name);
    if own.contains_key(shard::OPTION) && !check.is_some_and(|check| check.has_option(shard::OPTION)) {
        let divisible = CHECKS.iter().filter(|check| check.has_option(shard::OPTION));
        let divisible: Vec<&str> = divisible.map(|check| check.name).collect();
        return Err(usage(format!(
            "checks.{name}.{}: only the standard unit tests can be divided over jobs: {}",
            shard::OPTION,
            divisible.join(", ")
        )));
    }
    match check {
        Some(check) => check.check_options(own),
        None => own::read_none(name, own),
    }
}

#[cfg(test)]
mod tests;
