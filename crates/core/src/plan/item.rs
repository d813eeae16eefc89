//! Everything that can become a check, in order: the standard checks, the steps of the option `steps`, the
//! tests of the option `tests`, and the crates' own tests.

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

/// A check before its platforms and crates are decided.
#[derive(Clone, Debug)]
pub struct Item<'a> {
    /// Where it was written.
    pub kind: Kind,
    /// The path of its file. Empty if it was not in a file.
    pub path: &'a str,
    /// The test, as it was written.
    pub test: Cow<'a, Test>,
    /// The index of the only crate that it is for: the crate whose file it is in. None for any crate.
    pub owner: Option<usize>,
    /// The platforms that it is for, after the option `checks` is applied. None for any platform.
    pub platforms: Option<Vec<Platform>>,
    /// The check of this program that it is. None if the repository describes it itself.
    pub check: Option<&'static Check>,
    /// The call of one of the predecessor's Python files, if the command is such a call. Its placeholders are
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

    /// The check, if it runs only when somebody asks for it.
    pub fn opt_in(&self) -> Option<&'static Check> {
        self.check.filter(|check| check.is_opt_in())
    }

    /// Whether the check has its own code in `checks/`, so that it is not a command in a description.
    pub fn has_logic(&self) -> bool {
        self.check.is_some_and(|check| matches!(check.runs, Runs::Logic { .. }))
    }

    /// The name that options and variables use for it.
    pub fn name(&self) -> &str {
        self.test.name.as_str()
    }

    /// The origin of one of its values. `key` is the key below the test, or empty for the whole test.
    pub fn origin(&self, key: &str) -> Origin {
        let key = if key.is_empty() { self.test.key.clone() } else { format!("{}.{key}", self.test.key) };
        match self.kind {
            Kind::Standard => Origin::Standard,
            Kind::Step => Origin::Option(key),
            Kind::Described => Origin::File(self.path.to_owned(), key),
        }
    }

    /// The label of its step. If a `label` was written, it is used instead of the name.
    pub fn label(&self, platform: Option<Platform>, package: Option<&str>) -> StepLabel {
        match self.test.attributes.get("label").and_then(Value::as_str) {
            Some(written) => StepLabel::of(&CheckName::new(written), platform, package),
            None => StepLabel::of(&self.test.name, platform, package),
        }
    }

    /// The platforms for which it can have a step. `None` is a step without a platform.
    pub fn slots(&self) -> Vec<Option<Platform>> {
        match &self.platforms {
            Some(platforms) => platforms.iter().copied().map(Some).collect(),
            None => vec![None],
        }
    }
}

/// Every item except the crates' own items, in the order of their steps.
pub fn items<'a>(config: &'a Config, facts: &'a Facts) -> Vec<Item<'a>> {
    let mut items: Vec<Item<'a>> = Vec::new();
    for test in &facts.standard.tests {
        let mut item = Item::new(Kind::Standard, &facts.standard.path, Cow::Borrowed(test), None);
        // If a repository has a coverage score for another platform, coverage is checked there too (the
        // predecessor's defect 7: the scores for Arm were never used).
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

/// The checks of this program that are in no list. A repository asks for them by name. If the repository has
/// a test or step with the same name, that one is used instead.
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

/// Applies `checks.NAME.platform`. A name may occur several times, for different platforms (such as the
/// standard `build-gnu` of riscv64). Each platform goes to the item that is for it, else to the first item.
fn override_platforms(items: &mut [Item<'_>], config: &Config) {
    for (name, options) in &config.checks {
        let Some(wanted) = &options.platforms else { continue };
        let systems = [None, Some(Os::Linux), Some(Os::Windows)];
        for os in systems {
            override_platforms_of(items, name, os, wanted);
        }
    }
}

/// The same for one name and one system. It is separate because each system's list is complete.
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

/// Turns a step of the configuration into a test. Its texts have been interpolated once already, so they stay
/// as they are.
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
    // In selective mode, a step that mentions the crate is planned for each crate.
    if test.command.contains("{crate}") || test.command.contains("{crate_path}") {
        test.scope = Scope::Crate;
    }
    test
}
