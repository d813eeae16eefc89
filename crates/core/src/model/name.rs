//! Names of checks and labels of steps.

use super::Platform;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The name of a check, such as `build-gnu`. It is a standard check's name, or the `test_name` from a
/// repository's description.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CheckName(String);

/// The label of a step in Buildkite. Branch protection rules refer to labels, so they must not change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepLabel(String);

impl CheckName {
    /// A name, spelt as in options and descriptions.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl StepLabel {
    /// The label of a step: `NAME-PLATFORM`, or `NAME` if the step has no platform. In selective mode
    /// `CRATE: ` stands before it. The predecessor's generator makes the same labels.
    pub fn of(name: &CheckName, platform: Option<Platform>, package: Option<&str>) -> Self {
        let room = package.map_or(0, |package| package.len() + 2) + name.0.len() + "-aarch64".len();
        let mut label = String::with_capacity(room);
        if let Some(package) = package {
            label.push_str(package);
            label.push_str(": ");
        }
        label.push_str(&name.0);
        if let Some(platform) = platform {
            label.push('-');
            label.push_str(platform.as_str());
        }
        Self(label)
    }

    /// The text of the label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CheckName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for StepLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_the_predecessors() {
        let name = CheckName::new("build-gnu");
        assert_eq!(StepLabel::of(&name, None, None).as_str(), "build-gnu");
        assert_eq!(StepLabel::of(&name, Some(Platform::X86_64), None).as_str(), "build-gnu-x86_64");
        assert_eq!(
            StepLabel::of(&name, Some(Platform::Aarch64), Some("vm-memory")).as_str(),
            "vm-memory: build-gnu-aarch64"
        );
    }
}
