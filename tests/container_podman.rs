//! A job whose container Podman runs. Its agent is root: Podman without root takes a machine that was
//! set up for it.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

mod support;

use serde_json::json;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use support::process::Running;
use support::sandbox::Sandbox;
use support::skip;

/// Podman 4.3 waits 20 s for a container's end where its conmon is not told of it.
const LIMIT: Duration = Duration::from_secs(120);

/// A sandbox whose commands have a Podman of the tests' own; none where there can be none.
fn podman() -> Option<(Sandbox, Vec<(&'static str, String)>)> {
    if which::which("podman").is_err() || which::which("debootstrap").is_err() {
        skip("podman, debootstrap");
        return None;
    }
    let sandbox = Sandbox::new();
    let storage = Path::new(env!("CARGO_TARGET_TMPDIR")).join("podman");
    let init = which::which("docker-init").or_else(|_| which::which("catatonit")).unwrap_or_default();
    let containers = format!(
        "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n\
         [engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\ninit_path = \"{}\"\n",
        init.display()
    );
    let run = sandbox.path().join("run");
    let storage = format!(
        "[storage]\ndriver = \"overlay\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
        storage.display(),
        run.display()
    );
    fs::write(sandbox.path().join("containers.conf"), containers).unwrap();
    fs::write(sandbox.path().join("storage.conf"), storage).unwrap();
    let of = |name: &str| sandbox.path().join(name).display().to_string();
    let variables =
        vec![("CONTAINERS_CONF", of("containers.conf")), ("CONTAINERS_STORAGE_CONF", of("storage.conf"))];
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/build-test-image");
    let built = Command::new("bash").arg(script).arg("podman").envs(variables.clone()).status().unwrap();
    if !built.success() {
        skip("a podman that runs as root (.ci/build-test-image podman)");
        return None;
    }
    Some((sandbox, variables))
}

#[test]
fn a_job_in_podman_has_its_verdict_and_a_killed_one_leaves_nothing() {
    let Some((sandbox, variables)) = podman() else { return };
    let checkout = sandbox.folder("checkout");
    let temporary = sandbox.folder("tmp");
    let docker = json!({"image": "rust-vmm-ci-test:dev", "always-pull": false, "runtime": "podman", "network": "none"});
    let hook = |hook: &str, job: &str, command: &str| {
        let mut hooked = sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
        hooked
            .args(["hook", hook])
            .current_dir(&checkout)
            .envs(variables.clone())
            .env("TMPDIR", &temporary)
            .env("BUILDKITE", "true")
            .env("BUILDKITE_JOB_ID", job)
            .env("BUILDKITE_AGENT_NAME", "podman")
            .env("BUILDKITE_PLUGIN_NAME", "RUST_VMM_CI")
            .env("BUILDKITE_PLUGIN_CONFIGURATION", json!({"docker": docker}).to_string())
            .env("BUILDKITE_COMMAND", command);
        Running::start(&mut hooked, sandbox.path().join(format!("log-{hook}-{job}")))
    };
    let ran = hook("command", "first", "pwd; echo $RUST_VMM_CI_IN_CONTAINER; exit 42").finish(LIMIT);
    assert!(ran.status == 42 && ran.has_lines("/workdir\n1"), "{}: {}", ran.status, ran.output);

    let mut job = hook("command", "killed", "echo ready; sleep 600");
    job.wait_for("ready", LIMIT);
    job.kill();
    job.finish(LIMIT);
    let after = hook("pre-exit", "killed", "").finish(LIMIT);
    assert_eq!((after.status, after.output.as_str()), (0, ""));
    let left =
        Command::new("podman").args(["ps", "--all", "--quiet"]).envs(variables.clone()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0);
}
