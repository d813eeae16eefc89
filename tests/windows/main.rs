//! The plugin in jobs of the real agent for Windows, under Wine. What Wine cannot show is in
//! docs/windows.md.
#![allow(clippy::disallowed_macros, reason = "a test prints for a person")]
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test fails where it stands"
)]

mod change;
mod command;
mod end;
mod find_binary;
mod pipeline;
mod upload;

/// This project's program, on Linux.
const BINARY: &str = env!("CARGO_BIN_EXE_rust-vmm-ci");
/// A library without features.
const MANIFEST: &str = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const LIBRARY: &str = "//! A crate.\n\n/// Adds.\npub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n";

use support::wine::Machine;

/// A machine with a crate of this library; none where there is no Wine.
fn machine(library: &str) -> Option<Machine> {
    let ignored = (".gitignore", "target\nCargo.lock\n");
    Machine::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", library), ignored])
}
