//! The plugin in a job of the real Buildkite agent's whose checks run in a real container.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use serde_json::json;
use std::time::Duration;
use support::agent::agent;
use support::bootstrap::Bootstrap;
use support::docker::{Agent, docker};

const LIMIT: Duration = Duration::from_secs(180);
const MANIFEST: &str = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const FAULT: &str = "//! A crate.\n\n/// Counts.\npub fn count() -> u32 {\n    let unused = 1;\n    2\n}\n";
const LOCK: &str = "version = 4\n\n[[package]]\nname = \"sample\"\nversion = \"0.1.0\"\n";

#[test]
fn a_failing_check_in_the_container_is_annotated_from_the_host_with_the_repositorys_path() {
    let (Some(docker), Some(agent)) = (docker(), agent()) else { return };
    let files =
        [("Cargo.toml", MANIFEST), ("Cargo.lock", LOCK), ("src/lib.rs", FAULT), (".gitignore", "target\n")];
    let job = Bootstrap::new(agent, &files).env("DOCKER_HOST", &docker.host());
    let configuration = json!({"docker": Agent::options(), "only": ["style", "clippy"]});
    let outcome = job.plugin(&configuration).run(LIMIT);
    assert_eq!(outcome.status, 1, "{}", outcome.output);
    let annotation = outcome.build.annotations.first().expect(&outcome.output);
    for text in ["src/lib.rs:5", "unused_variables", "rust-vmm-ci run clippy"] {
        assert!(annotation.body.contains(text), "{text}: {}", annotation.body);
    }
    assert!(!annotation.body.contains("/workdir"), "{}", annotation.body);
    assert!(!outcome.output.contains("of-the-job"), "the agent's token");
    assert_eq!(
        docker.ask(&[
            "ps",
            "--all",
            "--quiet",
            "--filter",
            "label=com.github.rust-vmm.ci.job-id=33333333-0000-4000-8000-000000000000"
        ]),
        ""
    );
}
