//! A repository whose one step is a command, and what a run of it leaves.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::sandbox::{Repository, Sandbox};

/// The repository in its sandbox.
pub struct OneStep {
    pub sandbox: Sandbox,
    pub repository: Repository,
}

impl OneStep {
    /// With a step that runs this command.
    pub fn new(command: &str) -> Self {
        let sandbox = Sandbox::new();
        let files = [("Cargo.toml", "[package]\nname = \"a\"\nversion = \"0.1.0\"\n"), ("src/lib.rs", "")];
        let repository = sandbox.repository("sample", &files);
        let options = json!({"only": ["mine"], "steps": [{"label": "mine", "command": command}]});
        fs::write(sandbox.path().join("options.json"), options.to_string()).unwrap();
        Self { sandbox, repository }
    }

    /// The arguments of a run of the step that writes the report.
    pub fn arguments(&self) -> Vec<String> {
        let path = |path: PathBuf| path.into_os_string().into_string().unwrap();
        let (options, report) = (path(self.sandbox.path().join("options.json")), path(self.report()));
        ["run", "mine", "--config", &options, "--report", &report].map(str::to_owned).into()
    }

    /// The file of the report.
    pub fn report(&self) -> PathBuf {
        self.sandbox.path().join("report.json")
    }

    /// The verdict in the report, where there is a report. It must be whole.
    pub fn verdict(&self) -> Option<String> {
        let report: Value = serde_json::from_slice(&fs::read(self.report()).ok()?).unwrap();
        Some(report["outcomes"][0]["verdict"].as_str().unwrap().to_owned())
    }
}
