//! `rust-vmm-ci pipeline`, `list` and `explain` as a person uses them. Each file in
//! `tests/cases/pipeline` is a repository with its configuration and variables, and what it must
//! come to; every pipeline also goes through the real agent's parser and must come back equal.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails where it stands")]

mod cargo;
mod explain;
mod select;
mod upload;

use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use support::agent::agent;
use support::case::{Case, Printed};
use support::sandbox::Sandbox;

/// This project's program.
const BINARY: &str = env!("CARGO_BIN_EXE_rust-vmm-ci");

/// The cases of a folder, by file.
fn cases(folder: &str) -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/pipeline").join(folder);
    let mut cases: Vec<(String, Value)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            // Another default image changes no case.
            let text = text.replace("{image}", &rust_vmm_ci_core::model::pinned_image(None));
            let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, value)
        })
        .collect();
    cases.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(!cases.is_empty());
    cases
}

#[test]
fn every_case_comes_to_the_steps_that_it_says() {
    let mut wrong = Vec::new();
    for (name, value) in cases("steps") {
        let printed = Case::new(BINARY, &value).pipeline(&[]);
        wrong.extend(printed.differences(&value).into_iter().map(|told| format!("{name}: {told}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_wrong_is_refused_with_its_place_and_nothing_is_printed() {
    let mut wrong = Vec::new();
    for (name, value) in cases("refused") {
        for (index, refused) in value.as_array().unwrap().iter().enumerate() {
            let Printed { code, out, err } = Case::new(BINARY, refused).pipeline(&[]);
            let told = refused["error"].as_str().unwrap();
            if code != Some(2) || !out.is_empty() || !err.contains(told) {
                wrong.push(format!("{name}[{index}]: {code:?} {err:?} and not {told:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A pipeline as the real agent's parser gives it back.
fn through_the_agent(agent: &Path, pipeline: &str) -> Value {
    // Which files have changed is the agent's to find out, and a test's of its own.
    parsed(agent, Sandbox::new().path(), pipeline, &["--apply-if-changed=false"])
}

/// What the real agent would upload from a folder.
fn parsed(agent: &Path, folder: &Path, pipeline: &str, flags: &[&str]) -> Value {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(agent);
    command
        .args(["pipeline", "upload", "--dry-run", "--format", "json"])
        .args(["--reject-parse-warnings", "--no-interpolation"])
        .args(flags)
        .current_dir(folder)
        .env("BUILDKITE_AGENT_ACCESS_TOKEN", "no-real-token");
    serde_json::from_slice(&with_input(&mut command, pipeline)).unwrap()
}

#[test]
fn the_real_agent_reads_every_dollar_as_we_do() {
    let Some(agent) = agent() else { return };
    for text in [
        "$$PWD",
        "$$$$",
        r"\$X",
        r"\\$(x)",
        r"\\\$X",
        r"\\$$X",
        "$(find) $1 $_ é$$é",
        "$${X:-y}",
        "$",
        "$$$",
        r"$ \",
        "a \\b",
    ] {
        let pipeline = json!({"steps": [{"label": text, "command": "c"}]}).to_string();
        let sandbox = Sandbox::new();
        let mut command = sandbox.command(agent);
        command.args(["pipeline", "upload", "--dry-run", "--format", "json"]).current_dir(sandbox.path());
        let output = with_input(command.env("BUILDKITE_AGENT_ACCESS_TOKEN", "no-real-token"), &pipeline);
        let theirs: Value = serde_json::from_slice(&output).unwrap();
        let mut ours = json!(text);
        rust_vmm_ci_core::buildkite::unescape(&mut ours);
        assert_eq!(theirs["steps"][0]["label"], ours, "{text}");
    }
}

/// What a program that is given this input prints.
fn with_input(command: &mut std::process::Command, input: &str) -> Vec<u8> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The steps without what the agent takes out of them when it has read it.
fn without_paths(mut pipeline: Value) -> Value {
    for step in pipeline["steps"].as_array_mut().unwrap() {
        step.as_object_mut().unwrap().remove("if_changed");
    }
    pipeline
}

#[test]
fn every_pipeline_comes_back_equal_from_the_agents_parser() {
    let Some(agent) = agent() else { return };
    for (name, value) in cases("steps") {
        let case = Case::new(BINARY, &value);
        let ours: Value = serde_json::from_str(&case.pipeline(&[]).out).unwrap();
        if ours == json!({"steps": []}) {
            continue;
        }
        let ours = without_paths(ours);
        for format in ["json", "yaml"] {
            let printed = case.pipeline(&["--format", format]).out;
            assert_eq!(through_the_agent(agent, &printed), ours, "{name}, {format}");
        }
    }
}

#[test]
fn without_a_job_the_steps_name_this_versions_plugin() {
    let case = Case::new(BINARY, &json!({"config": {"only": ["style"]}}));
    let printed = case.command(&["pipeline"]).env_remove("BUILDKITE_PLUGINS").output().unwrap();
    let pipeline: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let reference = format!("rust-vmm/rust-vmm-ci#v{}", env!("CARGO_PKG_VERSION"));
    assert!(pipeline["steps"][0]["plugins"][0].get(&reference).is_some(), "{pipeline}");
}
