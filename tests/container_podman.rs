//! Jobs in containers of podman.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use support::podman::podman;
use support::process::{Finished, Running};
use support::sandbox::Sandbox;

/// Podman 4.3 waits 20 s for the end of a container if its conmon does not report the end.
const LIMIT: Duration = Duration::from_secs(120);
/// The owner of the checkout. No machine is known to have this user.
const OWNER: u32 = 12_345;

/// The machine of a job: the agent is root, and the checkout belongs to another user.
struct Machine {
    /// Only one test at a time may use podman's storage.
    _alone: MutexGuard<'static, ()>,
    sandbox: Sandbox,
    variables: Vec<(&'static str, String)>,
    checkout: PathBuf,
    temporary: PathBuf,
}

impl Machine {
    /// A machine whose checkout has this name.
    fn new(checkout: &str) -> Option<Self> {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let sandbox = Sandbox::new();
        let variables = podman(&sandbox)?;
        let (checkout, temporary) = (sandbox.folder(checkout), sandbox.folder("tmp"));
        chown(&checkout, Some(OWNER), Some(OWNER)).unwrap();
        Some(Self { _alone: alone, sandbox, variables, checkout, temporary })
    }

    /// Starts `rust-vmm-ci` with these words in a job.
    fn start(&self, words: &[&str], job: &str, changes: &Value, command: &str) -> Running {
        let mut docker = json!({
            "image": "rust-vmm-ci-test:dev", "always-pull": false, "runtime": "podman", "network": "none",
        });
        docker.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let mut hooked = self.sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
        hooked
            .args(words)
            .current_dir(&self.checkout)
            .envs(self.variables.clone())
            .env("TMPDIR", &self.temporary)
            .env("BUILDKITE", "true")
            .env("BUILDKITE_JOB_ID", job)
            .env("BUILDKITE_AGENT_NAME", "podman")
            .env("BUILDKITE_PLUGIN_NAME", "RUST_VMM_CI")
            .env("BUILDKITE_PLUGIN_CONFIGURATION", json!({"docker": docker}).to_string())
            .env("BUILDKITE_COMMAND", command);
        Running::start(&mut hooked, self.sandbox.path().join(format!("log-{}-{job}", words.concat())))
    }

    fn run(&self, job: &str, changes: &Value, command: &str) -> Finished {
        self.start(&["hook", "command"], job, changes, command).finish(LIMIT)
    }

    /// The standard output of a call of podman.
    fn ask(&self, arguments: &[&str]) -> String {
        let answer = Command::new("podman").args(arguments).envs(self.variables.clone()).output().unwrap();
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
        String::from_utf8_lossy(&answer.stdout).into_owned()
    }

    /// Runs `pre-exit`, which must print nothing, and asserts that nothing is left.
    #[track_caller]
    fn assert_clean_after(&self, job: &str) {
        let after = self.start(&["hook", "pre-exit"], job, &json!({}), "").finish(LIMIT);
        assert_eq!((after.status, after.output.as_str()), (0, ""));
        assert_eq!(self.ask(&["ps", "--all", "--quiet"]), "");
        assert_eq!(fs::read_dir(&self.temporary).unwrap().count(), 0);
        let files = walkdir::WalkDir::new(&self.checkout).into_iter().filter_map(Result::ok);
        let foreign: Vec<_> = files.filter(|file| file.metadata().unwrap().uid() != OWNER).collect();
        assert!(foreign.is_empty(), "{foreign:?}");
    }
}

#[test]
fn a_job_in_podman_has_its_verdict_and_its_files_are_the_checkouts_owners() {
    let Some(machine) = Machine::new("a checkout, \"quoted\": by many") else { return };
    let write = "mkdir -p deep && touch deep/file && pwd && echo $RUST_VMM_CI_IN_CONTAINER";
    for (name, end, status) in [
        ("passed", "true", 0),
        ("failed", "exit 42", 42),
        ("killed", "kill -9 $$", 137),
        ("own", "exit 125", 3),
    ] {
        let ran = machine.run(name, &json!({}), &format!("{write}; {end}"));
        assert!(ran.status == status && ran.has_lines("/workdir\n1"), "{}: {}", ran.status, ran.output);
        assert!(machine.checkout.join("deep/file").exists());
        machine.assert_clean_after(name);
    }
}

#[test]
fn a_job_in_podman_that_was_killed_or_cancelled_leaves_nothing() {
    let Some(machine) = Machine::new("checkout") else { return };
    for name in ["killed", "cancelled"] {
        let mut job =
            machine.start(&["hook", "command"], name, &json!({}), "touch by-root; echo ready; sleep 600");
        job.wait_for("ready", LIMIT);
        if name == "killed" {
            job.kill();
        } else {
            job.terminate();
        }
        assert_ne!(job.finish(LIMIT).status, 0);
        machine.assert_clean_after(name);
    }
}

#[test]
fn podmans_failures_are_no_verdicts_and_say_what_to_do() {
    let Some(machine) = Machine::new("checkout") else { return };
    let cases = [
        (json!({"image": "localhost/rust-vmm-ci-test:none", "pull-retries": 1}), "name a `registry-mirror`"),
        (json!({"devices": ["/dev/no-such"]}), "/dev/no-such"),
        (json!({"volumes": ["/no/such:/a"]}), "set TMPDIR"),
        (json!({"network": "container:none"}), "none"),
    ];
    for (changes, words) in cases {
        let ran = machine.run("job", &changes, "true");
        assert_eq!(ran.status, 3, "{changes}: {}", ran.output);
        assert!(ran.output.contains(words), "{changes}: {}", ran.output);
        machine.assert_clean_after("job");
    }
}

#[test]
fn cleaning_what_is_kept_lets_a_job_in_podman_go_on() {
    let Some(machine) = Machine::new("checkout") else { return };
    let mut job = machine.start(
        &["hook", "command"],
        "job",
        &json!({}),
        "echo ready; while [ ! -e go ]; do sleep 0.1; done; echo done",
    );
    job.wait_for("ready", LIMIT);
    let cleaned = machine.start(&["cache", "clean"], "other", &json!({}), "").finish(LIMIT);
    assert_eq!((cleaned.status, cleaned.output.as_str()), (0, "nothing to remove\n"));
    fs::write(machine.checkout.join("go"), "").unwrap();
    let ran = job.finish(LIMIT);
    assert!(ran.status == 0 && ran.has_lines("done"), "{}", ran.output);
    let cleaned = machine.start(&["cache", "clean"], "other", &json!({}), "").finish(LIMIT);
    assert!(cleaned.status == 0 && cleaned.output.starts_with("removed:"), "{}", cleaned.output);
}
