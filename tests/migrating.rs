//! `docs/migrating.md` as a reader follows it: every command of the page, on a copy of the repository that it
//! walks through; and what `migrate` must name.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test fails where it stands"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use support::sandbox::{File, Repository, Sandbox};

const PAGE: &str = include_str!("../docs/migrating.md");
const MANIFEST: File<'_> =
    ("Cargo.toml", "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
const COVERAGE: &str = r#"{"coverage_score": 90, "exclude_path": ""}"#;
/// An old list: with a check that is gone, and without one that came later.
const OLD_LIST: &str = r#"{"tests": [{"test_name": "style", "command": "cargo fmt --check"},
    {"test_name": "check-warnings", "command": "cargo check", "platform": ["x86_64", "aarch64"]}]}"#;

/// How a command ended, and all that it said.
struct Said {
    code: Option<i32>,
    text: String,
}

fn run(sandbox: &Sandbox, folder: &Path, script: &str) -> Said {
    let program = Path::new(env!("CARGO_BIN_EXE_rust-vmm-ci")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut command = sandbox.command("sh");
    command.args(["-ec", script]).env("PATH", path).current_dir(folder);
    for (key, value) in [("COUNT", "1"), ("KEY_0", "protocol.file.allow"), ("VALUE_0", "always")] {
        command.env(format!("GIT_CONFIG_{key}"), value);
    }
    let output = command.output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Said { code: output.status.code(), text: String::from_utf8(text).unwrap() }
}

fn migrate(sandbox: &Sandbox, repository: &Repository, args: &str) -> Said {
    run(sandbox, repository.path(), &format!("rust-vmm-ci migrate {args}"))
}

/// A repository with a submodule that holds this list.
fn with_submodule(sandbox: &Sandbox, list: &str, files: &[File<'_>]) -> Repository {
    let predecessor = sandbox.repository(
        "rust-vmm-ci",
        &[
            (".buildkite/test_description.json", list),
            (".buildkite/autogenerate_pipeline.py", "CONTAINER_VERSION = \"v16\"\n"),
        ],
    );
    let repository = sandbox.repository("work", &[&[MANIFEST, ("src/lib.rs", "//! A.\n")], files].concat());
    repository.git(&["submodule", "--quiet", "add", &predecessor.url(), "rust-vmm-ci"]);
    repository.commit(&[]);
    repository
}

/// The blocks of the page in this language, in order, each with the language.
fn blocks() -> Vec<(&'static str, &'static str)> {
    let mut blocks = Vec::new();
    let mut rest = PAGE;
    while let Some((_, after)) = rest.split_once("```") {
        let (language, after) = after.split_once('\n').unwrap();
        let (text, after) = after.split_once("```").unwrap();
        blocks.push((language, text));
        rest = after;
    }
    blocks
}

#[test]
fn every_command_of_the_page_does_what_the_page_says() {
    let sandbox = Sandbox::new();
    let standard = include_str!("../crates/core/src/checks/standard.json");
    let repository = with_submodule(
        &sandbox,
        standard,
        &[
            (".platform", "x86_64\naarch64\nriscv64\n"),
            ("coverage_config_aarch64.json", COVERAGE),
            ("coverage_config_x86_64.json", COVERAGE),
            (
                ".buildkite/custom-tests.json",
                r#"{"tests": [{"test_name": "miri", "command": "cargo miri test", "platform": ["x86_64"]}]}"#,
            ),
            (
                ".github/dependabot.yml",
                "updates:\n# The submodule rust-vmm-ci\n- package-ecosystem: gitsubmodule\n",
            ),
        ],
    );
    let mut said = String::new();
    let mut tried = 0;
    for (language, text) in blocks() {
        match language {
            "sh" => {
                said.clear();
                for line in text.lines() {
                    if line.starts_with("git commit") {
                        // What the page leaves to an editor.
                        fs::write(repository.path().join(".github/dependabot.yml"), "updates: []\n").unwrap();
                    }
                    let done = run(&sandbox, repository.path(), line);
                    let expected = if line.contains("--check") && tried < 2 { Some(1) } else { Some(0) };
                    assert_eq!(done.code, expected, "{line}\n{}", done.text);
                    said += &done.text;
                    tried += 1;
                }
            }
            "text" => {
                for line in text.lines() {
                    assert!(said.contains(line), "{line}\nis not in\n{said}");
                }
            }
            _ => {}
        }
    }
    assert!(tried > 8, "the page has commands");
    assert!(!repository.path().join("rust-vmm-ci").exists());
}

#[test]
fn each_label_that_goes_away_or_is_new_is_named() {
    let sandbox = Sandbox::new();
    let repository = with_submodule(&sandbox, OLD_LIST, &[(".platform", "x86_64\n")]);
    let checked = migrate(&sandbox, &repository, "--check");
    assert_eq!(checked.code, Some(1), "{}", checked.text);
    assert_eq!(repository.git(&["status", "--porcelain"]), "", "a check changes nothing");
    let done = migrate(&sandbox, &repository, "--diff");
    for said in [&checked.text, &done.text] {
        let (gone, new) = said.split_once("These labels are new").unwrap();
        assert!(gone.contains("- check-warnings-x86_64: cargo check") && new.contains("- doc: "), "{said}");
        assert!(!said.contains("check-warnings-aarch64"), "not a platform of the repository: {said}");
        assert!(said.contains("(before: rustvmm/dev:v16)"), "{said}");
    }
}

#[test]
fn without_the_submodules_list_the_months_of_its_changes_are_named() {
    let sandbox = Sandbox::new();
    let repository = with_submodule(&sandbox, OLD_LIST, &[]);
    repository.git(&["submodule", "--quiet", "deinit", "rust-vmm-ci"]);
    let said = migrate(&sandbox, &repository, "");
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(
        said.text.contains("- before September 2025; new now: doc; gone now: check-warnings-x86_64"),
        "{}",
        said.text
    );
}

#[test]
fn links_into_the_submodule_go_with_it_and_nothing_dangles() {
    let sandbox = Sandbox::new();
    let repository = with_submodule(&sandbox, OLD_LIST, &[("sub/x", ""), (".buildkite/x", "")]);
    symlink("../rust-vmm-ci", repository.path().join("sub/ci")).unwrap();
    symlink("sub/ci/.buildkite/autogenerate_pipeline.py", repository.path().join("generate")).unwrap();
    symlink(
        "../rust-vmm-ci/.buildkite/test_description.json",
        repository.path().join(".buildkite/standard.json"),
    )
    .unwrap();
    symlink("sub/x", repository.path().join("stays")).unwrap();
    repository.commit(&[("Makefile", "all:\n\t./generate\n\tsub/ci/x\n")]);
    let said = migrate(&sandbox, &repository, "");
    assert_eq!(said.code, Some(0), "{}", said.text);
    for told in ["link sub/ci", "link generate", "link .buildkite/standard.json", "Makefile:3"] {
        assert!(said.text.contains(told), "{told}: {}", said.text);
    }
    let dangling = run(&sandbox, repository.path(), "find . -xtype l -not -path './.git/*'");
    assert_eq!(dangling.text, "");
    assert!(repository.path().join("stays").is_symlink());
    let pipeline = run(&sandbox, repository.path(), "rust-vmm-ci pipeline");
    assert!(
        pipeline.text.contains(r#""label":"clippy-x86_64""#),
        "the standard list is in: {}",
        pipeline.text
    );
}

#[test]
fn a_repository_with_a_pipeline_is_finished_and_its_file_stays() {
    let sandbox = Sandbox::new();
    let own = "steps:\n- command: make\n";
    let repository = with_submodule(&sandbox, OLD_LIST, &[(".buildkite/pipeline.yml", own)]);
    let said = migrate(&sandbox, &repository, "");
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(said.text.contains("- take these steps into .buildkite/pipeline.yml"), "{}", said.text);
    assert_eq!(fs::read_to_string(repository.path().join(".buildkite/pipeline.yml")).unwrap(), own);
    assert!(!repository.path().join(".gitmodules").exists());
}

#[test]
fn every_way_to_speak_of_the_submodule_is_listed_with_its_place() {
    let sandbox = Sandbox::new();
    let call = r#"{"tests": [{"test_name": "c", "command": "cd sub && pytest test_coverage.py"}]}"#;
    let repository = with_submodule(
        &sandbox,
        OLD_LIST,
        &[
            ("Makefile", "test:\n\tpytest rust-vmm-ci/integration_tests/test_coverage.py\n"),
            (".github/CODEOWNERS", "/rust-vmm-ci @me\n"),
            ("renovate.json", "{\"git-submodules\": {\"enabled\": true}}\n"),
            (".github/workflows/a.yml", "- uses: checkout\n  with:\n    submodules: true\n"),
            ("docs/a.md", "git submodule update --init\n"),
            ("README.md", "[CI](https://buildkite.com/rust-vmm/rust-vmm-ci)\n"),
            ("sub/.buildkite/custom-tests.json", call),
            ("notes.md", "`rust-vmm-ci run` runs the checks\n"),
        ],
    );
    let said = migrate(&sandbox, &repository, "");
    for place in [
        "Makefile:2",
        ".github/CODEOWNERS:1",
        "renovate.json:1",
        ".github/workflows/a.yml:3",
        "docs/a.md:1",
        "README.md:1",
        "sub/.buildkite/custom-tests.json:1",
    ] {
        assert!(said.text.contains(&format!("- {place}: ")), "{place}: {}", said.text);
    }
    assert!(!said.text.contains("notes.md"), "our own command is no mention: {}", said.text);
}

#[test]
fn a_pattern_in_gitmodules_removes_nothing() {
    let sandbox = Sandbox::new();
    for path in [":(top)*", "*"] {
        let modules =
            format!("[submodule \"a\"]\n\tpath = {path}\n\turl = https://example.org/rust-vmm-ci.git\n");
        let repository = sandbox.repository("hostile", &[MANIFEST, (".gitmodules", &modules)]);
        let said = migrate(&sandbox, &repository, "");
        assert_eq!(said.code, Some(0), "{}", said.text);
        assert!(repository.path().join("Cargo.toml").exists());
        assert_eq!(repository.git(&["ls-files"]), ".buildkite/pipeline.yml\nCargo.toml");
        fs::remove_dir_all(repository.path()).unwrap();
    }
}

#[test]
fn a_gitmodules_that_is_no_file_of_the_repository_is_refused_without_waiting() {
    for (make, says) in [
        ("mkdir .gitmodules", "it is not a plain file"),
        ("mkfifo .gitmodules", "it is not a plain file"),
        ("ln -s /dev/zero .gitmodules", "it leads out of the checkout"),
        ("truncate -s 100M .gitmodules", "it is longer than 4 MB"),
    ] {
        let sandbox = Sandbox::new();
        let repository = sandbox.repository("hostile", &[MANIFEST, ("src/lib.rs", "//! A.\n")]);
        let said =
            run(&sandbox, repository.path(), &format!("{make}; timeout 20 rust-vmm-ci migrate --dry-run"));
        assert_eq!(said.code, Some(2), "{make}: {}", said.text);
        assert!(said.text.contains(says), "{make}: {}", said.text);
    }
}
