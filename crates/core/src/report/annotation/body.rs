//! The text of an annotation.
//!
//! Buildkite reads it as Markdown, which may contain HTML. This text is HTML only, so that `maud` escapes
//! everything from outside. Each block is one line: an empty line would end the HTML block
//! (`CommonMark` 4.6), and Markdown would read what follows.

use crate::report::brief::cut;
use crate::report::{Artifact, Finding, Identity, Level, Outcome, Report, Section, Verdict, text};
use maud::{Markup, html};
use std::collections::HashMap;

/// The most bytes of a body. Buildkite accepts 1 MiB. Some of that is left free, because the agent may
/// replace a secret with a longer text.
pub(super) const LIMIT: usize = 1_000_000;
/// The bytes that are reserved for the end of a body.
pub(super) const TAIL: usize = 1_000;
/// The most bytes of the table of checks.
pub(super) const TABLE: usize = 200_000;
/// The most bytes of one cell, name or sentence.
const WORDS: usize = 2_000;
/// The most bytes of a finding's frame.
pub(super) const FRAME: usize = 20_000;
/// The most rows of a section's table. The report has all rows.
const ROWS: usize = 50;
/// The most findings of a run for which the frames are unfolded.
pub(super) const UNFOLDED: usize = 5;

/// The text so far.
struct Body<'a> {
    text: String,
    /// For each finding whose frame was shown: the label of the first check that has it.
    shown: HashMap<Identity<'a>, &'a str>,
    unfold: bool,
    left_out: usize,
}

/// The body for a run. `whole` is the name of the artifact with the whole report.
pub fn render(report: &Report, whole: Option<&str>) -> String {
    let findings = report.failures().map(|outcome| outcome.findings.len()).sum::<usize>();
    let mut body =
        Body { text: String::new(), shown: HashMap::new(), unfold: findings <= UNFOLDED, left_out: 0 };
    body.push(&headline(report), LIMIT);
    body.table(report);
    let told: Vec<&Outcome> = report.outcomes.iter().filter(|outcome| is_told(outcome)).collect();
    for (number, outcome) in told.iter().enumerate() {
        // Each check gets an equal share of the space that is left, so that no check uses up the space of the
        // others.
        let left = (LIMIT - TAIL).saturating_sub(body.text.len());
        let end = body.text.len() + left / (told.len() - number);
        body.outcome(outcome, end);
    }
    body.tail(whole);
    body.text
}

/// Whether a check has something that the table does not show.
fn is_told(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Failed | Verdict::Broken) || outcome.artifacts.iter().any(|a| a.image)
}

/// The first line: what ran, and how many checks passed and failed.
fn headline(report: &Report) -> Markup {
    let cancelled = if report.cancelled { "cancelled: " } else { "" };
    html! {
        p {
            strong { (report.platform) " " (report.os) ": " (cancelled) (text::tally(report)) }
            " in " (text::duration(report.seconds))
        }
    }
}

impl Body<'_> {
    /// Adds a block if it fits before `end`. Returns whether it fits.
    fn push(&mut self, block: &Markup, end: usize) -> bool {
        push(&mut self.text, block, end)
    }

    /// The end of the text: how many findings are not shown, and where the whole report is.
    fn tail(&mut self, whole: Option<&str>) {
        if self.left_out > 0 {
            self.push(&html! { p { (text::count(self.left_out, "more finding")) " did not fit." } }, LIMIT);
        }
        if let Some(path) = whole {
            self.push(&html! { p { "The whole report: " (link(path, path)) } }, LIMIT);
        }
    }
}

impl<'a> Body<'a> {
    /// The table of checks, with as many rows as fit.
    fn table(&mut self, report: &Report) {
        let mut rows = String::new();
        let mut left_out = 0;
        for outcome in &report.outcomes {
            let row = row(outcome).0;
            if rows.len() + row.len() < TABLE { rows.push_str(&row) } else { left_out += 1 }
        }
        let table = html! {
            table {
                thead { tr { th { "check" } th { "verdict" } th { "combinations" } th { "findings" } th { "time" } } }
                tbody { (maud::PreEscaped(rows)) }
            }
        };
        self.push(&table, LIMIT);
        if left_out > 0 {
            self.push(&html! { p { "and " (text::count(left_out, "more check")) } }, LIMIT);
        }
    }

    /// A check: its reason and remedy, its tables and files, and as many findings as fit before `end`.
    fn outcome(&mut self, outcome: &'a Outcome, end: usize) {
        let head = html! {
            h4 { (words(&outcome.label)) " " (text::verdict(outcome)) }
            @if let Some(reason) = &outcome.reason { p { (words(reason)) } }
            @if let Some(remedy) = &outcome.remedy { p { "To mend it: " code { (words(remedy)) } } }
            p { "To repeat it: " code { (words(&outcome.repeat())) } }
        };
        self.push(&html! { div { (head) } }, end);
        for section in &outcome.sections {
            self.push(&table_of(section), end);
        }
        for artifact in &outcome.artifacts {
            self.push(&shown(artifact), end);
        }
        let mut left_out = 0;
        for finding in &outcome.findings {
            let identity = finding.identity();
            let first = self.shown.get(&identity).copied();
            let block = self.finding(finding, first);
            // If a finding does not fit, the later ones are left out too, so that the order stays.
            if left_out > 0 || !self.push(&block, end) {
                left_out += 1;
            } else if first.is_none() && finding.rendered.is_some() {
                self.shown.insert(identity, &outcome.label);
            }
        }
        self.left_out += left_out;
    }

    /// A finding with its frame. If another check has shown the same finding already, the label of that check
    /// replaces the frame.
    fn finding(&self, finding: &Finding, first: Option<&str>) -> Markup {
        let heading = html! {
            @match finding.level { Level::Error => "", Level::Warning => "warning: ", Level::Note => "note: " }
            @if let Some(place) = finding.place() { code { (words(&place)) } " " }
            (words(&finding.message))
            @if let Some(lint) = &finding.lint { " " code { (words(lint)) } }
        };
        let notes = html! {
            @if let Some(remedy) = &finding.remedy { p { "To mend it: " (words(remedy)) } }
            @if let Some(sets) = text::feature_sets(&finding.feature_sets) {
                p { "Features: " code { (words(&sets)) } }
            }
        };
        match (&finding.rendered, first) {
            (Some(_), Some(label)) => html! { div { p { (heading) " (as in " (words(label)) ")" } (notes) } },
            (Some(rendered), None) => html! {
                details open[self.unfold] {
                    summary { (heading) }
                    pre { code { (cut(&text::block(rendered.trim_end()), FRAME)) } }
                    (notes)
                }
            },
            (None, _) => html! { div { p { (heading) } (notes) } },
        }
    }
}

/// Adds a block to a body if it fits before `end`. Returns whether it fits.
pub(super) fn push(body: &mut String, block: &Markup, end: usize) -> bool {
    let block = block.0.replace('\n', "&#10;");
    let fits = body.len() + block.len() + 2 <= end;
    if fits {
        body.push_str(&block);
        body.push_str("\n\n");
    }
    fits
}

/// A row of the table of checks.
fn row(outcome: &Outcome) -> Markup {
    let sign = match (outcome.verdict, outcome.soft_fail) {
        (Verdict::Passed, _) => "✅",
        (Verdict::Failed | Verdict::Broken, true) => "⚠️",
        (Verdict::Failed | Verdict::Broken, false) => "❌",
        (Verdict::Skipped | Verdict::Cancelled, _) => "➖",
    };
    html! {
        tr {
            td { (words(&outcome.label)) }
            td { (sign) " " (text::verdict(outcome)) }
            td { (text::combinations(outcome)) }
            td { @if !outcome.findings.is_empty() { (outcome.findings.len()) } }
            td { @if outcome.seconds > 0.0 { (text::duration(outcome.seconds)) } }
        }
    }
}

/// The first rows of a check's table.
pub(super) fn table_of(section: &Section) -> Markup {
    let more = section.rows.len().saturating_sub(ROWS);
    html! {
        div {
            p { strong { (words(&section.title)) } }
            @if !section.text.is_empty() { p { (words(&section.text)) } }
            table {
                thead { tr { @for column in &section.columns { th { (words(column)) } } } }
                tbody {
                    @for row in section.rows.iter().take(ROWS) { tr { @for cell in row { td { (words(cell)) } } } }
                }
            }
            @if more > 0 { p { "and " (text::count(more, "more row")) } }
        }
    }
}

/// A file that a check made. An image is shown, and any other file is a link.
pub(super) fn shown(artifact: &Artifact) -> Markup {
    html! {
        p {
            @if artifact.image {
                img src={ "artifact://" (text::line(&artifact.path)) } alt=(text::line(&artifact.name));
            } @else {
                (link(&artifact.path, &artifact.name))
            }
        }
    }
}

/// A link to an artifact of this build, with Buildkite's scheme `artifact://`.
pub(super) fn link(path: &str, name: &str) -> Markup {
    html! { a href={ "artifact://" (text::line(path)) } { (words(name)) } }
}

/// Text from outside on one line. It is cut if it is too long for a name or a sentence.
pub(super) fn words(text: &str) -> String {
    cut(&text::line(text), WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
    use scraper::{Html, Selector};

    /// The body as a browser gets it. It is HTML only, so that Markdown changes nothing.
    fn page(body: &str) -> Html {
        for event in Parser::new_ext(body, Options::all()) {
            let html = matches!(event, Event::Html(_))
                || matches!(event, Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock));
            assert!(html, "Markdown read {event:?}");
        }
        Html::parse_fragment(body)
    }

    fn texts(page: &Html, selector: &str) -> Vec<String> {
        page.select(&Selector::parse(selector).unwrap()).map(|element| element.text().collect()).collect()
    }

    fn failed(findings: Vec<Finding>) -> Report {
        let outcome = Outcome { label: "c".into(), verdict: Verdict::Failed, findings, ..Outcome::default() };
        Report { outcomes: vec![outcome], ..Report::default() }
    }

    #[test]
    fn a_failure_is_told_with_its_place_frame_lint_features_and_command() {
        let report = fixture::full();
        let page = page(&render(&report, Some("rust-vmm-ci/report.html")));
        let checks = Selector::parse("table").unwrap();
        let checks = page.select(&checks).next().unwrap();
        assert_eq!(checks.select(&Selector::parse("tbody tr").unwrap()).count(), report.outcomes.len());
        let finding = &report.outcomes[1].findings[0];
        assert_eq!(texts(&page, "pre code")[0], finding.rendered.as_ref().unwrap().trim_end());
        let codes = texts(&page, "code");
        for said in [
            "src/mmap/<script>alert(1)</script>.rs:117:9",
            "clippy::undocumented_unsafe_blocks",
            "vm-memory: backend-mmap · vm-memory: backend-mmap,backend-bitmap",
            "vm-memory: no features",
            "rust-vmm-ci run clippy",
            "rustup target add x86_64-unknown-linux-musl",
        ] {
            assert!(codes.iter().any(|code| code == said), "{said} not in {codes:?}");
        }
        assert_eq!(texts(&page, "a"), ["lcov.info", "rust-vmm-ci/report.html"]);
        let image = page.select(&Selector::parse("img").unwrap()).next().unwrap().value();
        assert_eq!(image.attr("src"), Some("artifact://target/rust-vmm-ci/bench/plot one.svg"));
        assert_eq!(image.attr("alt"), Some("Benchmark <plot>"));
    }

    #[test]
    fn the_body_is_what_it_was() {
        fixture::assert_text("annotation", &render(&fixture::full(), Some("rust-vmm-ci/report.html")));
    }

    #[test]
    fn uncovered_new_lines_come_first_of_what_coverage_shows() {
        let page = page(&render(&fixture::full(), None));
        let titles = texts(&page, "div > p > strong");
        assert_eq!(titles, ["Lines of this change that no test runs", "Coverage by file"]);
    }

    #[test]
    fn nothing_from_outside_is_read_as_markup() {
        let hostile =
            "a</code></pre>\n\n# h\n<script>x</script> *b* `c` |d| [e](javascript:f) \" ' & \x1b[0m";
        let words = text::line(hostile).into_owned();
        let outcome = Outcome {
            label: hostile.into(),
            verdict: Verdict::Failed,
            reason: Some(hostile.into()),
            remedy: Some(hostile.into()),
            command: hostile.into(),
            findings: vec![Finding {
                file: Some(hostile.into()),
                lint: Some(hostile.into()),
                rendered: Some(hostile.into()),
                remedy: Some(hostile.into()),
                feature_sets: vec![hostile.into()],
                ..Finding::error(hostile)
            }],
            sections: vec![Section {
                title: hostile.into(),
                text: hostile.into(),
                columns: vec![hostile.into()],
                rows: vec![vec![hostile.into()]],
            }],
            artifacts: vec![Artifact { name: hostile.into(), path: hostile.into(), image: true }],
            ..Outcome::default()
        };
        let report = Report { outcomes: vec![outcome], platform: hostile.into(), ..Report::default() };
        let page = page(&render(&report, Some(hostile)));
        assert_eq!(texts(&page, "script, h1, em").len(), 0);
        assert_eq!(texts(&page, "pre code"), [text::block(hostile).into_owned()]);
        assert_eq!(texts(&page, "a"), [words.as_str()]);
        for selector in ["h4", "p", "code", "th", "td", "summary"] {
            assert!(texts(&page, selector).iter().any(|text| text.contains(&words)), "{selector}");
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_found_in_the_artifact() {
        let finding = |n: usize| Finding {
            file: Some(format!("src/{n}.rs")),
            rendered: Some("<\n".repeat(15_000)),
            ..Finding::error("x")
        };
        let mut report = failed((0..100).map(finding).collect());
        report.outcomes.push(Outcome {
            label: "last".into(),
            command: "rust-vmm-ci run last".into(),
            findings: vec![finding(1000)],
            ..report.outcomes[0].clone()
        });
        let body = render(&report, Some("report.html"));
        assert!(body.len() <= LIMIT, "{}", body.len());
        let page = page(&body);
        let shown = texts(&page, "summary").len();
        assert!((2..101).contains(&shown), "{shown}");
        let told = texts(&page, "body > p, p").join("\n");
        assert!(told.contains(&format!("{} more findings did not fit.", 101 - shown)), "{told}");
        assert!(texts(&page, "h4").contains(&"last failed".to_owned()));
        assert!(texts(&page, "code").contains(&"src/1000.rs".to_owned()));
        assert_eq!(texts(&page, "a"), ["report.html"]);
    }

    #[test]
    fn any_number_of_checks_with_any_words_stays_within_the_limit() {
        let long = "é<".repeat(2_000);
        let outcome =
            Outcome { label: long.clone(), reason: Some(long), ..failed(vec![]).outcomes.remove(0) };
        let body = render(&Report { outcomes: vec![outcome; 500], ..Report::default() }, None);
        assert!(body.len() <= LIMIT, "{}", body.len());
        assert!(body.contains("more checks"), "what the table leaves out is counted");
    }

    #[test]
    fn a_finding_of_two_checks_shows_its_frame_once() {
        let finding = Finding { rendered: Some("frame".into()), ..Finding::error("x") };
        let mut report = failed(vec![finding]);
        let second = Outcome { label: "second".into(), ..report.outcomes[0].clone() };
        report.outcomes.push(second);
        let page = page(&render(&report, None));
        assert_eq!(texts(&page, "pre").len(), 1);
        assert!(texts(&page, "p").contains(&"x (as in c)".to_owned()));
    }
}
