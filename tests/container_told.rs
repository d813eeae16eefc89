//! What the host learns of a job in a container of podman, and what git knows in there.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use support::agent::agent;
use support::buildkite::{Buildkite, of_build};
use support::podman::podman;
use support::process::Running;
use support::sandbox::{Repository, Sandbox};

const LIMIT: Duration = Duration::from_secs(180);

/// A machine with podman and a repository.
struct Machine {
    /// Only one test at a time may use podman's storage.
    _alone: MutexGuard<'static, ()>,
    sandbox: Sandbox,
    variables: Vec<(&'static str, String)>,
    source: Repository,
}

impl Machine {
    fn new() -> Option<Self> {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let sandbox = Sandbox::new();
        let variables = podman(&sandbox)?;
        let source = sandbox.repository("source", &[("kept.txt", "of the repository\n")]);
        Some(Self { _alone: alone, sandbox, variables, source })
    }

    /// Starts the hook `command` in a checkout, with these variables too.
    fn start(&self, checkout: &Path, options: &Value, variables: &[(&str, String)]) -> Running {
        let mut options = options.clone();
        options["docker"] = json!({
            "image": "rust-vmm-ci-test:dev", "always-pull": false, "runtime": "podman", "network": "none",
        });
        let mut hooked = self.sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
        hooked
            .args(["hook", "command"])
            .current_dir(checkout)
            .envs(self.variables.clone())
            .envs(of_build(&self.source))
            .env("TMPDIR", self.sandbox.folder("tmp"))
            .env("BUILDKITE_JOB_ID", "a-job")
            .env("BUILDKITE_PLUGIN_NAME", "RUST_VMM_CI")
            .env("BUILDKITE_PLUGIN_CONFIGURATION", options.to_string())
            .envs(variables.iter().map(|(name, value)| (name, value)));
        Running::start(&mut hooked, self.sandbox.path().join("log"))
    }
}

#[test]
fn git_knows_the_commit_of_a_worktree_in_a_container_and_changes_nothing_of_its_repository() {
    let Some(machine) = Machine::new() else { return };
    let tree = machine.sandbox.path().join("tree");
    machine.source.git(&["worktree", "add", "--quiet", "--detach", tree.to_str().unwrap()]);
    let script = "git log -1 --format=%H; git update-ref refs/heads/mine HEAD || echo refused";
    let variables = [("BUILDKITE_COMMAND", script.to_owned())];
    let ran = machine.start(&tree, &json!({}), &variables).finish(LIMIT);
    assert_eq!(ran.status, 0, "{}", ran.output);
    assert!(ran.has_lines(&format!("{}\nrefused", machine.source.head())), "{}", ran.output);
}

#[test]
fn a_check_that_fails_in_a_container_is_promised_while_the_others_go_on() {
    let (Some(agent), Some(machine)) = (agent(), Machine::new()) else { return };
    let buildkite = Buildkite::new(&machine.source);
    let go = machine.source.path().join("go");
    let slow = "while [ ! -e go ]; do sleep 0.05; done; echo the slow one ended";
    let options = json!({
        "only": ["quick", "slow"], "annotate": false,
        "steps": [{"label": "quick", "command": "exit 1"}, {"label": "slow", "command": slow}],
    });
    let path = std::env::var("PATH").unwrap();
    let variables = [
        ("PATH", format!("{}:{path}", agent.parent().unwrap().display())),
        ("BUILDKITE_AGENT_ENDPOINT", buildkite.endpoint()),
        ("BUILDKITE_AGENT_ACCESS_TOKEN", "of-the-session".to_owned()),
    ];
    let job = machine.start(machine.source.path(), &options, &variables);
    // The slow check ends only after the promise: without one, this fails.
    let promised = support::eventually(LIMIT, || buildkite.build().promises.first().cloned());
    let before = job.output();
    std::fs::write(go, "").unwrap();
    let ran = job.finish(LIMIT);
    let Some(promise) = promised else { panic!("nothing was promised: {before}") };
    assert_eq!((promise.job.as_str(), promise.status), ("a-job", 1));
    assert!(promise.reason.contains("quick"), "{promise:?}");
    assert_eq!(ran.status, 1, "{}", ran.output);
    assert_eq!(buildkite.build().promises.len(), 1);
}
