//! The check `cargo-deny`, which is one program, with a program that stands in for the tool.

use super::{Said, Sample, outcome, said};
use serde_json::{Value, json};
use std::process::Command;

const BANNED: &str = r#"{"fields":{"code":"banned","graphs":[{"Krate":{"name":"aa","version":"1.0.0"}}],"labels":[{"column":9,"line":2,"message":"banned here","span":"aa"}],"message":"crate 'aa = 1.0.0' is explicitly banned","severity":"error"},"type":"diagnostic"}"#;
const SUMMARY: &str = r#"{"fields":{"bans":{"errors":1,"helps":0,"notes":0,"warnings":0}},"type":"summary"}"#;
const UNREACHABLE: &str = r#"{"fields":{"level":"ERROR","message":"failed to fetch advisory database https://example.org/db","timestamp":"2026-01-01T00:00:00Z"},"type":"log"}"#;

/// `run cargo-deny` where a `cargo-deny` prints these lines and ends with a status, or where there is
/// none.
fn run(tool: Option<(&[&str], i32)>, ci: bool) -> (Said, Value) {
    let sample = Sample::new(&[("deny.toml", "[bans]\ndeny = [\"aa\"]\n")]);
    let programs = sample.sandbox.folder("programs");
    if let Some((lines, status)) = tool {
        let program = programs.join("cargo-deny");
        let text = format!("#!/bin/sh\ncat >&2 <<'END'\n{}\nEND\nexit {status}\n", lines.join("\n"));
        support::program::write(&program, &text);
    }
    let file = sample.sandbox.path().join("report.json");
    let mut command = sample.command(&["run", "cargo-deny", "--report", file.to_str().unwrap()]);
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().unwrap().stdout;
    let sysroot = String::from_utf8(sysroot).unwrap();
    // Only this cargo-deny is found, whatever the machine has.
    let path = format!("{}:{}/bin:/usr/bin:/bin", programs.display(), sysroot.trim());
    command.env("PATH", path).env("CARGO_HOME", sample.sandbox.folder("cargo"));
    command.env("BUILDKITE_PLUGIN_CONFIGURATION", json!({"docker": false}).to_string());
    if ci {
        command.env("CI", "true");
    }
    let said = said(&mut command);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(file).expect(&said.text)).unwrap();
    let outcome = outcome(&report, "cargo-deny").clone();
    (said, outcome)
}

#[test]
fn what_cargo_deny_found_makes_the_check_fail_with_rule_and_place() {
    let (said, outcome) = run(Some((&[BANNED, SUMMARY], 2)), true);
    assert_eq!(said.code, Some(1), "{}", said.text);
    assert_eq!(outcome["verdict"], "failed");
    let finding = &outcome["findings"][0];
    assert_eq!(
        (&finding["lint"], &finding["file"], &finding["line"]),
        (&json!("banned"), &json!("deny.toml"), &json!(2))
    );
    assert!(
        said.text.contains("deny.toml:2:9: error: crate 'aa = 1.0.0' is explicitly banned"),
        "{}",
        said.text
    );
    assert!(!said.text.contains("\"fields\""), "the log shows sentences and no JSON: {}", said.text);
}

#[test]
fn a_database_that_cannot_be_fetched_is_the_machines_fault() {
    let (said, outcome) = run(Some((&[UNREACHABLE], 1)), true);
    assert_eq!(said.code, Some(3), "{}", said.text);
    assert_eq!(outcome["verdict"], "broken");
    assert!(outcome["reason"].as_str().unwrap().contains("failed to fetch advisory database"), "{outcome}");
}

#[test]
fn without_cargo_deny_the_check_is_skipped_on_a_laptop_and_broken_in_ci() {
    for (ci, verdict) in [(false, "skipped"), (true, "broken")] {
        let (said, outcome) = run(None, ci);
        assert_eq!(outcome["verdict"], verdict, "{}", said.text);
        assert_eq!(outcome["remedy"], "cargo install --locked cargo-deny");
    }
}
