//! What a job on an emulated platform did, read from its output: this program is not in the emulated
//! machine.

use super::execute::report_without_outcomes;
use super::gather::Gathered;
use rust_vmm_ci_core::checks::emulated::{Output, directory, labels};
use rust_vmm_ci_core::report::{Finding, Outcome, Report};
use rust_vmm_ci_core::workspace::path::from_folder;
use rust_vmm_ci_effects::process::{Ended, Stream};
use std::path::Path;
use std::time::Instant;

/// Reads a job's output line by line.
#[derive(Debug)]
pub struct Watch {
    script: String,
    output: Output,
    begin: Instant,
}

impl Watch {
    /// Begins to read the output of the job that runs this script.
    pub fn new(script: &str) -> Self {
        Self { script: script.to_owned(), output: Output::default(), begin: Instant::now() }
    }

    /// Reads a line.
    pub fn read(&mut self, stream: Stream, line: &[u8]) {
        let at = self.begin.elapsed().as_secs_f64();
        self.output.read(line, stream == Stream::Stderr, at);
    }

    /// The report, and whether its summary is worth showing: that of a single command says nothing new.
    /// There is no report of a cancelled job, nor of a command that does not call cargo.
    pub fn report(
        self,
        gathered: &Gathered,
        image: &str,
        ended: Ended,
        commit: Option<String>,
    ) -> (Option<Report>, bool) {
        let Ended::Exited(status) = ended else { return (None, false) };
        let known = labels(&self.script);
        if known.is_empty() && !self.script.contains("cargo") {
            return (None, false);
        }
        let platform = gathered.target.platform;
        let names: Vec<&str> = known.iter().map(|(label, _)| label.as_str()).collect();
        let soft: Vec<&str> =
            known.iter().filter(|(_, soft)| *soft).map(|(label, _)| label.as_str()).collect();
        let seconds = self.begin.elapsed().as_secs_f64();
        let root = gathered.root();
        let own = gathered.environment.step.label.clone().unwrap_or_else(|| platform.to_string());
        let outcomes = self.output.told(status, &names, &soft, seconds).into_iter().map(|result| {
            let soft_fail = known.iter().any(|(label, soft)| *soft && result.label.as_ref() == Some(label));
            let command = result.label.as_ref().map_or_else(
                || self.script.clone(),
                |label| {
                    format!("rust-vmm-ci run --docker --platform {platform} {}", shell_words::quote(label))
                },
            );
            let label = result.label.unwrap_or_else(|| own.clone());
            let folder = directory(&self.script, &label);
            Outcome {
                name: label.clone(),
                label,
                verdict: result.verdict,
                soft_fail,
                reason: result.reason,
                command,
                started: result.started,
                seconds: result.seconds,
                findings: result
                    .findings
                    .into_iter()
                    .map(|finding| in_folder(root, &folder, finding))
                    .collect(),
                ..Outcome::default()
            }
        });
        let report = Report {
            container: Some(image.to_owned()),
            outcomes: outcomes.collect(),
            ..report_without_outcomes(commit, gathered.target, self.begin)
        };
        (Some(report), !known.is_empty())
    }
}

/// A finding whose file may start at the folder in which the check works, and not at the root: rustc names
/// files from the root of the workspace. The checkout shows which of the two it is.
fn in_folder(root: &Path, folder: &str, finding: Finding) -> Finding {
    let Some(file) = &finding.file else { return finding };
    let below = from_folder(root, &root.join(folder), file);
    let is_below = !root.join(file).is_file() && root.join(&below).is_file();
    if is_below { Finding { file: Some(below), ..finding } } else { finding }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_workspace_below_the_root_is_named_from_the_root() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("rust/a")).unwrap();
        std::fs::write(root.path().join("rust/a/x.rs"), "").unwrap();
        std::fs::write(root.path().join("y.rs"), "").unwrap();
        for (file, expected) in [("a/x.rs", "rust/a/x.rs"), ("y.rs", "y.rs"), ("no.rs", "no.rs")] {
            let finding = Finding { file: Some(file.into()), ..Finding::error("no") };
            assert_eq!(in_folder(root.path(), "rust", finding).file.as_deref(), Some(expected));
        }
    }
}
