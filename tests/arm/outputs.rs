//! What is printed does not depend on the machine.

use super::{HERE, sample, there};
use support::arm::{BINARY, emulator};
use support::sandbox::Sandbox;

/// Calls whose output is about no machine, or names the platform that it is about.
const CALLS: [&[&str]; 12] = [
    &["list"],
    &["list", "--platform", "aarch64"],
    &["pipeline"],
    &["pipeline", "--format", "yaml"],
    &["pipeline", "--platform", "riscv64"],
    &["explain", "clippy-aarch64"],
    &["explain", "clipy"],
    &["run", "--platform", "arm"],
    &["run", "--step", "none"],
    &["--help"],
    &["run", "--help"],
    &["completions", "bash"],
];

#[test]
fn every_output_is_byte_for_byte_that_of_x86_64() {
    let Some(emulator) = emulator() else { return };
    let sandbox = Sandbox::new();
    let repository = sample(&sandbox, "");
    for call in CALLS {
        let here = sandbox.command(HERE).args(call).current_dir(repository.path()).output().unwrap();
        let words: Vec<&str> = [BINARY].iter().chain(call).copied().collect();
        let there = there(emulator, &sandbox, &words).current_dir(repository.path()).output().unwrap();
        assert!(!here.stdout.is_empty() || !here.stderr.is_empty(), "{call:?} says nothing");
        assert_eq!(there.status.code(), here.status.code(), "{call:?}");
        for (there, here) in [(there.stdout, here.stdout), (there.stderr, here.stderr)] {
            assert_eq!(String::from_utf8_lossy(&there), String::from_utf8_lossy(&here), "{call:?}");
            assert_eq!(there, here, "{call:?}");
        }
    }
}
