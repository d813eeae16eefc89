//! A repository of a case, and what the program prints for it.

use crate::sandbox::Sandbox;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The plugin's reference in the job that uploads.
pub const REFERENCE: &str = "file:///srv/rust-vmm-ci-buildkite-plugin#0123abc";

/// A repository, its configuration and its variables.
pub struct Case {
    binary: &'static str,
    sandbox: Sandbox,
    variables: Map<String, Value>,
}

/// What the program said.
#[derive(Debug)]
pub struct Printed {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Case {
    /// The repository that a case describes, for `binary`, this project's program. Its `files` are texts,
    /// or values that are written as JSON.
    pub fn new(binary: &'static str, case: &Value) -> Self {
        let sandbox = Sandbox::new();
        let repository = sandbox.folder("repository");
        for (path, content) in case["files"].as_object().into_iter().flatten() {
            let text = content.as_str().map_or_else(|| content.to_string(), str::to_owned);
            std::fs::create_dir_all(repository.join(path).parent().unwrap()).unwrap();
            std::fs::write(repository.join(path), text).unwrap();
        }
        let config = case.get("config").cloned().unwrap_or_else(|| json!({}));
        std::fs::write(sandbox.path().join("config.json"), config.to_string()).unwrap();
        let variables = case["variables"].as_object().cloned().unwrap_or_default();
        Self { binary, sandbox, variables }
    }

    pub fn repository(&self) -> PathBuf {
        self.sandbox.folder("repository")
    }

    /// Another program, in the same sandbox.
    pub fn program(&self, name: &str) -> Command {
        self.sandbox.command(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let command = self.sandbox.command(self.binary);
        self.given(command, args, &|path| path.to_str().unwrap().to_owned())
    }

    /// The program with this case. `command` starts it, and `shown` writes a path in its form.
    pub fn given(&self, mut command: Command, args: &[&str], shown: &dyn Fn(&Path) -> String) -> Command {
        command.args(args).arg("-C").arg(shown(&self.repository()));
        command.arg("--config").arg(shown(&self.sandbox.path().join("config.json")));
        command.env("BUILDKITE_PLUGINS", json!([{ REFERENCE: null }]).to_string());
        for (name, value) in &self.variables {
            command.env(name, value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Printed {
        let output = self.command(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Printed { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    pub fn pipeline(&self, args: &[&str]) -> Printed {
        self.run(&[&["pipeline"], args].concat())
    }
}

impl Printed {
    /// The differences between the pipeline and what the case expects. The case has `labels` in order, `notes`,
    /// and for single `steps` the keys that must be equal (`null`: the key must not be there; `options`: those
    /// of this plugin).
    pub fn differences(&self, case: &Value) -> Vec<String> {
        if self.code != Some(0) {
            return vec![format!("exit {:?}: {}", self.code, self.err)];
        }
        let pipeline: Value = serde_json::from_str(&self.out).unwrap();
        let steps = pipeline["steps"].as_array().unwrap();
        let mut wrong = Vec::new();
        if let Some(labels) = case.get("labels") {
            let printed: Value = steps.iter().map(|step| step["label"].clone()).collect();
            if printed != *labels {
                wrong.push(format!("labels {printed} and not {labels}"));
            }
        }
        for (label, expected) in case["steps"].as_object().into_iter().flatten() {
            let Some(step) = steps.iter().find(|step| step["label"] == label.as_str()) else {
                wrong.push(format!("no step {label}"));
                continue;
            };
            for (key, expected) in expected.as_object().unwrap() {
                let found = if key == "options" { &step["plugins"][0][REFERENCE] } else { &step[key] };
                if found != expected {
                    wrong.push(format!("{label}: {key} {found} and not {expected}"));
                }
            }
        }
        for note in case["notes"].as_array().into_iter().flatten() {
            let note = note.as_str().unwrap();
            if !self.err.contains(note) {
                wrong.push(format!("no note {note:?} in {:?}", self.err));
            }
        }
        if case.get("notes").is_none() && !self.err.is_empty() {
            wrong.push(format!("unexpected notes: {}", self.err));
        }
        wrong
    }
}
