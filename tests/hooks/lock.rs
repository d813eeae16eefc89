//! Hooks of several agents at once, and hooks that are killed.

use std::fs;

use support::stub::Stub;

use crate::agent::{Agent, Ended, Hook, builds, kill_group, wait_for};

fn two_at_once_build_once(agent: &Agent) {
    let cargo = agent.stub("cargo");
    let go = agent.root.join("go");
    cargo.does(&format!("wait-for {}", go.display()));

    let both = [agent.start("command"), agent.start("command")];
    let waits = |hook: &Hook| hook.said().contains("another job makes it; waiting");
    wait_for("hook that waits for the other", || both.iter().any(waits));
    fs::write(go, "").unwrap();
    let both = both.map(Ended::of);

    for hook in &both {
        hook.with(0, &[]);
    }
    assert_eq!(builds(&cargo), 1);
    assert_eq!(Stub::calls_at(&agent.the_kept()).len(), 2);
}

#[test]
fn two_hooks_at_once_build_once() {
    two_at_once_build_once(&Agent::new());
}

#[test]
fn two_hooks_at_once_build_once_where_there_is_no_flock() {
    two_at_once_build_once(&Agent::new().without("flock"));
}

#[test]
fn what_cargo_leaves_running_does_not_hold_the_lock() {
    let agent = Agent::new();
    let cargo = agent.stub("cargo");
    cargo.does("leave-running 600");
    let mut first = agent.start("command");
    wait_for("binary", || !agent.kept().is_empty());
    fs::remove_file(agent.the_kept()).unwrap();
    cargo.does("");

    let mut second = agent.start("command");
    wait_for("second build", || builds(&cargo) == 2);

    kill_group(&mut first);
    kill_group(&mut second);
}

fn a_killed_build_is_done_again(agent: &Agent) {
    let cargo = agent.stub("cargo");
    cargo.does("half");
    let mut hook = agent.start("command");
    wait_for("build", || builds(&cargo) == 1);
    kill_group(&mut hook);
    assert!(agent.kept().is_empty());

    cargo.does("");
    agent.run("command").with(0, &[]);

    assert_eq!(Stub::calls_at(&agent.the_kept()), ["hook command"]);
}

#[test]
fn a_killed_build_leaves_no_half_binary_and_no_lock() {
    a_killed_build_is_done_again(&Agent::new());
}

#[test]
fn a_killed_build_leaves_no_half_binary_and_a_stale_lock_where_there_is_no_flock() {
    a_killed_build_is_done_again(&Agent::new().without("flock"));
}
