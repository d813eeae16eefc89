//! Tests of the build's annotation, made from the briefs of its jobs.

use super::*;
use crate::report::{Finding, fixture};
use scraper::{Html, Selector};

const BUILD: Option<&str> = Some("https://buildkite.com/o/p/builds/7");

/// The brief of a job with this finding in each of two checks.
fn brief(label: &str, id: &str, finding: Option<&Finding>) -> Brief {
    let outcome = |name: &str| Outcome {
        label: format!("{name}-x86_64"),
        name: name.into(),
        verdict: if finding.is_some() { Verdict::Failed } else { Verdict::Passed },
        command: format!("rust-vmm-ci run {name}"),
        findings: finding.cloned().into_iter().collect(),
        ..Outcome::default()
    };
    let job =
        Job { label: Some(label.into()), id: Some(id.into()), step: Some(label.into()), ..Job::default() };
    let report =
        Report { jobs: vec![job], outcomes: vec![outcome("build"), outcome("clippy")], ..Report::default() };
    Brief::of(&report, Some("r.json"))
}

fn page(briefs: &[Brief]) -> (Html, String, Style) {
    let (body, style) = BuildPage { briefs, build: BUILD, whole: None }.render().unwrap();
    assert!(body.len() <= LIMIT, "{}", body.len());
    (Html::parse_fragment(&body), body, style)
}

fn texts(page: &Html, selector: &str) -> Vec<String> {
    page.select(&Selector::parse(selector).unwrap()).map(|element| element.text().collect()).collect()
}

#[test]
fn a_fault_of_twelve_jobs_stands_once_and_names_and_links_each_of_them() {
    let fault = Finding {
        file: Some("src/lib.rs".into()),
        line: Some(5),
        rendered: Some("the frame".into()),
        ..Finding::error("unused")
    };
    let briefs: Vec<Brief> =
        (0..12).map(|n| brief(&format!("job-{n}"), &format!("id-{n}"), Some(&fault))).collect();
    let (page, body, style) = page(&briefs);
    assert_eq!((texts(&page, "pre"), style), (vec!["the frame".to_owned()], Style::Error));
    assert_eq!(body.matches("src/lib.rs:5").count(), 1);
    let seen = texts(&page, "details p").join(" ");
    let links: Vec<&str> = page
        .select(&Selector::parse("details p a").unwrap())
        .filter_map(|a| a.value().attr("href"))
        .collect();
    for n in 0..12 {
        assert!(seen.contains(&format!("job-{n} (build-x86_64, clippy-x86_64)")), "{seen}");
        assert!(links.contains(&format!("https://buildkite.com/o/p/builds/7#id-{n}").as_str()), "{links:?}");
    }
}

#[test]
fn a_build_in_which_all_passes_has_no_annotation() {
    let all = [brief("a", "1", None), brief("b", "2", None)];
    assert!(BuildPage { briefs: &all, build: BUILD, whole: None }.render().is_none());
    assert!(BuildPage { briefs: &[], build: BUILD, whole: None }.render().is_none());
}

#[test]
fn a_cancelled_job_alone_shows_nothing_and_a_soft_failure_only_warns() {
    let mut cancelled = brief("a", "1", None);
    cancelled.report.cancelled = true;
    cancelled.exit = 3;
    assert!(BuildPage { briefs: &[cancelled], build: None, whole: None }.render().is_none());
    let mut report = brief("a", "1", Some(&Finding::error("x"))).report;
    report.outcomes.iter_mut().for_each(|outcome| outcome.soft_fail = true);
    assert_eq!(page(&[Brief::of(&report, None)]).2, Style::Warning);
}

#[test]
fn a_reason_that_no_finding_tells_is_shown_with_its_remedy() {
    let (page, ..) = page(&[Brief::of(&fixture::full(), None)]);
    let told = texts(&page, "p").join("\n");
    assert!(told.contains("line coverage is 91.30 %"), "{told}");
    assert!(texts(&page, "code").contains(&"rust-vmm-ci run coverage --update".to_owned()));
    assert!(told.contains("Coverage by file"), "{told}");
}

#[test]
fn nothing_that_a_job_left_is_read_as_markup() {
    let hostile = "a</code></pre>\n\n# h\n<script>x</script> \" ' & \x1b[0m";
    let finding = Finding {
        file: Some(hostile.into()),
        lint: Some(hostile.into()),
        rendered: Some(hostile.into()),
        remedy: Some(hostile.into()),
        feature_sets: vec![hostile.into()],
        ..Finding::error(hostile)
    };
    let mut hostile_brief = brief(hostile, hostile, Some(&finding));
    hostile_brief.whole = Some(hostile.into());
    hostile_brief.tally = hostile.into();
    hostile_brief.report.jobs[0].build = Some("javascript:alert(1)".into());
    hostile_brief.report.outcomes[0].name = hostile.into();
    hostile_brief.report.outcomes[0].reason = Some(hostile.into());
    let (page, body, _) = page(&[hostile_brief]);
    assert_eq!(texts(&page, "script, h1").len(), 0);
    assert!(!body.contains('\x1b') && !body.contains("href=\"javascript"), "{body}");
    assert_eq!(texts(&page, "pre code"), [text::block(hostile).into_owned()]);
}

#[test]
fn many_large_briefs_stay_within_the_limit_and_the_rest_is_counted() {
    let findings = |n: usize| {
        (0..40)
            .map(move |m| Finding { rendered: Some("<".repeat(3_000)), ..Finding::error(format!("{n} {m}")) })
    };
    let briefs: Vec<Brief> = (0..300)
        .map(|n| {
            let mut brief = brief(&format!("job-{n}"), "1", Some(&Finding::error("x")));
            brief.report.outcomes[0].findings = findings(n).collect();
            brief
        })
        .collect();
    let (page, ..) = page(&briefs);
    assert!(texts(&page, "p").join("\n").contains("did not fit"));
}
