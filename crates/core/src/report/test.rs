//! The tests that a check ran, by their names.

use super::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// The most tests of a check that are kept.
pub const MOST_TESTS: usize = 10_000;

/// A test, or an example in documentation. It is what the test program said of it. The check's verdict follows
/// from the exit status alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Test {
    /// Its name, with its modules.
    pub name: String,
    /// Its package, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The target of the package that has it, if that is known. For an example in documentation it is
    /// `doc:CRATE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// `passed`, `failed`, or `skipped` for a test that is ignored. Of several runs the worst one.
    pub verdict: Verdict,
    /// How long it took, in seconds, if the test program said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
}

/// Collects the tests of a check's runs. A test occurs once.
#[derive(Debug, Default)]
pub struct Tests {
    all: Vec<Test>,
    known: HashMap<(Option<String>, Option<String>, String), usize>,
}

impl Tests {
    /// Adds a test of a run. If it is known already, the worse verdict counts. [`MOST_TESTS`] are kept.
    pub fn add(&mut self, test: Test) {
        let rank = |verdict| match verdict {
            Verdict::Failed => 2,
            Verdict::Passed => 1,
            _ => 0,
        };
        let key = (test.package.clone(), test.target.clone(), test.name.clone());
        match self.known.get(&key).copied() {
            Some(at) if rank(test.verdict) > rank(self.all[at].verdict) => self.all[at] = test,
            Some(_) => {}
            None if self.all.len() >= MOST_TESTS => {}
            None => {
                self.known.insert(key, self.all.len());
                self.all.push(test);
            }
        }
    }

    /// The tests, in the order in which they came.
    pub fn into_vec(self) -> Vec<Test> {
        self.all
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Failed, Passed, Skipped};
    use super::*;

    #[test]
    fn a_test_of_several_runs_occurs_once_with_its_worst_verdict() {
        let mut tests = Tests::default();
        let test = |name: &str, package: &str, verdict| Test {
            name: name.into(),
            package: Some(package.into()),
            verdict,
            ..Test::default()
        };
        for (name, package, verdict) in [
            ("a", "p", Skipped),
            ("a", "p", Passed),
            ("a", "q", Passed),
            ("a", "p", Failed),
            ("a", "p", Passed),
        ] {
            tests.add(test(name, package, verdict));
        }
        assert_eq!(tests.into_vec(), [test("a", "p", Failed), test("a", "q", Passed)]);
        let mut many = Tests::default();
        (0..MOST_TESTS + 5).for_each(|number| many.add(test(&number.to_string(), "p", Passed)));
        assert_eq!(many.into_vec().len(), MOST_TESTS);
    }
}
