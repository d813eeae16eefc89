//! `doctor` on this machine: whatever it has, the lines, the number of faults and the exit status agree.
#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]

use serde_json::Value;
use support::sandbox::Sandbox;

const BINARY: &str = env!("CARGO_BIN_EXE_rust-vmm-ci");

/// The JSON, and the exit status.
fn doctor(variables: &[(&str, &str)]) -> (Value, i32) {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(BINARY);
    let output =
        command.args(["doctor", "--format", "json"]).envs(variables.iter().copied()).output().unwrap();
    (serde_json::from_slice(&output.stdout).unwrap(), output.status.code().unwrap())
}

fn state<'a>(said: &'a Value, name: &str) -> &'a str {
    let line = said["lines"].as_array().unwrap().iter().find(|line| line["name"] == name).unwrap();
    line["state"].as_str().unwrap()
}

#[test]
fn the_exit_status_says_whether_there_are_faults() {
    let (said, status) = doctor(&[]);
    let lines = said["lines"].as_array().unwrap();
    let faults = lines.iter().filter(|line| line["state"] == "fault").count();
    assert_eq!(said["faults"], faults);
    assert_eq!(status, if faults == 0 { 0 } else { 3 });
    for name in ["binary", "git", "agent", "cargo", "engine", "clock", "policy"] {
        assert!(["ok", "missing", "fault"].contains(&state(&said, name)), "{name}: {said}");
    }
    assert!(lines.iter().all(|line| line["state"] == "ok" || line["mend"].is_string()), "{said}");
}

#[test]
fn what_is_wrong_is_a_fault_with_its_correction() {
    for (variable, value, name) in [
        ("RUST_VMM_CI_POLICY", "/no/such/policy.json", "policy"),
        ("RUST_VMM_CI_HOOKS_VERSION", "999.0.0", "binary"),
        ("PATH", "/no/such/folder", "git"),
    ] {
        let (said, status) = doctor(&[(variable, value)]);
        assert_eq!((state(&said, name), status), ("fault", 3), "{said}");
    }
}

#[test]
fn without_cargo_it_says_which_image_the_program_is_built_in() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let sandbox = Sandbox::new();
    let policy = sandbox.path().join("policy.json");
    for (text, expected) in [("{}", "missing"), (r#"{"install-image": "rust.example/a:1"}"#, "ok")] {
        std::fs::write(&policy, text).unwrap();
        let policy = policy.to_str().unwrap();
        let (said, _) = doctor(&[("RUST_VMM_CI_POLICY", policy), ("PATH", "/no/such/folder")]);
        assert_eq!(state(&said, "install-image"), expected, "{said}");
    }
}

#[test]
fn in_kubernetes_no_engine_is_needed() {
    let (said, _) = doctor(&[("BUILDKITE_KUBERNETES_EXEC", "true"), ("PATH", "/no/such/folder")]);
    assert_eq!(state(&said, "engine"), "ok", "{said}");
}

/// Keeps each container as a file that has its label. While `hold` is there, `create` does not return.
#[cfg(target_os = "linux")]
const ENGINE: &str = r#"#!/bin/sh
kept=${0%/*}/containers
case $1 in
    info | image) echo something ;;
    create)
        echo "$3" >"$kept/$$"
        echo "$$"
        if [ -e "${0%/*}/hold" ]; then sleep 60; fi
        ;;
    ps) cd "$kept" && grep -lxF "${6#label=}" -- * || : ;;
    rm) shift 3 && cd "$kept" && rm -- "$@" ;;
esac
"#;

#[cfg(target_os = "linux")]
#[test]
fn the_container_of_a_killed_doctor_is_removed_by_the_next_one() {
    use support::eventually;

    let sandbox = Sandbox::new();
    let (folder, kept) = (sandbox.folder("engine"), sandbox.folder("engine/containers"));
    let (engine, hold) = (folder.join("docker"), folder.join("hold"));
    support::program::write(&engine, ENGINE);
    std::fs::write(kept.join("of-a-job"), "com.github.rust-vmm.ci.job-id=1\n").unwrap();
    std::fs::write(&hold, "").unwrap();
    let containers = || std::fs::read_dir(&kept).unwrap().count();
    let mut doctor = sandbox.command(BINARY);
    doctor.arg("doctor").env("PATH", format!("{}:/usr/bin:/bin", folder.display()));

    let mut killed = doctor.stdout(std::process::Stdio::null()).spawn().unwrap();
    let created = eventually(std::time::Duration::from_secs(60), || (containers() == 2).then_some(()));
    killed.kill().unwrap();
    killed.wait().unwrap();
    assert!(created.is_some());

    std::fs::remove_file(hold).unwrap();
    let said = doctor.stdout(std::process::Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("docker answers; it sees the agent's temporary folder"), "{said}");
    assert_eq!(containers(), 1, "a container of another label stays");
}
