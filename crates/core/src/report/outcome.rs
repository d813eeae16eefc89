//! The outcome of one check.

use super::{Finding, Test, Timings};
use serde::{Deserialize, Serialize};

/// How a check ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Nothing is wrong.
    Passed,
    /// Something is wrong with what was checked.
    Failed,
    /// The check could not do its work: a tool is missing or did not answer.
    Broken,
    /// It did not run, and the report says so.
    #[default]
    Skipped,
    /// The job was cancelled before the check ended.
    Cancelled,
}

impl Verdict {
    /// The word in the report.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Broken => "broken",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A check's outcome.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// In a merged report: the index of its job in [`super::Report::jobs`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<usize>,
    /// The label of the check's step.
    pub label: String,
    /// The check's name.
    pub name: String,
    /// How it ended.
    pub verdict: Verdict,
    /// Whether the command line or the configuration asked the check for what it does not have. The verdict is
    /// [`Verdict::Broken`] then, and the run ends with [`crate::exit::Exit::Usage`].
    #[serde(skip)]
    pub misuse: bool,
    /// Whether its failure does not make the run fail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub soft_fail: bool,
    /// The reason for the verdict as a sentence, if the findings do not show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do about it: a command, or a sentence if there is no command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The command that repeats this check alone.
    pub command: String,
    /// When it began, in seconds after the run began.
    pub started: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How long a free lane waited before it could start this check, in seconds. The check needed something
    /// that another check was using.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub queued: f64,
    /// How cargo spent its part of that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timings: Option<Timings>,
    /// Its runs, if it runs once for each combination of features.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub combinations: Vec<Combination>,
    /// What it found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// The tests that it ran, if it runs tests and the test programs name them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<Test>,
    /// Tables to show besides its findings, such as the coverage by file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sections: Vec<Section>,
    /// Files that it made for people or other tools.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
}

/// One run of a check, with one set of features.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Combination {
    /// The workspace member whose features were combined.
    pub package: String,
    /// The features, joined with commas. Empty if there are none.
    pub features: String,
    /// The other combinations for which cargo resolves the same features, as `PACKAGE: FEATURES`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stands_for: Vec<String>,
    /// The test programs and documentation that did not run again, because the same ones had passed in an
    /// earlier run of the check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_before: Vec<String>,
    /// How many examples in documentation were compiled together with others, as one program.
    #[serde(default, skip_serializing_if = "is_zero_count")]
    pub merged_examples: usize,
    /// How it ended.
    pub verdict: Verdict,
    /// When it began, in seconds after the run began.
    pub started: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How cargo spent its part of that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timings: Option<Timings>,
}

/// Whether serde omits a time.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

/// Whether serde omits a count.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_zero_count(count: &usize) -> bool {
    *count == 0
}

impl Combination {
    /// `PACKAGE: FEATURES`, or `FEATURES` if it has no package. The name of the empty set of features is `no
    /// features`.
    pub fn name(&self) -> String {
        combination_name(&self.package, &self.features)
    }
}

/// The name that [`Combination::name`] gives, for a combination that has not run yet.
pub fn combination_name(package: &str, features: &str) -> String {
    let features = if features.is_empty() { "no features" } else { features };
    if package.is_empty() { features.to_owned() } else { format!("{package}: {features}") }
}

/// A table that a check shows: coverage by file, benchmarks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// Its title.
    pub title: String,
    /// A sentence before the table.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The columns' names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The rows. Each row has a cell for each column.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<Vec<String>>,
}

/// A file that a check made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// What it is, for people.
    pub name: String,
    /// Where it is, from the repository's root, with `/`.
    pub path: String,
    /// Whether it is an image, to be shown on the page.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub image: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_combination_is_named_for_people() {
        assert_eq!(combination_name("", ""), "no features");
        assert_eq!(combination_name("vm-memory", "a,b"), "vm-memory: a,b");
    }
}
