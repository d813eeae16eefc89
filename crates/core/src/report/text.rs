//! Words and numbers that all formats of the report write in the same way.

use super::{Outcome, Report, Verdict};
pub use crate::model::shown::{block, line};

/// A number of things: `1 finding`, `3 findings`.
pub fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

/// A time for people, from seconds: `0.4 s`, `12 s`, `3 min 5 s`, `1 h 2 min`.
pub fn duration(seconds: f64) -> String {
    // A negative number or NaN becomes 0. No run takes more seconds than a u32 can hold.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = seconds.round() as u32;
    match whole {
        _ if seconds < 9.95 => format!("{:.1} s", seconds.max(0.0)),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// An outcome's verdict: `failed (soft)` if the failure does not make the run fail.
pub const fn verdict(outcome: &Outcome) -> &'static str {
    match (outcome.verdict, outcome.soft_fail) {
        (Verdict::Failed, true) => "failed (soft)",
        (Verdict::Broken, true) => "broken (soft)",
        (verdict, _) => verdict.as_str(),
    }
}

/// How many of a check's combinations passed, and how many it has: `63/64`. Empty if it has none.
pub fn combinations(outcome: &Outcome) -> String {
    let all = outcome.combinations.len();
    let passed = outcome.combinations.iter().filter(|c| c.verdict == Verdict::Passed).count();
    if all == 0 { String::new() } else { format!("{passed}/{all}") }
}

/// The number of checks for each verdict, on one line: `11 passed, 1 failed, 1 failed (soft)`.
pub fn tally(report: &Report) -> String {
    const ORDER: [&str; 7] =
        ["passed", "failed", "failed (soft)", "broken", "broken (soft)", "skipped", "cancelled"];
    let counted = ORDER.iter().filter_map(|word| {
        let number = report.outcomes.iter().filter(|outcome| verdict(outcome) == *word).count();
        (number > 0).then(|| format!("{number} {word}"))
    });
    let counted = counted.collect::<Vec<_>>().join(", ");
    match (counted.is_empty(), report.anything_ran()) {
        (true, _) => "no checks".into(),
        (false, false) => format!("nothing ran: {counted}"),
        (false, true) => counted,
    }
}

/// The sets of features that have a finding: the first three names, and how many more there are.
pub fn feature_sets(sets: &[String]) -> Option<String> {
    const SHOWN: usize = 3;
    let named = sets.iter().take(SHOWN).map(|set| line(set)).collect::<Vec<_>>().join(" · ");
    match sets.len() {
        0 => None,
        1..=SHOWN => Some(named),
        all => Some(format!("{named} and {} more", all - SHOWN)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    #[test]
    fn what_moves_a_terminal_is_shown_as_a_symbol() {
        assert_eq!(line("a\x1b[31mb\r\n\u{202e}\u{9b}"), "a␛[31mb␍␊\u{fffd}\u{fffd}");
        assert_eq!(block("a\n\tb\x07"), "a\n\tb␇");
        assert!(matches!(block("größe → 3\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_time_is_as_exact_as_people_want_it() {
        for (seconds, shown) in [
            (0.0, "0.0 s"),
            (-1.0, "0.0 s"),
            (0.44, "0.4 s"),
            (9.94, "9.9 s"),
            (9.96, "10 s"),
            (59.4, "59 s"),
            (59.6, "1 min 0 s"),
            (185.0, "3 min 5 s"),
            (3725.0, "1 h 2 min"),
        ] {
            assert_eq!(duration(seconds), shown, "{seconds}");
        }
    }

    #[test]
    fn feature_sets_are_named_up_to_three() {
        let sets = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(feature_sets(&[]), None);
        assert_eq!(feature_sets(&sets(&["p: a", "p: a,b"])).as_deref(), Some("p: a · p: a,b"));
        assert_eq!(feature_sets(&sets(&["a", "b", "c", "d", "e"])).as_deref(), Some("a · b · c and 2 more"));
    }

    #[test]
    fn a_tally_names_only_what_there_is() {
        let outcome = |verdict, soft_fail| Outcome { verdict, soft_fail, ..Outcome::default() };
        let report = |outcomes| Report { outcomes, ..Report::default() };
        assert_eq!(tally(&report(vec![])), "no checks");
        let skipped = outcome(Verdict::Skipped, false);
        assert_eq!(tally(&report(vec![skipped.clone()])), "nothing ran: 1 skipped");
        let all = vec![outcome(Verdict::Failed, true), outcome(Verdict::Passed, true), skipped];
        assert_eq!(tally(&report(all)), "1 passed, 1 failed (soft), 1 skipped");
    }
}
