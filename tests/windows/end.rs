//! A cancel and a time limit end the whole tree.

use super::support::eventually;
use super::support::wine::{LIMIT, Machine, is_left_alone, windows};
use super::{LIBRARY, machine};
use serde_json::json;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A file that a grandchild adds to, and the command that starts it.
fn family(machine: &Machine) -> (PathBuf, String) {
    let file = machine.sandbox.path().join("alive");
    let command = format!("stub.exe family {}", windows(&file));
    (file, command)
}

#[test]
fn a_grandchild_ends_with_the_time_limit_and_the_job_fails() {
    let Some(machine) = machine(LIBRARY) else { return };
    let (file, command) = family(&machine);
    let steps = json!([{"label": "long", "command": command, "timeout_in_minutes": 1}]);
    let outcome = machine.run(&json!({"standard": false, "steps": steps}), None);
    assert_eq!(outcome.status, 1, "{}", outcome.log);
    assert!(outcome.log.contains("over its time limit"), "{}", outcome.log);
    assert!(std::fs::metadata(&file).unwrap().len() > 0);
    assert!(is_left_alone(&file), "the grandchild goes on");
}

/// Cancels a job whose command, or whose extra step, has a grandchild.
fn is_cancelled_whole(own_command: bool) {
    let Some(machine) = machine(LIBRARY) else { return };
    let (file, command) = family(&machine);
    let steps = json!([{"label": "x", "command": command}]);
    let step = if own_command {
        json!({"label": "long", "plugins": {}, "command": command})
    } else {
        json!({"label": "long", "plugins": {"standard": false, "steps": steps}})
    };
    let agent = machine.start_agent(&step);
    let begun = eventually(LIMIT, || file.exists().then_some(()));
    assert!(begun.is_some(), "{}\n{}", agent.output(), machine.buildkite().build().story());
    let asked = Instant::now();
    machine.buildkite().cancel("long");
    let build = machine.buildkite().finish(Duration::from_secs(40));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}\n{}", asked.elapsed(), build.story());
    assert!(is_left_alone(&file), "the grandchild goes on: {}", build.story());
}

#[test]
fn a_cancel_ends_the_checks_with_their_grandchildren() {
    is_cancelled_whole(false);
}

#[test]
fn a_cancel_ends_a_steps_own_command_with_its_grandchildren() {
    is_cancelled_whole(true);
}
