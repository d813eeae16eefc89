//! Where a run's time went, for terminals, logs and pipes.

use super::{Outcome, Report, Timings, text};
use comfy_table::{CellAlignment, Table, presets};

/// The columns after the check's name.
const COLUMNS: [&str; 6] = ["waiting", "compile", "link", "run", "other", "sum"];

/// A check's time, taken apart, in the order of [`COLUMNS`]. A part that is not known
/// is none: linking without `--timings` is in compiling.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    waiting: f64,
    timings: Option<Timings>,
    other: f64,
}

impl Line {
    fn of(outcome: &Outcome) -> Self {
        let known = outcome.timings.unwrap_or_default();
        let other = (outcome.seconds - known.sum()).max(0.0);
        Self { waiting: outcome.queued + known.waiting, timings: outcome.timings, other }
    }

    fn cells(self) -> [String; 6] {
        let known = self.timings.unwrap_or_default();
        let parts = [
            Some(self.waiting).filter(|seconds| *seconds > 0.0),
            self.timings.map(|timings| timings.compile),
            known.link,
            self.timings.map(|timings| timings.run),
            Some(self.other),
        ];
        let sum = parts.iter().flatten().sum();
        let [waiting, compile, link, run, other] = parts.map(|part| part.map_or(String::new(), tenths));
        [waiting, compile, link, run, other, tenths(sum)]
    }
}

/// The table of `--timings`: a line for each check that took time, and the sum; then what the run used,
/// as far as it is known. Combinations, of which there may be hundreds, are in the other forms.
pub fn table(report: &Report) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["seconds"].into_iter().chain(COLUMNS));
    let mut row = |name: &str, line: Line| {
        table.add_row([text::line(name).into_owned()].into_iter().chain(line.cells()));
    };
    let mut sum = Line::default();
    for outcome in report.outcomes.iter().filter(|outcome| outcome.seconds > 0.0) {
        let line = Line::of(outcome);
        row(&outcome.label, line);
        sum.waiting += line.waiting;
        sum.timings = Timings::total([sum.timings, line.timings].into_iter());
        sum.other += line.other;
    }
    row("sum", sum);
    for (number, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if number >= 1 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines = table.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.chain(used(report)).collect()
}

/// What the run used of its machine, in a sentence; nothing where it is not known.
pub fn used(report: &Report) -> Option<String> {
    let usage = report.usage?;
    let share = if usage.cpu > 0.0 { usage.own_cpu / usage.cpu * 100.0 } else { 0.0 };
    let memory = usage.own_memory.div_ceil(1 << 20);
    Some(format!(
        "CPU time: {}, of which rust-vmm-ci itself {} ({share:.2} %) in {memory} MB\n",
        text::duration(usage.cpu),
        text::duration(usage.own_cpu),
    ))
}

fn tenths(seconds: f64) -> String {
    format!("{seconds:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    #[test]
    fn every_check_that_took_time_has_its_parts_and_they_sum_up() {
        let shown = table(&fixture::full());
        assert_eq!(shown, include_str!("../../tests/cases/report/timings.txt"), "\n{shown}");
    }

    #[test]
    fn what_is_not_known_is_left_out_and_not_zero() {
        let timings = Some(Timings { compile: 1.0, ..Timings::default() });
        let cargo = Outcome { label: "a".into(), seconds: 2.0, timings, ..Outcome::default() };
        let other = Outcome { label: "b\n".into(), seconds: 0.5, ..Outcome::default() };
        let report = Report { outcomes: vec![cargo, other], ..Report::default() };
        let shown = table(&report);
        let words: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            words[1..],
            [
                vec!["a", "1.0", "0.0", "1.0", "2.0"],
                vec!["b␊", "0.5", "0.5"],
                vec!["sum", "1.0", "0.0", "1.5", "2.5"]
            ]
        );
    }
}
