//! Reconstructs the output of the predecessor's generator: the steps of its own list. The list is in the
//! submodule, at the commit that the repository pins.

use super::description::without_mark;
use crate::model::{CheckName, Platform, StepLabel};
use serde_json::Value;

/// The generator's own list, in the submodule.
pub const LIST: &str = ".buildkite/test_description.json";
/// The generator, in the submodule.
pub const GENERATOR: &str = ".buildkite/autogenerate_pipeline.py";

/// A step that the generator printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Its label.
    pub label: String,
    /// Its command, as the list has it.
    pub command: String,
}

/// A change of the standard list's labels between versions of the generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The month of the change.
    pub since: &'static str,
    /// The labels that were added.
    pub new: &'static [&'static str],
    /// The labels that were removed.
    pub gone: &'static [&'static str],
}

/// The changes of the labels in the predecessor's list, from its first version of August 2021 to its last of
/// October 2025 (history of `.buildkite/test_description.json` in the repository rust-vmm-ci).
pub const CHANGES: [Change; 4] = [
    Change { since: "April 2023", new: &["cargo-audit-x86_64"], gone: &["cargo-audit"] },
    Change {
        since: "August 2024",
        new: &["build-gnu-riscv64", "unittests-gnu-riscv64", "clippy-riscv64"],
        gone: &[],
    },
    Change {
        since: "December 2024",
        new: &[
            "unittests-gnu-release-x86_64",
            "unittests-gnu-release-aarch64",
            "unittests-gnu-release-riscv64",
            "unittests-musl-release-x86_64",
            "unittests-musl-release-aarch64",
        ],
        gone: &[],
    },
    Change {
        since: "September 2025",
        new: &["doc"],
        gone: &["check-warnings-x86_64", "check-warnings-aarch64", "check-warnings-riscv64"],
    },
];

/// The steps that the generator printed for a list. `enabled` has the platforms of `.platform`, or the
/// default platforms. None if the text is not a list. The text is read loosely, because an old list may
/// contain what a new list must not.
pub fn generated(text: &str, enabled: &[Platform]) -> Option<Vec<Generated>> {
    let value: Value = serde_json::from_str(without_mark(text)).ok()?;
    let mut steps = Vec::new();
    for test in value.get("tests")?.as_array()? {
        let (Some(name), Some(command)) = (text_of(test, "test_name"), text_of(test, "command")) else {
            continue;
        };
        // The predecessor had no key for the system. Its steps were for Linux.
        if text_of(test, "os").is_some_and(|os| os != "linux") {
            continue;
        }
        let name = CheckName::new(name);
        let listed: Vec<&str> = test
            .get("platform")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let platforms: Vec<Option<Platform>> = if listed.is_empty() {
            vec![None]
        } else {
            listed
                .iter()
                .filter_map(|name| name.parse().ok())
                .filter(|p| enabled.contains(p))
                .map(Some)
                .collect()
        };
        for platform in platforms {
            let target = platform.map_or("", Platform::as_str);
            steps.push(Generated {
                label: StepLabel::of(&name, platform, None).as_str().to_owned(),
                command: command.replace("{target_platform}", target),
            });
        }
    }
    Some(steps)
}

/// The version of the container in the text of a generator.
pub fn container_version(generator: &str) -> Option<&str> {
    let line = generator.lines().find_map(|line| line.strip_prefix("CONTAINER_VERSION = "))?;
    Some(line.trim().trim_matches('"')).filter(|version| !version.is_empty())
}

fn text_of<'t>(test: &'t Value, key: &str) -> Option<&'t str> {
    test.get(key)?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_list_gives_the_labels_that_it_gave() {
        let text = r#"{"tests": [{"test_name": "cargo-audit", "command": "cargo audit"},
            {"test_name": "build-musl", "command": "cargo build --target {target_platform}", "new": 1,
             "platform": ["x86_64", "aarch64", "riscv64"]}]}"#;
        let steps = generated(text, &[Platform::X86_64, Platform::Riscv64]).unwrap();
        let labels: Vec<&str> = steps.iter().map(|step| step.label.as_str()).collect();
        assert_eq!(labels, ["cargo-audit", "build-musl-x86_64", "build-musl-riscv64"]);
        assert_eq!(steps[1].command, "cargo build --target x86_64");
        assert_eq!(generated("steps:", &Platform::ALL), None);
    }

    #[test]
    fn the_history_leads_to_todays_list() {
        let today = generated(crate::checks::STANDARD, &Platform::ALL).unwrap();
        for change in CHANGES {
            for label in change.new {
                assert!(today.iter().any(|step| step.label == *label), "{label}");
            }
            for label in change.gone {
                assert!(today.iter().all(|step| step.label != *label), "{label}");
            }
        }
    }

    #[test]
    fn the_container_of_a_generator_is_found() {
        let text = "import os\nCONTAINER_VERSION = \"g8b11be7\"\nCONTAINER_VERSION_RISCV = CONTAINER_VERSION + \"x\"\n";
        assert_eq!(container_version(text), Some("g8b11be7"));
        assert_eq!(container_version("x"), None);
    }
}
