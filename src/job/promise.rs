//! Tells Buildkite that the job will fail, as soon as a check that decides has failed, while the other checks
//! run on. So the build and the pull request turn red at once.
//!
//! A promise is binding. It is made once, with the status that the job will end with, and only for a check that
//! the plan has and that does not fail softly. Buildkite itself applies the step's `soft_fail` and `retry` to
//! it.

use super::gather::Gathered;
use super::request::{PlaceRule, Request, RunOptions, Task};
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::model::shown;
use rust_vmm_ci_core::plan::{self, Asked, Plan};
use rust_vmm_ci_core::report::{Outcome, Verdict};
use rust_vmm_ci_effects::{agent, container, files};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use tracing::debug;

/// The promise of a job.
#[derive(Debug, Default)]
pub struct Promise {
    /// The labels of the checks whose failure fails the job; none where nothing is promised.
    deciding: Vec<String>,
    made: AtomicBool,
    call: Mutex<Option<JoinHandle<()>>>,
    /// The file in which this process tells the hook around it which check has failed.
    word: Option<PathBuf>,
}

impl Promise {
    /// The promise of this job: of a job of Buildkite that runs checks, or whose command is one call of
    /// `rust-vmm-ci run`. What another command ends with is not known before its end.
    pub fn of(gathered: &Gathered, request: &Request, plan: &Plan) -> Self {
        let word = gathered.environment.report_file.as_deref().map(container::word_of_failure);
        if request.place != PlaceRule::Configured || !gathered.environment.buildkite || !agent::is_there() {
            return Self { word, ..Self::default() };
        }
        let deciding = match &request.task {
            Task::Checks(_) => deciding(plan),
            Task::OwnCommand(_) => {
                let run = request.plain_run.as_ref();
                run.and_then(|run| planned(gathered, run)).as_ref().map(deciding).unwrap_or_default()
            }
        };
        Self { deciding, word, ..Self::default() }
    }

    /// Is told of each check as it ends in this process.
    pub fn ended(&self, outcome: &Outcome) {
        if outcome.verdict != Verdict::Failed || outcome.soft_fail {
            return;
        }
        if let Some(word) = &self.word
            && !word.exists()
            && let Err(error) = std::fs::write(word, format!("{}\n", outcome.label))
        {
            debug!("the hook does not learn that {} failed: {error}", outcome.label);
        }
        self.failed(&outcome.label);
    }

    /// Is told the label of a check that has failed, in this process or in another one.
    pub fn failed(&self, label: &str) {
        let decides = self.deciding.iter().any(|known| known == label);
        if !decides || self.made.swap(true, Ordering::SeqCst) {
            return;
        }
        let reason = format!("{} failed", shown::line(label));
        let tell = move || {
            // An agent before 3.128 has no such command. The job fails at its end all the same.
            if let Err(error) = agent::promise_failure(Exit::Failed.code(), &reason) {
                debug!("no early failure: {error:#}");
            }
        };
        // If the system cannot start a thread, the job fails at its end.
        let call = thread::Builder::new().name("promise".into()).spawn(tell).ok();
        *self.call.lock().unwrap_or_else(PoisonError::into_inner) = call;
    }

    /// Does some work, while another process on this machine may say through this job's report file that a
    /// check has failed.
    pub fn watching<T>(&self, report: &Path, work: impl FnOnce() -> T) -> T {
        let beside = container::word_of_failure(report);
        container::watching_for_failure(&|| read_word(&beside), &|label| self.failed(label), work)
    }

    /// Waits until the agent has passed on the promise.
    pub fn settle(&self) {
        let call = self.call.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(call) = call {
            let _ = call.join();
        }
    }
}

/// The file with the word; none where it is not there yet, or is no plain file.
fn read_word(file: &Path) -> Option<Vec<u8>> {
    files::bounded(&files::open_plain(file).ok()?, files::LONGEST).ok()
}

/// The labels of a plan's checks that do not fail softly.
fn deciding(plan: &Plan) -> Vec<String> {
    let hard = plan.checks.iter().filter(|check| !check.soft_fail);
    hard.map(|check| check.label.as_str().to_owned()).collect()
}

/// The plan of a step's command that is one run.
fn planned(gathered: &Gathered, run: &RunOptions) -> Option<Plan> {
    let platform = run.platform.unwrap_or(gathered.target.platform);
    let facts = gathered.repository.facts(!run.packages.is_empty()).ok()?;
    let asked = Asked { names: run.names.clone(), packages: run.packages.clone() };
    plan::for_run(gathered.config(), &facts, platform, gathered.target.os, &asked).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_is_not_planned_or_fails_softly_promises_nothing() {
        let promise = Promise { deciding: vec!["clippy-x86_64".into()], ..Promise::default() };
        promise.failed("another");
        promise.ended(&Outcome {
            label: "clippy-x86_64".into(),
            verdict: Verdict::Broken,
            ..Outcome::default()
        });
        let soft = Outcome { verdict: Verdict::Failed, soft_fail: true, ..Outcome::default() };
        promise.ended(&Outcome { label: "clippy-x86_64".into(), ..soft });
        assert!(!promise.made.load(Ordering::SeqCst));
    }
}
