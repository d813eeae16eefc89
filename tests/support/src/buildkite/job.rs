//! A job: a command step with an id, and the environment that Buildkite gives it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::time::Instant;

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::new_id;
use crate::sandbox::Repository;

/// The agent's name, which the agent gets from Buildkite.
pub(super) const AGENT_NAME: &str = "loopback";

/// The variables of a job.
pub type Environment = BTreeMap<String, String>;

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Waiting,
    Running,
    /// Under way; the agent will learn that it is to end it.
    Cancelling,
    Finished,
    /// The step said so: `skip`, which is also what the agent makes of `if_changed`.
    Skipped,
}

/// A command step, queued or run.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: String,
    /// The step as it was uploaded, with the value of its matrix in place.
    pub step: Value,
    /// The same without that value, as it was signed.
    pub(super) signed: Value,
    /// The value of the step's matrix.
    pub(super) permutation: Option<Value>,
    pub phase: Phase,
    /// As the agent reports it: -1 when a signal or the agent itself ended the job.
    pub exit_status: Option<i32>,
    pub(super) raw_log: Vec<u8>,
    /// When it ended.
    pub ended: Option<Instant>,
    pub(super) env: Environment,
}

impl Job {
    /// The jobs of a step: one for each value of its matrix, which is a plain list here.
    pub(super) fn of_step(step: &Value, env: &Environment) -> Vec<Self> {
        let Some(values) = step.get("matrix").and_then(Value::as_array) else {
            return vec![Self::new(new_id(), step, env.clone())];
        };
        let of_value = |value: &Value| {
            let with_value = step.to_string().replace("{{matrix}}", &text(value));
            let with_value = serde_json::from_str(&with_value).expect("a value without quotes");
            let mut job = Self::new(new_id(), &with_value, env.clone());
            job.signed = step.clone();
            job.permutation = Some(value.clone());
            job
        };
        values.iter().map(of_value).collect()
    }

    fn new(id: String, step: &Value, mut env: Environment) -> Self {
        env.extend(variables(&step["env"]));
        for (name, key) in [
            ("BUILDKITE_COMMAND", "command"),
            ("BUILDKITE_LABEL", "label"),
            ("BUILDKITE_STEP_KEY", "key"),
            ("BUILDKITE_TIMEOUT", "timeout_in_minutes"),
            ("BUILDKITE_PLUGINS", "plugins"),
            ("BUILDKITE_ARTIFACT_PATHS", "artifact_paths"),
        ] {
            let value = match (key, &step[key]) {
                ("plugins", Value::Array(plugins)) => Value::from(plugins.clone()).to_string(),
                ("artifact_paths", Value::Array(paths)) => joined(paths, ";"),
                (_, value) => text(value),
            };
            env.insert(name.to_owned(), value);
        }
        env.insert("BUILDKITE_JOB_ID".to_owned(), id.clone());
        // A retry is a job of the same step; a test says so by an id of its own.
        let step_id = step["id"].as_str().unwrap_or(&id).to_owned();
        env.insert("BUILDKITE_STEP_ID".to_owned(), step_id);
        let is_skipped = match &step["skip"] {
            Value::String(why) => !why.is_empty(),
            other => other.as_bool() == Some(true),
        };
        let phase = if is_skipped { Phase::Skipped } else { Phase::Waiting };
        let (step, signed) = (step.clone(), step.clone());
        let raw_log = Vec::new();
        Self { id, step, signed, permutation: None, phase, exit_status: None, raw_log, ended: None, env }
    }

    /// The step's label, or its command where it has none.
    pub fn label(&self) -> &str {
        ["label", "command"].iter().find_map(|key| self.step[key].as_str()).unwrap_or_default()
    }

    /// What the job has said.
    pub fn log(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.raw_log)
    }

    /// Puts a piece of the log where it belongs: the agent sends several at once.
    pub(super) fn take_log(&mut self, compressed: &[u8], offset: usize) -> io::Result<()> {
        let mut piece = Vec::new();
        GzDecoder::new(compressed).read_to_end(&mut piece)?;
        let end = offset + piece.len();
        self.raw_log.resize(self.raw_log.len().max(end), b' ');
        self.raw_log[offset..end].copy_from_slice(&piece);
        Ok(())
    }

    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Finished | Phase::Skipped)
    }
}

/// What Buildkite tells every job of a build: where its source is, and who it is.
pub fn of_build(source: &Repository) -> Environment {
    [
        ("BUILDKITE", "true"),
        ("CI", "true"),
        ("BUILDKITE_AGENT_NAME", AGENT_NAME),
        ("BUILDKITE_ORGANIZATION_SLUG", "rust-vmm"),
        ("BUILDKITE_PIPELINE_SLUG", "crate-ci"),
        ("BUILDKITE_PIPELINE_PROVIDER", "git"),
        ("BUILDKITE_PIPELINE_DEFAULT_BRANCH", "main"),
        ("BUILDKITE_BUILD_ID", "11111111-0000-4000-8000-000000000000"),
        ("BUILDKITE_BUILD_NUMBER", "1"),
        ("BUILDKITE_BUILD_URL", "http://127.0.0.1/rust-vmm/crate-ci/builds/1"),
        ("BUILDKITE_SOURCE", "api"),
        ("BUILDKITE_MESSAGE", "Change something"),
        ("BUILDKITE_BRANCH", "main"),
        ("BUILDKITE_TAG", ""),
        ("BUILDKITE_PULL_REQUEST", "false"),
        ("BUILDKITE_PULL_REQUEST_BASE_BRANCH", ""),
        ("BUILDKITE_RETRY_COUNT", "0"),
        // Otherwise every job asks for the commit's author as meta-data first.
        ("BUILDKITE_COMMIT_RESOLVED", "true"),
        ("BUILDKITE_REPO", &source.url()),
        ("BUILDKITE_COMMIT", &source.head()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// The variables of an `env:` mapping.
pub(super) fn variables(env: &Value) -> impl Iterator<Item = (String, String)> {
    env.as_object().into_iter().flatten().map(|(name, value)| (name.clone(), text(value)))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(lines) => joined(lines, "\n"),
        other => other.to_string(),
    }
}

fn joined(values: &[Value], separator: &str) -> String {
    values.iter().map(text).collect::<Vec<_>>().join(separator)
}
