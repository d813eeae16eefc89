//! Why a step is there or not, and where every value in it came from.

use super::facts::CrateFacts;
use super::item::{Item, items_of_crate};
use super::select::Target;
use super::{Planner, StepSettings};
use crate::exit::usage;
use crate::model::{Origin, Platform, did_you_mean};
use anyhow::Result;

/// A value of a step, and its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The key path within the step.
    pub key: String,
    /// The value, as JSON where it is no plain text.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// What there is to say of one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// Its label.
    pub label: String,
    /// Where the check is described.
    pub source: Origin,
    /// Why it is not there; none where it is.
    pub out: Option<String>,
    /// Where the platforms stand that its own is among; none for a step without platform.
    pub enabled_by: Option<Origin>,
    /// Its values; of a step that is not there, those that it would have.
    pub lines: Vec<Line>,
}

impl<'a> Planner<'a> {
    /// What there is to say of the steps that go by a label or a check's name.
    ///
    /// # Errors
    /// Exit 2 where nothing goes by it, with what was meant.
    pub fn explain(&self, name: &str) -> Result<Vec<Explained>> {
        let mut found = Vec::new();
        let mut labels = Vec::new();
        self.each_step(&mut |item, platform, of_crate| {
            let label = item.label(platform, of_crate.map(|found| found.name.as_str()));
            if label.as_str() == name || item.name() == name {
                found.push(self.explain_step(item, platform, of_crate));
            } else {
                labels.push(label.as_str().to_owned());
            }
        });
        if found.is_empty() {
            let meant = did_you_mean(name, labels.iter().map(String::as_str));
            return Err(usage(format!("no step has the label `{name}`, and no check the name{meant}")));
        }
        // A check of the other system says nothing where this system has one of the same label.
        if found.iter().any(|step| step.out.is_none()) {
            let there: Vec<String> =
                found.iter().filter(|step| step.out.is_none()).map(|step| step.label.clone()).collect();
            found.retain(|step| step.out.is_none() || !there.contains(&step.label));
        }
        Ok(found)
    }

    /// Every step that there is or could be.
    fn each_step(&self, see: &mut dyn FnMut(&Item<'a>, Option<Platform>, Option<&CrateFacts>)) {
        let mut of_item = |item: &Item<'a>| {
            let crates = self.facts.crates.as_deref().unwrap_or_default();
            let chosen: Vec<Option<&CrateFacts>> = match self.target(item) {
                Some(Target::EachCrate) => crates.iter().map(Some).collect(),
                Some(Target::Crate(index)) => vec![crates.get(index)],
                _ => vec![None],
            };
            for of_crate in chosen {
                for platform in item.slots() {
                    see(item, platform, of_crate);
                }
            }
        };
        self.items.iter().for_each(&mut of_item);
        for index in 0..self.facts.crates.as_ref().map_or(0, Vec::len) {
            items_of_crate(self.config, self.facts, index).iter().for_each(&mut of_item);
        }
    }

    fn explain_step(
        &self,
        item: &Item<'a>,
        platform: Option<Platform>,
        of_crate: Option<&CrateFacts>,
    ) -> Explained {
        let settings = self.settings(item, platform);
        let label = item.label(platform, of_crate.map(|found| found.name.as_str()));
        Explained {
            label: label.as_str().to_owned(),
            source: item.origin(""),
            out: self.out(item, platform, of_crate).map(|out| out.to_string()),
            enabled_by: platform.map(|_| self.enabled_by(of_crate)),
            lines: lines(&settings),
        }
    }
}

/// The values of a step's settings.
fn lines(settings: &StepSettings) -> Vec<Line> {
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let map = |prefix: &'static str, map: &super::TracedMap| -> Vec<Line> {
        map.iter()
            .map(|(name, traced)| Line {
                key: format!("{prefix}{name}"),
                value: text(&traced.value),
                origin: traced.origin.clone(),
            })
            .collect()
    };
    let mut lines = map("agents.", &settings.agents);
    lines.extend(settings.docker.iter().flat_map(|docker| map("docker.", docker)));
    lines.push(Line {
        key: "timeout_in_minutes".into(),
        value: text(&settings.timeout.value),
        origin: settings.timeout.origin.clone(),
    });
    lines.extend(map("", &settings.attributes));
    lines
}
