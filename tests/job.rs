//! The plugin in a job of the real Buildkite agent's, offline: what a step does, and what the build page shows.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::json;
use std::time::Duration;
use support::agent::agent;
use support::bootstrap::Bootstrap;

const LIMIT: Duration = Duration::from_secs(180);
const MANIFEST: &str = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const LIBRARY: &str = "//! A crate.\n\n/// Adds.\npub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n";
const FAULT: &str = "//! A crate.\n\n/// Counts.\npub fn count() -> u32 {\n    let unused = 1;\n    2\n}\n";

/// A job on a crate with this library; none where there is no agent.
fn job(library: &str) -> Option<Bootstrap> {
    let files = [("Cargo.toml", MANIFEST), ("src/lib.rs", library), (".gitignore", "target\nCargo.lock\n")];
    Some(Bootstrap::new(env!("CARGO_BIN_EXE_rust-vmm-ci"), agent()?, &files))
}

#[test]
fn a_step_without_a_command_runs_the_checks_and_a_sound_crate_passes() {
    let Some(job) = job(LIBRARY) else { return };
    let configuration = json!({"platform": std::env::consts::ARCH, "os": "linux", "docker": false, "only": ["build-gnu", "style", "doc"]});
    let outcome = job.plugin(&configuration).run(LIMIT);
    assert_eq!(outcome.status, 0, "{}", outcome.output);
    for heading in ["--- :rust: build-gnu", "--- :rust: style", "--- :rust: doc"] {
        assert!(outcome.output.contains(heading), "{heading}: {}", outcome.output);
    }
    assert!(outcome.build.annotations.is_empty(), "a job that passes has nothing to say");
}

#[test]
fn a_failing_check_fails_the_job_and_is_annotated_with_its_place() {
    let Some(job) = job(FAULT) else { return };
    let outcome = job.plugin(&json!({"docker": false, "only": ["style", "clippy"]})).run(LIMIT);
    assert_eq!(outcome.status, 1, "{}", outcome.output);
    assert!(outcome.output.contains("^^^ +++"), "{}", outcome.output);
    let annotation = outcome.build.annotations.first().expect(&outcome.output);
    let body = &annotation.body;
    for text in ["src/lib.rs:5", "unused_variables", "rust-vmm-ci run clippy"] {
        assert!(body.contains(text), "{text}: {body}");
    }
    assert_eq!(annotation.style, "error");
}

#[test]
fn a_command_that_runs_a_check_is_annotated_like_a_step_without_one() {
    let Some(job) = job(FAULT) else { return };
    let outcome = job.plugin(&json!({"docker": false})).command("rust-vmm-ci run clippy").run(LIMIT);
    assert_eq!(outcome.status, 1, "{}", outcome.output);
    let annotation = outcome.build.annotations.first().expect(&outcome.output);
    assert!(annotation.body.contains("src/lib.rs:5"));
}

#[test]
fn a_steps_own_command_keeps_its_status_but_for_125() {
    for (status, expected) in [(0, 0), (42, 42), (125, 3)] {
        let Some(job) = job(LIBRARY) else { return };
        let outcome = job
            .plugin(&json!({"docker": false}))
            .command(&format!("echo \"it's $HOME\"; exit {status}"))
            .run(LIMIT);
        assert_eq!(outcome.status, expected, "{}", outcome.output);
        assert!(outcome.output.contains("it's /"), "{}", outcome.output);
    }
}

#[test]
fn a_nested_null_is_named_though_the_agent_drops_the_configuration_for_it() {
    let Some(job) = job(LIBRARY) else { return };
    let outcome = job
        .env("BUILDKITE_PLUGIN_VALIDATION", "false")
        .plugin(&json!({"docker": false, "checks": {"clippy": null}}))
        .run(LIMIT);
    assert_eq!(outcome.status, 2, "{}", outcome.output);
    assert!(outcome.output.contains("checks.clippy"), "{}", outcome.output);
}

#[test]
fn a_misspelt_option_is_refused_with_what_was_meant() {
    let Some(job) = job(LIBRARY) else { return };
    let outcome = job
        .env("BUILDKITE_PLUGIN_VALIDATION", "false")
        .plugin(&json!({"docker": false, "onyl": ["style"]}))
        .run(LIMIT);
    assert_eq!(outcome.status, 2, "{}", outcome.output);
    assert!(outcome.output.contains("`only`"), "{}", outcome.output);
}

#[test]
fn a_cancelled_job_ends_its_children_and_leaves_nothing() {
    let library = "#[test]\nfn hangs() {\n    std::fs::write(\"pid\", std::process::id().to_string()).unwrap();\n    \
                   std::thread::sleep(std::time::Duration::from_secs(600));\n}\n";
    let Some(job) = job(library) else { return };
    let temporary = job.sandbox().folder("tmp");
    let mut job = job
        .env("TMPDIR", temporary.to_str().unwrap())
        .plugin(&json!({"docker": false}))
        .command("rust-vmm-ci run unittests-gnu")
        .start();
    job.wait_for("running 1 test", LIMIT);
    // The file is empty at first.
    let file = job.checkout().join("pid");
    let begun = || std::fs::read_to_string(&file).ok()?.parse::<i32>().ok();
    let pid = support::eventually(LIMIT, begun).unwrap_or_else(|| panic!("{}", job.process.output()));
    job.cancel();
    let outcome = job.finish(LIMIT);
    assert_ne!(outcome.status, 0, "{}", outcome.output);
    let gone = || (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(());
    assert!(support::eventually(LIMIT, gone).is_some(), "the test goes on: {}", outcome.output);
    let left: Vec<_> =
        std::fs::read_dir(temporary).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("rust-vmm-ci")), "{left:?}");
}
