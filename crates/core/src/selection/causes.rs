//! The answer of a selection: what reached which step, in words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The most characters that Buildkite takes as the reason of a step that is skipped (its documentation,
/// "Command step", `skip`).
const LONGEST_REASON: usize = 70;
/// How many crates a summary names with their causes.
const NAMED: usize = 8;

/// What a step is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'s> {
    /// A crate, by the name of its package.
    Crate(&'s str),
    /// The whole workspace.
    Whole,
    /// Something that no change of files tells, so the step always runs. The text says what.
    Unknown(&'static str),
}

/// Whether a step runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It runs: what brought it in.
    Runs(String),
    /// It is left out: the reason, in at most 70 characters.
    LeftOut(String),
}

/// What a change reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Why everything is reached, if it is.
    pub everything: Option<String>,
    /// What the change is compared with, for people.
    pub base: String,
    /// The cause for each crate that is reached, by the name of its package.
    pub crates: BTreeMap<String, String>,
    /// What reached the steps of the whole workspace, if something did.
    pub whole: Option<String>,
    /// The cause for each check that is reached by its name: the crate, or an empty text for all, and the check.
    pub checks: BTreeMap<(String, &'static str), String>,
    /// The cause for each test in a description: the file, and the test's name.
    pub tests: BTreeMap<(String, String), String>,
    /// How many paths the change has.
    pub paths: usize,
}

impl Selection {
    /// The selection that has everything, and why.
    pub fn of_everything(why: impl Into<String>) -> Self {
        Self { everything: Some(why.into()), ..Self::default() }
    }

    /// Whether a step runs. `check` is the name of its check. `described` is the file that describes it, with
    /// its name there; a standard check has an empty file.
    pub fn decide(&self, subject: Subject<'_>, check: &str, described: (&str, &str)) -> Decision {
        if let Some(why) = &self.everything {
            return Decision::Runs(format!("everything runs: {why}"));
        }
        let described = || self.tests.get(&(described.0.to_owned(), described.1.to_owned()));
        let of = |name: &str| name.is_empty() || subject == Subject::Crate(name);
        let by_file = self.checks.iter().find(|((name, known), _)| *known == check && of(name));
        let by_name = by_file.map(|(_, cause)| cause).or_else(described).cloned();
        let cause = match subject {
            Subject::Unknown(what) => Some(what.to_owned()),
            Subject::Crate(name) => self.crates.get(name).cloned(),
            Subject::Whole => {
                let first = || self.crates.iter().next().map(|(name, cause)| format!("{name} by {cause}"));
                self.whole.clone().or_else(first)
            }
        };
        match (by_name.or(cause), subject) {
            (Some(cause), _) => Decision::Runs(cause),
            (None, Subject::Crate(name)) => Decision::LeftOut(reason(name)),
            (None, _) => Decision::LeftOut("the change reaches no crate".into()),
        }
    }

    /// The line for the log: how many of how many steps run, and why.
    pub fn summary(&self, run: u64, all: u64) -> String {
        if let Some(why) = &self.everything {
            return format!("all {all} steps: {why}");
        }
        let mut text = format!("{run} of {all} steps, by the change since {}", self.base);
        let mut causes: Vec<String> =
            self.crates.iter().map(|(name, cause)| format!("{name} by {cause}")).collect();
        causes.extend(self.whole.iter().map(|cause| format!("the workspace by {cause}")));
        causes.extend(self.checks.iter().map(|((_, name), cause)| format!("{name} by {cause}")));
        causes.extend(self.tests.iter().map(|((_, name), cause)| format!("{name} by {cause}")));
        let more = causes.len().saturating_sub(NAMED);
        causes.truncate(NAMED);
        if causes.is_empty() {
            causes.push(format!("none of its {} paths reaches a crate", self.paths));
        }
        let _ = write!(text, ": {}", causes.join("; "));
        if more > 0 {
            let _ = write!(text, "; and {more} more");
        }
        text
    }
}

/// The reason for leaving out a step of a crate.
fn reason(name: &str) -> String {
    let whole = format!("no change reaches {name}");
    if whole.chars().count() <= LONGEST_REASON { whole } else { "no change reaches this crate".into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection() -> Selection {
        Selection {
            base: "`main` (0123456)".into(),
            crates: [("a".to_owned(), "a/src/lib.rs".to_owned())].into(),
            checks: [((String::new(), "coverage"), "coverage_config_x86_64.json".to_owned())].into(),
            paths: 2,
            ..Selection::default()
        }
    }

    #[test]
    fn a_step_runs_by_its_crate_by_its_name_or_by_any_crate() {
        let selection = selection();
        let runs = |cause: &str| Decision::Runs(cause.into());
        assert_eq!(selection.decide(Subject::Crate("a"), "x", ("", "x")), runs("a/src/lib.rs"));
        assert_eq!(selection.decide(Subject::Whole, "x", ("", "x")), runs("a by a/src/lib.rs"));
        assert_eq!(selection.decide(Subject::Unknown("w"), "x", ("", "x")), runs("w"));
        let by_file = runs("coverage_config_x86_64.json");
        assert_eq!(selection.decide(Subject::Crate("b"), "coverage", ("", "")), by_file);
        let left = Decision::LeftOut("no change reaches b".into());
        assert_eq!(selection.decide(Subject::Crate("b"), "x", ("", "x")), left);
        let everything = Selection::of_everything("no base");
        assert_eq!(everything.decide(Subject::Crate("b"), "x", ("", "x")), runs("everything runs: no base"));
    }

    #[test]
    fn a_reason_is_no_longer_than_buildkite_takes() {
        for length in [1, 51, 52, 53, 300] {
            let reason = reason(&"ä".repeat(length));
            assert!(reason.chars().count() <= LONGEST_REASON, "{reason}");
        }
    }

    #[test]
    fn the_summary_has_the_count_and_the_causes() {
        let told = selection().summary(3, 10);
        assert_eq!(
            told,
            "3 of 10 steps, by the change since `main` (0123456): a by a/src/lib.rs; coverage by \
             coverage_config_x86_64.json"
        );
        assert_eq!(Selection::of_everything("no base").summary(10, 10), "all 10 steps: no base");
        let none = Selection { paths: 1, base: "b".into(), ..Selection::default() };
        assert!(
            none.summary(0, 3).ends_with(": none of its 1 paths reaches a crate"),
            "{}",
            none.summary(0, 3)
        );
    }
}
