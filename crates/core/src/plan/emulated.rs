//! The options that have no effect on an emulated platform. Its steps are plain cargo commands in a virtual
//! machine, where this program cannot run.

use super::Planner;
use super::item::{Item, Kind};
use crate::checks::{Runs, shard};
use crate::config::DockerChoice;
use crate::exit::usage;
use crate::model::{FeatureMode, Platform};
use anyhow::Result;

/// The sets of features that need more than one command.
const SEVERAL: [FeatureMode; 3] = [FeatureMode::Powerset, FeatureMode::PowersetAll, FeatureMode::Each];

impl Planner<'_> {
    /// Refuses such sets of features if they are set for a check that is for emulated platforms only.
    pub(super) fn refuse_features(&self) -> Result<()> {
        for (name, options) in &self.config.checks {
            let platforms = options.platforms.as_deref().unwrap_or_default();
            let emulated = !platforms.is_empty() && platforms.iter().all(|platform| platform.is_emulated());
            if emulated && options.features.is_some_and(|mode| SEVERAL.contains(&mode)) {
                return Err(usage(format!(
                    "checks.{name}.features: an emulated platform runs one command for a check: write `all` or \
                     `default`"
                )));
            }
        }
        Ok(())
    }

    /// Notes on options that have no effect on the emulated platforms that have steps.
    pub(super) fn notes_on_emulated(&self) -> Vec<String> {
        let enabled = Platform::emulated().filter(|platform| self.is_enabled(*platform, None));
        enabled
            .flat_map(|platform| self.docker_on(platform).into_iter().chain(self.checks_on(platform)))
            .collect()
    }

    fn docker_on(&self, platform: Platform) -> Option<String> {
        match &self.config.docker {
            DockerChoice::Off => {
                Some(format!("docker: {platform} steps keep their container: the emulator is in its image"))
            }
            DockerChoice::Options(options) if options.contains_key("image") => {
                Some(format!("docker.image: {platform} steps keep their own image, which has the emulator"))
            }
            _ => None,
        }
    }

    fn checks_on(&self, platform: Platform) -> Vec<String> {
        let mut notes = Vec::new();
        let is_command = |item: &&Item<'_>| {
            item.kind == Kind::Standard
                && item.check.is_some_and(|check| matches!(check.runs, Runs::Command { .. }))
                && item.slots().contains(&Some(platform))
                && self.out(item, Some(platform), None).is_none()
        };
        for item in self.items.iter().filter(is_command) {
            let options = self.config.checks.get(item.name());
            let own = options.and_then(|options| options.features);
            let key = match own {
                Some(mode) if SEVERAL.contains(&mode) => Some(format!("checks.{}.features", item.name())),
                // If somebody writes `powerset`, it cannot be distinguished from the default.
                None if [FeatureMode::PowersetAll, FeatureMode::Each].contains(&self.config.features) => {
                    Some("features".to_owned())
                }
                _ => None,
            };
            if let Some(key) = key {
                notes.push(format!("{key}: {platform} steps run with all features only"));
            }
            if options.is_some_and(|options| shard::parallelism(&options.own).is_some()) {
                let name = item.name();
                notes.push(format!(
                    "checks.{name}.{}: the {platform} step is one job, which runs all tests",
                    shard::OPTION
                ));
            }
        }
        notes
    }
}
