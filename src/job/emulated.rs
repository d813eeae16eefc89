//! What a job on an emulated platform did, read from its output: this program is not in the emulated
//! machine.

use super::execute::report_without_outcomes;
use super::gather::Gathered;
use rust_vmm_ci_core::checks::emulated::{Output, labels};
use rust_vmm_ci_core::report::{Outcome, Report};
use rust_vmm_ci_effects::process::{Ended, Stream};
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
            Outcome {
                name: label.clone(),
                label,
                verdict: result.verdict,
                soft_fail,
                reason: result.reason,
                command,
                started: result.started,
                seconds: result.seconds,
                findings: result.findings,
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
