//! `rust-vmm-ci run` as a person uses it: verdicts, what is shown, what is refused.
#![allow(clippy::disallowed_macros, reason = "a test prints for a person")]
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test fails where it stands"
)]

mod cancel;
mod dependencies;
mod divided;
mod examples;
mod hostile;
mod places;
mod program;
mod refused;
mod repeats;
mod scheduler;
mod timings;
mod verdicts;
mod what_cargo_does;

use serde_json::Value;
use std::process::{Command, Stdio};
use support::sandbox::{Repository, Sandbox};

/// A library without features.
const MANIFEST: &str = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const LIBRARY: &str = "//! A crate.\n\n/// Adds.\npub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n";
const IGNORE: &str = "target\nCargo.lock\n";

/// A repository, and what `rust-vmm-ci` says in it.
struct Sample {
    sandbox: Sandbox,
    repository: Repository,
}

/// How a command ended, and what it said on both outputs.
struct Said {
    code: Option<i32>,
    text: String,
}

impl Sample {
    /// A repository with these files beside a manifest, a library and a `.gitignore`.
    fn new(files: &[(&str, &str)]) -> Self {
        Self::named("work", files)
    }

    fn named(name: &str, files: &[(&str, &str)]) -> Self {
        let sandbox = Sandbox::new();
        let mut all = vec![("Cargo.toml", MANIFEST), ("src/lib.rs", LIBRARY), (".gitignore", IGNORE)];
        all.retain(|(path, _)| !files.iter().any(|(other, _)| other == path));
        all.extend(files);
        let repository = sandbox.repository(name, &all);
        Self { sandbox, repository }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
        command.args(args).current_dir(self.repository.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        said(&mut self.command(args))
    }

    /// The outcomes of a run, by its JSON report.
    fn report(&self, args: &[&str]) -> Value {
        let file = self.sandbox.path().join("report.json");
        let mut all = vec!["run", "--report", file.to_str().unwrap()];
        all.extend(args);
        let said = self.run(&all);
        serde_json::from_str(&std::fs::read_to_string(file).expect(&said.text)).unwrap()
    }
}

/// A check's outcome in a report.
fn outcome<'v>(report: &'v Value, name: &str) -> &'v Value {
    report["outcomes"].as_array().unwrap().iter().find(|outcome| outcome["name"] == name).unwrap()
}

fn said(command: &mut Command) -> Said {
    let output = command.output().unwrap();
    let text =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Said { code: output.status.code(), text }
}
