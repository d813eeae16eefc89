//! How a run spent its time: the parts of each check's time, as a table for terminals, logs and pipes, and as
//! rows for the HTML page.

use super::{Combination, Outcome, Report, Timings, text};
use comfy_table::{CellAlignment, Table, presets};

/// The parts of a time, and their sum.
pub const COLUMNS: [&str; 6] = ["waiting", "compile", "link", "run", "other", "sum"];

/// The parts of a time in seconds, in the order of [`COLUMNS`], without the sum. A part is none if it is
/// unknown or did not occur. Without `--timings` the time for linking is unknown and counts as compiling.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Parts(pub [Option<f64>; 5]);

impl Parts {
    /// The parts of a check's time. They include the time that a free lane waited before the check began.
    pub fn of_check(outcome: &Outcome) -> Self {
        Self::of(outcome.queued, outcome.seconds, outcome.timings)
    }

    /// The parts of a check's time, without the time before it began.
    pub fn of_work(outcome: &Outcome) -> Self {
        Self::of(0.0, outcome.seconds, outcome.timings)
    }

    /// The parts of a combination's time.
    pub fn of_combination(combination: &Combination) -> Self {
        Self::of(0.0, combination.seconds, combination.timings)
    }

    fn of(queued: f64, seconds: f64, timings: Option<Timings>) -> Self {
        let known = timings.unwrap_or_default();
        let waiting = Some(queued + known.waiting).filter(|seconds| *seconds > 0.0);
        let other = Some((seconds - known.sum()).max(0.0));
        Self([waiting, timings.map(|known| known.compile), known.link, timings.map(|known| known.run), other])
    }

    /// The parts and their sum, as the cells of a table.
    pub fn cells(&self) -> [String; 6] {
        let tenths = |seconds: f64| format!("{seconds:.1}");
        let [waiting, compile, link, run, other] = self.0.map(|part| part.map_or(String::new(), tenths));
        [waiting, compile, link, run, other, tenths(self.0.iter().flatten().sum())]
    }

    fn add(&mut self, other: Self) {
        for (sum, part) in self.0.iter_mut().zip(other.0) {
            if let Some(part) = part {
                *sum.get_or_insert(0.0) += part;
            }
        }
    }
}

/// The checks that took time, each with its parts, and the sum of all.
pub fn rows(report: &Report) -> (Vec<(&Outcome, Parts)>, Parts) {
    let ran = report.outcomes.iter().filter(|outcome| outcome.seconds > 0.0);
    let rows: Vec<_> = ran.map(|outcome| (outcome, Parts::of_check(outcome))).collect();
    let mut sum = Parts::default();
    for (_, parts) in &rows {
        sum.add(*parts);
    }
    (rows, sum)
}

/// The table of `--timings`: a line for each check that took time, and the sum. After it comes what was saved,
/// and the CPU time and memory of the run, if they are known. Combinations are left out, because there may be
/// hundreds.
pub fn table(report: &Report) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["seconds"].into_iter().chain(COLUMNS));
    let (rows, sum) = rows(report);
    let rows = rows.iter().map(|(outcome, parts)| (text::line(&outcome.label), *parts));
    for (name, parts) in rows.chain([("sum".into(), sum)]) {
        table.add_row([name.into_owned()].into_iter().chain(parts.cells()));
    }
    for (number, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if number >= 1 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut out = String::new();
    for line in table.lines() {
        out.push_str(&format!("{}\n", line.trim_end()));
    }
    for sentence in saved(report) {
        out.push_str(&format!("{sentence}\n"));
    }
    let used = used(report).unwrap_or_else(|| "CPU time: unknown, because this system does not tell".into());
    out.push_str(&format!("{used}\n"));
    out
}

/// What did not have to be done, a sentence for each kind. Everything is counted again for each run of a
/// check. The time is that of tests only: Cargo itself would not have compiled the same again.
fn saved(report: &Report) -> Vec<String> {
    let combinations = || report.outcomes.iter().flat_map(|outcome| &outcome.combinations);
    let mut saved = Vec::new();
    let merged: usize = combinations().map(|run| run.merged_examples).sum();
    if merged > 0 {
        saved.push(format!(
            "{merged} examples in documentation were compiled together with others: so many programs were not \
             compiled and linked"
        ));
    }
    let same: usize = combinations().map(|run| run.stands_for.len()).sum();
    if same > 0 {
        let tests = combinations().filter_map(|run| {
            let times = u32::try_from(run.stands_for.len()).unwrap_or(u32::MAX);
            Some(run.timings?.run * f64::from(times))
        });
        let tests: f64 = tests.sum();
        let again = format!(" (running their tests again would have taken {})", text::duration(tests));
        saved.push(format!(
            "feature sets that were not run, because they resolve to the same as others: {same}{}",
            if tests > 0.0 { again } else { String::new() }
        ));
    }
    let passed: usize = combinations().map(|run| run.passed_before.len()).sum();
    if passed > 0 {
        saved.push(format!("test programs that were not run, because the same ones passed before: {passed}"));
    }
    saved
}

/// The CPU time and memory of the run as a sentence. None if they are unknown.
pub fn used(report: &Report) -> Option<String> {
    let usage = report.usage?;
    let share = if usage.cpu > 0.0 { usage.own_cpu / usage.cpu * 100.0 } else { 0.0 };
    let memory = usage.own_memory.div_ceil(1 << 20);
    Some(format!(
        "CPU time: {}, of which rust-vmm-ci itself {} ({share:.2} %) in {memory} MB",
        text::duration(usage.cpu),
        text::duration(usage.own_cpu),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Combination, fixture};

    #[test]
    fn every_check_that_took_time_has_its_parts_and_they_sum_up() {
        fixture::assert_text("timings", &table(&fixture::full()));
    }

    #[test]
    fn what_was_saved_is_said_and_nothing_where_nothing_was() {
        assert_eq!(saved(&Report::default()), [""; 0]);
        let timings = Some(Timings { run: 2.0, ..Timings::default() });
        let run = Combination {
            stands_for: vec!["a: x".into(), "a: y".into()],
            passed_before: vec!["tests/t.rs".into()],
            timings,
            ..Combination::default()
        };
        let outcome = Outcome { combinations: vec![run.clone(), run], ..Outcome::default() };
        let said = saved(&Report { outcomes: vec![outcome], ..Report::default() });
        assert_eq!(said.len(), 2);
        assert!(
            said[0].ends_with("others: 4 (running their tests again would have taken 8.0 s)"),
            "{said:?}"
        );
        assert!(said[1].ends_with("passed before: 2"), "{said:?}");
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
                vec!["sum", "1.0", "0.0", "1.5", "2.5"],
                vec!["CPU", "time:", "unknown,", "because", "this", "system", "does", "not", "tell"]
            ]
        );
    }
}
