//! `rust-vmm-ci init` and `migrate` as a person uses them.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test fails where it stands"
)]

use serde_json::Value;
use std::fs;
use std::path::Path;
use support::sandbox::{File, Repository, Sandbox};

const MANIFEST: File<'_> =
    ("Cargo.toml", "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
const LIBRARY: File<'_> = ("src/lib.rs", "//! A crate.\n");
const PIPELINE: &str = ".buildkite/pipeline.yml";

/// How a command ended, and what it said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn run(sandbox: &Sandbox, folder: &Path, args: &[&str]) -> Said {
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
    let output = command.args(args).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The steps that an upload would bring.
fn steps(sandbox: &Sandbox, folder: &Path, config: Option<&str>) -> Value {
    let file = sandbox.path().join("config.json");
    let mut args = vec!["pipeline"];
    if let Some(config) = config {
        fs::write(&file, config).unwrap();
        args.extend(["--config", file.to_str().unwrap()]);
    }
    let said = run(sandbox, folder, &args);
    assert_eq!(said.code, Some(0), "{}", said.err);
    serde_json::from_str(&said.out).unwrap()
}

/// A repository with the predecessor as a submodule, called like it.
fn with_submodule(sandbox: &Sandbox, files: &[File<'_>]) -> Repository {
    let predecessor = sandbox.repository("rust-vmm-ci", &[("README.md", "The predecessor\n")]);
    let repository = sandbox.repository("work", &[&[MANIFEST, LIBRARY], files].concat());
    repository.git(&["submodule", "--quiet", "add", &predecessor.url(), "rust-vmm-ci"]);
    repository.commit(&[]);
    repository
}

#[test]
fn a_new_repository_is_set_up_and_its_checks_run_at_once() {
    let sandbox = Sandbox::new();
    let repository = sandbox.repository("work", &[MANIFEST, LIBRARY, (".platform", "aarch64\nx86_64\n")]);
    let dry = run(&sandbox, repository.path(), &["init", "--dry-run"]);
    assert_eq!(dry.code, Some(0), "{}", dry.err);
    assert!(!repository.path().join(PIPELINE).exists(), "a dry run writes nothing");
    let said = run(&sandbox, repository.path(), &["init"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("coverage --update"), "{}", said.out);
    let text = fs::read_to_string(repository.path().join(PIPELINE)).unwrap();
    assert_eq!(text, dry.out);
    assert!(text.contains("label: aarch64 linux") && text.contains("platform: arm.metal"), "{text}");
    let list = run(&sandbox, repository.path(), &["list"]);
    assert!(list.out.contains("clippy-x86_64") && list.out.contains(PIPELINE), "{}", list.out);
}

#[test]
fn what_is_there_is_left_as_it_is() {
    let sandbox = Sandbox::new();
    let own = "steps:\n  - command: make # by hand\n";
    let repository = sandbox.repository("work", &[MANIFEST, (PIPELINE, own)]);
    let said = run(&sandbox, repository.path(), &["init"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.err.contains("stays as it is") && said.err.contains("rust-vmm/rust-vmm-ci#v"),
        "{}",
        said.err
    );
    assert_eq!(fs::read_to_string(repository.path().join(PIPELINE)).unwrap(), own);
    fs::remove_file(repository.path().join(PIPELINE)).unwrap();
    assert_eq!(run(&sandbox, repository.path(), &["init", "--mode", "upload"]).code, Some(0));
    let again = run(&sandbox, repository.path(), &["init"]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("uses the plugin already"), "{}", again.err);
}

#[test]
fn a_folder_without_a_package_is_refused() {
    let sandbox = Sandbox::new();
    let said = run(&sandbox, &sandbox.folder("empty"), &["init"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("no Cargo.toml"), "{}", said.err);
}

#[test]
fn a_repository_moves_off_the_submodule_to_the_same_steps() {
    let sandbox = Sandbox::new();
    let tests = r#"{"tests": [{"test_name": "own's", "command": "make", "platform": ["x86_64"]}]}"#;
    let repository = with_submodule(
        &sandbox,
        &[
            (".buildkite/custom-tests.json", tests),
            (".github/dependabot.yml", "updates:\n- package-ecosystem: gitsubmodule\n"),
            ("run.sh", "#!/bin/sh\nrust-vmm-ci/test_run.py\n"),
            ("CHANGELOG.md", "- rust-vmm-ci/ moved\n"),
        ],
    );
    let expected = steps(
        &sandbox,
        repository.path(),
        Some(r#"{"mode": "upload", "tests": ".buildkite/custom-tests.json"}"#),
    );
    let said = run(&sandbox, repository.path(), &["migrate"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for told in ["dependabot.yml:2", "run.sh:2", "pipeline upload"] {
        assert!(said.out.contains(told), "{told}: {}", said.out);
    }
    assert!(said.out.contains("CHANGELOG.md tells of the past"), "{}", said.out);
    let status = repository.git(&["status", "--porcelain"]);
    assert_eq!(status, "A  .buildkite/pipeline.yml\nD  .gitmodules\nD  rust-vmm-ci");
    assert!(!repository.path().join("rust-vmm-ci").exists());
    assert_eq!(steps(&sandbox, repository.path(), None), expected);
    let again = run(&sandbox, repository.path(), &["migrate"]);
    assert_eq!(again.code, Some(2));
    assert!(again.err.contains("no submodule"), "{}", again.err);
}

#[test]
fn another_submodule_stays() {
    let sandbox = Sandbox::new();
    let repository = with_submodule(&sandbox, &[]);
    let other = sandbox.repository("other", &[]);
    repository.git(&["submodule", "--quiet", "add", &other.url(), "deps/other"]);
    repository.commit(&[]);
    assert_eq!(run(&sandbox, repository.path(), &["migrate"]).code, Some(0));
    let left = fs::read_to_string(repository.path().join(".gitmodules")).unwrap();
    assert!(left.contains("deps/other") && !left.contains("rust-vmm-ci\""), "{left}");
}

#[test]
fn nothing_is_half_done_where_work_would_be_lost() {
    let sandbox = Sandbox::new();
    let repository = with_submodule(&sandbox, &[]);
    fs::write(repository.path().join("rust-vmm-ci/README.md"), "Mine\n").unwrap();
    let before = repository.git(&["status", "--porcelain"]);
    let said = run(&sandbox, repository.path(), &["migrate"]);
    assert_eq!(said.code, Some(3));
    assert!(said.err.contains("rust-vmm-ci"), "git's own words: {}", said.err);
    assert_eq!(repository.git(&["status", "--porcelain"]), before);
    assert!(!repository.path().join(".buildkite").exists());
}

#[test]
fn a_description_that_is_wrong_is_told_before_anything_is_done() {
    let sandbox = Sandbox::new();
    let wrong = r#"{"tests": [{"test_name": "x", "platform": ["x86_64"]}]}"#;
    let repository = with_submodule(&sandbox, &[(".buildkite/custom-tests.json", wrong)]);
    let said = run(&sandbox, repository.path(), &["migrate"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("custom-tests.json") && said.err.contains("command"), "{}", said.err);
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
}
