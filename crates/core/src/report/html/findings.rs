//! The findings by file. A finding of several checks is shown once, with the labels of all of them.

use super::mark;
use crate::report::{Level, Report, Seen, SharedFinding, text};
use maud::{Markup, html};
use std::collections::BTreeMap;

/// The most findings for which the frames are unfolded.
const UNFOLDED: usize = 20;

/// The section with all findings. Empty if there are none.
pub fn render(report: &Report) -> Markup {
    let all = report.shared_findings();
    let files = by_file(&all);
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

/// The findings of all checks by file, in the order of their identities.
fn by_file(all: &[SharedFinding]) -> BTreeMap<(bool, &str), Vec<&SharedFinding>> {
    let mut files = BTreeMap::<_, Vec<_>>::new();
    for shared in all {
        let file = shared.finding.file.as_deref();
        files.entry((file.is_none(), file.unwrap_or_default())).or_default().push(shared);
    }
    for found in files.values_mut() {
        found.sort_by(|a, b| a.finding.identity().cmp(&b.finding.identity()));
    }
    files
}

/// The checks that have a finding. Each has the name of its job, if that is a different name.
fn seen_by(seen: &[Seen]) -> String {
    let mut names: Vec<String> = Vec::new();
    for one in seen {
        let name = match one.job.as_ref().filter(|job| **job != one.label) {
            Some(job) => format!("{} · {job}", one.label),
            None => one.label.clone(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    text::line(&names.join(", ")).into_owned()
}

/// A finding with its frame.
fn finding(shared: &SharedFinding, unfold: bool) -> Markup {
    let finding = &shared.finding;
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
                span { (seen_by(&shared.seen_by)) }
                @if let Some(sets) = text::feature_sets(&finding.feature_sets) { span { (sets) } }
            }
            @if let Some(remedy) = &finding.remedy { p class="remedy" { (text::line(remedy)) } }
            @if let Some(seen) = shared.seen_by.first().filter(|seen| !seen.command.is_empty()) {
                p class="remedy" { "To repeat it: " code { (text::line(&seen.command)) } }
            }
        }
    }
}
