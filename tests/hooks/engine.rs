//! The build in a container, on a machine with an engine and without Cargo. A stand-in for the engine notes how it
//! is called; a machine with a real one tries it by hand (docs/releasing.md).

use std::fs;
use std::path::Path;

use crate::agent::Agent;

/// Answers `info`, notes its arguments, and gives out a binary where the sources came in.
const ENGINE: &str = r#"#!/bin/sh
[ "$1" = info ] && exit 0
printf '%s\n' "$@" >>"${0%/*}/engine.log"
tar -xOf - Cargo.toml | grep -q rust-vmm-ci || exit 1
printf '#!/bin/sh\n[ "$1" = --version ] && echo rust-vmm-ci 1.0.0\nexit 0\n'
"#;

fn agent() -> Agent {
    let agent = Agent::new();
    let engine = agent.root.join("bin/docker");
    support::program::write(&engine, ENGINE);
    fs::create_dir(agent.plugin().join("tests")).unwrap();
    agent
}

fn log(agent: &Agent) -> String {
    fs::read_to_string(agent.root.join("bin/engine.log")).unwrap_or_default()
}

fn policy(agent: &Agent, text: &str) -> std::path::PathBuf {
    let file = agent.root.join("policy.json");
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn without_cargo_the_binary_is_built_in_the_policys_image_with_nothing_of_the_job() {
    let agent = agent();
    let file = policy(
        &agent,
        r#"{"docker": {"image": "of-jobs:1"}, "install-image": "builder.example:5000/rust:1"}"#,
    );
    let agent = agent.with("RUST_VMM_CI_POLICY", file);

    agent.run("command").with(0, &["~~~ Building rust-vmm-ci", "built in builder.example:5000/rust:1"]);

    let log = log(&agent);
    assert!(log.contains("\nbuilder.example:5000/rust:1\n") && log.contains("--locked"), "{log}");
    assert!(log.contains("\n--volume\n/build\n"), "a new, empty volume: {log}");
    assert!(!log.contains(agent.root.to_str().unwrap()), "no folder of the host is mounted: {log}");
    agent.run("command").with(0, &["kept from an earlier job"]);
}

#[test]
fn an_image_that_the_job_could_name_builds_nothing() {
    let agent = agent()
        .with("BUILDKITE_PLUGIN_CONFIGURATION", r#"{"docker": {"image": "strange:2"}}"#)
        .with("BUILDKITE_IMAGE", "strange:3");

    agent.run("command").with(3, &["no cargo to build it with", "no install-image in the agent's policy"]);

    assert_eq!(log(&agent), "");
}

#[test]
fn the_hooks_pin_an_image_by_its_digest_alone() {
    let digest = "a".repeat(64);
    for (line, status) in [(format!("rust.example/a:1@sha256:{digest}"), 0), ("rust.example/a:1".into(), 3)] {
        let agent = agent();
        let pinned = Path::new("hooks/lib/build-image");
        fs::write(agent.plugin().join(pinned), format!("# A comment.\n{line}\n")).unwrap();
        agent.run("command").with(status, &[]);
        assert_eq!(log(&agent).contains(&line), status == 0, "{line}");
    }
}
