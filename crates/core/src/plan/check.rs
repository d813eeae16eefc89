//! A check that is to run: what it does, and what holds for it.

use super::StepSettings;
use super::text::change_folder;
use crate::checks::{Needs, Work, emulated};
use crate::model::{CheckName, Os, Platform, StepLabel};
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
    /// What it needs while other checks run.
    pub needs: Needs,
    /// What its step says besides, the same for all crates.
    pub step: Arc<StepSettings>,
    /// The paths of which one must have changed for the step to run; none for always.
    pub if_changed: Option<Arc<[String]>>,
}

impl PlannedCheck {
    /// What it runs, as a person would type it without this program, where that is possible.
    pub fn plain_command(&self) -> String {
        match &self.work {
            Work::Cargo { command, features, .. } => match command.for_features(*features) {
                Some(command) => change_folder(self.os, self.directory.as_deref(), &command.to_string()),
                None => self.command.clone(),
            },
            Work::Shell(_) | Work::Logic(_) => self.command.clone(),
        }
    }

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
