//! A planned check: its work and its settings.

use super::text::change_folder;
use super::{StepSettings, Watched};
use crate::checks::{Needs, Work, emulated};
use crate::model::{CheckName, Os, Platform, StepLabel};
use crate::selection::Decision;
use std::sync::Arc;

/// A check, planned for one platform. It either runs here or becomes a step.
#[derive(Clone, Debug)]
pub struct PlannedCheck {
    /// The label of its step.
    pub label: StepLabel,
    /// Its name.
    pub name: CheckName,
    /// The platform that it is for. None if any platform will do.
    pub platform: Option<Platform>,
    /// The system that it is for.
    pub os: Os,
    /// What it does.
    pub work: Work,
    /// The command that a person would type for it. It is also the command of its step.
    pub command: String,
    /// The folder in which it works, from the repository's root.
    pub directory: Option<String>,
    /// The package that it is restricted to, if there is one.
    pub package: Option<String>,
    /// Whether its failure is shown but does not fail the job.
    pub soft_fail: bool,
    /// Its time limit in minutes, if somebody set one. None for the default of 15.
    pub timeout_in_minutes: Option<u32>,
    /// Variables for its work.
    pub env: Vec<(String, String)>,
    /// What it needs while other checks run.
    pub needs: Needs,
    /// The other settings of its step, the same for all crates.
    pub step: Arc<StepSettings>,
    /// The step runs only if one of these paths has changed. None if it always runs.
    pub if_changed: Option<Watched>,
    /// Whether the change reaches it, where the upload has asked (`select: changes`).
    pub decision: Option<Decision>,
}

impl PlannedCheck {
    /// Why the step is left out of the build, where the change does not reach it.
    pub fn left_out(&self) -> Option<&str> {
        match &self.decision {
            Some(Decision::LeftOut(reason)) => Some(reason),
            _ => None,
        }
    }

    /// The command that a person would type without this program, if there is one.
    pub fn plain_command(&self) -> String {
        match &self.work {
            Work::Cargo { command, features, .. } => match command.for_features(*features) {
                Some(command) => change_folder(self.os, self.directory.as_deref(), &command.to_string()),
                None => self.command.clone(),
            },
            Work::Shell(_) | Work::Logic(_) => self.command.clone(),
        }
    }

    /// Combines checks into one script for an emulated platform. The virtual machine has nothing from the
    /// host, so this program cannot run there.
    pub fn script(checks: &[Self]) -> String {
        let items = checks.iter().map(|check| emulated::Item {
            label: check.label.as_str(),
            command: &check.command,
            soft_fail: check.soft_fail,
        });
        emulated::script(&items.collect::<Vec<_>>())
    }
}
