//! A check that is to run: what it does, and what holds for it.

use super::StepSettings;
use crate::checks::cargo::{CargoCommand, FeatureMode};
use crate::checks::emulated;
use crate::model::{CheckName, Os, Platform, StepLabel};
use serde_json::{Map, Value};
use std::sync::Arc;

/// A check as it is planned for one platform, whether it will run here or become a step.
#[derive(Clone, Debug)]
pub struct PlannedCheck {
    /// The label of its step.
    pub label: StepLabel,
    /// Its name.
    pub name: CheckName,
    /// The platform that it is for; none where it need run on no particular one.
    pub platform: Option<Platform>,
    /// The system that it is for.
    pub os: Os,
    /// What it does.
    pub work: Work,
    /// What a person would type to do it, and its step's command.
    pub command: String,
    /// The folder in which it works, from the repository's root.
    pub directory: Option<String>,
    /// The package that it is restricted to, where it is.
    pub package: Option<String>,
    /// Whether a failure of it is only shown.
    pub soft_fail: bool,
    /// Its time limit in minutes, where somebody set one; none for the default of 15.
    pub timeout_in_minutes: Option<u32>,
    /// Variables for its work.
    pub env: Vec<(String, String)>,
    /// The options that a check has of its own, as configured (`commit-format`'s `title` …): the
    /// check's file turns them into its type.
    pub own: Map<String, Value>,
    /// What its step says besides, the same for all crates.
    pub step: Arc<StepSettings>,
    /// The paths of which one must have changed for the step to run; none for always.
    pub if_changed: Option<Arc<[String]>>,
}

impl PlannedCheck {
    /// Checks as one script for an emulated platform, which has nothing of the host: this program
    /// cannot run them there.
    pub fn script(checks: &[Self]) -> String {
        let items = checks.iter().map(|check| emulated::Item {
            label: check.label.as_str(),
            command: &check.command,
            soft_fail: check.soft_fail,
        });
        emulated::script(&items.collect::<Vec<_>>())
    }
}

/// What a planned check does.
#[derive(Clone, Debug)]
pub enum Work {
    /// A cargo command, run for each set of features.
    Cargo(CargoCommand, FeatureMode),
    /// Line coverage against `coverage_config_ARCH.json`.
    Coverage,
    /// The form of the change's commit messages.
    CommitFormat,
    /// Advisories against the lock file.
    Audit,
    /// Benchmarks of this change and of its base.
    Bench,
    /// A command for the platform's shell.
    Shell(String),
}
