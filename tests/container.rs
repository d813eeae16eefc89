//! Jobs in real containers: what a step does there, what it leaves behind, and what the log says when the
//! engine fails.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, SystemTime};
use support::docker::{Agent, EMULATED, IMAGE, docker};
use support::eventually;

const MANIFEST: &str = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const LIBRARY: &str = "//! A crate.\n\n/// Adds.\npub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n";
const FAULT: &str = "//! A crate.\n\n/// Counts.\npub fn count() -> u32 {\n    let unused = 1;\n    2\n}\n";
/// Only clippy finds the fault in it.
const UNSAFE: &str =
    "//! A crate.\n\n/// Reads.\npub fn read(x: &u8) -> u8 {\n    unsafe { std::ptr::read(x) }\n}\n";
const LOCK: &str = "version = 4\n\n[[package]]\nname = \"sample\"\nversion = \"0.1.0\"\n";

fn agent() -> Option<Agent> {
    agent_with(LIBRARY)
}

fn agent_with(library: &str) -> Option<Agent> {
    Some(Agent::new(
        env!("CARGO_BIN_EXE_rust-vmm-ci"),
        docker()?,
        &[("Cargo.toml", MANIFEST), ("Cargo.lock", LOCK), ("src/lib.rs", library)],
    ))
}

#[allow(clippy::needless_pass_by_value, reason = "so that a test writes json!(…) in place")]
fn options(changes: Value) -> Value {
    let mut options = Agent::options();
    options.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    options
}

#[test]
fn a_command_runs_in_the_checkout_and_keeps_its_status_but_for_125() {
    let Some(agent) = agent() else { return };
    for (command, status) in
        [("true", 0), ("exit 42", 42), ("exit 125", 3), ("kill -9 $$", 137), ("no-such", 127)]
    {
        assert_eq!(agent.run("job", &Agent::options(), command).status, status, "{command}");
        agent.assert_clean("job");
    }
    let ran = agent.run("job", &Agent::options(), "pwd; ls; cat; echo \"it's $RUST_VMM_CI_IN_CONTAINER\"");
    assert!(ran.has_lines("/workdir\nCargo.lock\nCargo.toml\nsrc\nit's 1"), "{}", ran.output);
}

#[test]
fn no_secret_of_the_agents_is_in_the_container_nor_on_a_command_line() {
    let Some(agent) = agent() else { return };
    let command = "env; tr '\\0' ' ' </proc/1/cmdline; test ! -e /var/run/docker.sock";
    let list = agent.path("env");
    fs::write(&list, "BUILDKITE_AGENT_ACCESS_TOKEN=\"x\"\nDEPLOY_KEY=\"x\"\nCOLOUR=\"x\"\n").unwrap();
    let configuration = json!({"docker": options(json!({"propagate-environment": true, "debug": true}))});
    let mut hook = agent.hook("command", "job", &configuration, command);
    hook.env("BUILDKITE_ENV_FILE", &list).env("DEPLOY_KEY", "a-secret-key").env("COLOUR", "vert\net bleu");
    let ran = agent.start(&mut hook).finish(Duration::from_secs(60));
    assert_eq!(ran.status, 0, "{}", ran.output);
    assert!(ran.has_lines("COLOUR=vert\net bleu"), "{}", ran.output);
    assert!(ran.output.contains("'--env=COLOUR'"), "{}", ran.output);
    assert!(!ran.output.contains("secret"), "{}", ran.output);
}

#[test]
fn what_a_job_writes_belongs_to_the_agents_user_however_it_ends() {
    let Some(agent) = agent() else { return };
    let write = "mkdir -p deep/er && echo x >deep/er/file && ln -sf /etc/passwd link && id -u";
    for end in ["true", "false", "kill -9 $$"] {
        let ran = agent.run("job", &Agent::options(), &format!("{write}; {end}"));
        assert!(ran.output.contains("\n0\n"), "the job runs as root: {}", ran.output);
        agent.assert_clean("job");
    }
    // This runs without our wrapper, because the image's own entrypoint is unknown.
    let own = options(json!({"shell": false, "image": EMULATED}));
    assert_eq!(agent.run("job", &own, "touch /workdir/by-root").status, 0);
    agent.assert_clean("job");
}

#[test]
fn checks_find_the_same_in_the_container_and_name_the_repositorys_paths() {
    let Some(agent) = agent_with(FAULT) else { return };
    let report = "cp $RUST_VMM_CI_REPORT report.json";
    let command = format!("rust-vmm-ci run clippy style || status=$?; {report}; exit $status");
    let ran = agent.run("job", &Agent::options(), &command);
    assert_eq!(ran.status, 1, "{}", ran.output);
    let report: Value =
        serde_json::from_slice(&fs::read(agent.path("checkout/report.json")).unwrap()).unwrap();
    assert_eq!(report["container"], IMAGE);
    let findings: Vec<&Value> = report["outcomes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|o| o["findings"].as_array())
        .flatten()
        .collect();
    assert_eq!(findings[0]["file"], "src/lib.rs", "{report}");
    assert!(!findings.into_iter().cloned().collect::<Value>().to_string().contains("/workdir"), "{report}");
    agent.assert_clean("job");
}

#[test]
fn a_step_without_a_command_runs_the_checks_in_the_container() {
    let Some(agent) = agent() else { return };
    let configuration = json!({
        "docker": Agent::options(),
        "only": ["style", "clippy"],
        "checks": {"style": {"docker": false}},
    });
    let ran = agent.run_with("job", &configuration, "");
    assert!(ran.output.contains("checks.style.docker: this job has one container"), "{}", ran.output);
    assert!(!ran.output.contains("checks.clippy.docker"), "{}", ran.output);
    assert_eq!(ran.status, 0, "{}", ran.output);
    assert!(ran.output.contains("2 passed"), "{}", ran.output);
    agent.assert_clean("job");
}

#[test]
fn a_riscv64_command_arrives_as_it_is_written() {
    let Some(agent) = agent() else { return };
    let image = options(json!({"image": EMULATED}));
    let configuration = json!({"docker": image, "platform": "riscv64"});
    let cases = [
        ("X=y; echo \"<$X>\"", "<y>"),
        ("echo '<$X>' \"it's\" \\\"", "<$X> it's \""),
        ("echo a\necho b\n", "a\nb"),
        ("echo 'é ✓ 日本'", "é ✓ 日本"),
        ("echo $(echo `echo nested`) \\$HOME !x # no", "nested $HOME !x"),
        ("echo '*' a  b; pwd", "* a b\n/root/workdir"),
        ("rustc --version >/dev/null && echo has cargo", "has cargo"),
    ];
    for (command, expected) in cases {
        let ran = agent.run_with("job", &configuration, command);
        assert_eq!(ran.status, 0, "{}", ran.output);
        assert!(ran.has_lines(expected), "{command:?}\n{}", ran.output);
    }
    assert_eq!(agent.run_with("job", &configuration, "exit 42").status, 42);
    agent.assert_clean("job");
}

#[test]
fn a_riscv64_job_without_a_command_runs_each_check_and_tells_which_failed_where() {
    let Some(agent) = agent_with(UNSAFE) else { return };
    let image = options(json!({"image": EMULATED}));
    let only = ["build-gnu-riscv64", "clippy-riscv64", "style"];
    let configuration = json!({"docker": image, "platform": "riscv64", "only": only});
    let ran = agent.run_with("job", &configuration, "");
    assert_eq!(ran.status, 1, "{}", ran.output);
    assert!(
        ran.has_lines("--- build-gnu-riscv64\n--- clippy-riscv64\nfailed: clippy-riscv64"),
        "{}",
        ran.output
    );
    assert!(ran.output.contains("1 passed, 1 failed"), "{}", ran.output);
    assert!(!ran.output.contains("--- style"), "it is for no platform: {}", ran.output);
    agent.assert_clean("job");
}

#[test]
fn checks_whose_machine_ended_before_them_have_no_verdict() {
    let Some(agent) = agent() else { return };
    // The parent of a command is its keeper, and the keeper's parent is the program that runs the checks.
    let above = "read -r _ _ _ parent _ </proc/$PPID/stat; kill -9 $parent; sleep 9";
    for (platform, image, command) in
        [("x86_64", IMAGE, above), ("riscv64", EMULATED, "kill -9 $PPID; sleep 9")]
    {
        let configuration = json!({
            "docker": options(json!({"image": image})),
            "platform": platform,
            "standard": false,
            "steps": [{"label": "mine", "command": command, "platform": platform}],
        });
        let ran = agent.run_with("job", &configuration, "");
        assert_eq!(ran.status, 3, "{platform}: {}", ran.output);
        agent.assert_clean("job");
    }
}

#[test]
fn a_person_runs_checks_in_the_container_and_has_the_report() {
    let Some(agent) = agent_with(UNSAFE) else { return };
    let step =
        json!({"steps": [{"plugins": [{"rust-vmm/rust-vmm-ci#v1.0.0": {"docker": Agent::options()}}]}]});
    agent.write(".buildkite/pipeline.yml", &step.to_string());
    let platforms: [(&[&str], &str); 2] = [(&[], "clippy"), (&["--platform", "riscv64"], "clippy-riscv64")];
    for (options, label) in platforms {
        let arguments = [&["run", "--docker", "clippy", "--report", "../home/report.json"], options].concat();
        if !options.is_empty() {
            agent.write(".buildkite/pipeline.yml", &step.to_string().replace(IMAGE, EMULATED));
        }
        let ran = agent.start(&mut agent.typed(&arguments)).finish(Duration::from_secs(120));
        assert_eq!(ran.status, 1, "{}", ran.output);
        let report = fs::read_to_string(agent.path("home/report.json")).unwrap();
        let report: Value = serde_json::from_str(&report).unwrap();
        let outcome = &report["outcomes"][0];
        assert!(outcome["label"].as_str().unwrap().starts_with(label), "{report}");
        assert_eq!((&outcome["verdict"], &report["outcomes"][1]), (&json!("failed"), &Value::Null));
        let finding = &outcome["findings"][0];
        assert_eq!((&finding["file"], &finding["line"]), (&json!("src/lib.rs"), &json!(5)), "{report}");
        fs::remove_file(agent.path("home/report.json")).unwrap();
        assert!(agent.foreign().is_empty(), "{:?}", agent.foreign());
    }
}

#[test]
fn the_engines_failures_are_no_verdicts_and_say_what_to_do() {
    let Some(agent) = agent() else { return };
    let cases = [
        (json!({"image": "rust-vmm-ci-test:none"}), "rust-vmm-ci-test:none", ""),
        (json!({"devices": ["/dev/no-such"]}), "/dev/no-such", "docker.devices"),
        (json!({"shell": ["/bin/no-such", "-c"]}), "/bin/no-such", ""),
        (json!({"volumes": ["/a:relative"]}), "relative", ""),
        (json!({"network": "container:none"}), "none", ""),
    ];
    for (changes, words, remedy) in cases {
        let ran = agent.run("job", &options(changes.clone()), "true");
        assert_eq!(ran.status, 3, "{changes}: {}", ran.output);
        assert!(ran.output.contains(words) && ran.output.contains(remedy), "{changes}: {}", ran.output);
        agent.assert_clean("job");
    }
    let configuration = json!({"docker": Agent::options()});
    let mut hook = agent.hook("command", "job", &configuration, "true");
    hook.env("DOCKER_HOST", "unix:///no/such/socket");
    let ran = agent.start(&mut hook).finish(Duration::from_secs(60));
    assert_eq!(ran.status, 3, "{}", ran.output);
    assert!(ran.output.contains("to mend it: start docker on the agent"), "{}", ran.output);
    let mut hook = agent.hook("command", "job", &configuration, "true");
    hook.env("PATH", agent.path("home"));
    let ran = agent.start(&mut absolute(&hook)).finish(Duration::from_secs(60));
    assert_eq!(ran.status, 3, "{}", ran.output);
    assert!(ran.output.contains("to mend it: install docker on the agent"), "{}", ran.output);
    let after = agent.pre_exit("job");
    assert_eq!((after.status, after.output.as_str()), (0, ""));
    agent.assert_clean("job");
}

/// The same command with the path of its program. The PATH of the command does not have the program.
fn absolute(command: &std::process::Command) -> std::process::Command {
    let mut found = std::process::Command::new(which::which(command.get_program()).unwrap());
    found.args(command.get_args()).env_clear().current_dir(command.get_current_dir().unwrap());
    found.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    found
}

#[test]
fn a_cancelled_job_ends_and_leaves_nothing() {
    let Some(agent) = agent() else { return };
    let configuration = json!({"docker": Agent::options()});
    // A child that ignores the request to end, and a file that belongs to root.
    let command = "touch by-root; trap '' TERM; (trap '' TERM; sleep 600) & echo ready; wait; sleep 600";
    let mut job = agent.start(&mut agent.hook("command", "job", &configuration, command));
    job.wait_for("ready", Duration::from_secs(60));
    job.terminate();
    let ended = job.finish(Duration::from_secs(60));
    assert_eq!(ended.status, 3, "{}", ended.output);
    agent.pre_exit("job");
    agent.assert_clean("job");
}

#[test]
fn pre_exit_takes_away_what_a_killed_hook_left_and_again() {
    let Some(agent) = agent() else { return };
    let configuration = json!({"docker": Agent::options(), "cache": "target"});
    let command = "touch by-root; mkdir -p a/b; echo ready; sleep 600";
    let mut job = agent.start(&mut agent.hook("command", "job", &configuration, command));
    job.wait_for("ready", Duration::from_secs(60));
    job.kill();
    job.finish(Duration::from_secs(60));
    assert_eq!(agent.containers("job"), 1);
    assert_eq!(agent.pre_exit("job").status, 0);
    agent.assert_clean("job");
    let again = agent.pre_exit("job");
    assert_eq!((again.status, again.output.as_str()), (0, ""));
    // The next job uses the same target directory, so no lock is left.
    let next = agent.run_with("next", &configuration, "true");
    assert!(!next.output.contains("another job uses"), "{}", next.output);
}

#[test]
fn a_job_whose_docker_is_killed_has_no_verdict_and_leaves_nothing() {
    let Some(agent) = agent() else { return };
    let configuration = json!({"docker": Agent::options()});
    let mut job =
        agent.start(&mut agent.hook("command", "killed", &configuration, "touch x; echo ready; sleep 600"));
    job.wait_for("ready", Duration::from_secs(60));
    let client = eventually(Duration::from_secs(60), || {
        support::process::find(&format!(
            "docker run --rm --pull=never --init --label=com.github.rust-vmm.ci.job-id={}",
            agent.id("killed")
        ))
    });
    support::process::kill(client.unwrap());
    let ended = job.finish(Duration::from_secs(60));
    assert_eq!(ended.status, 3, "{}", ended.output);
    assert!(ended.output.contains("`docker` was killed"), "{}", ended.output);
    agent.assert_clean("killed");
}

#[test]
fn a_kept_target_directory_gives_no_green_build_of_old_sources() {
    let Some(agent) = agent() else { return };
    let configuration = json!({"docker": Agent::options(), "cache": "target"});
    let build = "cargo build --offline 2>&1";
    let first = agent.run_with("1", &configuration, build);
    assert_eq!(first.status, 0, "{}", first.output);
    let again = agent.run_with("2", &configuration, build);
    assert!(again.status == 0 && !again.output.contains("Compiling"), "it is kept: {}", again.output);
    // The content changes, but the modification time stays older than the build.
    let file = agent.path("checkout/src/lib.rs");
    let old = fs::metadata(&file).unwrap().modified().unwrap();
    agent.write("src/lib.rs", "compile_error!(\"new\");\n");
    fs::File::options().append(true).open(&file).unwrap().set_modified(old).unwrap();
    let stale = agent.run_with("3", &configuration, build);
    assert_eq!(stale.status, 101, "{}", stale.output);
    // A fresh clone of the sources that were built before is not built again.
    agent.write("src/lib.rs", LIBRARY);
    assert_eq!(agent.run_with("4", &configuration, build).status, 0);
    agent.write("src/lib.rs", LIBRARY);
    assert!(fs::metadata(&file).unwrap().modified().unwrap() <= SystemTime::now());
    let fresh = agent.run_with("5", &configuration, build);
    assert!(!fresh.output.contains("Compiling"), "{}", fresh.output);
    agent.assert_clean("5");
    assert!(!agent.path("checkout/target").exists(), "the mount point is taken away");
}

#[test]
fn a_target_directory_is_one_jobs_at_a_time_and_goes_when_it_is_too_large() {
    let Some(agent) = agent() else { return };
    let policy = agent.path("policy.json");
    fs::write(&policy, r#"{"target-gigabytes": 0}"#).unwrap();
    let configuration = json!({"docker": Agent::options(), "cache": "target"});
    let mut holder = agent.start(&mut agent.hook("command", "holder", &configuration, "echo ready; sleep 5"));
    holder.wait_for("ready", Duration::from_secs(60));
    let mut hook =
        agent.hook("command", "other", &configuration, "test ! -e target/.rust-vmm-ci-sources.json");
    let other = agent.start(&mut hook).finish(Duration::from_secs(60));
    assert_eq!(other.status, 0, "{}", other.output);
    assert!(other.output.contains("another job uses the kept target directory"), "{}", other.output);
    assert_eq!(holder.finish(Duration::from_secs(60)).status, 0);
    let volumes = || agent.docker.ask(&["volume", "ls", "--quiet"]);
    let name = fs::read_dir(agent.path("home/.cache/rust-vmm-ci/volumes")).unwrap().find_map(|file| {
        let name = file.unwrap().path().file_stem()?.to_str()?.to_owned();
        name.contains("target").then_some(name)
    });
    let name = name.unwrap();
    assert!(volumes().contains(&name));
    let mut hook = agent.hook("command", "last", &configuration, "echo x >target/large");
    let last = agent.start(hook.env("RUST_VMM_CI_POLICY", &policy)).finish(Duration::from_secs(60));
    assert_eq!(last.status, 0, "{}", last.output);
    assert!(!volumes().contains(&name), "it is over the limit");
}

#[test]
fn the_agents_policy_is_under_the_repositorys_options_but_for_what_it_forces() {
    let Some(agent) = agent() else { return };
    let policy = agent.path("policy.json");
    let text = json!({
        "docker": {"image": IMAGE, "always-pull": false, "privileged": false, "environment": ["OF=policy"]},
        "run-options": ["--hostname=of-policy"],
        "forced": ["docker.privileged"],
    });
    fs::write(&policy, text.to_string()).unwrap();
    let configuration = json!({"docker": {"privileged": true}});
    let mut hook = agent.hook("command", "job", &configuration, "hostname; echo $OF; mount -t tmpfs x /mnt");
    let ran = agent.start(hook.env("RUST_VMM_CI_POLICY", &policy)).finish(Duration::from_secs(60));
    assert!(ran.status != 0 && ran.has_lines("of-policy\npolicy"), "{}", ran.output);
    assert!(ran.output.contains("docker.privileged: the agent's policy"), "{}", ran.output);
}
