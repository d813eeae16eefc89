//! The rust-vmm CI: one binary behind a Buildkite plugin's hooks.
fn main() {}
