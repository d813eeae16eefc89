//! The report as one HTML page for people. It loads nothing and has no script. It suits screens of any width,
//! light and dark backgrounds, and paper. `maud` escapes everything from outside. If that failed, the content
//! security policy would still block scripts and requests.

mod findings;
mod sections;
mod timeline;

use super::profile::{COLUMNS, Parts};
use super::{Combination, Format, Job, Outcome, ReadImage, Report, Verdict, text};
use crate::exit::Exit;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
/// The browser must not load, run or send anything, because the page contains everything.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
                      form-action 'none'";

/// The parts of a combination's time: all columns except the sum. The sum is shown as its time.
const PARTS: &[&str] = COLUMNS.split_at(COLUMNS.len() - 1).0;

/// The report as one HTML page.
#[derive(Debug)]
pub struct Html;

impl Format for Html {
    fn flag(&self) -> &'static str {
        "html"
    }

    fn help(&self) -> &'static str {
        "Write the report as one HTML page"
    }

    fn render(&self, report: &Report, image: ReadImage<'_>) -> anyhow::Result<String> {
        Ok(render(report, image))
    }
}

/// The page. `read` returns the bytes of an image, which are included in the page.
pub fn render(report: &Report, read: ReadImage<'_>) -> String {
    let where_to = format!("{} {}", report.platform, report.os);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (ending(report).1) " · " (text::line(&where_to)) " · rust-vmm-ci" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (header(report, &where_to))
                main {
                    (findings::render(report))
                    (details("What did not pass", report, read, |outcome| outcome.verdict != Verdict::Passed))
                    (checks(report))
                    (details("What the others show", report, read, |outcome| {
                        outcome.verdict == Verdict::Passed && has_details(outcome)
                    }))
                    (timeline::render(report))
                    (combinations(&report.outcomes))
                    (environment(report))
                }
                footer { "Written by rust-vmm-ci " (text::line(&report.tool)) }
            }
        }
    };
    page.into_string()
}

/// How the run ended: the style's class, and the word for it.
fn ending(report: &Report) -> (&'static str, &'static str) {
    match report.exit() {
        _ if report.cancelled => ("cancelled", "Cancelled"),
        Exit::Passed if report.failures().next().is_some() => ("soft", "Passed, with soft failures"),
        Exit::Passed => ("passed", "Passed"),
        Exit::Failed => ("failed", "Failed"),
        _ if !report.anything_ran() => ("broken", "Nothing ran"),
        _ => ("broken", "Broken"),
    }
}

/// The header of the page: what ran, when, and how it ended.
fn header(report: &Report, where_to: &str) -> Markup {
    let (class, word) = ending(report);
    html! {
        header class=(class) {
            div class="inside" {
                p class="brand" { "rust-vmm-ci" }
                h1 { (word) }
                p class="tally" { (text::tally(report)) }
                p class="meta" {
                    @if let Some(repository) = &report.repository { span { (text::line(repository)) } }
                    @if let Some(branch) = &report.branch { span { (text::line(branch)) } }
                    span { (text::line(where_to)) }
                    @if let Some(commit) = &report.commit { span { code { (short(commit)) } } }
                    @if let Some(began) = began(report.started) { span { (began) } }
                    span { (text::duration(report.seconds)) }
                }
            }
        }
    }
}

/// The table of checks.
fn checks(report: &Report) -> Markup {
    let outcomes = &report.outcomes;
    html! {
        section {
            h2 { "Checks" }
            div class="scroll" {
                table class="checks" {
                    thead {
                        tr {
                            th { "Check" } th { "Verdict" }
                            th class="number wide" { "Combinations" } th class="number wide" { "Findings" }
                            th class="number" { "Time" }
                        }
                    }
                    tbody { @for (number, outcome) in outcomes.iter().enumerate() { (check(number, outcome, report)) } }
                }
            }
        }
    }
}

/// A row of the table of checks.
fn check(number: usize, outcome: &Outcome, report: &Report) -> Markup {
    let label = label(outcome, report);
    html! {
        tr {
            td {
                @if has_details(outcome) { a href={ "#check-" (number) } { (label) } } @else { (label) }
            }
            td { (badge(outcome)) }
            td class="number wide" { (text::combinations(outcome)) }
            td class="number wide" { @if !outcome.findings.is_empty() { (outcome.findings.len()) } }
            td class="number" { @if outcome.seconds > 0.0 { (text::duration(outcome.seconds)) } }
        }
    }
}

/// The label of a check. In a merged report, the name of its job is added if it is a different name.
fn label(outcome: &Outcome, report: &Report) -> String {
    let label = text::line(&outcome.label).into_owned();
    let job = outcome.job.and_then(|_| report.job_of(outcome)).map(Job::name);
    match job.filter(|name| !name.is_empty() && *name != outcome.label) {
        Some(name) => format!("{label} · {}", text::line(&name)),
        None => label,
    }
}

/// Whether a check has something that its row does not show.
fn has_details(outcome: &Outcome) -> bool {
    outcome.verdict != Verdict::Passed || !outcome.sections.is_empty() || !outcome.artifacts.is_empty()
}

/// The checks for which `meant` is true, each with its reason, remedy, tables and files.
fn details(title: &str, report: &Report, read: ReadImage<'_>, meant: impl Fn(&Outcome) -> bool) -> Markup {
    let meant: Vec<_> = report.outcomes.iter().enumerate().filter(|(_, outcome)| meant(outcome)).collect();
    html! {
        @if !meant.is_empty() {
            section {
                h2 { (title) }
                @for (number, outcome) in meant {
                    div class="check" id={ "check-" (number) } {
                        h3 { (label(outcome, report)) " " (badge(outcome)) }
                        @if let Some(reason) = &outcome.reason { p class="reason" { (text::line(reason)) } }
                        @if !outcome.findings.is_empty() {
                            p class="reason" {
                                a href="#findings" { (text::count(outcome.findings.len(), "finding")) }
                            }
                        }
                        dl class="facts" {
                            @if let Some(remedy) = &outcome.remedy {
                                div { dt { "To mend it" } dd { code { (text::line(remedy)) } } }
                            }
                            div { dt { "To repeat it" } dd { code { (text::line(&outcome.repeat())) } } }
                        }
                        @for section in &outcome.sections { (sections::table(section)) }
                        @for artifact in &outcome.artifacts { (sections::artifact(artifact, read)) }
                    }
                }
            }
        }
    }
}

/// The combinations of features of each check, folded.
fn combinations(outcomes: &[Outcome]) -> Markup {
    let combined: Vec<_> = outcomes.iter().filter(|outcome| !outcome.combinations.is_empty()).collect();
    html! {
        @if !combined.is_empty() {
            section {
                h2 { "Combinations of features" }
                @for outcome in combined {
                    details class="combinations" {
                        summary {
                            (text::line(&outcome.label)) ": " (text::combinations(outcome)) " passed"
                        }
                        div class="scroll" { (combination_table(&outcome.combinations)) }
                    }
                }
            }
        }
    }
}

/// A check's combinations.
fn combination_table(combinations: &[Combination]) -> Markup {
    let profiled = combinations.iter().any(|combination| combination.timings.is_some());
    html! {
        table {
            thead {
                tr {
                    th { "Features" } th { "Verdict" } th { "Stands for" }
                    @if profiled { @for part in PARTS { th class="number wide" { (part) } } }
                    th class="number" { "Time" }
                }
            }
            tbody {
                @for combination in combinations {
                    tr {
                        td { code { (text::line(&combination.name())) } }
                        td { (mark(class(combination.verdict, false), combination.verdict.as_str())) }
                        td { @for name in &combination.stands_for { code { (text::line(name)) } " " } }
                        @if profiled {
                            @for cell in &Parts::of_combination(combination).cells()[..PARTS.len()] {
                                td class="number wide" { (cell) }
                            }
                        }
                        td class="number" { (text::duration(combination.seconds)) }
                    }
                }
            }
        }
        @let passed_before: usize = combinations.iter().map(|run| run.passed_before.len()).sum();
        @if passed_before > 0 {
            p { (passed_before) " test programs that had passed before, the same, were not run again." }
        }
    }
}

/// The platform, system, toolchain and container of the run.
fn environment(report: &Report) -> Markup {
    let facts = [
        ("Platform", Some(format!("{} {}", report.platform, report.os))),
        ("Repository", report.repository.clone()),
        ("Branch", report.branch.clone()),
        ("Commit", report.commit.clone()),
        ("Toolchain", report.toolchain.clone()),
        ("Compiled for", report.host.clone()),
        ("Container", report.container.clone()),
        ("Began", began(report.started)),
        ("rust-vmm-ci", Some(report.tool.clone())),
    ];
    html! {
        section {
            h2 { "Environment" }
            dl class="facts" {
                @for (name, value) in &facts {
                    @if let Some(value) = value { div { dt { (name) } dd { code { (text::line(value)) } } } }
                }
            }
        }
    }
}

/// A check's verdict as a badge.
fn badge(outcome: &Outcome) -> Markup {
    mark(class(outcome.verdict, outcome.soft_fail), text::verdict(outcome))
}

/// A word in the colour of its class.
fn mark(class: &str, word: &str) -> Markup {
    html! { span class={ "badge " (class) } { (word) } }
}

/// The style's class for a verdict.
const fn class(verdict: Verdict, soft: bool) -> &'static str {
    match (verdict, soft) {
        (Verdict::Failed | Verdict::Broken, true) => "soft",
        (verdict, _) => verdict.as_str(),
    }
}

/// The first digits of a commit's hash, as git shortens it.
fn short(commit: &str) -> String {
    text::line(commit).chars().take(12).collect()
}

/// A time of day, from seconds since 1970.
fn began(seconds: u64) -> Option<String> {
    let time = chrono::DateTime::from_timestamp(i64::try_from(seconds).ok()?, 0)?;
    Some(time.format("%Y-%m-%d %H:%M UTC").to_string())
}

#[cfg(test)]
mod tests;
