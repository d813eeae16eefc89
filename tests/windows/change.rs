//! A job for a change: commit-format, by the agent for Windows.

use super::{LIBRARY, machine};
use serde_json::json;
use support::wine::{Machine, Outcome};

/// A machine whose checkout is at a pull request with a commit of this message.
fn pull_request(message: &str) -> Option<(Machine, String)> {
    let machine = machine(LIBRARY)?
        .env("BUILDKITE_BRANCH", "topic")
        .env("BUILDKITE_PULL_REQUEST", "7")
        .env("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "main");
    let repository = machine.repository();
    repository.git(&["checkout", "--quiet", "-b", "topic"]);
    repository.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
    let head = repository.head();
    let machine = machine.env("BUILDKITE_COMMIT", &head);
    Some((machine, head))
}

fn judged(machine: &Machine) -> Outcome {
    machine.run(&json!({"os": "windows", "only": ["commit-format"]}), None)
}

#[test]
fn a_signed_commit_with_a_good_title_passes() {
    let Some((machine, _)) = pull_request("Count from one, ümläuts and all\n\nSigned-off-by: A <a@b.c>")
    else {
        return;
    };
    let outcome = judged(&machine);
    assert_eq!(outcome.status, 0, "{}", outcome.log);
    assert!(outcome.log.contains("1 commit since"), "{}", outcome.log);
    assert!(outcome.build.annotations.is_empty(), "a job that passes has nothing to say");
}

#[test]
fn a_commit_that_nobody_signed_off_and_whose_title_is_long_fails_and_is_named() {
    let Some((machine, head)) = pull_request(&format!("Count {}", "on and ".repeat(12))) else { return };
    let outcome = judged(&machine);
    assert_eq!(outcome.status, 1, "{}", outcome.log);
    let annotation = outcome.build.annotations.first().expect(&outcome.log);
    assert_eq!(annotation.style, "error");
    for text in [&head[..7], "Signed-off-by", "rust-vmm-ci run commit-format"] {
        assert!(annotation.body.contains(text), "no {text:?}: {}\n{}", annotation.body, outcome.log);
    }
}
