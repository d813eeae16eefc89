//! Everything that can become a check, in order: the standard checks, the steps of the option `steps`,
//! the tests of the option `tests`, and the crates' own.

use super::Facts;
use crate::checks::{self, Check, Runs, coverage};
use crate::config::{Config, ExtraStep};
use crate::model::{CheckName, Origin, Os, Platform, StepLabel};
use crate::predecessor::{Legacy, Scope, Test};
use serde_json::Value;
use std::borrow::Cow;

/// Where an item was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In the standard list.
    Standard,
    /// In the option `steps`.
    Step,
    /// In a file in the predecessor's format.
    Described,
}

/// A check before it is decided for which platforms and crates it is.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// Where it was written.
    pub kind: Kind,
    /// Its file, where it was in one.
    pub path: &'a str,
    /// What was written.
    pub test: Cow<'a, Test>,
    /// The only crate that it is for, as an index: the one whose file it is in.
    pub owner: Option<usize>,
    /// The platforms that it is for, with the option `checks` applied; none for any.
    pub platforms: Option<Vec<Platform>>,
    /// The check of ours that it is; none for what the repository describes itself.
    pub check: Option<&'static Check>,
    /// The call of one of the predecessor's Python files, where the command is one. Its placeholders are
    /// not replaced yet.
    pub legacy: Option<Legacy>,
}

impl<'a> Item<'a> {
    fn new(kind: Kind, path: &'a str, test: Cow<'a, Test>, owner: Option<usize>) -> Self {
        let platforms = test.platforms.clone();
        let legacy = if kind == Kind::Described { Legacy::parse(&test.command) } else { None };
        let check = if kind == Kind::Standard { checks::find(test.name.as_str()) } else { None };
        Self { kind, path, test, owner, platforms, check, legacy }
    }

    /// The check, where it is in only if somebody asks for it.
    pub fn opt_in(&self) -> Option<&'static Check> {
        self.check.filter(|check| check.is_opt_in())
    }

    /// Whether the check has a file of its own in `checks/`, and so is no command of a description.
    pub fn has_logic(&self) -> bool {
        self.check.is_some_and(|check| matches!(check.runs, Runs::Logic { .. }))
    }

    /// Its name, by which options and variables know it.
    pub fn name(&self) -> &str {
        self.test.name.as_str()
    }

    /// The origin of one of its values: the key below the test, or the empty one for the whole.
    pub fn origin(&self, key: &str) -> Origin {
        let key = if key.is_empty() { self.test.key.clone() } else { format!("{}.{key}", self.test.key) };
        match self.kind {
            Kind::Standard => Origin::Standard,
            Kind::Step => Origin::Option(key),
            Kind::Described => Origin::File(self.path.to_owned(), key),
        }
    }

    /// The label of its step. A written `label` stands in place of the name.
    pub fn label(&self, platform: Option<Platform>, package: Option<&str>) -> StepLabel {
        match self.test.attributes.get("label").and_then(Value::as_str) {
            Some(written) => StepLabel::of(&CheckName::new(written), platform, package),
            None => StepLabel::of(&self.test.name, platform, package),
        }
    }

    /// The platforms for which it can have a step; `None` stands for a step without platform.
    pub fn slots(&self) -> Vec<Option<Platform>> {
        match &self.platforms {
            Some(platforms) => platforms.iter().copied().map(Some).collect(),
            None => vec![None],
        }
    }
}

/// Every item but the crates' own, in the order of their steps.
pub fn items<'a>(config: &'a Config, facts: &'a Facts) -> Vec<Item<'a>> {
    let mut items: Vec<Item<'a>> = Vec::new();
    for test in &facts.standard.tests {
        let mut item = Item::new(Kind::Standard, &facts.standard.path, Cow::Borrowed(test), None);
        // A repository that keeps a score for another platform has it checked there (the
        // predecessor's defect 7: Arm's scores were never looked at).
        if let (true, Some(platforms)) = (item.name() == coverage::NAME, &mut item.platforms) {
            let listed = test.platforms.iter().flatten();
            platforms.extend(
                facts.coverage.iter().filter(|kept| listed.clone().all(|platform| platform != *kept)),
            );
        }
        items.push(item);
    }
    for (index, step) in config.steps.iter().enumerate() {
        items.push(Item::new(Kind::Step, "", Cow::Owned(test_of(step, index)), None));
    }
    for file in &facts.tests {
        let owner = facts.crate_of(&file.path);
        let tests = file.tests.iter();
        items.extend(tests.map(|test| Item::new(Kind::Described, &file.path, Cow::Borrowed(test), owner)));
    }
    items.extend(opt_in(config, facts));
    override_platforms(&mut items, config);
    items
}

/// The checks of ours that are in no list: a repository asks for them by name. A test or step of the
/// repository with the same name takes the place of one.
fn opt_in<'a>(config: &'a Config, facts: &'a Facts) -> impl Iterator<Item = Item<'a>> {
    let is_taken = |name: &str| {
        facts.descriptions().flat_map(|file| &file.tests).any(|test| test.name.as_str() == name)
            || config.steps.iter().any(|step| step.label == name)
    };
    checks::opt_in().filter(move |check| !is_taken(check.name)).map(|check| {
        let name = CheckName::new(check.name);
        let test = Test { name, command: check.command(), scope: Scope::Workspace, ..Test::default() };
        Item::new(Kind::Standard, "", Cow::Owned(test), None)
    })
}

/// A crate's own items.
pub fn items_of_crate<'a>(config: &Config, facts: &'a Facts, index: usize) -> Vec<Item<'a>> {
    let files = facts.crates.as_ref().and_then(|crates| crates.get(index)).map(|found| &found.tests);
    let mut items: Vec<Item<'a>> = Vec::new();
    for file in files.into_iter().flatten() {
        let tests = file.tests.iter();
        items.extend(
            tests.map(|test| Item::new(Kind::Described, &file.path, Cow::Borrowed(test), Some(index))),
        );
    }
    override_platforms(&mut items, config);
    items
}

/// Applies `checks.NAME.platform`. A name may be written more than once, for other platforms (the
/// standard `build-gnu` of riscv64): each platform goes to the one that is for it, else to the first.
fn override_platforms(items: &mut [Item<'_>], config: &Config) {
    for (name, options) in &config.checks {
        let Some(wanted) = &options.platforms else { continue };
        let systems = [None, Some(Os::Linux), Some(Os::Windows)];
        for os in systems {
            override_platforms_of(items, name, os, wanted);
        }
    }
}

/// The same for one name and system, as a system's list is complete by itself.
fn override_platforms_of(items: &mut [Item<'_>], name: &str, os: Option<Os>, wanted: &[Platform]) {
    let is_named = |item: &Item<'_>| item.name() == name && item.test.os == os;
    let named: Vec<usize> = (0..items.len()).filter(|index| is_named(&items[*index])).collect();
    let is_for = |index: usize, platform: &Platform| {
        items[index].test.platforms.as_ref().is_some_and(|platforms| platforms.contains(platform))
    };
    let mut given: Vec<Vec<Platform>> = vec![Vec::new(); named.len()];
    for platform in wanted {
        let at = named.iter().position(|index| is_for(*index, platform)).unwrap_or(0);
        if let Some(platforms) = given.get_mut(at) {
            platforms.push(*platform);
        }
    }
    for (index, platforms) in named.into_iter().zip(given) {
        items[index].platforms = Some(platforms);
    }
}

/// A step of the configuration as a test: what is written there has been interpolated once already
/// and stays as it is.
fn test_of(step: &ExtraStep, index: usize) -> Test {
    let mut attributes = step.attributes.clone();
    let timeout = attributes.shift_remove("timeout_in_minutes");
    let mut test = Test {
        key: format!("steps[{index}]"),
        name: CheckName::new(step.label.as_str()),
        command: step.command.clone(),
        platforms: step.platforms.clone(),
        timeout,
        attributes,
        scope: Scope::Workspace,
        ..Test::default()
    };
    // Selective mode: one that asks for a crate is for each.
    if test.command.contains("{crate}") || test.command.contains("{crate_path}") {
        test.scope = Scope::Crate;
    }
    test
}
