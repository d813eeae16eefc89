//! The hooks as the agent runs them: sourced by bash, with stubs for `cargo` and `rust-vmm-ci`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "the rule is for src/")]

mod agent;
mod download;
mod engine;
mod lock;
mod named;
mod pod;
mod pod_job;
mod release;
mod upgrade;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use agent::{Agent, Shell, builds};
use support::stub::Stub;

#[test]
fn a_kept_binary_that_is_empty_cut_or_foreign_is_made_again() {
    for bytes in [&b""[..], b"\x7fELF", b"<html>Sign in</html>", b"#!/bin/sh\nexit 0\n"] {
        let agent = Agent::new();
        let cargo = agent.stub("cargo");
        agent.run("command").with(0, &[]);
        let kept = agent.the_kept();
        fs::remove_file(&kept).unwrap();
        fs::write(&kept, bytes).unwrap();
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o755)).unwrap();

        let path = kept.display().to_string();
        agent.run("command").with(0, &["is broken; it is removed and made again", &path]);

        assert_eq!(builds(&cargo), 2);
        assert_eq!(agent.run("command").status, Some(0));
    }
}

#[test]
fn the_hooks_run_with_every_posix_shell_and_with_busybox_alone() {
    for shell in [Shell::Bash, Shell::Dash, Shell::Busybox] {
        let Some(agent) = Agent::new().under(shell) else { return };
        let cargo = agent.stub("cargo");

        agent.run("command").with(0, &["~~~ Building rust-vmm-ci", "built with"]);
        agent.run("command").with(0, &["kept from an earlier job"]);
        agent.run("pre-exit").with(0, &[]);

        assert_eq!(builds(&cargo), 1);
        assert_eq!(Stub::calls_at(&agent.the_kept()), ["hook command", "hook command", "hook pre-exit"]);
    }
}

#[test]
fn bash_says_where_the_hook_is_when_no_agent_does() {
    let agent = Agent::new().by_hand();
    let binary = agent.stub("rust-vmm-ci");

    agent.run("command").with(0, &[]);
    agent.run("pre-exit").with(0, &[]);

    assert_eq!(Stub::calls_at(binary.path()), ["hook command", "hook pre-exit"]);
}

#[test]
fn the_binary_on_path_is_used_before_one_is_built() {
    let agent = Agent::new();
    let (binary, cargo) = (agent.stub("rust-vmm-ci"), agent.stub("cargo"));

    agent.run("command").with(0, &[]);

    assert_eq!(Stub::calls_at(binary.path()), ["hook command"]);
    assert!(Stub::log_at(cargo.path()).is_empty());
}

#[test]
fn a_binary_is_told_which_version_the_hooks_are() {
    let agent = Agent::new().with("RUST_VMM_CI_HOOKS_VERSION", "0.0.1");
    let binary = agent.stub("rust-vmm-ci");

    agent.run("command").with(0, &[]);

    let told = format!("  RUST_VMM_CI_HOOKS_VERSION={}\n", env!("CARGO_PKG_VERSION"));
    let log = Stub::log_at(binary.path());
    assert!(log.contains(&told), "{log}");
}

#[test]
fn without_binary_and_cargo_the_hook_says_what_to_install() {
    let agent = Agent::new();

    agent
        .run("command")
        .with(3, &["no rust-vmm-ci on this agent, and no cargo", "install Rust", "RUST_VMM_CI_BINARY"]);
}

#[test]
fn a_binary_is_built_once_and_kept_for_all_agents_of_the_host() {
    let agent = Agent::new();
    let cargo = agent.stub("cargo");

    agent.run("command").with(0, &["~~~ Building rust-vmm-ci"]);
    let second = agent.run("command");

    second.with(0, &[]);
    assert_eq!(second.said.lines().count(), 1, "{}", second.said);
    assert!(second.said.contains("kept from an earlier job, in "), "{}", second.said);
    assert_eq!(builds(&cargo), 1);
    assert_eq!(Stub::calls_at(&agent.the_kept()), ["hook command", "hook command"]);
    let folders = fs::read_dir(agent.store()).unwrap();
    let folders = folders.filter(|f| f.as_ref().unwrap().path().is_dir());
    assert_eq!(folders.count(), 1, "what the build leaves is taken away");
}

#[test]
fn the_build_is_static_locked_and_for_the_host() {
    let agent = Agent::new();
    let cargo = agent.stub("cargo");

    agent.run("command").with(0, &[]);

    let call = Stub::calls_at(cargo.path()).pop().unwrap();
    for part in ["--release", "--locked", "--bin rust-vmm-ci", "--target x86_64-unknown-linux-gnu"] {
        assert!(call.contains(part), "no {part} in {call}");
    }
    assert!(Stub::log_at(cargo.path()).contains("\n  RUSTFLAGS=-C target-feature=+crt-static\n"));
}

#[test]
fn the_build_and_the_job_do_not_disturb_each_other() {
    let agent = Agent::new()
        .with("RUSTFLAGS", "-D warnings")
        .with("RUSTUP_TOOLCHAIN", "1.60")
        .with("CARGO_TARGET_DIR", "/jobs/target")
        .with("CARGO_BUILD_TARGET", "riscv64gc-unknown-linux-gnu")
        .with("CARGO_PROFILE_RELEASE_LTO", "off")
        .with("CARGO_NET_OFFLINE", "true");
    let cargo = agent.stub("cargo");

    agent.run("command").with(0, &[]);

    let build = Stub::log_at(cargo.path());
    for name in ["RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_PROFILE_RELEASE_LTO"] {
        assert!(!build.contains(&format!("  {name}=")), "{name} reached the build:\n{build}");
    }
    assert!(build.contains("  CARGO_NET_OFFLINE=true"), "the agent's network is not the job's affair");
    assert!(build.contains(&format!("  in {}\n", agent.store().display())), "{build}");
    let job = Stub::log_at(&agent.the_kept());
    for line in ["RUSTFLAGS=-D warnings", "RUSTUP_TOOLCHAIN=1.60", "CARGO_TARGET_DIR=/jobs/target"] {
        assert!(job.contains(&format!("  {line}\n")), "no {line} in the job:\n{job}");
    }
    assert!(job.contains(&format!("  in {}\n", agent.root.join("job").display())), "{job}");
}

#[test]
fn cargo_is_found_in_the_home_folder_of_an_agent_without_it_on_path() {
    let agent = Agent::new();
    let cargo = Stub::at(&agent.root.join("home/.cargo/bin/cargo"));

    agent.run("command").with(0, &[]);

    assert_eq!(builds(&cargo), 1);
}

#[test]
fn other_sources_under_the_same_version_are_another_binary() {
    let agent = Agent::new();
    let cargo = agent.stub("cargo");
    agent.run("command").with(0, &[]);

    fs::write(agent.plugin().join("src/main.rs"), "fn main() { moved_tag() }").unwrap();
    agent.run("command").with(0, &[]);

    assert_eq!((builds(&cargo), agent.kept().len()), (2, 2));
}

#[test]
fn what_a_job_writes_beside_the_sources_is_not_another_binary() {
    let agent = Agent::new();
    let cargo = agent.stub("cargo");
    agent.run("command").with(0, &[]);

    fs::create_dir(agent.plugin().join("target")).unwrap();
    fs::write(agent.plugin().join("target/out"), "").unwrap();
    agent.run("pre-exit").with(0, &[]);

    assert_eq!(builds(&cargo), 1);
    assert_eq!(Stub::calls_at(&agent.the_kept()), ["hook command", "hook pre-exit"]);
}

#[test]
fn a_failed_build_shows_cargos_words_and_keeps_nothing() {
    let agent = Agent::new();
    let cargo = agent.stub("cargo");
    cargo.does("say error: linker `cc` not found\nexit 101");

    agent
        .run("command")
        .with(3, &["linker `cc` not found", "failed; cargo's words are above", "to mend it: Rust 1.90"]);

    assert!(agent.kept().is_empty());
}

#[test]
fn where_the_store_cannot_be_written_to_a_folder_of_the_users_own_serves() {
    let agent = Agent::new();
    let cargo = agent.stub("cargo");
    fs::write(agent.store(), "a file where the folder belongs").unwrap();

    agent.run("command").with(0, &[".rust-vmm-ci' cannot be written to; the binary is kept in"]);
    agent.run("pre-exit").with(0, &[]);

    assert_eq!(builds(&cargo), 1);
    let own = fs::read_dir(agent.root.join("tmp")).unwrap().next().unwrap().unwrap();
    assert_eq!(own.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_folder_that_another_user_could_have_made_is_not_used() {
    let agent = Agent::new();
    let cargo = agent.stub("cargo");
    fs::write(agent.store(), "a file where the folder belongs").unwrap();
    let user = rustix::process::getuid().as_raw();
    let folder = agent.root.join(format!("tmp/rust-vmm-ci-{user}"));
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();

    agent.run("command").with(3, &[".rust-vmm-ci' cannot be written to", "to mend it"]);

    assert_eq!(builds(&cargo), 0);
}

#[test]
fn paths_with_spaces_quotes_and_signs_are_paths() {
    let agent = Agent::in_folder(r#"an agent's "own" $HOME `id` & é"#).by_hand();
    let cargo = agent.stub("cargo");

    agent.run("command").with(0, &[]);
    agent.run("pre-exit").with(0, &[]);

    assert_eq!(builds(&cargo), 1);
    assert_eq!(Stub::calls_at(&agent.the_kept()), ["hook command", "hook pre-exit"]);
}

#[test]
fn pre_exit_without_a_binary_says_and_builds_nothing() {
    for agent in [Agent::new(), Agent::new().with("RUST_VMM_CI_BINARY", "/no/such/file")] {
        let cargo = agent.stub("cargo");

        let hook = agent.run("pre-exit");

        hook.with(0, &[]);
        assert_eq!(hook.said, "");
        assert!(Stub::log_at(cargo.path()).is_empty());
    }
}

#[test]
fn pre_exit_that_fails_is_told_and_does_not_fail_the_job() {
    let agent = Agent::new();
    agent.stub("rust-vmm-ci").does("say no such container\nexit 3");

    agent.run("pre-exit").with(0, &["no such container", "cleaning up after the job failed (exit status 3)"]);
}
