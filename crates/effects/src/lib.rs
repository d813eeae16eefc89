//! What rust-vmm-ci does: starts processes, asks git, the agent and the container engine, runs checks.

// clippy.toml allows these functions in test modules, but does not recognise a module under `all(test, …)`.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::disallowed_macros,
        clippy::disallowed_methods,
        clippy::zombie_processes
    )
)]

pub mod agent;
pub mod container;
pub mod files;
pub mod git;
pub mod process;
pub mod run;
pub mod say;
#[cfg(test)]
mod testing;
