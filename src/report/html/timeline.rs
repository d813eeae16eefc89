//! What ran when: a line for each check, with a part for each of its combinations.

use super::class;
use crate::report::{Outcome, Report, Verdict, text};
use maud::{Markup, html};

/// Parts of the axis between two of its marks.
const PARTS: u32 = 4;

/// The timeline; nothing where nothing took time.
pub fn render(report: &Report) -> Markup {
    let ran = |outcome: &&Outcome| outcome.seconds > 0.0;
    let end = report.outcomes.iter().map(|outcome| outcome.started + outcome.seconds);
    let whole = end.fold(report.seconds, f64::max);
    if !report.outcomes.iter().any(|outcome| ran(&outcome)) || !whole.is_finite() {
        return html! {};
    }
    html! {
        section {
            h2 { "Timeline" }
            div class="timeline" {
                @for outcome in report.outcomes.iter().filter(ran) { (row(outcome, whole)) }
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
            }
        }
    }
}

/// A check's line.
fn row(outcome: &Outcome, whole: f64) -> Markup {
    let label = text::line(&outcome.label);
    let bar = |verdict: Verdict, started: f64, seconds: f64, title: &str| {
        let style = format!("left:{};width:{}", percent(started, whole), percent(seconds, whole));
        html! { span class=(class(verdict, outcome.soft_fail)) style=(style) title=(title) {} }
    };
    html! {
        div class="row" {
            span class="label" { (label) " " span class="time" { (text::duration(outcome.seconds)) } }
            div class="track" {
                @if outcome.combinations.is_empty() {
                    (bar(outcome.verdict, outcome.started, outcome.seconds, &told(&label, outcome.seconds)))
                }
                @for part in &outcome.combinations {
                    (bar(part.verdict, part.started, part.seconds, &told(&text::line(&part.name()), part.seconds)))
                }
            }
        }
    }
}

/// What a bar is, for whoever points at it.
fn told(name: &str, seconds: f64) -> String {
    format!("{name}: {}", text::duration(seconds))
}

/// A share of the whole as CSS writes it, within the track whatever the numbers are.
fn percent(part: f64, whole: f64) -> String {
    let share = if whole > 0.0 { part / whole * 100.0 } else { 0.0 };
    format!("{:.3}%", if share.is_finite() { share.clamp(0.0, 100.0) } else { 0.0 })
}
