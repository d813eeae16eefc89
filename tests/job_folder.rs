//! The private folder of a job on the host: who removes it, and what is left alone.
#![cfg(unix)]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const CONFIGURATION: &str = r#"{"docker": false}"#;

struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["tmp", "home", "checkout"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A hook of the plugin in this job.
    fn hook(&self, hook: &str, job: &str, command: &str) -> Command {
        let mut hooked = Command::new(env!("CARGO_BIN_EXE_rust-vmm-ci"));
        hooked
            .args(["hook", hook])
            .current_dir(self.path("checkout"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("BUILDKITE", "true")
            .env("BUILDKITE_JOB_ID", job)
            .env("BUILDKITE_AGENT_NAME", "agent")
            .env("BUILDKITE_PLUGIN_NAME", "RUST_VMM_CI")
            .env("BUILDKITE_PLUGIN_CONFIGURATION", CONFIGURATION)
            .env("BUILDKITE_COMMAND", command)
            .stdin(Stdio::null());
        hooked
    }

    /// Runs a command in a job until it says that it is ready, and kills the hook. The command ends too.
    fn kill_job(&self, job: &str) {
        let command = format!("echo $$ >{}; exec sleep 60", self.path("pid").display());
        let mut hook = self.hook("command", job, &command).stdout(Stdio::null()).spawn().unwrap();
        let pid = || fs::read_to_string(self.path("pid")).ok()?.trim().parse().ok();
        let pid = support::eventually(Duration::from_secs(60), pid).unwrap();
        assert!(self.path(&format!("tmp/rust-vmm-ci-job-{job}/job.json")).is_file());
        hook.kill().unwrap();
        hook.wait().unwrap();
        // Its keeper may have ended it before.
        support::process::kill(pid);
    }

    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("tmp")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Runs `pre-exit`, which must print nothing.
    fn pre_exit(&self, job: &str) {
        let output = self.hook("pre-exit", job, "").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8([output.stdout, output.stderr].concat()).unwrap(), "");
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_job_that_ends_leaves_no_folder_whatever_its_status() {
    let machine = Machine::new();
    for status in [0, 9] {
        let command =
            format!("test -f \"$TMPDIR/rust-vmm-ci-job-$BUILDKITE_JOB_ID/job.json\" && exit {status}");
        let ended = machine.hook("command", "1", &command).status().unwrap();
        assert_eq!(ended.code(), Some(status));
        assert!(machine.left().is_empty(), "{:?}", machine.left());
    }
}

#[test]
fn pre_exit_removes_the_folder_of_a_killed_job() {
    let machine = Machine::new();
    machine.kill_job("1");
    assert_eq!(machine.left(), ["rust-vmm-ci-job-1"]);
    machine.pre_exit("1");
    assert!(machine.left().is_empty(), "{:?}", machine.left());
    machine.pre_exit("1");
}

#[test]
fn the_next_job_removes_the_folder_if_pre_exit_did_not() {
    let machine = Machine::new();
    machine.kill_job("1");
    machine.pre_exit("2");
    assert!(machine.left().is_empty(), "{:?}", machine.left());
}

#[test]
fn pre_exit_leaves_alone_what_another_user_can_have_placed_there() {
    let machine = Machine::new();
    let record = r#"{"job":"1","agent":"agent"}"#;
    let outside = machine.path("outside");
    fs::DirBuilder::new().mode(0o700).create(&outside).unwrap();
    write(&outside.join("job.json"), record);
    write(&outside.join("precious"), "");
    symlink(&outside, machine.path("tmp/rust-vmm-ci-job-1")).unwrap();
    let open = machine.path("tmp/rust-vmm-ci-job-2");
    write(&open.join("job.json"), record);
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    write(&machine.path("tmp/rust-vmm-ci-job-3"), "");
    machine.pre_exit("1");
    assert_eq!(machine.left(), ["rust-vmm-ci-job-1", "rust-vmm-ci-job-2", "rust-vmm-ci-job-3"]);
    assert!(outside.join("precious").exists() && open.join("job.json").exists());
    // A job of that name does not use the link either.
    let output = machine.hook("command", "1", "true").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("rust-vmm-ci-job-1") && said.contains("To mend it: remove it"), "{said}");
}

/// An engine that lists a container only from its third answer on, and until it is removed: it was about to create
/// the container when its program was killed.
const LATE_ENGINE: &str = r#"#!/bin/sh
echo "$1" >>"$0.log"
case $1 in
    ps) [ "$(grep -c ps "$0.log")" -lt 3 ] || grep -q rm "$0.log" || echo late ;;
esac
"#;

#[test]
fn a_container_that_comes_after_its_job_was_killed_is_removed() {
    let machine = Machine::new();
    let engine = machine.path("bin/docker");
    fs::create_dir(machine.path("bin")).unwrap();
    support::program::write(&engine, LATE_ENGINE);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", engine.parent().unwrap().display());
    // A clean-up has four seconds and a half. On a busy machine that can be too short for so many calls.
    let does = |job: &str, expected: &str| {
        (0..20).any(|_| {
            let folder = machine.path("tmp/rust-vmm-ci-job-1-container");
            fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
            let record = r#"{"job":"1","agent":"agent","engine":"docker","image":"i","checkout":"/nowhere","made":null}"#;
            write(&folder.join("job.json"), record);
            let _ = fs::remove_file(machine.path("bin/docker.log"));
            let ended = machine.hook("pre-exit", job, "").env("PATH", &path).output().unwrap();
            assert!(ended.status.success(), "{ended:?}");
            let calls = fs::read_to_string(machine.path("bin/docker.log")).unwrap_or_default();
            assert!(expected.starts_with(&calls), "{calls}: {ended:?}");
            let left = machine.left();
            for name in &left {
                fs::remove_dir_all(machine.path("tmp").join(name)).unwrap();
            }
            calls == expected && left.is_empty()
        })
    };
    assert!(does("1", "ps\nps\nps\nrm\nps\n"));
    // The container of an earlier job is there by now, or never.
    assert!(does("2", "ps\n"));
}
