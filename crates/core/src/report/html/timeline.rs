//! Shows what ran when. Each check is a row, with a bar for each of its combinations, divided into the parts
//! of its time. A table has the same in numbers, for readers who cannot see the picture.

use super::class;
use crate::report::profile::{self, COLUMNS, Parts};
use crate::report::{Outcome, Report, Verdict, text};
use maud::{Markup, html};

/// The axis is divided into this many equal parts, with a mark at the end of each.
const PARTS: u32 = 4;
/// The shortest part of a bar that its title names, in seconds. A shorter part would be shown as 0.0.
const SHORTEST: f64 = 0.05;

/// The timeline. Empty if no check took time.
pub fn render(report: &Report) -> Markup {
    let (rows, sum) = profile::rows(report);
    let end = rows.iter().map(|(outcome, _)| outcome.started + outcome.seconds);
    let whole = end.fold(report.seconds, f64::max);
    if rows.is_empty() || !whole.is_finite() {
        return html! {};
    }
    let profiled = is_profiled(sum);
    html! {
        section {
            h2 { "Timeline" }
            div class="timeline" {
                @for (outcome, _) in &rows { (row(outcome, whole)) }
                div class="axis" aria-hidden="true" {
                    span {}
                    div class="track" {
                        @for part in 0..=PARTS {
                            span style={ "left:" (percent(part.into(), PARTS.into())) } {
                                (text::duration(whole * f64::from(part) / f64::from(PARTS)))
                            }
                        }
                    }
                }
                @if profiled { (legend(&rows, sum)) }
            }
            @if profiled { (numbers(&rows, sum)) }
            @if let Some(used) = profile::used(report) { p class="used" { (used) } }
        }
    }
}

/// Whether the parts of a time are known.
const fn is_profiled(Parts([waiting, compile, ..]): Parts) -> bool {
    waiting.is_some() || compile.is_some()
}

/// The row of a check.
fn row(outcome: &Outcome, whole: f64) -> Markup {
    let label = text::line(&outcome.label);
    html! {
        div class="row" {
            span class="label" { (label) " " span class="time" { (text::duration(outcome.seconds)) } }
            div class="track" aria-hidden="true" {
                @if outcome.queued > 0.0 {
                    @let begin = outcome.started - outcome.queued;
                    @let title = format!("{label}: {} waiting for its lane", text::duration(outcome.queued));
                    span class="bar queued" style=(place(begin, outcome.queued, whole)) title=(title) {
                        i class="waiting" style="width:100.000%" {}
                    }
                }
                @if outcome.combinations.is_empty() {
                    @let place = place(outcome.started, outcome.seconds, whole);
                    (bar(outcome, outcome.verdict, &place, &label, Parts::of_work(outcome)))
                }
                @for part in &outcome.combinations {
                    @let place = place(part.started, part.seconds, whole);
                    (bar(outcome, part.verdict, &place, &text::line(&part.name()), Parts::of_combination(part)))
                }
            }
        }
    }
}

/// A bar with its parts. If the parts are unknown, it only has the colour of its verdict.
fn bar(outcome: &Outcome, verdict: Verdict, place: &str, name: &str, parts: Parts) -> Markup {
    let told = told(name, parts);
    let sum: f64 = parts.0.iter().flatten().sum();
    html! {
        span class={ "bar " (class(verdict, outcome.soft_fail)) } style=(place) title=(told) {
            @if is_profiled(parts) {
                @for (class, seconds) in COLUMNS.iter().zip(parts.0) {
                    @if let Some(seconds) = seconds.filter(|seconds| *seconds > 0.0) {
                        i class=(class) style={ "width:" (percent(seconds, sum)) } {}
                    }
                }
            }
        }
    }
}

/// The position of a bar in its row, as CSS.
fn place(started: f64, seconds: f64, whole: f64) -> String {
    format!("left:{};width:{}", percent(started, whole), percent(seconds, whole))
}

/// The title of a bar, which a browser shows when somebody points at the bar.
fn told(name: &str, parts: Parts) -> String {
    let sum: f64 = parts.0.iter().flatten().sum();
    let mut told = format!("{name}: {}", text::duration(sum));
    if is_profiled(parts) {
        for (part, seconds) in COLUMNS.iter().zip(parts.0) {
            if let Some(seconds) = seconds.filter(|seconds| *seconds >= SHORTEST) {
                told.push_str(&format!("; {part} {}", text::duration(seconds)));
            }
        }
    }
    told
}

/// The legend: the colours of the parts and verdicts that occur.
fn legend(rows: &[(&Outcome, Parts)], Parts(sum): Parts) -> Markup {
    let mut verdicts: Vec<&str> = Vec::new();
    for (outcome, _) in rows {
        let combinations = outcome.combinations.iter().map(|part| part.verdict);
        for verdict in combinations.chain([outcome.verdict]) {
            let class = class(verdict, outcome.soft_fail);
            if !verdicts.contains(&class) {
                verdicts.push(class);
            }
        }
    }
    html! {
        p class="legend" aria-hidden="true" {
            @for (part, seconds) in COLUMNS.iter().zip(sum) {
                @if seconds.is_some() { span { i class=(part) {} (part) } }
            }
            @for verdict in verdicts { span { b class=(verdict) {} @if verdict == "soft" { "failed (soft)" } @else { (verdict) } } }
        }
    }
}

/// The table with the numbers.
fn numbers(rows: &[(&Outcome, Parts)], sum: Parts) -> Markup {
    html! {
        div class="scroll" {
            table class="profile" {
                thead { tr { th { "In seconds" } @for column in COLUMNS { th class="number" { (column) } } } }
                tbody {
                    @for (outcome, parts) in rows {
                        tr {
                            td { (text::line(&outcome.label)) }
                            @for cell in parts.cells() { td class="number" { (cell) } }
                        }
                    }
                }
                tfoot { tr { th { "sum" } @for cell in sum.cells() { td class="number" { (cell) } } } }
            }
        }
    }
}

/// A share of the whole as a CSS percentage, always from 0 to 100.
fn percent(part: f64, whole: f64) -> String {
    let share = if whole > 0.0 { part / whole * 100.0 } else { 0.0 };
    format!("{:.3}%", if share.is_finite() { share.clamp(0.0, 100.0) } else { 0.0 })
}
