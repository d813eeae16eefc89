//! What `-v` and `-q` make the program say, and that its help is plain text.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test fails where it stands")]

use std::process::Command;
use tempfile::TempDir;

/// What a call of the program wrote, and its status.
struct Said {
    code: Option<i32>,
    out: String,
    error: String,
}

/// Calls the program in a repository with one step of its own, which runs `command`.
fn said(command: &str, args: &[&str]) -> Said {
    let folder = TempDir::new().unwrap();
    let configuration = serde_json::json!({
        "standard": false,
        "steps": [{"label": "mine", "command": command}],
    });
    let mut program = Command::new(env!("CARGO_BIN_EXE_rust-vmm-ci"));
    program.args(args).current_dir(folder.path());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("BUILDKITE") || name.starts_with("RUST_VMM_CI") || name == "CI" {
            program.env_remove(&*name);
        }
    }
    let output = program.env("BUILDKITE_PLUGIN_CONFIGURATION", configuration.to_string()).output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn v_says_what_was_decided_and_started_on_lines_of_one_prefix() {
    for args in [["-v", "run"], ["run", "--verbose"]] {
        let said = said("echo two", &args);
        assert_eq!(said.code, Some(0), "{}", said.error);
        let lines: Vec<&str> = said.error.lines().collect();
        assert!(lines.iter().all(|line| line.starts_with("rust-vmm-ci: debug: ")), "{}", said.error);
        for expected in ["configuration from BUILDKITE_PLUGIN", "planned: mine", "this machine", "`/bin/sh"] {
            if cfg!(windows) && expected.contains("sh") {
                continue;
            }
            assert!(lines.iter().any(|line| line.contains(expected)), "{expected}: {}", said.error);
        }
    }
    assert_eq!(said("echo two", &["run"]).error, "");
}

#[test]
fn q_says_nothing_of_checks_that_pass() {
    let said = said("echo two", &["-q", "run"]);
    assert_eq!((said.code, said.out.as_str(), said.error.as_str()), (Some(0), "", ""));
}

#[test]
fn q_shows_the_log_of_a_check_that_fails_and_the_summary() {
    let said = said("echo two && exit 5", &["run", "-q"]);
    assert_eq!(said.code, Some(1), "{}", said.error);
    assert!(said.out.contains("two\n") && said.out.contains("mine: failed"), "{}", said.out);
}

#[test]
fn v_and_q_exclude_each_other() {
    assert_eq!(said("true", &["run", "-v", "-q"]).code, Some(2));
}

#[test]
fn the_help_is_plain_text() {
    let commands = ["run", "pipeline", "list", "explain", "init", "migrate", "cache", "hook"];
    let all = commands.iter().map(|command| vec![*command, "--help"]);
    for args in all.chain([vec!["--help"]]) {
        let said = said("true", &args);
        assert!(said.code == Some(0) && !said.out.is_empty(), "{args:?}: {}", said.error);
        assert!(!said.out.contains('`'), "{args:?}: {}", said.out);
    }
}
