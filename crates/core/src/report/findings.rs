//! Collects findings without duplicates, and limits their number.

use super::{Finding, Level};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// The most findings of one level that are kept. Warnings do not take space from errors.
pub const MOST: usize = 1000;

/// Findings without duplicates, in the order in which they were added. Adding one takes the same time,
/// however many there are.
#[derive(Debug, Default)]
pub struct Findings {
    all: Vec<Finding>,
    /// Indices into `all`, by the hash of the identity.
    index: HashMap<u64, Vec<usize>>,
    hasher: RandomState,
    /// For each level: how many findings are kept, and how many are left out.
    counts: [(usize, usize); 3],
}

impl Findings {
    /// Adds a finding. If there is one with the same identity, only the feature sets are added to it.
    pub fn add(&mut self, finding: Finding) {
        let hash = self.hasher.hash_one(finding.identity());
        let same = self.index.entry(hash).or_default();
        let known = same.iter().find(|known| self.all[**known].identity() == finding.identity());
        if let Some(known) = known {
            let known = &mut self.all[*known];
            for set in finding.feature_sets {
                if !known.feature_sets.contains(&set) {
                    known.feature_sets.push(set);
                }
            }
            return;
        }
        let (kept, left_out) = &mut self.counts[finding.level as usize];
        if *kept == MOST {
            *left_out += 1;
            return;
        }
        *kept += 1;
        same.push(self.all.len());
        self.all.push(finding);
    }

    /// Counts a finding that was left out elsewhere.
    pub fn leave_out(&mut self, level: Level) {
        self.counts[level as usize].1 += 1;
    }

    /// The findings. If some were left out, a note at the end says how many.
    pub fn into_vec(self) -> Vec<Finding> {
        let mut all = self.all;
        let names = [(Level::Error, "errors"), (Level::Warning, "warnings"), (Level::Note, "notes")];
        for (level, name) in names {
            let left_out = self.counts[level as usize].1;
            if left_out > 0 {
                let message = format!("{left_out} more {name} are in the log and not listed here");
                all.push(Finding { level: Level::Note, ..Finding::error(message) });
            }
        }
        all
    }
}

impl Extend<Finding> for Findings {
    fn extend<I: IntoIterator<Item = Finding>>(&mut self, findings: I) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(all: impl IntoIterator<Item = Finding>) -> Vec<Finding> {
        let mut findings = Findings::default();
        findings.extend(all);
        findings.into_vec()
    }

    #[test]
    fn a_finding_of_two_feature_sets_is_one() {
        let finding = |set: &str| Finding {
            file: Some("src/lib.rs".into()),
            line: Some(3),
            feature_sets: vec![set.into()],
            ..Finding::error("unused")
        };
        let other = Finding { line: Some(4), ..finding("a") };
        let all = merged([finding("a"), finding("b"), finding("a"), other]);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].feature_sets, ["a", "b"]);
        assert_eq!(all[0].place().as_deref(), Some("src/lib.rs:3"));
    }

    #[test]
    fn findings_of_two_lints_or_levels_at_one_place_are_two() {
        let finding = Finding { file: Some("a.rs".into()), ..Finding::error("unused") };
        let lint = Finding { lint: Some("dead_code".into()), ..finding.clone() };
        let warning = Finding { level: Level::Warning, ..finding.clone() };
        let framed = Finding { package: Some("p".into()), rendered: Some("frame".into()), ..finding.clone() };
        assert_eq!(merged([finding, lint, warning, framed]).len(), 3);
    }

    #[test]
    fn a_test_of_the_same_name_in_another_package_is_another_finding() {
        let test = |package: &str| Finding {
            lint: Some("test".into()),
            package: Some(package.into()),
            ..Finding::error("test works failed")
        };
        assert_eq!(merged([test("a"), test("b"), test("a")]).len(), 2);
    }

    #[test]
    fn beyond_the_cap_findings_are_counted_and_an_error_is_never_lost_among_warnings() {
        let warning = |line| Finding { level: Level::Warning, line: Some(line), ..Finding::error("unused") };
        let all = merged((0..30_000).map(warning).chain([Finding::error("broken")]));
        assert_eq!(all.len(), MOST + 2);
        assert_eq!(all[MOST].level, Level::Error);
        assert_eq!(all[MOST + 1].message, "29000 more warnings are in the log and not listed here");
    }
}
