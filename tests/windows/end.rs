//! A cancel and a time limit end the whole tree, and no end leaves anything behind.

use super::{LIBRARY, machine};
use serde_json::json;
use std::path::PathBuf;
use std::process::Stdio;
use support::wine::{LIMIT, Machine, is_left_alone, windows};
use support::{eventually, new_id};

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
    machine.buildkite().cancel("long");
    let build = machine.buildkite().finish(LIMIT);
    assert!(is_left_alone(&file), "the grandchild goes on: {}", build.story());
    let folder = machine.wine.temporary(&format!("rust-vmm-ci-job-{}", build.job("long").id));
    drop(agent);
    // The agent killed the job whole, its `pre-exit` too: the next job's takes away what it left, when all
    // processes of the killed one have ended.
    let gone = eventually(LIMIT, || {
        assert_eq!(machine.run(&json!({}), Some("echo next")).status, 0);
        (!folder.exists()).then_some(())
    });
    assert!(gone.is_some(), "{} stays", folder.display());
}

#[test]
fn a_cancel_ends_the_checks_with_their_grandchildren() {
    is_cancelled_whole(false);
}

#[test]
fn a_cancel_ends_a_steps_own_command_with_its_grandchildren() {
    is_cancelled_whole(true);
}

#[test]
fn a_kill_of_the_program_ends_what_it_started_and_pre_exit_takes_away_the_jobs_folder() {
    let Some(machine) = machine(LIBRARY) else { return };
    let (file, id) = (machine.sandbox.path().join("alive"), new_id());
    // By names that no other job of this Wine has: ours is killed by name.
    let (ours, theirs) = (format!("ours-{id}.exe"), format!("theirs-{id}.exe"));
    let (program, child) = (machine.sandbox.path().join(&ours), machine.sandbox.path().join(&theirs));
    std::fs::copy(&machine.wine.program, &program).unwrap();
    std::fs::copy(machine.wine.toolchain.join("bin/stub.exe"), &child).unwrap();
    let machine = machine.env("RUST_VMM_CI_BINARY", &windows(&program)).env("BUILDKITE_JOB_ID", &id);
    let folder = machine.wine.temporary(&format!("rust-vmm-ci-job-{id}"));
    let command = format!("echo under way\n{} alone {}", windows(&child), windows(&file));
    let job = machine.start("log", &json!({}), Some(&command));
    let begun = eventually(LIMIT, || file.exists().then_some(()));
    assert!(begun.is_some(), "{}", job.output());
    assert!(folder.join("job.json").exists(), "no {}", folder.display());
    let mut kill = machine.wine.command(&machine.sandbox, "taskkill", &[]);
    let killed =
        kill.args(["/F", "/IM", &ours]).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(killed.success(), "{ours}");
    // Its status says nothing: who is killed by Wine's taskkill has 0, by Windows' 1.
    let finished = job.finish(LIMIT);
    assert!(finished.output.contains("pre-exit hook"), "{}", finished.output);
    assert!(is_left_alone(&file), "the grandchild goes on: {}", finished.output);
    assert!(!folder.exists(), "{} stays: {}", folder.display(), finished.output);
}

#[test]
fn after_a_job_whatever_it_came_to_its_folder_is_gone() {
    let Some(machine) = machine(LIBRARY) else { return };
    let id = new_id();
    let machine = machine.env("BUILDKITE_JOB_ID", &id);
    let folder = machine.wine.temporary(&format!("rust-vmm-ci-job-{id}"));
    let look = "if exist \"%TEMP%\\rust-vmm-ci-job-%BUILDKITE_JOB_ID%\\job.json\" echo it is there";
    for (command, status) in [(look.to_owned(), 0), (format!("{look}\nexit 9"), 9)] {
        let outcome = machine.run(&json!({}), Some(&command));
        assert_eq!(outcome.status, status, "{}", outcome.log);
        assert!(outcome.log.contains("it is there"), "{}", outcome.log);
        assert!(!folder.exists(), "{} stays: {}", folder.display(), outcome.log);
    }
}
