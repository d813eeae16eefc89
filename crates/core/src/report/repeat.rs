//! Finds what to repeat from a report: the checks that failed, with only the combinations and tests that
//! failed.
//!
//! A report may come from a stranger. So only names are read from it: of checks, combinations and tests. The
//! commands are planned anew.

use super::{Finding, Outcome, Report, Verdict};

/// A check that is to run again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repeat {
    /// The index of its job in [`Report::jobs`].
    pub job: usize,
    /// The check's name.
    pub check: String,
    /// The combinations that failed, as [`super::Combination::name`] writes them. Empty for all combinations.
    pub combinations: Vec<String>,
    /// The names of the tests that failed. Empty for all tests.
    pub tests: Vec<String>,
}

impl Repeat {
    /// The checks of a report that failed or are broken, in the report's order.
    pub fn of(report: &Report) -> Vec<Self> {
        report.failures().map(Self::of_outcome).collect()
    }

    /// How to repeat one check.
    pub fn of_outcome(outcome: &Outcome) -> Self {
        let failed = outcome.combinations.iter().filter(|run| run.verdict == Verdict::Failed);
        let mut combinations: Vec<String> = failed.map(super::Combination::name).collect();
        if combinations.len() == outcome.combinations.len() {
            combinations.clear();
        }
        let tests: Option<Vec<String>> = outcome
            .findings
            .iter()
            .filter(|finding| finding.level == super::Level::Error)
            .map(|finding| test_of(finding).map(str::to_owned))
            .collect();
        Self {
            job: outcome.job.unwrap_or_default(),
            check: outcome.name.clone(),
            combinations,
            // If anything other than tests failed, all tests run.
            tests: tests.unwrap_or_default(),
        }
    }

    /// The command that repeats this in the checkout, for a POSIX shell.
    pub fn command(&self) -> String {
        let mut words = vec!["rust-vmm-ci".to_owned(), "run".to_owned(), self.check.clone()];
        words.extend(self.combinations.iter().map(|name| format!("--combination={name}")));
        words.extend(self.tests.iter().map(|name| format!("--test={name}")));
        shell_words::join(words)
    }
}

/// The name of the test that a finding is about. None if it is not about a test.
pub fn test_of(finding: &Finding) -> Option<&str> {
    if finding.lint.as_deref() != Some("test") {
        return None;
    }
    let name = finding.message.strip_prefix("test ")?.strip_suffix(" failed")?;
    // rustdoc splits its `--test-args` at spaces, and the names of its tests contain spaces.
    (!name.is_empty() && !name.starts_with('-') && !name.contains(char::is_whitespace)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Combination, Level};

    fn test(name: &str) -> Finding {
        Finding { lint: Some("test".into()), ..Finding::error(format!("test {name} failed")) }
    }

    fn combination(features: &str, verdict: Verdict) -> Combination {
        Combination { features: features.into(), verdict, ..Combination::default() }
    }

    #[test]
    fn what_failed_is_repeated_down_to_the_combination_and_the_test() {
        let outcome = Outcome {
            name: "unittests-gnu".into(),
            verdict: Verdict::Failed,
            combinations: vec![combination("", Verdict::Passed), combination("a,b", Verdict::Failed)],
            findings: vec![test("tests::judged"), test("b")],
            ..Outcome::default()
        };
        let passed = Outcome { verdict: Verdict::Passed, ..outcome.clone() };
        let repeats = Repeat::of(&Report { outcomes: vec![passed, outcome], ..Report::default() });
        assert_eq!(repeats.len(), 1);
        assert_eq!(
            repeats[0].command(),
            "rust-vmm-ci run unittests-gnu '--combination=a,b' '--test=tests::judged' '--test=b'"
        );
    }

    #[test]
    fn all_tests_run_where_anything_but_a_test_failed() {
        let findings = vec![test("a"), Finding::error("the test program `--test x` failed")];
        let outcome = Outcome { findings, ..Outcome::default() };
        assert!(Repeat::of_outcome(&outcome).tests.is_empty());
        let findings = vec![test("a"), test("src/lib.rs - add (line 5)")];
        assert!(Repeat::of_outcome(&Outcome { findings, ..Outcome::default() }).tests.is_empty());
        let warning = Finding { level: Level::Warning, ..Finding::default() };
        let outcome = Outcome { findings: vec![test("a"), warning], ..Outcome::default() };
        assert_eq!(Repeat::of_outcome(&outcome).tests, ["a"]);
    }

    #[test]
    fn a_name_that_would_be_an_option_is_no_test() {
        assert_eq!(test_of(&test("--nocapture")), None);
        assert_eq!(test_of(&test("a::b")), Some("a::b"));
    }
}
