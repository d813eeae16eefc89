//! The annotation of the whole build. It shows each finding once, with the jobs and checks that have it.

use super::Style;
use super::body::{FRAME, LIMIT, TABLE, TAIL, UNFOLDED, link, push, shown, table_of, words};
use crate::report::brief::{Brief, cut};
use crate::report::{Job, Level, Outcome, Report, Seen, SharedFinding, Verdict, merge, text};
use maud::{Markup, PreEscaped, html};

/// The context of the build's annotation.
pub const BUILD_CONTEXT: &str = "rust-vmm-ci";
/// The most jobs that are named for one finding. The others are only counted.
const JOBS: usize = 40;

/// The content of the annotation: the briefs of the jobs that have ended.
#[derive(Debug)]
pub struct BuildPage<'a> {
    /// The briefs, one for each job.
    pub briefs: &'a [Brief],
    /// The page of the build (`BUILDKITE_BUILD_URL`), for links to its jobs.
    pub build: Option<&'a str>,
    /// The name of the artifact with the page of the whole build, if there is one.
    pub whole: Option<&'a str>,
}

impl BuildPage<'_> {
    /// The annotation's body and style. None if there is nothing for a person to see. Then there must be no
    /// annotation.
    pub fn render(&self) -> Option<(String, Style)> {
        let failed = self.briefs.iter().any(|brief| brief.report.failures().next().is_some());
        let red = self.briefs.iter().any(|brief| brief.exit != 0 && !brief.report.cancelled);
        let cancelled_red = |brief: &Brief| brief.report.cancelled && brief.exit == 1;
        let red = red || self.briefs.iter().any(cancelled_red);
        let picture = |outcome: &Outcome| outcome.artifacts.iter().any(|artifact| artifact.image);
        let pictures = self.briefs.iter().any(|brief| brief.report.outcomes.iter().any(picture));
        if !failed && !red && !pictures {
            return None;
        }
        let style = match (red, failed) {
            (true, _) => Style::Error,
            (false, true) => Style::Warning,
            (false, false) => Style::Success,
        };
        Some((self.body(), style))
    }

    fn body(&self) -> String {
        let reports = self.briefs.iter().map(|brief| {
            let mut report = brief.report.clone();
            // The address of this build is used, whatever a job says about itself.
            report.jobs.iter_mut().for_each(|job| job.build = self.build.map(str::to_owned));
            report
        });
        let merged = merge(reports.collect());
        let mut body = String::new();
        push(&mut body, &self.headline(&merged), LIMIT);
        push(&mut body, &self.jobs(), LIMIT);
        let mut left_out: usize = self.briefs.iter().map(|brief| brief.left_out).sum();
        let unfold = merged.findings.len() <= UNFOLDED;
        let mut full = false;
        for shared in &merged.findings {
            // If a finding does not fit, the later ones are left out too, so that the order stays.
            full = full || !push(&mut body, &finding(shared, unfold), LIMIT - LIMIT / 4);
            left_out += usize::from(full);
        }
        for (reason, outcomes) in reasons(&merged) {
            push(&mut body, &unexplained(&merged, reason, &outcomes), LIMIT - TAIL);
        }
        for outcome in merged.outcomes.iter().filter(|outcome| is_shown(outcome)) {
            for section in &outcome.sections {
                push(&mut body, &table_of(section), LIMIT - TAIL);
            }
            for artifact in outcome.artifacts.iter().filter(|artifact| artifact.image) {
                push(&mut body, &shown(artifact), LIMIT - TAIL);
            }
        }
        self.tail(&mut body, left_out);
        body
    }

    /// The first line: how many jobs have ended, how many of them failed, and how many findings there are.
    fn headline(&self, merged: &Report) -> Markup {
        let red = self.briefs.iter().filter(|brief| brief.exit != 0).count();
        let findings = merged.findings.iter().filter(|shared| shared.decides()).count();
        html! {
            p {
                strong {
                    @if red > 0 { (red) " of " }
                    (text::count(self.briefs.len(), "job")) @if red > 0 { " failed" }
                    @if findings > 0 { ", " (text::count(findings, "finding")) }
                }
            }
        }
    }

    /// The table of jobs with links. Those that failed come first.
    fn jobs(&self) -> Markup {
        let mut briefs: Vec<&Brief> = self.briefs.iter().collect();
        briefs.sort_by_key(|brief| (brief.exit == 0, brief.report.failures().next().is_none()));
        let mut rows = String::new();
        let mut left_out = 0;
        for brief in briefs {
            let row = self.job(brief).0;
            if rows.len() + row.len() < TABLE { rows.push_str(&row) } else { left_out += 1 }
        }
        html! {
            details open[self.briefs.len() <= UNFOLDED] {
                summary { "Jobs" }
                table {
                    thead { tr { th { "job" } th { "checks" } th { "time" } th { "report" } } }
                    tbody { (PreEscaped(rows)) }
                }
                @if left_out > 0 { p { "and " (text::count(left_out, "more job")) } }
            }
        }
    }

    fn job(&self, brief: &Brief) -> Markup {
        let report = &brief.report;
        let job = report.jobs.first().cloned().unwrap_or_default();
        let job = Job {
            build: self.build.map(str::to_owned),
            platform: report.platform.clone(),
            os: report.os.clone(),
            ..job
        };
        let sign = match (brief.exit, report.failures().next()) {
            _ if report.cancelled => "➖",
            (0, None) => "✅",
            (0, Some(_)) => "⚠️",
            _ => "❌",
        };
        html! {
            tr {
                td { (named(job.url().as_deref(), &job.name())) }
                td { (sign) " " @if report.cancelled { "cancelled: " } (words(&brief.tally)) }
                td { (text::duration(report.seconds)) }
                td { @if let Some(whole) = &brief.whole { (link(whole, "JSON")) } }
            }
        }
    }

    /// The end of the text: how many findings are not shown, and where the whole report is.
    fn tail(&self, body: &mut String, left_out: usize) {
        if left_out > 0 {
            let block = html! {
                p { (text::count(left_out, "more finding")) " did not fit; the reports of the jobs have all." }
            };
            push(body, &block, LIMIT);
        }
        let wholes: Vec<&String> =
            self.briefs.iter().filter(|b| b.exit != 0).filter_map(|b| b.whole.as_ref()).collect();
        if let Some(first) = wholes.first() {
            let block = html! {
                p {
                    "To repeat what failed on another machine, download a job's report and run "
                    code { "rust-vmm-ci reproduce " (words(first)) }
                }
            };
            push(body, &block, LIMIT);
        }
        if let Some(path) = self.whole {
            push(body, &html! { p { "The whole build: " (link(path, path)) } }, LIMIT);
        }
    }
}

/// Whether a check has tables or pictures that the findings do not show.
fn is_shown(outcome: &Outcome) -> bool {
    matches!(outcome.verdict, Verdict::Failed | Verdict::Broken) || outcome.artifacts.iter().any(|a| a.image)
}

/// A name. It is a link if there is an address.
fn named(url: Option<&str>, name: &str) -> Markup {
    html! { @if let Some(url) = url { a href=(url) { (words(name)) } } @else { (words(name)) } }
}

/// A finding with its frame and the checks that have it.
fn finding(shared: &SharedFinding, unfold: bool) -> Markup {
    let finding = &shared.finding;
    let heading = html! {
        @match finding.level { Level::Error => "", Level::Warning => "warning: ", Level::Note => "note: " }
        @if let Some(place) = finding.place() { code { (words(&place)) } " " }
        (words(&finding.message))
        @if let Some(lint) = &finding.lint { " " code { (words(lint)) } }
    };
    let notes = html! {
        @if let Some(remedy) = &finding.remedy { p { "To mend it: " (words(remedy)) } }
        @if let Some(sets) = text::feature_sets(&finding.feature_sets) { p { "Features: " code { (words(&sets)) } } }
        (seen_by(&shared.seen_by))
    };
    html! {
        @if let Some(rendered) = &finding.rendered {
            details open[unfold] {
                summary { (heading) }
                pre { code { (cut(&text::block(rendered.trim_end()), FRAME)) } }
                (notes)
            }
        } @else {
            div { p { (heading) } (notes) }
        }
    }
}

/// Where a finding occurs: each job with its checks, and the command that repeats it.
fn seen_by(seen: &[Seen]) -> Markup {
    let mut jobs: Vec<(&Seen, Vec<&str>)> = Vec::new();
    for one in seen {
        match jobs.iter_mut().find(|(job, _)| (&job.job, &job.job_id) == (&one.job, &one.job_id)) {
            Some((_, labels)) => labels.push(&one.label),
            None => jobs.push((one, vec![&one.label])),
        }
    }
    let more = jobs.len().saturating_sub(JOBS);
    html! {
        p {
            "Seen by "
            @for (number, (job, labels)) in jobs.iter().take(JOBS).enumerate() {
                @if number > 0 { ", " }
                @match &job.job {
                    Some(name) => {
                        (named(job.url.as_deref(), name))
                        @if labels[..] != [name.as_str()] { " (" (words(&labels.join(", "))) ")" }
                    },
                    None => (words(&labels.join(", "))),
                }
            }
            @if more > 0 { " and " (text::count(more, "more job")) }
        }
        @if let Some(first) = seen.first().filter(|first| !first.command.is_empty()) {
            p { "To repeat it: " code { (words(&first.command)) } }
        }
    }
}

/// The reasons of failed checks that no finding shows. Each reason occurs once, with the checks that have it.
fn reasons(merged: &Report) -> Vec<(&str, Vec<&Outcome>)> {
    let mut all: Vec<(&str, Vec<&Outcome>)> = Vec::new();
    let told = |outcome: &&Outcome| outcome.findings.is_empty() || outcome.reason.is_some();
    for outcome in merged.failures().filter(told) {
        let reason = outcome.reason.as_deref().unwrap_or_default();
        match all.iter_mut().find(|(known, of)| *known == reason && of[0].name == outcome.name) {
            Some((_, outcomes)) => outcomes.push(outcome),
            None => all.push((reason, vec![outcome])),
        }
    }
    all
}

fn unexplained(merged: &Report, reason: &str, outcomes: &[&Outcome]) -> Markup {
    let Some(first) = outcomes.first() else { return html! {} };
    html! {
        div {
            p { strong { (words(&first.name)) " " (text::verdict(first)) } @if !reason.is_empty() { ": " (words(reason)) } }
            @if let Some(remedy) = &first.remedy { p { "To mend it: " code { (words(remedy)) } } }
            p {
                "Seen by "
                @for (number, outcome) in outcomes.iter().take(JOBS).enumerate() {
                    @if number > 0 { ", " }
                    @match merged.job_of(outcome) {
                        Some(job) => (named(job.url().as_deref(), &job.name())),
                        None => (words(&outcome.label)),
                    }
                }
            }
            p { "To repeat it: " code { (words(&first.repeat())) } }
        }
    }
}

#[cfg(test)]
mod tests;
