//! Tests of which steps of crates a change reaches, by their commands and options.

use crate::config::Config;
use crate::plan::{Facts, Planner};
use crate::selection::{Decision, Selection};
use crate::workspace::MemoryFiles;
use serde_json::{Value, json};

/// The labels of `a`'s steps that run when a change reaches only `b`. `command` is of a test in `a`.
fn run(command: &str, options: &Value) -> Vec<String> {
    let described = json!({"tests": [{"test_name": "own", "command": command}]}).to_string();
    let files = MemoryFiles::of(&[
        ("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\n"),
        ("a/Cargo.toml", "[package]\nname = \"a\"\n"),
        ("a/.buildkite/custom-tests.json", &described),
        ("b/Cargo.toml", "[package]\nname = \"b\"\n"),
    ]);
    let mut all = json!({"workspace": "selective", "platform": "x86_64", "only": ["own", "step", "clippy"],
        "steps": [{"label": "step", "command": "cd {crate_path} && cargo test -p {crate}"}]});
    all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    let config = Config::parse(&all).unwrap();
    let mut facts = Facts::read(&files, &|_| None, &config, false).unwrap();
    facts.selection = Some(Selection {
        crates: [("b".to_owned(), "b/src/lib.rs".to_owned())].into(),
        ..Selection::default()
    });
    let mut labels = Vec::new();
    let planner = Planner::for_upload(&config, &facts).unwrap();
    planner
        .visit(&mut |check| {
            if matches!(check.decision, Some(Decision::Runs(_))) && check.label.as_str().starts_with("a: ") {
                labels.push(check.label.as_str().to_owned());
            }
            Ok(())
        })
        .unwrap();
    labels
}

#[test]
fn a_description_in_a_crate_runs_in_the_root_so_that_its_command_may_concern_every_crate() {
    assert_eq!(run("cargo test", &json!({})), ["a: own"]);
    assert_eq!(run("cd {crate_path} && cargo test", &json!({})), [""; 0]);
    assert_eq!(run("cd a && cargo test", &json!({})), [""; 0]);
    assert_eq!(run("pytest rust-vmm-ci/integration_tests/test_coverage.py", &json!({})), [""; 0]);
}

#[test]
fn options_that_name_another_crate_or_folder_make_a_step_concern_it() {
    let checks = |options: Value| run("cargo test -p a", &json!({"checks": options}));
    assert_eq!(checks(json!({"clippy": {"args": ["-p", "b"]}})), ["a: clippy-x86_64"]);
    assert_eq!(checks(json!({"clippy": {"args": ["--workspace"]}})), ["a: clippy-x86_64"]);
    assert_eq!(checks(json!({"clippy": {"args": ["--locked", "--", "-p", "b"]}})), [""; 0]);
    assert_eq!(checks(json!({"clippy": {"command": "cargo clippy"}})), [""; 0]);
    assert_eq!(checks(json!({"clippy": {"command": "cargo clippy -pb"}})), ["a: clippy-x86_64"]);
    assert_eq!(checks(json!({"own": {"args": ["-pb"]}})), ["a: own"]);
    assert_eq!(checks(json!({"own": {"packages": ["a", "b"]}})), ["a: own"]);
    assert_eq!(checks(json!({"own": {"working-directory": "a"}})), [""; 0]);
    assert_eq!(checks(json!({"own": {"working-directory": "b"}})), ["a: own"]);
}
