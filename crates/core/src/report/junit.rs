//! The report as `JUnit` XML, for Buildkite's Test Engine and other programs. Each check is a suite, and each
//! of its combinations and tests is a case. A check without combinations has one case.

use super::{Combination, Finding, Format, Outcome, ReadImage, Report, Test, Verdict, text};
use anyhow::{Context, Result};
use quick_junit::{NonSuccessKind, Property, TestCase, TestCaseStatus, TestSuite};
use std::collections::HashMap;
use std::time::Duration;

/// The report as `JUnit` XML.
#[derive(Debug)]
pub struct JUnit;

impl Format for JUnit {
    fn flag(&self) -> &'static str {
        "junit"
    }

    fn help(&self) -> &'static str {
        "Write the report as JUnit XML"
    }

    fn render(&self, report: &Report, _: ReadImage<'_>) -> Result<String> {
        render(report)
    }
}

/// The report as XML. `quick-junit` removes control characters, such as colour codes. Other characters that
/// XML does not allow ([`allowed`]) are replaced with U+FFFD.
fn render(report: &Report) -> Result<String> {
    let mut junit = quick_junit::Report::new("rust-vmm-ci");
    junit.set_time(duration(report.seconds));
    if let Some(began) = began(report, 0.0) {
        junit.set_timestamp(began);
    }
    junit.add_test_suites(report.outcomes.iter().map(|outcome| suite(report, outcome)));
    let xml = junit.to_string().context("writing the report as JUnit XML")?;
    Ok(if xml.contains(|c| !allowed(c)) { xml.replace(|c| !allowed(c), "\u{fffd}") } else { xml })
}

/// Whether XML 1.0 allows a character (its production 2, `Char`).
const fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// A check.
fn suite(report: &Report, outcome: &Outcome) -> TestSuite {
    let mut suite = TestSuite::new(&outcome.label);
    suite.set_time(duration(outcome.seconds));
    if let Some(began) = began(report, outcome.started) {
        suite.set_timestamp(began);
    }
    let facts = [
        ("platform", Some(report.platform.as_str())),
        ("os", Some(&report.os)),
        ("commit", report.commit.as_deref()),
        ("toolchain", report.toolchain.as_deref()),
        ("container", report.container.as_deref()),
        ("command", Some(&outcome.command)),
        ("soft-fail", outcome.soft_fail.then_some("true")),
    ];
    for (name, value) in facts {
        if let Some(value) = value {
            suite.add_property(Property::new(name, value));
        }
    }
    suite.add_test_cases(outcome.combinations.iter().map(|combination| one_of(outcome, combination)));
    suite.add_test_cases(tests(outcome));
    // A check may fail although all its combinations pass, because of a score or of a rule for all of them.
    let told = match outcome.verdict {
        Verdict::Passed => !outcome.combinations.is_empty(),
        verdict => outcome.combinations.iter().any(|combination| combination.verdict == verdict),
    };
    if told {
        return suite;
    }
    let findings: Vec<_> = outcome.findings.iter().collect();
    let mut case = TestCase::new(&outcome.name, status(outcome.verdict, outcome, &findings));
    case.set_classname(&outcome.label).set_time(duration(outcome.seconds));
    suite.add_test_case(case);
    suite
}

/// A combination of a check, with the findings of the combination.
fn one_of(outcome: &Outcome, combination: &Combination) -> TestCase {
    let name = combination.name();
    let shows = |finding: &&Finding| finding.feature_sets.is_empty() || finding.feature_sets.contains(&name);
    let findings: Vec<_> = outcome.findings.iter().filter(shows).collect();
    let mut case = TestCase::new(name, status(combination.verdict, outcome, &findings));
    case.set_classname(&outcome.label).set_time(duration(combination.seconds));
    case
}

/// A case for each test: first those that failed, with their output, then the others. A test has a time only
/// if its program said it; libtest does not.
fn tests(outcome: &Outcome) -> Vec<TestCase> {
    let mut told: HashMap<(Option<&str>, &str), Vec<&Test>> = HashMap::new();
    for test in outcome.tests.iter().filter(|test| test.verdict == Verdict::Failed) {
        told.entry((test.package.as_deref(), &test.name)).or_default().push(test);
    }
    let mut cases = Vec::new();
    for finding in &outcome.findings {
        let Some(name) = name_of(finding) else { continue };
        let known = told.get_mut(&(finding.package.as_deref(), name)).filter(|known| !known.is_empty());
        let test = known.map(|known| known.remove(0));
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_type("test").set_message(finding.message.clone()).set_description(words(finding));
        let unknown = Test { name: name.to_owned(), package: finding.package.clone(), ..Test::default() };
        cases.push(case(outcome, test.unwrap_or(&unknown), status));
    }
    // The verdict is cargo's. If the check has passed, what a test program says of a failure is not true.
    let failed: Vec<&Test> =
        told.into_values().flatten().filter(|_| outcome.verdict == Verdict::Failed).collect();
    for test in &outcome.tests {
        cases.push(match test.verdict {
            Verdict::Passed => case(outcome, test, TestCaseStatus::success()),
            Verdict::Skipped => case(outcome, test, TestCaseStatus::skipped()),
            _ if failed.iter().any(|known| std::ptr::eq(*known, test)) => {
                case(outcome, test, TestCaseStatus::non_success(NonSuccessKind::Failure))
            }
            _ => continue,
        });
    }
    cases
}

/// A test's case. Tests of the same name in two packages or targets have different classes.
fn case(outcome: &Outcome, test: &Test, status: TestCaseStatus) -> TestCase {
    let target = test.target.as_deref().filter(|target| Some(*target) != test.package.as_deref());
    let class = [Some(outcome.label.as_str()), test.package.as_deref(), target];
    let mut case = TestCase::new(&test.name, status);
    case.set_classname(class.into_iter().flatten().collect::<Vec<_>>().join(" "));
    if let Some(seconds) = test.seconds {
        case.set_time(duration(seconds));
    }
    case
}

/// The name of the test that a finding is about. None for another finding.
fn name_of(finding: &Finding) -> Option<&str> {
    let name = finding.message.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" failed"));
    name.filter(|_| finding.lint.as_deref() == Some("test"))
}

/// The `JUnit` status for a verdict.
fn status(verdict: Verdict, outcome: &Outcome, findings: &[&Finding]) -> TestCaseStatus {
    let mut status = match verdict {
        Verdict::Passed => return TestCaseStatus::success(),
        Verdict::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Broken => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Skipped | Verdict::Cancelled => TestCaseStatus::skipped(),
    };
    status.set_type(verdict.as_str());
    let count = || text::count(findings.len(), "finding");
    status.set_message(outcome.reason.clone().unwrap_or_else(count));
    let told = findings.iter().map(|finding| words(finding));
    let told = told.chain(outcome.remedy.iter().map(|remedy| format!("remedy: {remedy}")));
    let told = told.chain([format!("repeat: {}", outcome.repeat())]).collect::<Vec<_>>().join("\n\n");
    status.set_description(told);
    status
}

/// A finding as the tool printed it, or else its place and message.
fn words(finding: &Finding) -> String {
    let place = finding.place().map_or(String::new(), |place| format!("{place}: "));
    let own = || format!("{place}{}", finding.message);
    let remedy = finding.remedy.iter().map(|remedy| format!("\nremedy: {remedy}"));
    finding.rendered.as_ref().map_or_else(own, |frame| frame.trim_end().to_owned())
        + &remedy.collect::<String>()
}

/// The time `after` seconds after the run began.
fn began(report: &Report, after: f64) -> Option<chrono::DateTime<chrono::Utc>> {
    chrono::DateTime::from_timestamp(i64::try_from(report.started).ok()?, 0)?
        .checked_add_signed(chrono::TimeDelta::from_std(duration(after)).ok()?)
}

/// Seconds as a duration. Zero if they are negative or not a number.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn parsed(report: &Report) -> quick_junit::Report {
        quick_junit::Report::deserialize_from_str(&render(report).unwrap()).unwrap()
    }

    #[test]
    fn the_xml_is_what_it_was() {
        fixture::assert_text("junit", &render(&fixture::full()).unwrap());
    }

    #[test]
    fn every_check_is_a_suite_and_every_combination_a_case() {
        let report = parsed(&fixture::full());
        let cases = |suite: &TestSuite| (suite.name.as_str().to_owned(), suite.test_cases.len());
        let suites: Vec<(String, usize)> = report.test_suites.iter().map(cases).collect();
        let expected = [
            ("build-gnu-x86_64", 2),
            ("clippy-x86_64", 2),
            ("cargo-audit-x86_64", 1),
            ("coverage-x86_64", 1),
            ("build-musl-x86_64", 1),
            ("bench", 1),
            ("unittests-gnu-x86_64", 3),
        ];
        assert_eq!(suites, expected.map(|(name, count)| (name.to_owned(), count)));
        assert_eq!((report.tests, report.failures, report.errors), (11, 3, 1));
    }

    #[test]
    fn a_check_that_fails_though_no_combination_does_fails() {
        let combination = Combination { verdict: Verdict::Passed, ..Combination::default() };
        let outcome =
            Outcome { verdict: Verdict::Failed, combinations: vec![combination], ..Outcome::default() };
        let report = parsed(&Report { outcomes: vec![outcome], ..Report::default() });
        assert_eq!((report.tests, report.failures), (2, 1));
    }

    #[test]
    fn a_check_without_combinations_is_a_case() {
        let outcome = Outcome { verdict: Verdict::Passed, ..Outcome::default() };
        let report = parsed(&Report { outcomes: vec![outcome], ..Report::default() });
        assert_eq!((report.tests, report.failures), (1, 0));
    }

    #[test]
    fn a_test_that_failed_is_a_case_with_what_it_wrote() {
        let test = Finding {
            lint: Some("test".into()),
            rendered: Some("it panicked".into()),
            ..Finding::error("test a::b failed")
        };
        let outcome = Outcome { verdict: Verdict::Failed, findings: vec![test], ..Outcome::default() };
        let report = parsed(&Report { outcomes: vec![outcome], ..Report::default() });
        let case = &report.test_suites[0].test_cases[0];
        let TestCaseStatus::NonSuccess { description: Some(told), .. } = &case.status else {
            panic!("{case:?}")
        };
        assert_eq!((case.name.as_str(), told.as_str()), ("a::b", "it panicked"));
    }

    #[test]
    fn every_test_is_a_case_with_the_time_that_its_program_said() {
        let test = |name: &str, target: &str, verdict, seconds| Test {
            name: name.into(),
            package: Some("p".into()),
            target: Some(target.into()),
            verdict,
            seconds,
        };
        let tests = vec![
            test("a", "p", Verdict::Passed, Some(0.5)),
            test("b", "p", Verdict::Failed, None),
            test("b", "other", Verdict::Failed, None),
            test("c", "other", Verdict::Skipped, None),
        ];
        let finding = Finding {
            lint: Some("test".into()),
            package: Some("p".into()),
            rendered: Some("it panicked".into()),
            ..Finding::error("test b failed")
        };
        let outcome = Outcome {
            label: "l".into(),
            verdict: Verdict::Failed,
            findings: vec![finding],
            tests,
            ..Outcome::default()
        };
        let suite =
            |outcome| parsed(&Report { outcomes: vec![outcome], ..Report::default() }).test_suites.remove(0);
        let cases = suite(outcome.clone()).test_cases;
        let told: Vec<String> = cases
            .iter()
            .map(|case| {
                let class = case.classname.as_ref().unwrap();
                let status = match &case.status {
                    TestCaseStatus::Success { .. } => "passed",
                    TestCaseStatus::NonSuccess { .. } => "failed",
                    TestCaseStatus::Skipped { .. } => "skipped",
                };
                format!("{} {} {status} {:?}", class.as_str(), case.name.as_str(), case.time)
            })
            .collect();
        let mut expected = [
            "l p a passed Some(500ms)",
            "l p b failed None",
            "l p other b failed None",
            "l p other c skipped None",
        ]
        .map(str::to_owned);
        let mut tests = told[..4].to_vec();
        tests.sort();
        expected.sort();
        assert_eq!(tests, expected, "{told:?}");
        // If cargo says that the tests passed, no test failed.
        let passed = suite(Outcome { verdict: Verdict::Passed, findings: Vec::new(), ..outcome });
        assert_eq!(passed.failures, 0);
    }

    #[test]
    fn words_from_outside_come_back_as_they_are_but_for_colours() {
        let hostile = "]]> & <failure message=\"x\"/>\n'\x1b[31mred\x1b[0m\x00";
        let outcome = Outcome {
            label: hostile.into(),
            verdict: Verdict::Failed,
            findings: vec![Finding::error(hostile)],
            ..Outcome::default()
        };
        let report = parsed(&Report { outcomes: vec![outcome], ..Report::default() });
        let words = "]]> & <failure message=\"x\"/>\n'red";
        assert_eq!(report.test_suites[0].name.as_str(), words);
        let TestCaseStatus::NonSuccess { description: Some(text), .. } =
            &report.test_suites[0].test_cases[0].status
        else {
            panic!("no description")
        };
        assert!(text.as_str().starts_with(words), "{text:?}");
    }

    #[test]
    fn the_report_is_xml_with_any_character_in_any_place() {
        let text: String = ('\0'..='\u{ffff}').chain(['\u{1fffe}', '\u{1ffff}', '\u{10ffff}']).collect();
        let outcome = Outcome {
            label: text.clone(),
            name: text.clone(),
            command: text.clone(),
            reason: Some(text.clone()),
            verdict: Verdict::Failed,
            combinations: vec![Combination { features: text.clone(), ..Combination::default() }],
            findings: vec![Finding { rendered: Some(text.clone()), ..Finding::error("") }],
            ..Outcome::default()
        };
        let report = Report { outcomes: vec![outcome], commit: Some(text), ..Report::default() };
        let xml = render(&report).unwrap();
        // Written out here, so that the rule is not compared with itself.
        let refused = |c: &char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
        assert_eq!(xml.chars().find(refused), None);
        assert!(xml.contains('\u{10ffff}'));
        quick_junit::Report::deserialize_from_str(&xml).unwrap();
    }

    #[test]
    fn a_time_that_is_none_is_zero() {
        assert_eq!(duration(f64::NAN), Duration::ZERO);
        assert_eq!(duration(-1.0), Duration::ZERO);
    }
}
