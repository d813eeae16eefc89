//! The summary at the end of a run, for terminals, logs and pipes.

use super::{Finding, Level, Outcome, Report, SharedFinding, Verdict, text};
use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, Table, presets};
use std::collections::HashMap;
use std::fmt::Write;

/// The most findings that are listed for one check. All findings are in the log above and in the report.
const LISTED: usize = 10;
/// The most lines of a failed test's output that are shown.
const LAST: usize = 8;

/// The summary of a run. It has four parts: the table of checks; the skipped checks, by remedy; the failed
/// checks, each with its reason, remedy and the command that repeats it; and how many checks passed and
/// failed. `color` says whether to use ANSI colours.
pub fn summary(report: &Report, color: bool) -> String {
    let mut out = table(&report.outcomes, color);
    skipped(&mut out, &report.outcomes, color);
    let shared = report.shared_findings();
    let rank = |outcome: &&Outcome| match (outcome.verdict, outcome.soft_fail) {
        (Verdict::Failed | Verdict::Broken, true) => 1,
        (Verdict::Broken, false) => 2,
        (Verdict::Failed, false) => 3,
        _ => 0,
    };
    let told = |outcome: &&Outcome| !matches!(outcome.verdict, Verdict::Passed | Verdict::Skipped);
    let mut told: Vec<&Outcome> = report.outcomes.iter().filter(told).collect();
    told.sort_by_key(rank);
    let mut listed = HashMap::new();
    for outcome in told {
        out.push('\n');
        details(&mut out, outcome, &shared, &mut listed, color);
    }
    let cancelled = if report.cancelled { "cancelled: " } else { "" };
    let tally = text::tally(report);
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(out, "\n{cancelled}{tally} in {}", text::duration(report.seconds));
    out
}

/// The skipped checks: one line for each remedy, or for each reason if there is no remedy.
fn skipped(out: &mut String, outcomes: &[Outcome], color: bool) {
    let mut by_remedy: Vec<(&str, Vec<&Outcome>)> = Vec::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Skipped) {
        let remedy = outcome.remedy.as_deref().or(outcome.reason.as_deref()).unwrap_or_default();
        match by_remedy.iter_mut().find(|(known, _)| *known == remedy) {
            Some((_, all)) => all.push(outcome),
            None => by_remedy.push((remedy, vec![outcome])),
        }
    }
    for (remedy, all) in by_remedy {
        let labels: Vec<_> = all.iter().map(|outcome| text::line(&outcome.label)).collect();
        let _ =
            writeln!(out, "\n{}", painted(&format!("skipped: {}", labels.join(", ")), style(all[0]), color));
        if let Some(reason) = all[0].reason.as_deref().filter(|reason| *reason != remedy) {
            let _ = writeln!(out, "  reason: {}", text::line(reason));
        }
        if !remedy.is_empty() {
            let name = if all[0].remedy.is_some() { "remedy" } else { "reason" };
            let _ = writeln!(out, "  {name}: {}", text::line(remedy));
        }
    }
}

/// The table of checks. Each check is one line of any length.
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

/// Two findings with the same key are listed only once.
type Key<'f> = (Option<&'f str>, Option<u32>, Option<u32>, &'f str);

fn key(finding: &Finding) -> Key<'_> {
    (finding.file.as_deref(), finding.line, finding.column, finding.message.trim())
}

/// The lines about a check that did not pass. If several checks have a finding, it is listed for the first of
/// them, with the names of the others. `listed` has the label of that first check.
fn details<'r>(
    out: &mut String,
    outcome: &'r Outcome,
    shared: &[SharedFinding],
    listed: &mut HashMap<Key<'r>, &'r str>,
    color: bool,
) {
    let head = format!("{}: {}", text::verdict(outcome), text::line(&outcome.label));
    let _ = writeln!(out, "{}", painted(&head, style(outcome), color));
    let mut known: Vec<(&str, usize)> = Vec::new();
    for finding in outcome.findings.iter().take(LISTED) {
        if let Some(first) = listed.get(&key(finding)).copied() {
            match known.iter_mut().find(|(label, _)| *label == first) {
                Some((_, count)) => *count += 1,
                None => known.push((first, 1)),
            }
            continue;
        }
        listed.insert(key(finding), &outcome.label);
        let also = shared.iter().find(|one| key(&one.finding) == key(finding));
        let also: Vec<_> = also.iter().flat_map(|one| &one.seen_by).collect();
        let also: Vec<_> = also
            .iter()
            .filter(|seen| seen.label != outcome.label)
            .map(|seen| text::line(&seen.label))
            .collect();
        let also = if also.is_empty() { String::new() } else { format!(" (also {})", also.join(", ")) };
        let _ = writeln!(out, "  {}{also}", sentence(finding));
        if finding.lint.as_deref() == Some("test") {
            last_lines(out, finding.rendered.as_deref().unwrap_or_default());
        }
        if let Some(remedy) = &finding.remedy {
            let _ = writeln!(out, "    remedy: {}", text::line(remedy));
        }
    }
    for (label, count) in known {
        let _ = writeln!(out, "  {} as in {}", text::count(count, "finding"), text::line(label));
    }
    if let Some(more) = outcome.findings.len().checked_sub(LISTED).filter(|more| *more > 0) {
        let _ = writeln!(out, "  and {}", text::count(more, "more finding"));
    }
    let lines = [("reason", outcome.reason.as_deref()), ("remedy", outcome.remedy.as_deref())];
    let repeat = outcome.repeat();
    for (name, value) in lines.into_iter().chain([("repeat", Some(repeat.as_str()))]) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let _ = writeln!(out, "  {name}: {}", text::block(value).replace('\n', "\n          "));
        }
    }
}

/// The last lines of a failed test's output, which include its panic message. The frames of a backtrace, which would
/// hide the message, are left out.
fn last_lines(out: &mut String, rendered: &str) {
    let mut in_backtrace = false;
    let told = |line: &&str| {
        in_backtrace = *line == "stack backtrace:" || (in_backtrace && line.starts_with(' '));
        let is_note =
            ["note: run with `RUST_BACKTRACE", "note: Some details are omitted, run with `RUST_BACKTRACE"];
        !in_backtrace && !line.trim().is_empty() && !is_note.iter().any(|note| line.starts_with(note))
    };
    let lines: Vec<&str> = rendered.lines().filter(told).collect();
    for line in &lines[lines.len().saturating_sub(LAST)..] {
        let _ = writeln!(out, "    | {}", text::line(line));
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

    fn failed(label: &str, findings: Vec<Finding>) -> Outcome {
        Outcome { label: label.into(), verdict: Verdict::Failed, findings, ..Outcome::default() }
    }

    #[test]
    fn failures_come_last_and_a_finding_is_listed_once_with_all_checks_that_have_it() {
        let fault = || Finding { file: Some("a.rs".into()), line: Some(1), ..Finding::error("the fault") };
        let skipped = |label: &str| Outcome {
            label: label.into(),
            reason: Some(format!("{label} needs a tool")),
            remedy: Some("install the tool".into()),
            ..Outcome::default()
        };
        let outcomes =
            vec![failed("one", vec![fault()]), skipped("s1"), failed("two", vec![fault()]), skipped("s2")];
        let shown = summary(&Report { outcomes, ..Report::default() }, false);
        assert_eq!(shown.matches("the fault").count(), 1, "{shown}");
        assert!(shown.contains("the fault (also two)") && shown.contains("1 finding as in one"), "{shown}");
        assert_eq!(shown.matches("install the tool").count(), 1, "{shown}");
        assert!(shown.find("skipped: s1, s2").unwrap() < shown.find("failed: one").unwrap(), "{shown}");
    }

    #[test]
    fn a_failed_test_shows_its_panic_message_and_its_last_lines() {
        let rendered = (0..20).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n") + "\n";
        let test = Finding {
            lint: Some("test".into()),
            rendered: Some(rendered + "assertion failed: x\nnote: run with `RUST_BACKTRACE=1`\n"),
            ..Finding::error("test a failed")
        };
        let shown = summary(&Report { outcomes: vec![failed("t", vec![test])], ..Report::default() }, false);
        assert!(
            shown.contains("    | assertion failed: x\n") && shown.contains("    | line 19\n"),
            "{shown}"
        );
        assert!(!shown.contains("line 3\n") && !shown.contains("RUST_BACKTRACE"), "{shown}");
    }

    #[test]
    fn a_backtrace_does_not_hide_the_panic_message() {
        let frames = "   0: __rustc::rust_begin_unwind\n             at /rustc/a.rs:1:5\n".repeat(20);
        let rendered = format!(
            "thread 'a' panicked at src/lib.rs:3:38:\nthe message\nstack backtrace:\n{frames}note: Some details are \
             omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.\nprinted later\n"
        );
        let test = Finding {
            lint: Some("test".into()),
            rendered: Some(rendered),
            ..Finding::error("test a failed")
        };
        let shown = summary(&Report { outcomes: vec![failed("t", vec![test])], ..Report::default() }, false);
        assert!(
            shown.contains("| the message\n    | printed later\n") && !shown.contains("rust_begin"),
            "{shown}"
        );
    }

    #[test]
    fn many_findings_of_one_check_are_counted() {
        let findings = (0..25).map(|n| Finding::error(format!("number {n}"))).collect();
        let outcome = Outcome { verdict: Verdict::Failed, findings, ..Outcome::default() };
        let shown = summary(&Report { outcomes: vec![outcome], ..Report::default() }, false);
        assert!(shown.contains("number 9\n  and 15 more findings\n"), "{shown}");
    }
}
