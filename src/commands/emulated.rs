//! What a job on an emulated platform did, told from outside: nothing of ours is in its machine.

use super::environment::{color, in_buildkite, variable};
use super::reporting;
use rust_vmm_ci_core::checks::emulated::{Output, labels};
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_core::report::{Outcome, Report, table};
use rust_vmm_ci_effects::process::{Ended, Stream};
use std::path::Path;
use std::time::Instant;

/// Watches a job's output.
#[derive(Debug)]
pub struct Watch {
    script: String,
    output: Output,
    begin: Instant,
}

impl Watch {
    /// For the job that runs this script.
    pub fn new(script: &str) -> Self {
        Self { script: script.to_owned(), output: Output::default(), begin: Instant::now() }
    }

    /// Takes a line.
    pub fn read(&mut self, stream: Stream, line: &[u8]) {
        let at = self.begin.elapsed().as_secs_f64();
        self.output.read(line, stream == Stream::Stderr, at);
    }

    /// The report, with a summary on standard output where there was more than one check; none of a
    /// cancelled job, nor of a command that is none of cargo's.
    pub fn report(self, root: &Path, image: &str, ended: Ended) -> Option<Report> {
        let Ended::Exited(status) = ended else { return None };
        let known = labels(&self.script);
        if known.is_empty() && !self.script.contains("cargo") {
            return None;
        }
        let platform = Platform::Riscv64;
        let names: Vec<&str> = known.iter().map(|(label, _)| label.as_str()).collect();
        let seconds = self.begin.elapsed().as_secs_f64();
        let own = variable("BUILDKITE_LABEL").unwrap_or_else(|| platform.to_string());
        let outcomes = self.output.told(status, &names, seconds).into_iter().map(|told| {
            let soft_fail = known.iter().any(|(label, soft)| *soft && told.label.as_ref() == Some(label));
            let command = told.label.as_ref().map_or_else(
                || self.script.clone(),
                |label| {
                    format!("rust-vmm-ci run --docker --platform {platform} {}", shell_words::quote(label))
                },
            );
            let label = told.label.unwrap_or_else(|| own.clone());
            Outcome {
                name: label.clone(),
                label,
                verdict: told.verdict,
                soft_fail,
                reason: told.reason,
                command,
                started: told.started,
                seconds: told.seconds,
                findings: told.findings,
                ..Outcome::default()
            }
        });
        let report = Report {
            container: Some(image.to_owned()),
            outcomes: outcomes.collect(),
            ..reporting::about(root, platform, Os::Linux, self.begin)
        };
        if !known.is_empty() {
            let head = if in_buildkite() { "+++ :clipboard: rust-vmm-ci\n" } else { "\n" };
            print!("{head}{}", table::summary(&report, color()));
        }
        Some(report)
    }
}
