//! Whether both sides came to the same result.

use std::path::Path;

use super::ours::{OurRun, Outcome, name};
use support::predecessor;
use support::transcript::Run;

/// How the two differ over a check; empty where they agree. `passed` is the predecessor's verdict,
/// `log` what it said.
pub(crate) fn differences(check: &str, passed: bool, log: &str, ours: &Outcome, root: &Path) -> Vec<String> {
    let expected = if passed { "passed" } else { "failed" };
    let mut found = Vec::new();
    if ours.verdict != expected {
        found.push(format!("verdict: {expected} by the predecessor, {} by us", ours.verdict));
    }
    let runs = predecessor::read(log, root);
    let last = runs.len() - 1;
    for (index, run) in runs.iter().enumerate() {
        let theirs = combination(run);
        let standing: Vec<&OurRun> = if run.package.is_empty() {
            ours.runs.iter().collect()
        } else {
            ours.runs.iter().filter(|ours| stands_for(ours, run)).collect()
        };
        let [standing] = standing.as_slice() else {
            found.push(format!("{theirs}: {} of our runs stand for it", standing.len()));
            continue;
        };
        // The predecessor stops at its first failure: it has not seen all of that combination.
        let whole = passed || index != last;
        let before = ours.runs.iter().take_while(|run| !std::ptr::eq(*run, *standing)).collect::<Vec<_>>();
        found.extend(compare_run(&theirs, run, standing, &before, whole));
    }
    if passed {
        let of_ours = ours.runs.iter().map(|run| run.stands_for.len().max(1)).sum::<usize>();
        if of_ours != runs.len() {
            found.push(format!("{} combinations by the predecessor, {of_ours} by us", runs.len()));
        }
    }
    found.into_iter().map(|difference| format!("{check}: {difference}")).collect()
}

fn combination(run: &Run) -> String {
    name(&run.package, &run.features)
}

/// Whether one of our runs stands for one of theirs; we name the package only where there are several.
fn stands_for(ours: &OurRun, run: &Run) -> bool {
    let (long, short) = (name(&run.package, &run.features), name("", &run.features));
    ours.stands_for.iter().any(|known| *known == long || *known == short)
}

fn compare_run(combination: &str, run: &Run, ours: &OurRun, before: &[&OurRun], whole: bool) -> Vec<String> {
    let mut found = Vec::new();
    for diagnostic in run.said.diagnostics.difference(&ours.diagnostics) {
        found.push(format!("{combination}: only the predecessor says {diagnostic}"));
    }
    for (test, count) in &run.said.tests {
        let of_ours = ours.said.tests.get(test).copied().unwrap_or(0);
        let passed_over = ours.said.passed_over && before.iter().any(|run| run.said.tests.contains_key(test));
        if passed_over && of_ours < *count {
            continue;
        }
        if of_ours < *count || (whole && of_ours != *count) {
            found.push(format!("{combination}: {test}: {count} times by the predecessor, {of_ours} by us"));
        }
    }
    if whole {
        for diagnostic in ours.diagnostics.difference(&run.said.diagnostics) {
            found.push(format!("{combination}: only we say {diagnostic}"));
        }
        for test in ours.said.tests.keys().filter(|test| !run.said.tests.contains_key(*test)) {
            found.push(format!("{combination}: only we ran {test}"));
        }
    }
    found
}
