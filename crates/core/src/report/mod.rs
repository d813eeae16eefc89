//! The result of a run, and the texts for people and programs that are made from it.
//!
//! The types here are also the report's format (`docs/report.md`, version [`VERSION`]). `--report` writes
//! [`Report`] as JSON, and every other format is made from a [`Report`]. Rendering returns text and has no
//! other effect.

pub mod annotation;
pub mod brief;
mod finding;
mod findings;
#[cfg(test)]
mod fixture;
mod format;
pub mod html;
mod job;
pub mod junit;
pub mod lines;
mod merge;
mod outcome;
pub mod profile;
mod redact;
pub mod repeat;
pub mod table;
mod test;
pub mod text;
mod timings;
pub mod unreported;

pub use finding::{Finding, Identity, Level, Place};
pub use findings::Findings;
pub use format::{Format, Json, ReadImage};
pub use job::Job;
pub use merge::{Seen, SharedFinding, merge};
pub use outcome::{Artifact, Combination, Outcome, Section, Verdict, combination_name};
pub use test::{MOST_TESTS, Test, Tests};
pub use timings::{Timings, Usage};

use crate::exit::Exit;
use serde::{Deserialize, Serialize};

/// The version of the report's format. A new field does not change it. Any other change increases it.
pub const VERSION: u32 = 1;

/// Every format in which a report is written to a file.
pub const FORMATS: &[&dyn Format] = &[&Json, &junit::JUnit, &html::Html];

/// A run: the outcomes of its checks, and where it took place.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// The value of [`VERSION`] in the program that wrote the report.
    pub version: u32,
    /// The program's own version.
    pub tool: String,
    /// The platform that the checks were for.
    pub platform: String,
    /// The operating system that the checks were for.
    pub os: String,
    /// Every finding once, with the checks that have it. When a report is written, [`Report::with_findings`]
    /// makes these from the outcomes. When a report is read, they are ignored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<SharedFinding>,
    /// The job of the run, if it was in one. In a merged report: all jobs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Job>,
    /// Where the repository was cloned from, without a password, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The branch that was checked, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The full hash of the commit that was checked, if git knows one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The first line of `rustc --version`, if there is a rustc.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolchain: Option<String>,
    /// The target triple that this rustc compiles for by default, if there is a rustc. It says for which
    /// platform the checked code was compiled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The container's image, if the run was in a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The container's image by its digest, `NAME@sha256:…`, as the engine of the host knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The names of the plugin's options that were set and can change what a check finds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The names of the environment variables that were set and can change what a check finds. Their values
    /// are not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
    /// When the run began, in seconds since 1970.
    pub started: u64,
    /// How long the run took, in seconds.
    pub seconds: f64,
    /// Whether the run was cancelled before its end.
    pub cancelled: bool,
    /// The CPU time and memory that the run used, if the system measures them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// One outcome for each check, in the plan's order.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// How the whole run ended. A failed check has priority over a person's mistake, and this over a broken or
    /// cancelled check. A run without any
    /// check that ran has not passed.
    pub fn exit(&self) -> Exit {
        let hard = |verdict| self.outcomes.iter().any(|o| o.verdict == verdict && !o.soft_fail);
        if hard(Verdict::Failed) {
            Exit::Failed
        } else if self.outcomes.iter().any(|outcome| outcome.misuse) {
            Exit::Usage
        } else if self.cancelled || hard(Verdict::Broken) || hard(Verdict::Cancelled) || !self.anything_ran()
        {
            Exit::Infrastructure
        } else {
            Exit::Passed
        }
    }

    /// Whether any check passed or failed.
    pub fn anything_ran(&self) -> bool {
        self.outcomes.iter().any(|o| matches!(o.verdict, Verdict::Passed | Verdict::Failed))
    }

    /// The outcomes that failed or are broken, including those whose failure does not make the run fail.
    pub fn failures(&self) -> impl Iterator<Item = &Outcome> {
        self.outcomes.iter().filter(|o| matches!(o.verdict, Verdict::Failed | Verdict::Broken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdicts: &[(Verdict, bool)]) -> Report {
        let outcome =
            |&(verdict, soft_fail): &(Verdict, bool)| Outcome { verdict, soft_fail, ..Outcome::default() };
        Report { outcomes: verdicts.iter().map(outcome).collect(), ..Report::default() }
    }

    #[test]
    fn the_worst_verdict_decides_how_a_run_ends() {
        use Verdict::{Broken, Cancelled, Failed, Passed, Skipped};
        assert_eq!(report(&[(Passed, false), (Skipped, false)]).exit(), Exit::Passed);
        assert_eq!(report(&[(Passed, false), (Failed, false), (Broken, false)]).exit(), Exit::Failed);
        assert_eq!(report(&[(Passed, false), (Broken, false)]).exit(), Exit::Infrastructure);
        assert_eq!(report(&[(Passed, false), (Cancelled, false)]).exit(), Exit::Infrastructure);
        assert_eq!(report(&[(Passed, false), (Failed, true), (Broken, true)]).exit(), Exit::Passed);
    }

    #[test]
    fn a_run_in_which_nothing_ran_did_not_pass() {
        assert_eq!(report(&[]).exit(), Exit::Infrastructure);
        assert_eq!(report(&[(Verdict::Skipped, false)]).exit(), Exit::Infrastructure);
    }
}
