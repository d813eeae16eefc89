//! Checks that are one program, with programs that a test writes.

#![cfg(unix)]

use super::*;
use crate::git::testing::Repository;
use crate::run::testing::judged;
use crate::testing::write_program;
use rust_vmm_ci_core::checks::{self, Logic, Runs};
use rust_vmm_ci_core::exit::{self, Exit};
use rust_vmm_ci_core::report::{Finding, Verdict};
use serde_json::{Map, json};
use std::path::Path;
use std::time::{Duration, Instant};

/// A program that prints its arguments on standard output, `words` on standard error, and ends so.
fn script(folder: &Path, name: &str, words: &str, end: &str) {
    let text = format!("#!/bin/sh\necho \"$@\"\ncat >&2 <<'END'\n{words}\nEND\n{end}\n");
    write_program(&folder.join(name), &text);
}

/// Runs `a-tool` of a folder, which fails with a finding for each line of standard error.
fn run_tool(repository: &Repository, change: impl FnOnce(&mut Context<'_>)) -> (Result<Judgement>, String) {
    let path: &'static str = Box::leak(repository.root.join("a-tool").display().to_string().into_boxed_str());
    let program = Program {
        tool: Tool::OnPath(path),
        args: vec!["one".into(), "two words".into()],
        install: "install a-tool",
        show: |line| Some(format!("> {}", String::from_utf8_lossy(line).trim_end())),
        read: |answer| {
            let words = String::from_utf8_lossy(answer.stderr).into_owned();
            match answer.status {
                0 => Ok(Vec::new()),
                1 => Ok(words.lines().map(Finding::error).collect()),
                _ => Err(exit::infrastructure(format!("a-tool: {}", words.trim()))),
            }
        },
    };
    judged(&repository.root, |context| {
        change(context);
        run(context, &program, &JobFacts::new(&repository.root))
    })
}

#[test]
fn the_answer_of_a_program_is_read_by_its_check_and_shown_as_the_check_wants_it() {
    let repository = Repository::new();
    script(&repository.root, "a-tool", "wrong", "exit 1");
    let (judgement, log) = run_tool(&repository, |_| ());
    let judgement = judgement.unwrap();
    assert_eq!(judgement.verdict, Verdict::Failed);
    assert_eq!(judgement.findings, [Finding::error("wrong")]);
    let mut lines: Vec<&str> = log.lines().collect();
    assert!(lines.remove(0).ends_with("/a-tool one 'two words'"), "{log}");
    // Either of its two outputs may be read first.
    lines.sort_unstable();
    assert_eq!(lines, ["> one two words", "> wrong"]);
    script(&repository.root, "a-tool", "fine", "exit 0");
    assert_eq!(run_tool(&repository, |_| ()).0.unwrap().verdict, Verdict::Passed);
}

#[test]
fn a_program_that_did_not_do_its_work_makes_the_check_broken() {
    let repository = Repository::new();
    for (end, told) in [("exit 7", "a-tool: words"), ("kill -9 $$", "was killed by signal 9")] {
        script(&repository.root, "a-tool", "words", end);
        let error = run_tool(&repository, |_| ()).0.unwrap_err();
        assert_eq!(exit::of(&error), Exit::Infrastructure);
        assert!(error.to_string().contains(told), "{error}");
    }
    script(&repository.root, "a-tool", "words", "sleep 600");
    let soon =
        |context: &mut Context<'_>| context.deadline = Some(Instant::now() + Duration::from_millis(300));
    let error = run_tool(&repository, soon).0.unwrap_err().to_string();
    assert!(error.ends_with("ran over its time limit"), "{error}");
}

#[test]
fn a_program_that_is_missing_is_said_with_what_installs_it() {
    let (judgement, _) = run_tool(&Repository::new(), |_| ());
    let judgement = judgement.unwrap();
    assert_eq!(judgement.verdict, Verdict::Skipped);
    assert_eq!(judgement.remedy.as_deref(), Some("install a-tool"));
}

#[test]
fn a_subcommand_that_cargo_does_not_have_is_a_missing_tool() {
    let repository = Repository::new();
    let program = Program {
        tool: Tool::CargoSubcommand("no-such-tool"),
        args: Vec::new(),
        install: "cargo install cargo-no-such-tool",
        show: |_| None,
        read: |_| panic!("there is no answer to read"),
    };
    let job = JobFacts::new(&repository.root);
    let (judgement, log) = judged(&repository.root, |context| run(context, &program, &job));
    let judgement = judgement.unwrap();
    assert_eq!(judgement.verdict, Verdict::Skipped);
    assert_eq!(judgement.reason.as_deref(), Some("cargo-no-such-tool is not installed"));
    assert_eq!(judgement.remedy.as_deref(), Some("cargo install cargo-no-such-tool"));
    assert_eq!(log, "$ cargo no-such-tool\n");
}

/// Runs cargo-deny in a folder, with these options.
fn deny(repository: &Repository, own: &serde_json::Value, path: Option<&str>) -> (Result<Judgement>, String) {
    let own: Map<_, _> = own.as_object().unwrap().clone();
    let Runs::Logic { read, .. } = checks::find("cargo-deny").unwrap().runs else { panic!("it has a file") };
    let Logic::Program(program) = read(&own).unwrap() else { panic!("it is one program") };
    judged(&repository.root, |context| {
        if let Some(path) = path {
            context.cargo = context.cargo.clone().env("PATH", path);
        }
        run(context, &program, &JobFacts::new(&repository.root))
    })
}

/// A repository with a package that has a license, but no configuration of cargo-deny.
fn package() -> Repository {
    let repository = Repository::new();
    repository
        .write(
            "Cargo.toml",
            "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\nlicense = \"MIT\"\n",
        )
        .write("src/lib.rs", "")
        .write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"sample\"\nversion = \"0.1.0\"\n")
        .commit("Begin");
    repository
}

#[test]
fn cargo_deny_itself_is_read() {
    let there = crate::process::capture(&Command::new("cargo").args(["deny", "--version"]))
        .is_ok_and(|said| said.status.success());
    if !there {
        return crate::testing::skip("cargo-deny is not installed (cargo install --locked cargo-deny)");
    }
    let repository = package();
    let own = json!({"which": ["licenses", "bans"]});
    let (judgement, log) = deny(&repository, &own, None);
    let judgement = judgement.unwrap();
    assert_eq!(judgement.verdict, Verdict::Failed, "the default configuration allows no license: {log}");
    assert_eq!(judgement.findings[0].lint.as_deref(), Some("rejected"), "{:?}", judgement.findings);
    assert_eq!(judgement.findings[0].package.as_deref(), Some("sample"));

    repository.write("deny.toml", "[licenses]\nallow = [\"MIT\"]\n");
    let (judgement, log) = deny(&repository, &own, None);
    assert_eq!(judgement.unwrap().verdict, Verdict::Passed, "{log}");

    repository.write("deny.toml", "[licenses]\nallow = [\"MIT\"]\n[bans]\ndeny = [\"sample\"]\n");
    let judgement = deny(&repository, &own, None).0.unwrap();
    let banned = judgement.findings.iter().find(|finding| finding.lint.as_deref() == Some("banned")).unwrap();
    assert_eq!(banned.place().as_deref(), Some("deny.toml:4:10"), "{banned:?}");

    repository.write("deny.toml", "[licenses]\nalow = [\"MIT\"]\n");
    let judgement = deny(&repository, &own, None).0.unwrap();
    assert_eq!(judgement.verdict, Verdict::Failed);
    assert_eq!(judgement.findings[0].place().as_deref(), Some("deny.toml:2:1"), "{:?}", judgement.findings);
}
