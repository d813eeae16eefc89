//! `rust-vmm-ci run`: its report, and what the tests said, which no report keeps.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use support::transcript::{Transcript, from_root};

/// A check's outcome.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) verdict: String,
    pub(crate) runs: Vec<OurRun>,
}

/// One run of a check.
#[derive(Debug, Default)]
pub(crate) struct OurRun {
    /// The combinations that it stands for, its own among them: `FEATURES`, or `PACKAGE: FEATURES`.
    pub(crate) stands_for: Vec<String>,
    /// Diagnostics that have a place: `FILE:LINE: MESSAGE`.
    pub(crate) diagnostics: BTreeSet<String>,
    /// What its tests said.
    pub(crate) said: Transcript,
}

/// The command line.
pub(crate) fn command(mut binary: Command, checks: &[String], report: &Path, folder: &Path) -> Command {
    binary.arg("run").args(checks).arg("--report").arg(report).current_dir(folder);
    // As in CI: a check that lacks something is broken. If it were skipped, it would look equal.
    binary.env("CI", "true").env("BUILDKITE_PLUGIN_CONFIGURATION", r#"{"docker": false}"#);
    binary
}

/// A check's outcome, from the report and the log.
pub(crate) fn outcome(report: &Value, log: &str, check: &str, root: &Path) -> Outcome {
    let outcomes = report["outcomes"].as_array().unwrap();
    let outcome = outcomes.iter().find(|outcome| outcome["name"] == check);
    let outcome = outcome.unwrap_or_else(|| panic!("{check} is not in the report:\n{log}"));
    let none = Vec::new();
    let findings = outcome["findings"].as_array().unwrap_or(&none);
    let said = tests(log, outcome["label"].as_str().unwrap(), root);
    let mut runs = Vec::new();
    for combination in outcome["combinations"].as_array().unwrap_or(&none) {
        let name = name(text(&combination["package"]), text(&combination["features"]));
        let mut run = OurRun { diagnostics: diagnostics(findings, Some(&name), root), ..OurRun::default() };
        run.stands_for.push(name);
        let others = combination["stands_for"].as_array().unwrap_or(&none);
        run.stands_for.extend(others.iter().map(|other| text(other).to_owned()));
        runs.push(run);
    }
    if runs.is_empty() {
        runs.push(OurRun { diagnostics: diagnostics(findings, None, root), ..OurRun::default() });
    }
    for (run, said) in runs.iter_mut().zip(said) {
        run.said = said;
    }
    Outcome { verdict: text(&outcome["verdict"]).to_owned(), runs }
}

/// A combination's name in a report.
pub(crate) fn name(package: &str, features: &str) -> String {
    let features = if features.is_empty() { "no features" } else { features };
    if package.is_empty() { features.to_owned() } else { format!("{package}: {features}") }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The findings of one combination that are diagnostics with a place.
fn diagnostics(findings: &[Value], combination: Option<&str>, root: &Path) -> BTreeSet<String> {
    let of_it = |finding: &&Value| match finding["feature_sets"].as_array() {
        Some(sets) if !sets.is_empty() => sets.iter().any(|set| set.as_str() == combination),
        _ => true,
    };
    let placed = findings.iter().filter(of_it).filter(|finding| finding["lint"] != "test").filter_map(|f| {
        let message = if f["lint"] == "rustfmt" { "format" } else { text(&f["message"]) };
        let message = message.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        let place = format!("{}:{}", f["file"].as_str()?, f["line"].as_u64()?);
        Some(format!("{}: {message}", from_root(root, &place)))
    });
    placed.collect()
}

/// What the tests of each run of a check said: a run begins with the command that builds them.
fn tests(log: &str, label: &str, root: &Path) -> Vec<Transcript> {
    let heading = format!("== {label}");
    let mut runs: Vec<Transcript> = Vec::new();
    for line in log.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !is_heading(line)) {
        if line.starts_with("$ ") && line.contains("cargo test ") && line.contains(" --no-run") {
            runs.push(Transcript::new(root));
        } else if let Some(run) = runs.last_mut() {
            run.read(line);
        }
    }
    runs
}

/// A line that begins a check's log in a file; a test may say `==` too.
fn is_heading(line: &str) -> bool {
    line.strip_prefix("== ").is_some_and(|label| !label.contains(' ') && label.contains('-'))
}
