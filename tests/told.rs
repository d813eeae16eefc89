//! What the page of a build shows while its jobs end, with the real agent and a Buildkite of our own.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::{Value, json};
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
