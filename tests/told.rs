//! What the page of a build shows while its jobs end, with the real agent and a Buildkite of our own.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::agent::agent;
use support::buildkite::{Build, Buildkite};
use support::sandbox::Sandbox;

const LIMIT: Duration = Duration::from_secs(180);
const BINARY: &str = env!("CARGO_BIN_EXE_rust-vmm-ci");
const MANIFEST: &str = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const FAULT: &str = "//! A crate.\n\n/// Counts.\npub fn count() -> u32 {\n    let unused = 1;\n    2\n}\n";

/// A build of a crate with one fault.
struct Told {
    buildkite: Buildkite,
    sandbox: Sandbox,
    plugin: String,
}

impl Told {
    /// None where there is no agent.
    fn new() -> Option<Self> {
        agent()?;
        let sandbox = Sandbox::new();
        let files = [("Cargo.toml", MANIFEST), ("src/lib.rs", FAULT), (".gitignore", "target\nCargo.lock\n")];
        let source = sandbox.repository("source", &files);
        let plugin = sandbox.this_plugin();
        let plugin = format!("{}#{}", plugin.url(), plugin.head());
        Some(Self { buildkite: Buildkite::new(&source), sandbox, plugin })
    }

    /// Queues a try of a step's job.
    fn queue(&self, label: &str, retries: u32, options: &Value) {
        self.buildkite.queue(&json!({
            "label": label,
            "id": format!("step-of-{label}"),
            "env": {"BUILDKITE_RETRY_COUNT": retries.to_string()},
            "plugins": [{ &self.plugin: options }],
        }));
    }

    fn start(&mut self) {
        let Some(agent) = agent() else { return };
        self.buildkite.start(agent, &self.sandbox, |command: &mut Command| {
            command.env("RUST_VMM_CI_BINARY", BINARY);
        });
    }
}

fn checks(only: &[&str]) -> Value {
    json!({"docker": false, "only": only})
}

fn body(build: &Build) -> &str {
    let [annotation] = &build.annotations[..] else {
        panic!("not one annotation: {:?}\n{}", build.annotations, build.story())
    };
    assert_eq!(annotation.context, "rust-vmm-ci");
    &annotation.body
}

#[test]
fn a_fault_of_several_jobs_is_one_finding_of_the_build_and_goes_with_their_retries() {
    let Some(mut told) = Told::new() else { return };
    told.queue("first", 0, &checks(&["clippy"]));
    told.queue("second", 0, &checks(&["clippy", "build-gnu", "style"]));
    told.queue("page", 0, &json!({"docker": false, "summary": true}));
    told.queue("first", 1, &checks(&["style"]));
    told.queue("second", 1, &checks(&["style"]));
    told.start();
    let red = told.buildkite.wait_until(LIMIT, |build| {
        build.annotations.first().is_some_and(|shown| shown.body.contains("rust-vmm-ci-build.html"))
    });
    let body = body(&red);
    assert_eq!(body.matches("src/lib.rs:5:9</code> unused variable").count(), 1, "{body}");
    for job in &red.jobs[..2] {
        let link = format!("http://127.0.0.1/rust-vmm/crate-ci/builds/1#{}", job.id);
        assert!(body.contains(&link), "{link}: {body}");
    }
    assert_eq!(red.annotations[0].style, "error");
    let merged = String::from_utf8_lossy(red.artifact("rust-vmm-ci-build.html").unwrap()).into_owned();
    assert!(merged.contains("unused variable"), "{merged}");
    let name = format!("rust-vmm-ci-first-{}.json", red.jobs[0].id);
    let report: Value = serde_json::from_slice(red.artifact(&name).unwrap()).unwrap();
    assert_eq!(report["findings"][0]["seen_by"][0]["job"], "first");
    let build = told.buildkite.finish(LIMIT);
    assert!(build.annotations.is_empty(), "{:?}\n{}", build.annotations, build.story());
    assert!(build.unanswered.is_empty(), "{}", build.story());
    for value in build.meta_data.values() {
        assert!(value.len() <= 16_000, "{}", value.len());
    }
}

/// Checks of which one fails at once, while a step of the repository's own goes on until this file is there.
fn fails_while_another_goes_on(go: &Path, soft: bool) -> Value {
    let slow = format!("while [ ! -e '{}' ]; do sleep 0.1; done", go.display());
    json!({
        "docker": false, "only": ["style", "clippy", "slow"],
        "steps": [{"label": "slow", "command": slow}],
        "checks": {"clippy": {"soft-fail": soft}},
    })
}

#[test]
fn a_job_promises_its_failure_while_other_checks_go_on() {
    let Some(mut told) = Told::new() else { return };
    let go = told.sandbox.path().join("go");
    told.queue("red", 0, &fails_while_another_goes_on(&go, false));
    told.queue("soft", 0, &fails_while_another_goes_on(&go, true));
    told.start();
    // The slow step ends only after the promise: without one, this fails.
    told.buildkite.wait_until(LIMIT, |build| !build.promises.is_empty());
    std::fs::write(go, "").unwrap();
    let build = told.buildkite.finish(LIMIT);
    let red = build.job("red");
    assert_eq!(red.exit_status, Some(1), "{}", build.story());
    let [promise] = &build.promises[..] else { panic!("{:?}\n{}", build.promises, build.story()) };
    assert_eq!((&promise.job, promise.status), (&red.id, 1));
    assert!(promise.reason.contains("clippy"), "{}", promise.reason);
    assert!(promise.at < red.ended.unwrap(), "{}", build.story());
    assert_eq!(build.job("soft").exit_status, Some(0), "{}", build.story());
    assert!(build.unanswered.is_empty(), "{}", build.story());
}

#[test]
fn the_command_of_an_uploaded_step_promises_too_and_another_command_does_not() {
    let Some(mut told) = Told::new() else { return };
    let options = json!({"docker": false});
    for (label, command) in
        [("plain", "rust-vmm-ci run clippy"), ("guarded", "rust-vmm-ci run clippy || true")]
    {
        told.buildkite.queue(&json!({
            "label": label, "command": command, "plugins": [{ &told.plugin: options }],
        }));
    }
    told.start();
    let build = told.buildkite.finish(LIMIT);
    let promised: Vec<&str> = build.promises.iter().map(|promise| promise.job.as_str()).collect();
    assert_eq!(promised, [build.job("plain").id.as_str()], "{}", build.story());
    assert_eq!(build.job("guarded").exit_status, Some(0), "{}", build.story());
}

#[test]
fn a_finding_stands_on_its_line_of_the_pull_request_until_a_retry_passes() {
    let Some(mut told) = Told::new() else { return };
    let with_check = |only: &str| json!({"docker": false, "only": [only], "github-check": true});
    told.queue("red", 0, &with_check("clippy"));
    told.queue("red", 1, &with_check("style"));
    told.queue("green", 0, &with_check("style"));
    told.start();
    let build = told.buildkite.finish(LIMIT);
    let [first, second] = &build.step_updates[..] else {
        panic!("{:?}\n{}", build.step_updates, build.story())
    };
    for update in [first, second] {
        assert_eq!(update.attribute, "notify.github_check.output.annotations");
        assert_eq!((update.step.as_str(), update.append), ("step-of-red", false));
    }
    let lines: Value = serde_json::from_str(&first.value).unwrap();
    assert_eq!((lines[0]["path"].as_str(), lines[0]["start_line"].as_u64()), (Some("src/lib.rs"), Some(5)));
    assert_eq!(second.value, "[]");
}

/// A step of the repository's own that kills the program above it. `$PPID` of its shell is its keeper, and the
/// keeper's parent is the run.
fn kills_the_run() -> Value {
    let command = "kill -9 $(ps -o ppid= -p $PPID); sleep 60";
    json!({"docker": false, "only": ["mine"], "steps": [{"label": "mine", "command": command}]})
}

#[test]
fn a_job_that_was_killed_is_told_though_its_program_left_no_report() {
    let Some(mut told) = Told::new() else { return };
    told.queue("first", 0, &checks(&["clippy"]));
    told.queue("first", 1, &kills_the_run());
    told.buildkite.queue(&json!({
        "label": "inner", "command": "rust-vmm-ci run", "plugins": [{ &told.plugin: kills_the_run() }],
    }));
    let mut silent = kills_the_run();
    silent["annotate"] = json!(false);
    told.queue("silent", 0, &silent);
    told.buildkite.queue(&json!({
        "label": "own", "command": "exit 137", "plugins": [{ &told.plugin: {"docker": false} }],
    }));
    told.start();
    let build = told.buildkite.finish(LIMIT);
    let body = body(&build);
    assert!(body.contains("2 of 2 jobs failed"), "{body}");
    assert!(body.contains("the job ended by a signal, and left no report"), "{body}");
    assert!(body.contains("the job ended with status 137 (signal 9), and left no report"), "{body}");
    assert!(!body.contains("unused variable"), "{body}");
    assert_eq!(build.meta_data.len(), 2, "{:?}", build.meta_data);
    let statuses: Vec<Option<i32>> = build.jobs.iter().map(|job| job.exit_status).collect();
    // The agent ends with its own -1 for a command that a signal ended.
    assert_eq!(statuses, [1, 255, 137, 255, 137].map(Some), "{}", build.story());
    assert!(build.unanswered.is_empty(), "{}", build.story());
}
