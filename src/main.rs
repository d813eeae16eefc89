//! The rust-vmm CI: one binary behind a Buildkite plugin's hooks.
//!
//! `docs/architecture.md` says where what is, and why.

mod checks;
mod config;
mod exit;
mod model;
mod plan;
mod predecessor;
mod process;
mod report;
mod run;
mod workspace;

fn main() {}
