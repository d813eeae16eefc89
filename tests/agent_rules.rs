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
use support::buildkite::{Build, Buildkite};
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

/// What somebody changes in a signed step.
type Change = fn(&mut Value);

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
    fn signed(mut self, agent: &Path, change: Option<fn(&mut Value)>) -> Build {
        let [private, public] = self.keys(agent).map(|key| key.display().to_string());
        if let Some(change) = change {
            self.buildkite.change_steps(change);
        }
        self.start(
            agent,
            &["--signing-jwks-file", &private, "--signing-jwks-key-id", "test", "--disconnect-after-job"],
        );
        self.buildkite.wait_until(LIMIT, |build| build.job("upload").is_over());
        self.start(agent, &["--verification-jwks-file", &public]);
        self.buildkite.finish(LIMIT)
    }
}

fn label() -> String {
    format!("one-{}", std::env::consts::ARCH)
}

#[test]
fn a_signed_build_passes() {
    let Some(agent) = agent() else { return };
    let build = Uploading::new().signed(agent, None);
    let job = build.job(&label());
    assert!(job.step.get("signature").is_some(), "{}", job.step);
    assert_eq!(job.exit_status, Some(0), "{}", build.story());
    let said = format!("for {} with a value", std::env::consts::ARCH);
    assert!(job.log().contains("Job signature verified"), "{}", build.story());
    assert!(job.log().contains(&said), "{}", build.story());
}

#[test]
fn a_changed_byte_in_a_signed_field_is_refused() {
    let Some(agent) = agent() else { return };
    let changes: [(&str, Change); 3] = [
        ("command", |step| step["command"] = "echo changed".into()),
        ("env", |step| step["env"]["A"] = "changed".into()),
        ("plugins", |step| {
            let plugin = step["plugins"][0].as_object_mut().unwrap();
            let options = plugin.values_mut().next().unwrap();
            options["annotate"] = false.into();
        }),
    ];
    for (field, change) in changes {
        let build = Uploading::new().signed(agent, Some(change));
        let job = build.job(&label());
        assert_ne!(job.exit_status, Some(0), "{field}: {}", build.story());
        assert!(
            !job.log().contains("for x86_64") && !job.log().contains("changed\n"),
            "{field}: {}",
            build.story()
        );
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
