//! Tests of merging the reports of several jobs.

use super::*;
use crate::exit::Exit;
use crate::report::Verdict;

/// A report of a job that ran these checks. Each check has these findings. It failed if it has any.
fn report(label: &str, id: &str, started: u64, checks: &[(&str, &[Finding])]) -> Report {
    let outcome = |(name, findings): &(&str, &[Finding])| Outcome {
        label: format!("{name}-x86_64"),
        name: (*name).into(),
        verdict: if findings.is_empty() { Verdict::Passed } else { Verdict::Failed },
        findings: findings.to_vec(),
        ..Outcome::default()
    };
    Report {
        platform: "x86_64".into(),
        os: "linux".into(),
        started,
        jobs: vec![Job {
            label: Some(label.into()),
            id: Some(id.into()),
            step: Some(format!("step-of-{label}")),
            ..Job::default()
        }],
        outcomes: checks.iter().map(outcome).collect(),
        ..Report::default()
    }
}

fn fault(message: &str, line: u32) -> Finding {
    Finding { file: Some("src/lib.rs".into()), line: Some(line), column: Some(1), ..Finding::error(message) }
}

#[test]
fn a_fault_that_many_checks_of_many_jobs_show_is_one_finding_that_names_each_of_them() {
    let denied =
        Finding { lint: Some("unused".into()), feature_sets: vec!["a".into()], ..fault("unused", 5) };
    let warned = Finding { level: Level::Warning, feature_sets: vec!["b".into()], ..denied.clone() };
    // A tool that prints only text does not report a lint.
    let plain = Finding { lint: None, ..denied.clone() };
    let merged = merge(vec![
        report("a", "1", 10, &[("build", std::slice::from_ref(&denied)), ("clippy", &[warned])]),
        Report { platform: "aarch64".into(), ..report("b", "2", 12, &[("build", &[plain])]) },
    ]);
    assert_eq!(merged.findings.len(), 1);
    let shared = &merged.findings[0];
    assert_eq!(shared.finding.level, Level::Error);
    assert_eq!(shared.finding.feature_sets, ["a", "b"]);
    let seen: Vec<_> =
        shared.seen_by.iter().map(|seen| (seen.job.as_deref(), &*seen.name, &*seen.platform)).collect();
    assert_eq!(
        seen,
        [(Some("a"), "build", "x86_64"), (Some("a"), "clippy", "x86_64"), (Some("b"), "build", "aarch64")]
    );
    assert_eq!((merged.platform.as_str(), merged.os.as_str()), ("x86_64, aarch64", "linux"));
    assert_eq!(merged.exit(), Exit::Failed);
}

#[test]
fn faults_at_other_places_or_of_other_lints_stay_apart() {
    let lint = |name: &str| Finding { lint: Some(name.into()), ..fault("same words", 1) };
    let all = [fault("x", 1), fault("x", 2), fault("y", 1), lint("a"), lint("b")];
    assert_eq!(merge(vec![report("a", "1", 1, &[("build", &all)])]).findings.len(), all.len());
}

#[test]
fn what_a_retry_mends_is_gone_in_whatever_order_the_reports_come() {
    let red = report("a", "first", 10, &[("build", &[fault("x", 1)])]);
    let green = report("a", "second", 20, &[("build", &[])]);
    for reports in [vec![red.clone(), green.clone()], vec![green, red]] {
        let merged = merge(reports);
        assert_eq!((merged.findings.len(), merged.jobs.len()), (0, 1));
        assert_eq!(merged.exit(), Exit::Passed);
    }
}

#[test]
fn several_runs_of_one_job_add_up() {
    let merged = merge(vec![
        report("a", "1", 1, &[("build", &[fault("x", 1)])]),
        report("a", "1", 2, &[("style", &[])]),
    ]);
    let labels: Vec<_> = merged.outcomes.iter().map(|outcome| outcome.name.as_str()).collect();
    assert_eq!(labels, ["build", "style"]);
}

#[test]
fn a_merged_report_merges_again_to_the_same() {
    let reports = vec![
        report("a", "1", 10, &[("build", &[fault("x", 1)])]),
        report("b", "2", 15, &[("build", &[fault("x", 1)]), ("style", &[])]),
    ];
    let once = merge(reports);
    let json = |report: &Report| serde_json::to_value(report).unwrap();
    assert_eq!(json(&merge(vec![once.clone()])), json(&once));
    let retried = merge(vec![once, report("b", "3", 30, &[("build", &[]), ("style", &[])])]);
    assert_eq!(retried.findings[0].seen_by.len(), 1);
}

#[test]
fn an_outcome_of_a_job_that_is_not_there_does_no_harm() {
    let mut hostile = report("a", "1", 1, &[("build", &[fault("x", 1)])]);
    hostile.outcomes[0].job = Some(usize::MAX);
    assert_eq!(hostile.shared_findings().len(), 1);
    assert_eq!(merge(vec![hostile]).outcomes.len(), 0);
}
