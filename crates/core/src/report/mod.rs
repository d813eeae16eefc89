//! What was found, and how people and machines are told.
//!
//! The types here are the report's format as well (`docs/report.md`, version [`VERSION`]): what
//! `--report` writes is [`Report`] as JSON, and every other form is made of it. Pure: rendering
//! returns text.

pub mod annotation;
mod finding;
#[cfg(test)]
mod fixture;
pub mod html;
pub mod junit;
mod outcome;
pub mod profile;
pub mod table;
pub mod text;
mod timings;

pub use finding::{Finding, Identity, Level, Place};
pub use outcome::{Artifact, Combination, Outcome, Section, Verdict, combination_name};
pub use timings::{Timings, Usage};

use crate::exit::Exit;
use serde::{Deserialize, Serialize};

/// The version of the report's format. Additions keep it, other changes raise it.
pub const VERSION: u32 = 1;

/// A run: its checks' outcomes, in the order in which they are told, and where it took place.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// [`VERSION`] of the program that wrote it.
    pub version: u32,
    /// The program's own version.
    pub tool: String,
    /// The platform that the checks were for.
    pub platform: String,
    /// The system that the checks were for.
    pub os: String,
    /// The commit that was checked, in full, where git knows one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The first line of `rustc --version`, where there is a rustc.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolchain: Option<String>,
    /// The container's image, where the run was in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// When the run began, in seconds since 1970.
    pub started: u64,
    /// What the run took, in seconds.
    pub seconds: f64,
    /// Whether it was cancelled before its end.
    pub cancelled: bool,
    /// What it used of its machine, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// One for each check, in the plan's order.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// How the run as a whole ended: a failed check comes before what is broken or cancelled; a run
    /// in which nothing ran is none that passed.
    pub fn exit(&self) -> Exit {
        let hard = |verdict| self.outcomes.iter().any(|o| o.verdict == verdict && !o.soft_fail);
        if hard(Verdict::Failed) {
            Exit::Failed
        } else if self.cancelled || hard(Verdict::Broken) || hard(Verdict::Cancelled) || !self.anything_ran()
        {
            Exit::Infrastructure
        } else {
            Exit::Passed
        }
    }

    /// Whether any check came to a verdict.
    pub fn anything_ran(&self) -> bool {
        self.outcomes.iter().any(|o| matches!(o.verdict, Verdict::Passed | Verdict::Failed))
    }

    /// The outcomes that made the run fail, softly or not.
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
