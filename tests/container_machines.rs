//! Jobs on unusual machines: with other users, paths and daemons.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::Duration;
use support::docker::{AGENT, Agent, IMAGE, docker};

const LIMIT: Duration = Duration::from_secs(60);
const FILES: [(&str, &str); 2] = [
    ("Cargo.toml", "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
    ("src/lib.rs", "//! A crate.\n"),
];

fn agent() -> Option<Agent> {
    Some(Agent::new(env!("CARGO_BIN_EXE_rust-vmm-ci"), docker()?, &FILES))
}

#[allow(clippy::needless_pass_by_value, reason = "so that a test writes json!(…) in place")]
fn options(changes: Value) -> Value {
    let mut options = Agent::options();
    options.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    options
}

fn open_to_all(path: &std::path::Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
}

/// The same command, started by other words than the hook's own.
fn started_by(hook: &Command, words: &[&str]) -> Command {
    let mut other = Command::new(words[0]);
    let ours = hook.get_args().skip_while(|word| *word != "--").skip(1);
    other.args(&words[1..]).args(ours).env_clear().current_dir(hook.get_current_dir().unwrap());
    other.envs(hook.get_envs().filter_map(|(name, value)| Some((name, value?))));
    other
}

#[test]
fn a_checkout_may_have_any_name() {
    let Some(agent) = agent() else { return };
    let checkout = agent.path("checkout/a, \"b\": it's c=d");
    fs::create_dir(&checkout).unwrap();
    chown(&checkout, Some(AGENT), Some(AGENT)).unwrap();
    let configuration = json!({"docker": Agent::options(), "cache": "target"});
    let mut hook = agent.hook("command", "job", &configuration, "pwd && mkdir -p a/b && touch a/b/c");
    let ran = agent.start(hook.current_dir(&checkout)).finish(LIMIT);
    assert!(ran.status == 0 && ran.has_lines("/workdir"), "{}", ran.output);
    assert!(checkout.join("a/b/c").exists());
    agent.assert_clean("job");
    // Another container gives the files back after a kill. It mounts the same path.
    let mut hook = agent.hook("command", "killed", &configuration, "mkdir -p d/e; echo ready; sleep 600");
    let mut job = agent.start(hook.current_dir(&checkout));
    job.wait_for("ready", LIMIT);
    job.kill();
    job.finish(LIMIT);
    assert_eq!(agent.pre_exit("killed").output, "");
    agent.assert_clean("killed");
}

#[test]
fn a_user_who_is_not_root_leaves_nothing_of_its_own() {
    let Some(agent) = agent() else { return };
    open_to_all(&agent.path("checkout"));
    let command = "id -u; mkdir -p $BUILDKITE_JOB_ID/deep /rust-vmm-ci/job/made/deep && touch $BUILDKITE_JOB_ID/deep/file";
    for (cache, kept) in [("none", ""), ("target", "so `target` is not kept")] {
        let configuration = json!({"docker": options(json!({"user": "4242:4242"})), "cache": cache});
        let ran = agent.run_with(cache, &configuration, command);
        assert!(ran.status == 0 && ran.has_lines("4242"), "{}", ran.output);
        assert!(ran.output.contains(kept) && !ran.output.contains("changing the owner"), "{}", ran.output);
        agent.assert_clean(cache);
    }
    let ran = agent.run("job", &options(json!({"propagate-uid-gid": true})), "id -u && touch mine");
    assert!(ran.status == 0 && ran.has_lines(&AGENT.to_string()), "{}", ran.output);
    agent.assert_clean("job");
}

#[test]
fn a_user_who_may_not_use_docker_is_told_how_to() {
    let Some(agent) = agent() else { return };
    let hook = agent.hook("command", "job", &json!({"docker": Agent::options()}), "true");
    let user = AGENT.to_string();
    let words = ["setpriv", "--reuid", &user, "--regid", "23456", "--clear-groups", "--"];
    let ran = agent.start(&mut started_by(&hook, &words)).finish(LIMIT);
    assert_eq!(ran.status, 3, "{}", ran.output);
    assert!(ran.output.contains("permission denied"), "{}", ran.output);
    assert!(ran.output.contains("to mend it: add the agent's user to the group docker"), "{}", ran.output);
}

#[test]
fn a_temporary_folder_that_docker_does_not_see_is_named_with_the_remedy() {
    let Some(agent) = agent() else { return };
    let hook = agent.hook("command", "job", &json!({"docker": Agent::options()}), "true");
    let user = AGENT.to_string();
    let script = "mount -t tmpfs -o mode=777 none \"$TMPDIR\" && exec \"$@\"";
    let mut words = vec!["unshare", "--mount", "sh", "-c", script, "sh", "setpriv"];
    words.extend(["--reuid", &user, "--regid", &user, "--clear-groups", "--"]);
    let ran = agent.start(&mut started_by(&hook, &words)).finish(LIMIT);
    assert_eq!(ran.status, 3, "{}", ran.output);
    assert!(ran.output.contains("bind source path does not exist"), "{}", ran.output);
    assert!(ran.output.contains("set TMPDIR to a folder that both see"), "{}", ran.output);
}

#[test]
fn pre_exit_waits_for_no_daemon_that_hangs_and_the_next_one_clears_up() {
    let Some(agent) = agent() else { return };
    let configuration = json!({"docker": Agent::options()});
    let mut hook = agent.hook("command", "job", &configuration, "touch by-root; echo ready; sleep 600");
    let mut job = agent.start(&mut hook);
    job.wait_for("ready", LIMIT);
    job.kill();
    job.finish(LIMIT);
    // This daemon accepts every call and never answers.
    let socket = agent.path("hangs");
    let _hangs = UnixListener::bind(&socket).unwrap();
    open_to_all(&socket);
    for _ in 0..2 {
        let mut hook = agent.hook("pre-exit", "job", &json!({}), "");
        let ran = agent.start(hook.env("DOCKER_HOST", format!("unix://{}", socket.display()))).finish(LIMIT);
        assert_eq!(ran.status, 0, "{}", ran.output);
        assert!(ran.output.contains("did not answer in time"), "{}", ran.output);
    }
    // The hook's keeper has ended the engine's client, which may have taken the container along.
    assert!(agent.containers("job") <= 1);
    // This is another job of the same agent.
    assert_eq!(agent.pre_exit("next").status, 0);
    agent.assert_clean("job");
}

#[test]
fn checks_run_under_an_entrypoint_and_without_a_shell() {
    let Some(agent) = agent() else { return };
    for docker in [json!({"entrypoint": ""}), json!({"entrypoint": "/usr/bin/env"})] {
        let configuration = json!({"docker": options(docker), "only": ["style"]});
        let ran = agent.run_with("job", &configuration, "");
        assert!(ran.status == 0 && ran.output.contains("1 passed"), "{}: {}", ran.status, ran.output);
    }
}

#[test]
fn git_reads_the_checkout_and_its_submodules() {
    let Some(agent) = agent() else { return };
    let script = "git init -q . && git init -q sub";
    let user = AGENT.to_string();
    let made = Command::new("setpriv")
        .args(["--reuid", &user, "--regid", &user, "--clear-groups", "--", "sh", "-c", script])
        .current_dir(agent.path("checkout"))
        .env("HOME", agent.path("home"))
        .status();
    assert!(made.unwrap().success());
    let ran = agent.run("job", &Agent::options(), "git status --short >/dev/null && git -C sub status");
    assert_eq!(ran.status, 0, "{}", ran.output);
}

#[test]
fn an_agent_without_a_home_of_its_own_keeps_nothing_and_runs_its_job() {
    let Some(agent) = agent() else { return };
    let configuration = json!({"docker": Agent::options(), "cache": "target"});
    let mut hook = agent.hook("command", "job", &configuration, "echo done");
    let ran = agent.start(hook.env("HOME", "/proc/none")).finish(LIMIT);
    assert!(ran.status == 0 && ran.has_lines("done"), "{}", ran.output);
    assert!(ran.output.contains("note: nothing is kept between jobs"), "{}", ran.output);
    agent.assert_clean("job");
}

#[test]
fn cleaning_what_is_kept_lets_a_job_go_on() {
    let Some(agent) = agent() else { return };
    // All tests with the same image share the volume for the registry.
    agent.docker.ask(&["tag", IMAGE, "rust-vmm-ci-test:alone"]);
    let docker = options(json!({"image": "rust-vmm-ci-test:alone"}));
    let configuration = json!({"docker": docker, "cache": "target"});
    let command = "echo ready; while [ ! -e go ]; do sleep 0.1; done; touch target/x && echo done";
    let mut job = agent.start(&mut agent.hook("command", "job", &configuration, command));
    job.wait_for("ready", LIMIT);
    let listed = agent.start(&mut agent.cache("list")).finish(LIMIT);
    assert!(listed.output.contains("in use"), "{}", listed.output);
    let cleaned = agent.start(&mut agent.cache("clean")).finish(LIMIT);
    assert_eq!((cleaned.status, cleaned.output.as_str()), (0, "nothing to remove\n"));
    agent.write("go", "");
    let ran = job.finish(LIMIT);
    assert!(ran.status == 0 && ran.has_lines("done"), "{}", ran.output);
    // The record of a volume that somebody removed by hand is dropped.
    let volumes = agent.docker.ask(&["volume", "ls", "--quiet", "--filter", "name=rust-vmm-ci-registry"]);
    for name in volumes.lines() {
        let record = format!("home/.cache/rust-vmm-ci/volumes/{name}.json");
        if agent.path(&record).exists() {
            agent.docker.ask(&["volume", "rm", name]);
        }
    }
    let cleaned = agent.start(&mut agent.cache("clean")).finish(LIMIT);
    assert!(cleaned.status == 0 && !cleaned.output.contains("registry"), "{}", cleaned.output);
    let listed = agent.start(&mut agent.cache("list")).finish(LIMIT);
    assert_eq!(listed.output, "nothing is kept\n");
}
