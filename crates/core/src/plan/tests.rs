//! Tests of the plan for a run on this machine.

mod decided;
mod in_threads;
mod opt_in;

use super::{Asked, Facts, Plan, Work, for_run};
use crate::checks::Logic;
use crate::config::Config;
use crate::exit::{self, Exit};
use crate::model::{Os, Platform};
use crate::workspace::MemoryFiles;
use anyhow::Result;
use serde_json::{Value, json};

/// The options, files and variables of a plan.
struct Case {
    config: Value,
    files: Vec<(&'static str, &'static str)>,
    variables: Vec<(&'static str, &'static str)>,
}

impl Case {
    fn new(config: Value) -> Self {
        Self { config, files: Vec::new(), variables: Vec::new() }
    }

    fn plan(&self, platform: Platform, os: Os, names: &[&str], packages: &[&str]) -> Result<Plan> {
        let config = Config::parse(&self.config)?;
        let variable = |name: &str| {
            self.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let asked = Asked { names: owned(names), packages: owned(packages) };
        let facts = Facts::read(&MemoryFiles::of(&self.files), &variable, &config, !packages.is_empty())?;
        for_run(&config, &facts, platform, os, &asked)
    }

    fn labels(&self, names: &[&str]) -> Vec<String> {
        let plan = self.plan(Platform::X86_64, Os::Linux, names, &[]).unwrap();
        plan.checks.iter().map(|check| check.label.as_str().to_owned()).collect()
    }

    fn refusal(&self, platform: Platform, names: &[&str]) -> String {
        let error = self.plan(platform, Os::Linux, names, &[]).unwrap_err();
        assert_eq!(exit::of(&error), Exit::Usage);
        error.to_string()
    }
}

const CUSTOM: &str = r#"{"tests": [
    {"test_name": "miri", "command": "cargo miri", "platform": ["x86_64", "aarch64"], "timeout_in_minutes": "40"},
    {"test_name": "arm", "command": "x", "platform": ["aarch64"]},
    {"test_name": "perf", "command": "pytest test_benchmark.py", "soft_fail": "true"}]}"#;

/// Extra steps, and a file of tests.
fn custom() -> Case {
    let config = json!({"tests": "t.json", "steps": [{"label": "mine", "command": "make"}],
                        "checks": {"mine": {"env": {"A": "b"}}, "perf": {"threshold": 5}}});
    Case { files: vec![("t.json", CUSTOM)], ..Case::new(config) }
}

#[test]
fn without_names_every_check_of_the_platform_runs_and_then_the_repositorys_own() {
    let plan = custom().plan(Platform::X86_64, Os::Linux, &[], &[]).unwrap();
    let labels: Vec<&str> = plan.checks.iter().map(|check| check.label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "build-gnu-x86_64",
            "build-musl-x86_64",
            "style",
            "doc",
            "unittests-gnu-x86_64",
            "unittests-musl-x86_64",
            "unittests-gnu-release-x86_64",
            "unittests-musl-release-x86_64",
            "clippy-x86_64",
            "coverage-x86_64",
            "commit-format",
            "cargo-audit-x86_64",
            "mine",
            "miri-x86_64",
            "perf"
        ]
    );
    assert!(plan.notes[0].contains("which is the check `rust-vmm-ci run bench` now"), "{:?}", plan.notes);
}

#[test]
fn what_is_planned_of_a_check_is_what_was_written_of_it() {
    let plan = custom().plan(Platform::X86_64, Os::Linux, &["miri", "mine", "perf", "clippy"], &[]).unwrap();
    let check = |label: &str| plan.checks.iter().find(|check| check.label.as_str() == label).unwrap();
    assert!(matches!(&check("clippy-x86_64").work, Work::Cargo { command, .. } if command.verb == "clippy"));
    assert_eq!(check("clippy-x86_64").timeout_in_minutes, None);
    assert!(matches!(&check("miri-x86_64").work, Work::Shell(text) if text == "cargo miri"));
    assert_eq!(check("miri-x86_64").timeout_in_minutes, Some(40));
    assert_eq!(check("mine").env, [("A".to_owned(), "b".to_owned())]);
    assert_eq!(check("mine").command, "export A=b; make");
    assert!(check("perf").soft_fail && check("perf").soft_fail);
    assert!(
        matches!(&check("perf").work, Work::Logic(Logic::Bench(options)) if options.threshold == Some(5.0))
    );
}

#[test]
fn windows_has_its_own_list() {
    let plan = Case::new(json!({})).plan(Platform::X86_64, Os::Windows, &[], &[]).unwrap();
    let labels: Vec<&str> = plan.checks.iter().map(|check| check.label.as_str()).collect();
    assert_eq!(
        labels,
        [
            "build-msvc-x86_64",
            "style",
            "doc",
            "unittests-msvc-x86_64",
            "unittests-msvc-release-x86_64",
            "clippy-x86_64",
            "commit-format"
        ]
    );
}

#[test]
fn riscv64s_checks_are_plain_cargo_commands() {
    let plan = Case::new(json!({})).plan(Platform::Riscv64, Os::Linux, &["build-gnu"], &[]).unwrap();
    assert!(matches!(&plan.checks[0].work, Work::Cargo { command, .. } if !command.all_features));
    assert!(plan.checks[0].command.starts_with("RUSTFLAGS=\"-D warnings\" cargo build --all-features"));
}

#[test]
fn names_and_labels_select_and_win_over_what_is_left_out() {
    let mut case = custom();
    case.config["skip"] = json!(["style", "miri-x86_64"]);
    case.variables = vec![("TESTS_TO_SKIP", r#"["doc"]"#)];
    assert_eq!(case.labels(&["style", "doc"]), ["style", "doc"]);
    assert_eq!(case.labels(&["miri-x86_64", "mine"]), ["mine", "miri-x86_64"]);
    let all = case.labels(&[]);
    assert!(!all.iter().any(|label| ["style", "doc", "miri-x86_64"].contains(&label.as_str())), "{all:?}");
}

#[test]
fn only_wins_over_the_variable() {
    let case = Case {
        variables: vec![("TESTS_TO_SKIP", r#"["doc"]"#)],
        ..Case::new(json!({"only": ["doc", "style"]}))
    };
    assert_eq!(case.labels(&[]), ["style", "doc"]);
}

#[test]
fn benchmarks_run_when_they_are_asked_for() {
    let plan =
        Case::new(json!({"standard": false})).plan(Platform::Aarch64, Os::Linux, &["bench"], &[]).unwrap();
    assert!(matches!(plan.checks[0].work, Work::Logic(Logic::Bench(_))));
    assert_eq!(Case::new(json!({"only": ["bench"]})).labels(&[]), ["bench"]);
}

#[test]
fn coverage_runs_where_the_repository_keeps_a_score_or_it_is_asked_for() {
    let labels = |files: Vec<(&'static str, &'static str)>, names: &[&str]| -> Vec<String> {
        let case = Case { files, ..Case::new(json!({})) };
        let plan = case.plan(Platform::Aarch64, Os::Linux, names, &[]).unwrap();
        let labels = plan.checks.iter().map(|check| check.label.as_str().to_owned());
        labels.filter(|label| label.contains("coverage")).collect()
    };
    assert_eq!(labels(vec![], &[]), [""; 0]);
    assert_eq!(labels(vec![("coverage_config_aarch64.json", "{}")], &[]), ["coverage-aarch64"]);
    assert_eq!(labels(vec![], &["coverage"]), ["coverage-aarch64"]);
}

#[test]
fn a_repositorys_own_list_may_have_the_standard_names() {
    let files = vec![(
        "t.json",
        r#"{"tests": [{"test_name": "clippy", "command": "cargo clippy", "platform": ["x86_64"]}]}"#,
    )];
    let case = Case { files, ..Case::new(json!({"standard": false, "tests": "t.json"})) };
    let plan = case.plan(Platform::X86_64, Os::Linux, &["clippy"], &[]).unwrap();
    assert!(
        matches!(&plan.checks[..], [check] if matches!(&check.work, Work::Shell(text) if text == "cargo clippy"))
    );
    // A standard check that is not in the list can still be asked for.
    assert_eq!(case.labels(&["style"]), ["style"]);
}

#[test]
fn what_cannot_run_here_is_refused_with_what_to_do() {
    let case = custom();
    for (platform, name, told) in [
        (
            Platform::X86_64,
            "arm",
            "`arm`: is for aarch64, and this run is for x86_64: run it on such a machine",
        ),
        (Platform::X86_64, "miri-aarch64", "`miri-aarch64`: is for aarch64, and this run is for x86_64"),
        (
            Platform::X86_64,
            "build-msvc",
            "`build-msvc`: is for windows, and this run is for linux: run it there",
        ),
        (Platform::X86_64, "cliipy", "no check or step is called `cliipy`; did you mean `clippy`?"),
    ] {
        let refusal = case.refusal(platform, &[name]);
        assert!(refusal.starts_with(told), "{refusal}");
    }
}

#[test]
fn a_package_restricts_the_checks_that_can_be_restricted() {
    let files = vec![
        ("Cargo.toml", "[workspace]\nmembers = [\"crates/a\", \"b\"]"),
        ("crates/a/Cargo.toml", "[package]\nname = \"a\""),
        ("b/Cargo.toml", "[package]\nname = \"b\""),
    ];
    let case = Case { files, ..Case::new(json!({})) };
    let plan = case.plan(Platform::X86_64, Os::Linux, &[], &["a"]).unwrap();
    let clippy = plan.checks.iter().find(|check| check.name.as_str() == "clippy").unwrap();
    assert_eq!(clippy.label.as_str(), "a: clippy-x86_64");
    assert_eq!((clippy.directory.as_deref(), clippy.package.as_deref()), (Some("crates/a"), Some("a")));
    assert!(
        matches!(&clippy.work, Work::Cargo { command, .. } if command.has("--package=a") && !command.has("--workspace"))
    );
    assert!(plan.checks.iter().all(|check| check.name.as_str() != "commit-format"));
    let style = case.plan(Platform::X86_64, Os::Linux, &["style"], &["b"]).unwrap();
    assert!(matches!(&style.checks[0].work, Work::Cargo { command, .. } if command.has("--package=b")));
    let refusal = case.plan(Platform::X86_64, Os::Linux, &[], &["c"]).unwrap_err().to_string();
    assert_eq!(refusal, "--package: no member is called `c`; did you mean `a`?");
}
