//! What the agent's administrator can restrict, and signed pipelines, with the real agent: each works with the
//! plugin, or ends with one clear sentence.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "what cannot be set up fails the test")]
#![allow(clippy::disallowed_methods, reason = "the rule is for src/")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::agent::agent;
use support::bootstrap::Bootstrap;
use support::buildkite::{Build, Buildkite, Environment};
use support::sandbox::Sandbox;

const BINARY: &str = env!("CARGO_BIN_EXE_rust-vmm-ci");
const LIMIT: Duration = Duration::from_secs(240);
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", "[package]\nname = \"sample\"\nversion = \"0.1.0\"\n"),
    ("src/lib.rs", "//! A crate.\n"),
];

fn job(agent: &Path) -> Bootstrap {
    Bootstrap::new(BINARY, agent, FILES).plugin(&json!({"docker": false})).command("echo it ran")
}

/// What somebody changes after the step was signed.
#[derive(Clone, Copy)]
enum Change {
    Nothing,
    /// The step, and what the job has of it.
    Step(fn(&mut Value)),
    /// The job's variables alone.
    Job(fn(&mut Environment)),
}

#[test]
fn what_the_agent_may_restrict_works_or_is_refused_before_the_plugin_runs() {
    let Some(agent) = agent() else { return };
    for (name, value, expected) in [
        ("BUILDKITE_LOCAL_HOOKS_ENABLED", "false", Ok(())),
        ("BUILDKITE_STRICT_SINGLE_HOOKS", "true", Ok(())),
        ("BUILDKITE_PLUGINS_ALWAYS_CLONE_FRESH", "true", Ok(())),
        ("BUILDKITE_GIT_MIRRORS_PATH", "mirrors", Ok(())),
        ("BUILDKITE_NO_HTTP2", "true", Ok(())),
        ("BUILDKITE_PLUGINS_ENABLED", "false", Err("plugins have been disabled on this agent")),
    ] {
        let job = job(agent);
        let value = match value {
            "mirrors" => job.sandbox().folder("mirrors").display().to_string(),
            other => other.to_owned(),
        };
        let outcome = job.env(name, &value).run(LIMIT);
        match expected {
            Ok(()) => {
                assert_eq!(outcome.status, 0, "{name}: {}", outcome.output);
                assert!(outcome.output.contains("it ran"), "{name}: {}", outcome.output);
            }
            Err(said) => {
                assert_ne!(outcome.status, 0, "{name}: {}", outcome.output);
                assert!(outcome.output.contains(said), "{name}: {}", outcome.output);
                assert!(!outcome.output.contains("rust-vmm-ci: "), "{name}: {}", outcome.output);
            }
        }
    }
}

/// A build whose first step uploads two steps with this plugin.
struct Uploading {
    sandbox: Sandbox,
    buildkite: Buildkite,
}

impl Uploading {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let source = sandbox.repository("source", FILES);
        let plugin = sandbox.this_plugin();
        let reference = format!("{}#{}", plugin.url(), plugin.head());
        let steps = json!([
            {"label": "one", "command": "echo for {target_platform} with $A", "env": {"A": "a value"},
             "platform": [std::env::consts::ARCH]},
            {"label": "{{matrix}}", "command": "echo for matrix {{matrix}}", "matrix": ["two", "three"],
             "platform": [std::env::consts::ARCH]},
        ]);
        let options = json!({"mode": "upload", "standard": false, "docker": false, "steps": steps});
        let buildkite = Buildkite::new(&source);
        buildkite.queue(&json!({"label": "upload", "plugins": [{reference: options}]}));
        Self { sandbox, buildkite }
    }

    fn start(&mut self, agent: &Path, arguments: &[&str]) {
        self.buildkite.start(agent, &self.sandbox, |command| {
            command.env("RUST_VMM_CI_BINARY", BINARY).args(arguments);
        });
    }

    /// The keys of a set that the agent makes, private and public.
    fn keys(&self, agent: &Path) -> [PathBuf; 2] {
        let keys = ["private.json", "public.json"].map(|name| self.sandbox.path().join(name));
        let made = Command::new(agent)
            .args(["tool", "keygen", "--alg", "EdDSA", "--key-id", "test", "--private-jwks-file"])
            .arg(&keys[0])
            .arg("--public-jwks-file")
            .arg(&keys[1])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        keys
    }

    /// Uploads with one agent, which signs, and runs the uploaded steps with another, which verifies.
    fn signed(mut self, agent: &Path, change: Change) -> Build {
        let [private, public] = self.keys(agent).map(|key| key.display().to_string());
        match change {
            Change::Nothing => {}
            Change::Step(change) => self.buildkite.change_steps(change),
            Change::Job(change) => self.buildkite.change_variables(change),
        }
        self.buildkite.hand_out_one();
        self.start(agent, &["--signing-jwks-file", &private, "--signing-jwks-key-id", "test"]);
        self.buildkite.wait_until(LIMIT, |build| build.job("upload").is_over());
        self.buildkite.replace(agent, &self.sandbox, |command| {
            command.env("RUST_VMM_CI_BINARY", BINARY).args(["--verification-jwks-file", &public]);
        });
        self.buildkite.finish(LIMIT)
    }
}

fn label(name: &str) -> String {
    format!("{name}-{}", std::env::consts::ARCH)
}

#[test]
fn a_signed_build_passes() {
    let Some(agent) = agent() else { return };
    let build = Uploading::new().signed(agent, Change::Nothing);
    let arch = std::env::consts::ARCH;
    for (name, said) in [
        ("one", format!("for {arch} with a value")),
        ("two", "for matrix two".to_owned()),
        ("three", "for matrix three".to_owned()),
    ] {
        let job = build.job(&label(name));
        assert!(job.step.get("signature").is_some(), "{}", job.step);
        assert_eq!(job.exit_status, Some(0), "{}", build.story());
        assert!(job.log().contains("Job signature verified"), "{}", build.story());
        assert!(job.log().contains(&said), "{}", build.story());
    }
}

/// Changes the options of this plugin in a step.
fn change_options(step: &mut Value) {
    let plugin = step["plugins"][0].as_object_mut().unwrap();
    plugin.values_mut().next().unwrap()["annotate"] = false.into();
}

fn change_variable(variables: &mut Environment, name: &str, from: &str, to: &str) {
    let value = variables.get_mut(name).unwrap();
    *value = value.replace(from, to);
}

#[test]
fn a_change_of_what_is_signed_is_refused_before_anything_runs() {
    let Some(agent) = agent() else { return };
    // The fields that the agent signs: command, env, plugins, matrix and repository_url.
    let changes = [
        ("command", Change::Step(|step| step["command"] = "echo it ran".into())),
        ("command of the job", Change::Job(|job| change_variable(job, "BUILDKITE_COMMAND", "for", "it ran"))),
        ("env", Change::Step(|step| step["env"]["A"] = "changed".into())),
        ("env of the job", Change::Job(|job| drop(job.insert("A".into(), "changed".into())))),
        ("plugins", Change::Step(change_options)),
        (
            "plugins of the job",
            Change::Job(|job| change_variable(job, "BUILDKITE_PLUGINS", "{", "{\"a#1\":{},")),
        ),
        ("matrix", Change::Step(|step| step["matrix"] = json!(["two", "four"]))),
        ("repository", Change::Job(|job| change_variable(job, "BUILDKITE_REPO", "source", "./source"))),
    ];
    for (field, change) in changes {
        let build = Uploading::new().signed(agent, change);
        let is_refused = |name: &str| {
            let job = build.job(&label(name));
            let ran = ["for x86_64", "for matrix", "it ran", "~~~ Running"];
            job.exit_status != Some(0) && !ran.iter().any(|said| job.log().contains(said))
        };
        // `env` is set in the first step alone; a change of it in the others is no less refused.
        let names: &[&str] = if field == "matrix" { &["two", "four"] } else { &["one", "two", "three"] };
        let names = names.iter().filter(|name| field != "env of the job" || **name == "one");
        for name in names {
            assert!(is_refused(name), "{field}, {name}: {}", build.story());
        }
    }
}

#[test]
fn a_plugin_that_is_not_allowed_is_refused_and_an_allowed_one_runs() {
    let Some(agent) = agent() else { return };
    for (allowed, status) in [("^.*$", true), ("^https://example.org/", false)] {
        let mut uploading = Uploading::new();
        uploading.start(agent, &["--allowed-plugins", allowed, "--no-http2"]);
        let build = uploading.buildkite.finish(LIMIT);
        assert_eq!(build.job("upload").exit_status == Some(0), status, "{allowed}: {}", build.story());
    }
}

#[test]
fn without_command_evaluation_the_agent_refuses_the_plugin() {
    let Some(agent) = agent() else { return };
    let mut uploading = Uploading::new();
    uploading.start(agent, &["--no-command-eval"]);
    let build = uploading.buildkite.finish(LIMIT);
    assert_ne!(build.job("upload").exit_status, Some(0), "{}", build.story());
    assert!(build.uploads.is_empty(), "{}", build.story());
}
