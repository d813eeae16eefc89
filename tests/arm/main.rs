//! Jobs on 64-bit Arm, emulated on this machine by `.ci/emulate`.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod beside;
mod containers;
mod jobs;
mod outputs;

use std::path::Path;
use std::process::Command;
use support::sandbox::{Repository, Sandbox};

/// This project's program for this machine.
const HERE: &str = env!("CARGO_BIN_EXE_rust-vmm-ci");

/// A crate with a feature. Its tests tell where they run.
const FILES: [(&str, &str); 4] = [
    (
        "Cargo.toml",
        "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[features]\nextra = []\n",
    ),
    ("src/lib.rs", LIBRARY),
    (".gitignore", "target\nCargo.lock\n"),
    (
        "coverage_config_aarch64.json",
        "{\"coverage_score\": 100.0, \"exclude_path\": \"\", \"crate_features\": \"\"}\n",
    ),
];
const LIBRARY: &str = "//! A crate.\n\n/// Adds.\npub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn runs_on_arm() {\n        assert_eq!(std::env::consts::ARCH, \"aarch64\");\n        assert_eq!(super::add(1, 2), 3);\n    }\n}\n";
/// What is added to find a warning that only Arm has.
const WARNING: &str = "\n#[cfg(target_arch = \"aarch64\")]\nfn unused() {}\n";

/// A command of the emulated machine, in a sandbox.
fn there(emulator: &Path, sandbox: &Sandbox, words: &[&str]) -> Command {
    let mut command = sandbox.command(emulator);
    command.arg("in").args(words);
    command
}

/// The sample with this added to its library.
fn sample(sandbox: &Sandbox, added: &str) -> Repository {
    let library = format!("{LIBRARY}{added}");
    let mut files = FILES;
    files[1].1 = &library;
    sandbox.repository("sample", &files)
}
