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

/// The most tests that a command for people names. If more failed, it runs all of them.
const NAMED: usize = 3;

impl Outcome {
    /// The command that repeats what failed in this check, for a POSIX shell: the check's own command, with the
    /// tests that failed if they are few.
    pub fn repeat(&self) -> String {
        let tests = Repeat::of_outcome(self).tests;
        let is_narrow = self.verdict == Verdict::Failed && tests.len() <= NAMED;
        self.repeat_tests(if is_narrow { &tests } else { &[] })
    }

    /// The command that repeats one finding of this check, for a POSIX shell.
    pub fn repeat_finding(&self, finding: &Finding) -> String {
        let test: Vec<String> = test_of(finding).map(str::to_owned).into_iter().collect();
        self.repeat_tests(&test)
    }

    fn repeat_tests(&self, tests: &[String]) -> String {
        // A repository's own command, or one that is not known, takes no names of tests.
        if tests.is_empty() || !self.command.starts_with("rust-vmm-ci run ") {
            return self.command.clone();
        }
        let names = tests.iter().map(|name| format!("--test={name}"));
        format!("{} {}", self.command, shell_words::join(names))
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
    fn the_command_for_people_names_the_one_test_that_failed() {
        let outcome = |findings: Vec<Finding>| Outcome {
            command: "rust-vmm-ci run unittests-gnu".into(),
            verdict: Verdict::Failed,
            findings,
            ..Outcome::default()
        };
        let one = outcome(vec![test("a::b"), test("it;rm")]);
        assert_eq!(one.repeat(), "rust-vmm-ci run unittests-gnu '--test=a::b' '--test=it;rm'");
        assert_eq!(one.repeat_finding(&one.findings[0]), "rust-vmm-ci run unittests-gnu '--test=a::b'");
        for whole in [vec![], vec![test("a"), Finding::error("x")], vec![test("a"); NAMED + 1]] {
            assert_eq!(outcome(whole).repeat(), "rust-vmm-ci run unittests-gnu");
        }
    }

    #[test]
    fn a_name_that_would_be_an_option_is_no_test() {
        assert_eq!(test_of(&test("--nocapture")), None);
        assert_eq!(test_of(&test("a::b")), Some("a::b"));
    }
}
