//! The summary at the end of a run, for terminals, logs and pipes.

use super::{Finding, Level, Outcome, Report, Verdict, text};
use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, Table, presets};
use std::fmt::Write;

/// The most findings that are listed for one check. The log above and the report have all of them.
const LISTED: usize = 10;

/// The summary of a run: a table of its checks; for each check that did not pass the reason, the remedy
/// and the command that repeats it; then how many passed and failed. `color` says whether to use ANSI
/// colours.
pub fn summary(report: &Report, color: bool) -> String {
    let mut out = table(&report.outcomes, color);
    for outcome in report.outcomes.iter().filter(|outcome| outcome.verdict != Verdict::Passed) {
        out.push('\n');
        details(&mut out, outcome, color);
    }
    let cancelled = if report.cancelled { "cancelled: " } else { "" };
    let tally = text::tally(report);
    // Writing to a String does not fail, here and below.
    let _ = writeln!(out, "\n{cancelled}{tally} in {}", text::duration(report.seconds));
    out
}

/// The table of checks. Each check is one line, however long: no line is broken.
fn table(outcomes: &[Outcome], color: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["check", "verdict", "combinations", "findings", "seconds"]);
    for outcome in outcomes {
        table.add_row([
            text::line(&outcome.label).into_owned(),
            text::verdict(outcome).to_owned(),
            text::combinations(outcome),
            outcome.findings.len().to_string(),
            format!("{:.1}", outcome.seconds),
        ]);
    }
    for (number, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if number >= 2 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let styles = std::iter::once(Style::new().bold()).chain(outcomes.iter().map(style));
    let mut out = String::new();
    for (line, style) in table.lines().zip(styles) {
        let _ = writeln!(out, "{}", painted(line.trim_end(), style, color));
    }
    out
}

/// The lines about a check that did not pass.
fn details(out: &mut String, outcome: &Outcome, color: bool) {
    let head = format!("{}: {}", text::verdict(outcome), text::line(&outcome.label));
    let _ = writeln!(out, "{}", painted(&head, style(outcome), color));
    for finding in outcome.findings.iter().take(LISTED) {
        let _ = writeln!(out, "  {}", sentence(finding));
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(out, "    remedy: {}", text::line(remedy));
        }
    }
    if let Some(more) = outcome.findings.len().checked_sub(LISTED).filter(|more| *more > 0) {
        let _ = writeln!(out, "  and {}", text::count(more, "more finding"));
    }
    let lines = [("reason", outcome.reason.as_deref()), ("remedy", outcome.remedy.as_deref())];
    for (name, value) in lines.into_iter().chain([("repeat", Some(outcome.command.as_str()))]) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = writeln!(out, "  {name}: {}", text::block(value).replace('\n', "\n          "));
        }
    }
}

/// A finding on one line, in the form that compilers use.
fn sentence(finding: &Finding) -> String {
    let place = finding.place().map_or(String::new(), |place| format!("{place}: "));
    let level = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let lint = finding.lint.as_ref().map_or(String::new(), |lint| format!(" [{lint}]"));
    let sets = text::feature_sets(&finding.feature_sets).map_or(String::new(), |sets| format!(" ({sets})"));
    text::line(&format!("{place}{level}: {}{lint}{sets}", finding.message)).into_owned()
}

/// The style of a check's line.
fn style(outcome: &Outcome) -> Style {
    match (outcome.verdict, outcome.soft_fail) {
        (Verdict::Passed, _) => AnsiColor::Green.on_default(),
        (Verdict::Failed | Verdict::Broken, true) => AnsiColor::Yellow.on_default(),
        (Verdict::Failed | Verdict::Broken, false) => AnsiColor::Red.on_default().bold(),
        (Verdict::Skipped, _) => Style::new().dimmed(),
        (Verdict::Cancelled, _) => AnsiColor::Magenta.on_default(),
    }
}

/// The text, in its style if colours are used.
fn painted(text: &str, style: Style, color: bool) -> String {
    if color { format!("{style}{text}{style:#}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn the_summary_says_what_passed_and_what_to_do_about_the_rest() {
        fixture::assert_text("summary", &summary(&fixture::full(), false));
    }

    #[test]
    fn colours_are_all_that_colours_add() {
        let report = fixture::full();
        let colored = summary(&report, true);
        assert!(colored.contains("\x1b[1m\x1b[31mfailed: clippy-x86_64\x1b[0m"), "{colored:?}");
        let mut plain = colored;
        for style in ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[35m"] {
            plain = plain.replace(style, "");
        }
        assert_eq!(plain, summary(&report, false));
    }

    #[test]
    fn nothing_from_outside_reaches_a_terminal_raw() {
        let hostile = "\x1b]1338;url='x'\x07\r\u{202e}";
        let outcome = Outcome {
            label: format!("a{hostile}\nb"),
            verdict: Verdict::Failed,
            reason: Some(hostile.into()),
            remedy: Some(hostile.into()),
            command: hostile.into(),
            findings: vec![Finding {
                file: Some(hostile.into()),
                lint: Some(hostile.into()),
                feature_sets: vec![hostile.into()],
                ..Finding::error(hostile)
            }],
            ..Outcome::default()
        };
        let shown = summary(&Report { outcomes: vec![outcome], ..Report::default() }, false);
        let raw: Vec<char> = shown.chars().filter(|c| c.is_control() && *c != '\n').collect();
        assert!(raw.is_empty(), "{shown:?}");
        assert!(!shown.contains('\u{202e}'));
        assert!(shown.contains("a␛]1338;url='x'␇␍\u{fffd}␊b"), "{shown}");
    }

    #[test]
    fn many_findings_of_one_check_are_counted() {
        let findings = (0..25).map(|n| Finding::error(format!("number {n}"))).collect();
        let outcome = Outcome { verdict: Verdict::Failed, findings, ..Outcome::default() };
        let shown = summary(&Report { outcomes: vec![outcome], ..Report::default() }, false);
        assert!(shown.contains("number 9\n  and 15 more findings\n"), "{shown}");
    }
}
