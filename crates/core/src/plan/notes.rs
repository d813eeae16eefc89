//! Notes on a plan: information for a person that is not an error.

use super::item::{Item, Kind};
use super::{Planner, watch};
use crate::model::Platform;
use crate::model::shown;
use serde_json::Value;

impl Planner<'_> {
    /// The notes, including those of the facts, without duplicates.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.facts.notes.clone();
        self.each_item(&mut |item| notes.extend(of_item(item)));
        notes.extend(self.idle_agent_tags());
        notes.extend(self.notes_on_emulated());
        let mut seen = std::collections::HashSet::new();
        notes.retain(|note| seen.insert(note.clone()));
        notes
    }

    /// Notes on agent tags for a platform that has no step.
    fn idle_agent_tags(&self) -> Vec<String> {
        let crates = || self.facts.crates.iter().flatten().map(Some).chain([None]);
        let enabled = |platform| crates().any(|of_crate| self.is_enabled(platform, of_crate));
        let variables = &self.facts.variables;
        [
            ("X86_LINUX_AGENT_TAGS", &variables.x86_agents, Platform::X86_64),
            ("AARCH64_LINUX_AGENT_TAGS", &variables.aarch64_agents, Platform::Aarch64),
        ]
        .into_iter()
        .filter(|(_, tags, platform)| {
            let mut sharing =
                Platform::ALL.into_iter().filter(|other| other.agent_tag() == platform.agent_tag());
            tags.is_some() && !sharing.any(enabled)
        })
        .map(|(name, _, platform)| {
            format!("{name}: no step is for {platform}: it is not among the platforms")
        })
        .collect()
    }
}

fn of_item(item: &Item<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    if item.kind != Kind::Described {
        return notes;
    }
    if let Some(legacy) = &item.legacy {
        let (name, file) = (legacy.check.name(), legacy.check.file());
        notes.push(format!(
            "{}: runs {file}, which is the check `rust-vmm-ci run {name}` now",
            item.origin("command")
        ));
    } else if let Some(variable) = &item.test.interpolated {
        notes.push(format!(
            "{}: ${variable} was replaced at upload; now the step's shell does it (write $$ for a plain $)",
            item.origin("command")
        ));
    }
    let globs = match item.test.attributes.get("if_changed") {
        Some(Value::String(glob)) => std::slice::from_ref(glob).to_vec(),
        Some(Value::Array(globs)) => {
            globs.iter().filter_map(|glob| glob.as_str().map(str::to_owned)).collect()
        }
        _ => Vec::new(),
    };
    for glob in globs {
        if let Some(deep) = watch::too_shallow(&glob) {
            notes.push(format!(
                "{}: {} matches no file in a folder below it; write {}",
                item.origin("if_changed"),
                shown::value(&glob),
                shown::value(&deep)
            ));
        }
    }
    notes
}
