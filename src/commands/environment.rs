//! What the environment says about where this process runs.

use anyhow::Result;
use rust_vmm_ci_core::checks::shard::Shard;
use rust_vmm_ci_effects::run::console::Kind;
use std::io::IsTerminal;

/// A variable's value, where it is set, valid text and not empty.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether this is a job of a Buildkite agent.
pub fn in_buildkite() -> bool {
    variable("BUILDKITE").is_some_and(|value| value == "true")
}

/// Whether this is CI and not a person's machine: Buildkite's variable, or the one that other
/// services set by custom.
pub fn in_ci() -> bool {
    in_buildkite() || variable("CI").is_some_and(|value| value != "false" && value != "0")
}

/// Which of its step's jobs this is; none where it is the only one.
///
/// # Errors
/// As [`Shard::of_job`].
pub fn shard() -> Result<Option<Shard>> {
    let (job, count) = (variable("BUILDKITE_PARALLEL_JOB"), variable("BUILDKITE_PARALLEL_JOB_COUNT"));
    Shard::of_job(job.as_deref(), count.as_deref())
}

/// What the standard output is. Under the agent it looks like a terminal and is a log.
pub fn console_kind() -> Kind {
    if in_buildkite() {
        Kind::Buildkite
    } else if std::io::stdout().is_terminal() && std::io::stderr().is_terminal() {
        Kind::Terminal
    } else {
        Kind::Plain
    }
}

/// Whether output may be coloured: <https://no-color.org>, cargo's own variable, and what the output
/// can show.
pub fn color() -> bool {
    match variable("CARGO_TERM_COLOR").as_deref() {
        Some("always") => true,
        Some("never") => false,
        _ => variable("NO_COLOR").is_none() && console_kind() != Kind::Plain,
    }
}
