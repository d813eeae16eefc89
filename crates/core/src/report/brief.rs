//! A short form of a report, for the meta-data of a build. Each job leaves one there, and the build's
//! annotation is made from all of them. Buildkite accepts values of at most 100 KB and recommends small ones,
//! so this text is far smaller. The whole report is an artifact of the job.

use super::{Artifact, Finding, Job, Outcome, Report, Section, Verdict, text};
use serde::{Deserialize, Serialize};

/// The most bytes of the text. In a build with many jobs, all texts are read again and again.
pub const LONGEST: usize = 16_000;

/// What a job leaves in the meta-data of its build.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Brief {
    /// The report without the details that only the whole report needs.
    pub report: Report,
    /// How the run ended, as the program's exit code. It is stored because the short report may lack checks.
    pub exit: i32,
    /// The number of checks in the whole report for each verdict.
    pub tally: String,
    /// How many findings are only in the whole report.
    #[serde(default)]
    pub left_out: usize,
    /// The name of the artifact that has the whole report as JSON, if there is one.
    #[serde(default)]
    pub whole: Option<String>,
}

/// How much is kept: the findings of a check, the bytes of each text, and the bytes of each frame. Several
/// measures are tried, and the first one whose result is short enough is used.
#[derive(Clone, Copy)]
struct Measure {
    findings: usize,
    text: usize,
    frame: usize,
    /// The number of tables of a check.
    sections: usize,
    /// Whether checks that passed are kept.
    passed: bool,
}

const MEASURES: [Measure; 6] = [
    Measure { findings: 50, text: 500, frame: 3_000, sections: 2, passed: true },
    Measure { findings: 20, text: 300, frame: 1_000, sections: 1, passed: true },
    Measure { findings: 20, text: 300, frame: 0, sections: 0, passed: false },
    Measure { findings: 5, text: 200, frame: 0, sections: 0, passed: false },
    Measure { findings: 1, text: 100, frame: 0, sections: 0, passed: false },
    Measure { findings: 0, text: 60, frame: 0, sections: 0, passed: false },
];
/// The most feature sets that a finding names.
const SETS: usize = 3;
/// The most rows of a table.
const ROWS: usize = 15;
/// The most checks that the last measure keeps.
const CHECKS: usize = 40;

impl Brief {
    /// Shortens the report of a job. `whole` is the name of the artifact with the whole report.
    pub fn of(report: &Report, whole: Option<&str>) -> Self {
        let made = MEASURES.iter().map(|measure| Self::by(report, whole, *measure));
        let mut last = Self::default();
        for brief in made {
            if brief.text().len() <= LONGEST {
                return brief;
            }
            last = brief;
        }
        // The checks that decide come first. The others are only in the artifact.
        let outcomes = &mut last.report.outcomes;
        outcomes.sort_by_key(|outcome| outcome.soft_fail || outcome.verdict != Verdict::Failed);
        outcomes.truncate(CHECKS);
        while last.text().len() > LONGEST && last.report.outcomes.len() > 1 {
            last.report.outcomes.pop();
        }
        last
    }

    /// The text for the meta-data.
    pub fn text(&self) -> String {
        // JSON can express every value in a brief, so writing cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a text from the meta-data. Any job of the build can write there, so a text that is too long or
    /// is not a brief gives none.
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > 2 * LONGEST {
            return None;
        }
        let mut brief: Self = serde_json::from_str(text).ok()?;
        // People copy this name into a command line.
        brief.whole = brief.whole.filter(|name| is_plain(name));
        Some(brief)
    }

    fn by(report: &Report, whole: Option<&str>, measure: Measure) -> Self {
        let mut left_out = 0;
        let mut outcomes = Vec::new();
        for outcome in &report.outcomes {
            let told = matches!(outcome.verdict, Verdict::Failed | Verdict::Broken);
            let shown = outcome.artifacts.iter().any(|artifact| artifact.image);
            if !told && !shown && !measure.passed {
                continue;
            }
            let findings = if told { &*outcome.findings } else { &[] };
            left_out += findings.len().saturating_sub(measure.findings);
            outcomes.push(Outcome {
                findings: findings
                    .iter()
                    .take(measure.findings)
                    .map(|finding| short(finding, measure))
                    .collect(),
                reason: cut_some(outcome.reason.as_ref().filter(|_| told), measure.text),
                remedy: cut_some(outcome.remedy.as_ref().filter(|_| told), measure.text),
                command: cut(&outcome.command, measure.text),
                label: cut(&outcome.label, measure.text),
                name: cut(&outcome.name, measure.text),
                artifacts: pictures(outcome),
                sections: outcome.sections.iter().take(measure.sections).map(first_rows).collect(),
                verdict: outcome.verdict,
                soft_fail: outcome.soft_fail,
                started: outcome.started,
                seconds: outcome.seconds,
                ..Outcome::default()
            });
        }
        let text_of = |text: &Option<String>| cut_some(text.as_ref(), measure.text);
        let jobs = report.jobs.iter().take(1).map(|job| Job {
            label: text_of(&job.label),
            id: text_of(&job.id),
            step: text_of(&job.step),
            parallel: text_of(&job.parallel),
            ..Job::default()
        });
        let short = Report {
            version: report.version,
            platform: cut(&report.platform, measure.text),
            os: cut(&report.os, measure.text),
            commit: text_of(&report.commit),
            container: text_of(&report.container),
            started: report.started,
            seconds: report.seconds,
            cancelled: report.cancelled,
            jobs: jobs.collect(),
            outcomes,
            ..Report::default()
        };
        let exit = report.exit().code();
        Self {
            report: short,
            exit,
            tally: text::tally(report),
            left_out,
            whole: whole.map(|name| cut(name, 200)),
        }
    }
}

/// Whether a file name needs no quotes in any shell.
fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !name.starts_with(['-', '.'])
}

/// The name of the artifact with a job's whole report. It contains the label of the job's step and the job's
/// id, so that the reports of several jobs have different names. `extension` has no dot.
pub fn artifact_name(label: Option<&str>, id: Option<&str>, extension: &str) -> String {
    const LONGEST_NAME: usize = 60;
    let plain = |text: &str| {
        let text = text.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_', "-");
        let parts: Vec<&str> = text.split('-').filter(|part| !part.is_empty()).collect();
        parts.join("-").chars().take(LONGEST_NAME).collect::<String>()
    };
    let parts = [Some("rust-vmm-ci".to_owned()), label.map(plain), id.map(plain)];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    format!("{}.{extension}", parts.join("-"))
}

/// The images that a check made.
fn pictures(outcome: &Outcome) -> Vec<Artifact> {
    let short = |artifact: &&Artifact| artifact.image && artifact.path.len() + artifact.name.len() < 500;
    outcome.artifacts.iter().filter(short).take(2).cloned().collect()
}

/// The first rows of a table.
fn first_rows(section: &Section) -> Section {
    let cells = |cells: &Vec<String>| cells.iter().take(6).map(|cell| cut(cell, 80)).collect();
    Section {
        title: cut(&section.title, 200),
        text: cut(&section.text, 300),
        columns: cells(&section.columns),
        rows: section.rows.iter().take(ROWS).map(cells).collect(),
    }
}

/// Shortens a finding.
fn short(finding: &Finding, measure: Measure) -> Finding {
    let mut sets: Vec<String> =
        finding.feature_sets.iter().take(SETS).map(|set| cut(set, measure.text)).collect();
    if finding.feature_sets.len() > SETS {
        sets.push(format!("{} more", finding.feature_sets.len() - SETS));
    }
    Finding {
        message: cut(&finding.message, measure.text),
        lint: cut_some(finding.lint.as_ref(), measure.text),
        package: cut_some(finding.package.as_ref(), measure.text),
        file: cut_some(finding.file.as_ref(), 4 * measure.text),
        rendered: cut_some(finding.rendered.as_ref().filter(|_| measure.frame > 0), measure.frame),
        remedy: cut_some(finding.remedy.as_ref(), measure.text),
        feature_sets: sets,
        ..finding.clone()
    }
}

fn cut_some(text: Option<&String>, most: usize) -> Option<String> {
    text.map(|text| cut(text, most))
}

/// The text. If it has more than `most` bytes, only its beginning, followed by ` …`.
pub fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    format!("{} …", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn a_report_of_usual_size_keeps_all_that_the_build_page_shows() {
        let brief = Brief::read(&Brief::of(&fixture::full(), Some("r.json")).text()).unwrap();
        assert_eq!((brief.left_out, brief.whole.as_deref()), (0, Some("r.json")));
        let clippy = &brief.report.outcomes[1];
        assert_eq!(clippy.findings, fixture::full().outcomes[1].findings);
        assert_eq!(brief.report.outcomes.len(), fixture::full().outcomes.len());
    }

    #[test]
    fn whatever_a_report_has_its_brief_is_short_and_says_what_is_left_out() {
        let long = "\u{1}<é\"".repeat(800);
        let finding = Finding {
            file: Some(long.clone()),
            rendered: Some(long.clone()),
            feature_sets: vec![long.clone(); 5],
            ..Finding::error(long.clone())
        };
        let outcome = Outcome {
            label: long.clone(),
            reason: Some(long.clone()),
            command: long.clone(),
            verdict: Verdict::Failed,
            findings: vec![finding; 80],
            ..Outcome::default()
        };
        let job = Job { label: Some(long), ..Job::default() };
        for count in [1, 20, 60] {
            let report = Report {
                outcomes: vec![outcome.clone(); count],
                jobs: vec![job.clone()],
                ..Report::default()
            };
            let brief = Brief::of(&report, None);
            assert!(brief.text().len() <= LONGEST, "{count}: {}", brief.text().len());
            assert!(brief.left_out >= 30 * count, "{count}: {}", brief.left_out);
            assert_eq!(brief.exit, 1);
            assert!(Brief::read(&brief.text()).is_some());
        }
    }

    #[test]
    fn the_name_of_a_report_has_the_job_in_it_and_is_plain() {
        let name = artifact_name(Some(":rust: a/b $(x)"), Some("0190-ab"), "json");
        assert_eq!(name, "rust-vmm-ci-rust-a-b-x-0190-ab.json");
        assert!(is_plain(&name) && !is_plain("a b") && !is_plain("-a") && !is_plain("../a"));
        assert_eq!(artifact_name(None, None, "html"), "rust-vmm-ci.html");
        let hostile = Brief { whole: Some("x; rm -rf ~".into()), ..Brief::default() };
        assert_eq!(Brief::read(&hostile.text()).unwrap().whole, None);
    }

    #[test]
    fn what_is_no_brief_is_left_out() {
        assert!(Brief::read("").is_none() && Brief::read("[]").is_none());
        assert!(Brief::read(&format!("{{\"x\": \"{}\"}}", "y".repeat(3 * LONGEST))).is_none());
    }
}
