//! The findings, by file. A finding that several checks have is shown once, with the labels of all.

use super::mark;
use crate::report::{Finding, Identity, Level, Report, text};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// Up to this many findings, the frames are unfolded.
const UNFOLDED: usize = 20;

/// A finding, and the labels of the checks that have it.
struct Shared<'r> {
    finding: &'r Finding,
    labels: Vec<&'r str>,
}

/// The section of all findings; empty if there are none.
pub fn render(report: &Report) -> Markup {
    let files = by_file(report);
    let count = files.values().map(Vec::len).sum::<usize>();
    if count == 0 {
        return html! {};
    }
    html! {
        section id="findings" {
            h2 { "Findings " span class="count" { (count) } }
            @for ((_, file), findings) in &files {
                div class="file" {
                    h3 { @if file.is_empty() { "In no file" } @else { code { (text::line(file)) } } }
                    @for shared in findings { (finding(shared, count <= UNFOLDED)) }
                }
            }
        }
    }
}

/// The findings of all checks by file, in the order of [`Identity`].
fn by_file(report: &Report) -> BTreeMap<(bool, &str), Vec<Shared<'_>>> {
    let mut all: BTreeMap<Identity, Shared> = BTreeMap::new();
    for outcome in &report.outcomes {
        for finding in &outcome.findings {
            let shared = all.entry(finding.identity()).or_insert(Shared { finding, labels: Vec::new() });
            if !shared.labels.contains(&outcome.label.as_str()) {
                shared.labels.push(&outcome.label);
            }
        }
    }
    let mut files = BTreeMap::<_, Vec<_>>::new();
    for (Identity { file, .. }, shared) in all {
        files.entry((file.is_none(), file.unwrap_or_default())).or_default().push(shared);
    }
    files
}

/// A finding with its frame.
fn finding(shared: &Shared, unfold: bool) -> Markup {
    let finding = shared.finding;
    let (class, word) = match finding.level {
        Level::Error => ("failed", "error"),
        Level::Warning => ("soft", "warning"),
        Level::Note => ("skipped", "note"),
    };
    let heading = html! {
        (mark(class, word)) " "
        span class="message" { (text::line(&finding.message)) }
        @if let Some(lint) = &finding.lint { " " code class="lint" { (text::line(lint)) } }
    };
    html! {
        article {
            @if let Some(rendered) = &finding.rendered {
                details open[unfold] {
                    summary { (heading) }
                    pre { code { (text::block(rendered.trim_end())) } }
                }
            } @else {
                p { (heading) }
            }
            p class="notes" {
                @if let Some(place) = finding.place() { span { code { (text::line(&place)) } } }
                @if let Some(package) = &finding.package { span { "package " (text::line(package)) } }
                span { @for (n, label) in shared.labels.iter().enumerate() { @if n > 0 { ", " } (text::line(label)) } }
                @if let Some(sets) = text::feature_sets(&finding.feature_sets) { span { (sets) } }
            }
            @if let Some(remedy) = &finding.remedy { p class="remedy" { (text::line(remedy)) } }
        }
    }
}
