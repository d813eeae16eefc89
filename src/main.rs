//! The rust-vmm CI: one binary behind a Buildkite plugin's hooks.
//!
//! `docs/architecture.md` says where what is, and why.

mod agent;
mod checks;
mod config;
mod exit;
mod model;
mod plan;
mod process;
mod report;
mod run;

fn main() {}
