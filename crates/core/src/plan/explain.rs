//! Explains why a step exists or not, and where each of its values comes from.

use super::facts::CrateFacts;
use super::item::{Item, Kind, items_of_crate};
use super::names::is_meant;
use super::select::{Out, Target};
use super::{PlannedCheck, Planner, StepSettings};
use crate::checks::coverage;
use crate::exit::usage;
use crate::model::{Origin, Platform, closest, did_you_mean, with_our_word};
use crate::predecessor::coverage_file;
use crate::selection::Decision;
use anyhow::Result;

/// A value of a step, and its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The key path within the step.
    pub key: String,
    /// The value. It is JSON if it is not plain text.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

/// The explanation of one step.
#[derive(Clone, Debug)]
pub struct Explained {
    /// Its label.
    pub label: String,
    /// Where the check is described.
    pub source: Origin,
    /// Why the step does not exist. None if it exists.
    pub out: Option<Out>,
    /// What enables the step's platform. None for a step without a platform.
    pub enabled_by: Option<Origin>,
    /// Its values. If the step does not exist, the values that it would have.
    pub lines: Vec<Line>,
    /// Its planned check. None if the step does not exist.
    pub check: Option<PlannedCheck>,
}

/// Called with an item, with the platform of one of its steps, and with the crate that the step is for.
type See<'s, 'a> = dyn FnMut(&Item<'a>, Option<Platform>, Option<&CrateFacts>) + 's;

impl<'a> Planner<'a> {
    /// Explains the steps with this label, or with this name of a check. Empty if there are none. The name may be a
    /// pattern with `*` and `?`.
    /// `clippy-arm64` and `style-x86_64` are understood too.
    ///
    /// # Errors
    /// Exit 2 if a step cannot be planned.
    pub fn explain(&self, typed: &str) -> Result<Vec<Explained>> {
        let ours = with_our_word(typed);
        let plain = Platform::ALL.iter().find_map(|platform| ours.strip_suffix(&format!("-{platform}")));
        // This is only for checks that have one step for all platforms. Other checks have no step on this
        // platform.
        let plain = plain.filter(|plain| {
            let mut found = false;
            self.each_item(&mut |item| found |= item.name() == *plain && item.slots().contains(&None));
            found
        });
        for name in [Some(typed), Some(ours.as_str()), plain].into_iter().flatten() {
            let found = self.explain_name(name)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    fn explain_name(&self, name: &str) -> Result<Vec<Explained>> {
        let mut found = Vec::new();
        self.each_step(&mut |item, platform, of_crate| {
            let label = item.label(platform, of_crate.map(|found| found.name.as_str()));
            if is_meant(name, label.as_str()) || is_meant(name, item.name()) {
                found.push(self.explain_step(item, platform, of_crate));
            }
        });
        let mut found: Vec<Explained> = found.into_iter().collect::<Result<_>>()?;
        // Checks of the other system are shown only if this system has none with the name.
        if found.iter().any(|step| !matches!(step.out, Some(Out::OtherOs(_)))) {
            found.retain(|step| !matches!(step.out, Some(Out::OtherOs(_))));
        }
        Ok(found)
    }

    /// The error for a name that no step and no check has. It suggests what the person probably meant.
    pub fn unknown(&self, name: &str) -> anyhow::Error {
        let mut labels = Vec::new();
        self.each_step(&mut |item, platform, of_crate| {
            let label = item.label(platform, of_crate.map(|found| found.name.as_str()));
            labels.push(label.as_str().to_owned());
        });
        let names = self.names();
        let ours = with_our_word(name);
        let of_platform = Platform::ALL.into_iter().find_map(|platform| {
            let check = ours.strip_suffix(&format!("-{platform}"))?;
            names.contains(check).then_some((check, platform))
        });
        if let Some((check, platform)) = of_platform {
            let how = if check == coverage::NAME && !platform.is_emulated() {
                format!("a file {} in the root brings it", coverage_file::name(platform))
            } else {
                format!("`checks: {{{check}: {{platform: [{platform}]}}}}` brings it")
            };
            return usage(format!(
                "no step has the label `{ours}`: the check `{check}` is not for {platform}; {how}"
            ));
        }
        // A list of all labels would be too long to read. The name of a check represents its labels.
        let meant = match closest(name, labels.iter().map(String::as_str)) {
            Some(label) => format!("; did you mean `{label}`?"),
            None => did_you_mean(name, names.iter().map(String::as_str)),
        };
        usage(format!("no step has the label `{name}`, and no check the name{meant}"))
    }

    /// Whether a standard check has a step on a platform only because the repository has a file for that
    /// platform.
    fn is_by_file(&self, item: &Item<'a>, platform: Platform) -> bool {
        let listed = item.test.platforms.as_deref().unwrap_or_default();
        item.kind == Kind::Standard && !listed.contains(&platform) && self.facts.coverage.contains(&platform)
    }

    /// Visits every step that exists or could exist.
    fn each_step(&self, see: &mut See<'_, 'a>) {
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
    ) -> Result<Explained> {
        let settings = self.settings(item, platform);
        let out = self.out(item, platform, of_crate);
        let check = match &out {
            None => Some(self.plan_one(item, platform, of_crate)?),
            Some(_) => None,
        };
        let label = item.label(platform, of_crate.map(|found| found.name.as_str()));
        let label = label.as_str().to_owned();
        let name_key = if item.test.attributes.contains_key("label") { "label" } else { "test_name" };
        let line = |key: &str, value: &str, origin| Line { key: key.into(), value: value.into(), origin };
        let mut lines = vec![line("label", &label, item.origin(name_key))];
        lines.extend(item.check.map(|check| line("holds", check.holds, item.origin(""))));
        if let Some(check) = &check {
            lines.push(line("command", &check.command, settings.command.clone()));
        }
        lines.extend(lines_of(&settings));
        if let (true, Some(platform)) = (item.name() == coverage::NAME, platform)
            && self.is_by_file(item, platform)
        {
            let file = coverage_file::name(platform);
            lines.push(line(
                "here",
                "the repository keeps a score for this platform",
                Origin::File(file, "coverage_score".into()),
            ));
        }
        if let Some(paths) = check.as_ref().and_then(|check| check.if_changed.as_ref()) {
            let paths: Vec<&str> = paths.iter().collect();
            let option = if paths.len() > 1 { "workspace, dependents" } else { "workspace" };
            lines.push(line("if_changed", &paths.join(" "), Origin::Option(option.into())));
        }
        match check.as_ref().and_then(|check| check.decision.as_ref()) {
            Some(Decision::Runs(cause)) => {
                lines.push(line("runs by", cause, Origin::Option("select".into())));
            }
            Some(Decision::LeftOut(reason)) => {
                lines.push(line("skip", reason, Origin::Option("select".into())));
            }
            None => {}
        }
        Ok(Explained {
            label,
            source: item.origin(""),
            out,
            enabled_by: platform.map(|_| self.enabled_by(of_crate)),
            lines,
            check,
        })
    }
}

/// The values of a step's settings.
fn lines_of(settings: &StepSettings) -> Vec<Line> {
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
