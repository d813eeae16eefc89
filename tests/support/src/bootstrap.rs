//! One job without Buildkite: `buildkite-agent bootstrap` with a plugin, as an agent on a real machine runs it,
//! in a sandbox. A [`Buildkite`] receives what the job annotates and uploads.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::buildkite::{Build, Buildkite, of_build};
use super::process::{Finished, Running};
use super::sandbox::{File, Repository, Sandbox};

/// A job that is being put together.
pub struct Bootstrap {
    agent: PathBuf,
    sandbox: Sandbox,
    source: Repository,
    plugins: Vec<Value>,
    env: Vec<(String, Option<String>)>,
}

impl Bootstrap {
    /// A job that checks these files out. It has no plugin and no command yet. Its hooks use `binary`
    /// and do not look for one.
    pub fn new(binary: &str, agent: &Path, files: &[File<'_>]) -> Self {
        let sandbox = Sandbox::new();
        let source = sandbox.repository("source", files);
        Self { agent: agent.to_owned(), sandbox, source, plugins: Vec::new(), env: Vec::new() }
            .env("RUST_VMM_CI_BINARY", binary)
    }

    /// Lists this repository's plugin, as it is in the work tree, with this configuration.
    pub fn plugin(self, configuration: &Value) -> Self {
        let plugin = self.sandbox.this_plugin();
        self.plugin_from(&plugin, configuration)
    }

    /// Lists the plugin in this repository.
    pub fn plugin_from(mut self, plugin: &Repository, configuration: &Value) -> Self {
        let reference = format!("{}#{}", plugin.url(), plugin.head());
        self.plugins.push(json!({ reference: configuration }));
        self
    }

    /// The step's own command.
    pub fn command(self, command: &str) -> Self {
        self.env("BUILDKITE_COMMAND", command)
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), Some(value.to_owned())));
        self
    }

    /// Takes a variable away, such as `RUST_VMM_CI_BINARY`: then the hooks look for the binary.
    pub fn without(mut self, name: &str) -> Self {
        self.env.push((name.to_owned(), None));
        self
    }

    /// The sandbox that it will run in.
    pub fn sandbox(&self) -> &Sandbox {
        &self.sandbox
    }

    /// The repository that it will check out.
    pub fn source(&self) -> &Repository {
        &self.source
    }

    /// Starts the job.
    pub fn start(self) -> Job {
        let buildkite = Buildkite::new(&self.source);
        let mut command = self.sandbox.command(&self.agent);
        command
            .arg("bootstrap")
            .envs(of_build(&self.source))
            .env("BUILDKITE_JOB_ID", super::new_id())
            .env("BUILDKITE_STEP_ID", "33333333-0000-4000-8000-000000000000")
            .env("BUILDKITE_AGENT_ACCESS_TOKEN", "of-the-job")
            .env("BUILDKITE_AGENT_ENDPOINT", buildkite.endpoint())
            .env("BUILDKITE_PLUGINS", Value::from(self.plugins).to_string())
            .env("BUILDKITE_PLUGIN_VALIDATION", "true")
            .env("BUILDKITE_PTY", "false")
            .env("BUILDKITE_SSH_KEYSCAN", "false")
            .env("BUILDKITE_SHELL", "/bin/bash -e -c");
        if let Some(folder) = self.agent.parent() {
            command.env("BUILDKITE_BIN_PATH", folder);
        }
        for name in ["build", "plugins", "hooks", "sockets"] {
            let variable = format!("BUILDKITE_{}_PATH", name.to_uppercase());
            command.env(variable, self.sandbox.folder(name));
        }
        for (name, value) in self.env {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let process = Running::start(&mut command, self.sandbox.path().join("job.log"));
        Job { process, buildkite, sandbox: self.sandbox }
    }

    /// Runs the job to its end.
    pub fn run(self, limit: Duration) -> Outcome {
        self.start().finish(limit)
    }
}

/// The folder that a job runs in, in its sandbox.
const CHECKOUT: &str = "build/loopback/rust-vmm/crate-ci";

/// A job under way.
pub struct Job {
    pub process: Running,
    pub buildkite: Buildkite,
    sandbox: Sandbox,
}

impl Job {
    /// The folder that the job runs in.
    pub fn checkout(&self) -> PathBuf {
        self.sandbox.path().join(CHECKOUT)
    }

    /// Waits until the job has said this.
    pub fn wait_for(&mut self, text: &str, limit: Duration) {
        self.process.wait_for(text, limit);
    }

    /// Does what the agent does when somebody cancels the job.
    pub fn cancel(&self) {
        self.process.terminate();
    }

    pub fn finish(self, limit: Duration) -> Outcome {
        let Finished { status, output } = self.process.finish(limit);
        Outcome { status, output, build: self.buildkite.build(), sandbox: self.sandbox }
    }
}

/// What a job leaves.
pub struct Outcome {
    /// The exit status that Buildkite would be told.
    pub status: i32,
    /// The job's log.
    pub output: String,
    /// Its annotations, artifacts and meta-data.
    pub build: Build,
    /// Where it ran; goes when this goes.
    pub sandbox: Sandbox,
}

impl Outcome {
    /// The folder that the job ran in.
    pub fn checkout(&self) -> PathBuf {
        self.sandbox.path().join(CHECKOUT)
    }
}
