//! Whole jobs: by hand and of the real agent.

use super::{FILES, HERE, WARNING, sample, there};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use support::arm::{BINARY, agent_at, emulator, said};
use support::bootstrap::Bootstrap;
use support::sandbox::Sandbox;
use support::{eventually, process};

/// An emulated job takes some ten times as long as another.
const LIMIT: Duration = Duration::from_secs(900);

/// The emulated machine's agent: a script that starts the real one there.
struct Agent {
    /// The folder with the script, and with the agent in a folder of its own.
    sandbox: Sandbox,
}

impl Agent {
    fn new() -> Option<Self> {
        let emulator = emulator()?;
        let sandbox = Sandbox::new();
        let real = sandbox.folder("real").join("buildkite-agent");
        agent_at(&real)?;
        let script = sandbox.path().join("buildkite-agent");
        let text = format!("#!/bin/sh\nexec '{}' in '{}' \"$@\"\n", emulator.display(), real.display());
        support::program::write(&script, &text);
        Some(Self { sandbox })
    }

    /// A job of the agent with this configuration.
    fn job(&self, configuration: &Value) -> Bootstrap {
        let path = |name: &str| -> PathBuf { self.sandbox.path().join(name) };
        Bootstrap::new(BINARY, &path("buildkite-agent"), &FILES)
            .plugin(configuration)
            .env("BUILDKITE_BIN_PATH", path("real").to_str().unwrap())
    }
}

#[test]
fn a_job_of_the_real_agent_runs_every_kind_of_check() {
    let Some(agent) = Agent::new() else { return };
    let only = ["style", "clippy", "build-gnu", "unittests-gnu", "build-musl", "unittests-musl", "coverage"];
    let configuration = json!({
        "platform": "aarch64", "docker": false, "only": only, "checks": {"coverage": {"platform": "aarch64"}},
    });
    let outcome = agent.job(&configuration).run(LIMIT);
    assert_eq!(outcome.status, 0, "{}", outcome.output);
    assert!(outcome.output.contains(&format!("{} passed", only.len())), "{}", outcome.output);
    for name in &only[1..] {
        assert!(outcome.output.contains(&format!("{name}-aarch64")), "{name}: {}", outcome.output);
    }
}

#[test]
fn a_warning_that_only_arm_has_is_found_at_its_line() {
    let Some(emulator) = emulator() else { return };
    let sandbox = Sandbox::new();
    let repository = sample(&sandbox, WARNING);
    let report = sandbox.path().join("report.json");
    let words = [BINARY, "run", "--strict", "clippy", "--report", report.to_str().unwrap()];
    let mut command = there(emulator, &sandbox, &words);
    command.env("BUILDKITE_PLUGIN_CONFIGURATION", json!({"features": "all"}).to_string());
    let run = said(command.current_dir(repository.path()));
    assert_eq!(run.code, Some(1), "{}", run.text);
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    let finding = &report["outcomes"][0]["findings"][0];
    assert_eq!(
        (finding["file"].as_str(), finding["line"].as_u64()),
        (Some("src/lib.rs"), Some(18)),
        "{report}"
    );
    assert_eq!(report["host"], "aarch64-unknown-linux-gnu");
}

#[test]
fn a_program_of_another_machine_checks_what_rustc_compiles_for() {
    let Some(emulator) = emulator() else { return };
    let sandbox = Sandbox::new();
    let repository = sample(&sandbox, "");
    let run = |words: &[&str]| {
        let words: Vec<&str> = [HERE, "run", "unittests-gnu"].iter().chain(words).copied().collect();
        let mut command = there(emulator, &sandbox, &words);
        command.env("BUILDKITE_PLUGIN_CONFIGURATION", json!({"features": "all"}).to_string());
        said(command.current_dir(repository.path()))
    };
    // The tests of the sample pass only if they are compiled for Arm.
    let passed = run(&[]);
    assert_eq!(passed.code, Some(0), "{}", passed.text);
    assert!(passed.text.contains("unittests-gnu-aarch64"), "{}", passed.text);
    let refused = run(&["--platform", "x86_64"]);
    assert_eq!(refused.code, Some(2), "{}", refused.text);
    assert!(refused.text.contains("x86_64 is not what rustc compiles for"), "{}", refused.text);
}

#[test]
fn the_command_of_a_step_keeps_its_status() {
    let Some(agent) = Agent::new() else { return };
    let outcome = agent.job(&json!({"docker": false})).command("uname -m; exit 7").run(LIMIT);
    assert_eq!(outcome.status, 7, "{}", outcome.output);
    assert!(outcome.output.lines().any(|line| line.trim() == "aarch64"), "{}", outcome.output);
}

#[test]
fn a_cancelled_job_leaves_nothing() {
    let Some(agent) = Agent::new() else { return };
    // No other process has this number.
    let seconds = format!("98{}", std::process::id());
    let command = format!("setsid sleep {seconds} & sleep {seconds}");
    let job = agent.job(&json!({"docker": false})).command(&command).start();
    // The log shows the command too, so the process itself is waited for.
    let sleeps = || process::find(&format!("sleep {seconds}"));
    assert!(eventually(LIMIT, sleeps).is_some(), "{}", job.process.output());
    job.cancel();
    let outcome = job.finish(LIMIT);
    assert_ne!(outcome.status, 0, "{}", outcome.output);
    assert_eq!(sleeps(), None, "{}", outcome.output);
}
