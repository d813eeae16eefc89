//! The plugin in a job of the real Buildkite agent. The checks run in a real container.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::{Value, json};
use std::time::Duration;
use support::agent::{self, agent};
use support::bootstrap::Bootstrap;
use support::docker::{self, Agent, docker};
use support::podman::{self, podman};
use support::sandbox::Sandbox;
use support::{is_lacking, new_id};

const LIMIT: Duration = Duration::from_secs(180);
const MANIFEST: &str = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const FAULT: &str = "//! A crate.\n\n/// Counts.\npub fn count() -> u32 {\n    let unused = 1;\n    2\n}\n";
const LOCK: &str = "version = 4\n\n[[package]]\nname = \"sample\"\nversion = \"0.1.0\"\n";

/// A job for a crate with a fault.
fn job(agent: &std::path::Path) -> Bootstrap {
    let files =
        [("Cargo.toml", MANIFEST), ("Cargo.lock", LOCK), ("src/lib.rs", FAULT), (".gitignore", "target\n")];
    Bootstrap::new(env!("CARGO_BIN_EXE_rust-vmm-ci"), agent, &files)
}

/// Runs the job and asserts that the build has the same annotation as on the host. Returns the words after
/// `docker` that list the containers which the job left behind.
fn assert_told(job: Bootstrap, docker: &Value) -> Vec<String> {
    let id = new_id();
    let job = job.env("BUILDKITE_JOB_ID", &id);
    let configuration = json!({"docker": docker, "only": ["style", "clippy"]});
    let outcome = job.plugin(&configuration).run(LIMIT);
    assert_eq!(outcome.status, 1, "{}", outcome.output);
    let annotation = outcome.build.annotations.first();
    let Some(annotation) = annotation else { panic!("no annotation: {}", outcome.output) };
    for text in ["src/lib.rs:5", "unused_variables", "rust-vmm-ci run clippy"] {
        assert!(annotation.body.contains(text), "{text}: {}", annotation.body);
    }
    assert!(!annotation.body.contains("/workdir"), "{}", annotation.body);
    assert!(!outcome.output.contains("of-the-job"), "the agent's token");
    let label = format!("label=com.github.rust-vmm.ci.job-id={id}");
    ["ps", "--all", "--quiet", "--filter"].map(str::to_owned).into_iter().chain([label]).collect()
}

#[test]
fn a_failing_check_in_the_container_is_annotated_from_the_host_with_the_repositorys_path() {
    if is_lacking([docker::lacking(), agent::lacking()]) {
        return;
    }
    let (Some(docker), Some(agent)) = (docker(), agent()) else { return };
    let left = assert_told(job(agent).env("DOCKER_HOST", &docker.host()), &Agent::options());
    assert_eq!(docker.ask(&left.iter().map(String::as_str).collect::<Vec<_>>()), "");
}

#[test]
fn a_failing_check_in_podmans_container_is_annotated_alike() {
    if is_lacking([podman::lacking(), agent::lacking()]) {
        return;
    }
    let sandbox = Sandbox::new();
    let (Some(variables), Some(agent)) = (podman(&sandbox), agent()) else { return };
    let job = variables.iter().fold(job(agent), |job, (name, value)| job.env(name, value));
    let mut options = Agent::options();
    options
        .as_object_mut()
        .unwrap()
        .extend(json!({"runtime": "podman", "network": "none"}).as_object().unwrap().clone());
    let left = assert_told(job, &options);
    #[allow(clippy::disallowed_methods, reason = "the rule is for src/")]
    let left = std::process::Command::new("podman").args(left).envs(variables).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
}
