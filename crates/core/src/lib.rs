//! What rust-vmm-ci decides. Configuration and facts go in, a plan comes out; outcomes go in, reports
//! come out. Nothing here starts a process, reads a file, the environment or the clock.

// clippy.toml allows them in test modules, and knows none under `all(test, …)`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::zombie_processes))]

pub mod buildkite;
pub mod checks;
pub mod config;
pub mod exit;
pub mod model;
pub mod options;
pub mod pipeline;
pub mod plan;
pub mod predecessor;
pub mod report;
pub mod selection;
pub mod workspace;
