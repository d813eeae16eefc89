//! Plans checks one by one. A workspace with a thousand crates has many thousands of checks, and no caller
//! needs all of them at the same time.

use super::facts::{CrateFacts, Facts};
use super::item::{Item, Kind, items, items_of_crate};
use super::select::Target;
use super::settle::settle;
use super::work::{Parsed, Source};
use super::{PlannedCheck, StepSettings, Watched};
use crate::buildkite::is_soft;
use crate::config::Config;
use crate::exit::usage;
use crate::model::shown;
use crate::model::{Origin, Os, Platform};
use crate::predecessor::minutes;
use crate::workspace::parallel;
use anyhow::Result;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;
use std::sync::Arc;

/// What a person asked for on the command line.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Names or labels. Empty for all checks.
    pub names: Vec<String>,
    /// The packages to restrict the checks to. Empty for the whole workspace.
    pub packages: Vec<String>,
}

/// Plans the checks of a configuration.
#[derive(Debug)]
pub struct Planner<'a> {
    pub(super) config: &'a Config,
    pub(super) facts: &'a Facts,
    pub(super) os: Os,
    /// The platforms, if the option sets them or if the checks are to run here. None if the repository's
    /// files decide.
    pub(super) fixed: Option<Vec<Platform>>,
    /// The platform of the job, if the checks are to run in a job.
    pub(super) job: Option<Platform>,
    pub(super) asked: Asked,
    pub(super) items: Vec<Item<'a>>,
}

/// The number of crates whose checks are planned at once.
const CRATES: usize = 128;

/// A part of the plan, of which a thread plans the checks.
enum Part<'p, 'a> {
    /// The checks of an item. If it is for each crate, those of a range of the crates.
    Item(&'p Item<'a>, Range<usize>),
    /// The own items of a range of the crates.
    Own(Range<usize>),
}

/// What the steps of an item have in common. It is computed when the first step is planned.
#[derive(Default)]
struct Common {
    /// The settings, by platform.
    settings: Vec<(Option<Platform>, Arc<StepSettings>)>,
    parsed: Parsed,
}

impl<'a> Planner<'a> {
    /// A plan for an upload.
    ///
    /// # Errors
    /// Exit 2 for a name or an option that does not exist, with its key path and what the person probably
    /// meant.
    pub fn for_upload(config: &'a Config, facts: &'a Facts) -> Result<Self> {
        let os = config.os.unwrap_or(Os::Linux);
        Self::new(config, facts, os, config.platforms.clone(), Asked::default())
    }

    /// A plan for one platform.
    ///
    /// # Errors
    /// As [`Planner::for_upload`]. Also for a package that is not a member of the workspace.
    pub fn for_platform(
        config: &'a Config,
        facts: &'a Facts,
        platform: Platform,
        os: Os,
        asked: Asked,
    ) -> Result<Self> {
        Ok(Self { job: Some(platform), ..Self::new(config, facts, os, Some(vec![platform]), asked)? })
    }

    fn new(
        config: &'a Config,
        facts: &'a Facts,
        os: Os,
        fixed: Option<Vec<Platform>>,
        asked: Asked,
    ) -> Result<Self> {
        let mut items = items(config, facts);
        // These checks run on every platform, whatever the list says. Whoever asks for one gets it.
        for item in items.iter_mut().filter(|item| item.has_logic()) {
            let asked = asked.names.iter().any(|name| name == item.name());
            if let (true, Some(here), Some(platforms)) = (asked, &fixed, &mut item.platforms) {
                platforms.clone_from(here);
            }
        }
        let planner = Self { config, facts, os, fixed, job: None, asked, items };
        planner.refuse_unknown()?;
        planner.refuse_features()?;
        Ok(planner)
    }

    /// Calls `see` with every planned check, in order.
    ///
    /// # Errors
    /// Exit 2 for a command with a placeholder that the step has no value for, and for two steps with one
    /// label. Also every error that `see` returns.
    pub fn visit(&self, see: &mut dyn FnMut(PlannedCheck) -> Result<()>) -> Result<()> {
        let mut labels: HashMap<String, Arc<StepSettings>> = HashMap::new();
        let mut once = |check: PlannedCheck| {
            if let Some(first) = labels.insert(check.label.as_str().to_owned(), Arc::clone(&check.step)) {
                return Err(usage(format!(
                    "two steps have the label {}: {} and {}; branch protection could not tell them apart: \
                     rename one, or leave it out by `skip` or `only`",
                    shown::value(check.label.as_str()),
                    first.source,
                    check.step.source
                )));
            }
            see(check)
        };
        self.parts().iter().try_for_each(|part| self.visit_part(part, &mut once))
    }

    /// As [`Self::visit`], in at most `threads` threads. `begin` makes a value for some hundreds of checks,
    /// `add` adds each of these checks to it, and `see` gets the values in the order of the checks. `begin` and
    /// `add` are called in the threads.
    ///
    /// # Errors
    /// As [`Self::visit`]: the first error in the order of the checks, whichever thread has found it. `see` may
    /// have got the checks before it.
    pub fn visit_in_threads<S: Send>(
        &self,
        threads: usize,
        begin: &(dyn Fn() -> S + Sync),
        add: &(dyn Fn(&mut S, &PlannedCheck) -> Result<()> + Sync),
        see: &mut dyn FnMut(S) -> Result<()>,
    ) -> Result<()> {
        let crates = self.facts.crates.as_ref().map_or(0, Vec::len);
        let threads = if crates < parallel::WORTHWHILE { 1 } else { threads };
        let hasher = RandomState::new();
        let work = |part: &Part<'_, 'a>| {
            let (mut made, mut labels) = (begin(), Vec::new());
            let planned = self.visit_part(part, &mut |check| {
                labels.push(hasher.hash_one(check.label.as_str()));
                add(&mut made, &check)
            });
            (made, labels, planned)
        };
        let mut seen: HashSet<u64> = HashSet::new();
        let mut is_compared = false;
        parallel::in_order(&self.parts(), threads, work, |(made, labels, planned)| {
            for label in labels {
                // Labels of which the hashes are equal are equal, with very few exceptions. The way without
                // threads knows, and says which steps have them.
                if !seen.insert(label) && !is_compared {
                    self.visit(&mut |_| Ok(()))?;
                    is_compared = true;
                }
            }
            planned?;
            see(made)
        })
    }

    /// The parts of the plan, in order.
    fn parts(&self) -> Vec<Part<'_, 'a>> {
        let crates = self.facts.crates.as_ref().map_or(0, Vec::len);
        let ranges = || (0..crates).step_by(CRATES).map(|from| from..(from + CRATES).min(crates));
        let mut parts = Vec::new();
        for item in &self.items {
            match self.target(item) {
                Some(Target::EachCrate) => parts.extend(ranges().map(|range| Part::Item(item, range))),
                _ => parts.push(Part::Item(item, 0..crates)),
            }
        }
        parts.extend(ranges().map(Part::Own));
        parts
    }

    fn visit_part(&self, part: &Part<'_, 'a>, see: &mut dyn FnMut(PlannedCheck) -> Result<()>) -> Result<()> {
        match part {
            Part::Item(item, crates) => self.visit_item(item, crates, see),
            Part::Own(crates) => crates.clone().try_for_each(|index| {
                let items = items_of_crate(self.config, self.facts, index);
                items.iter().try_for_each(|item| self.visit_item(item, crates, see))
            }),
        }
    }

    /// Plans the checks of an item. If it is for each crate, those of a range of the crates.
    fn visit_item(
        &self,
        item: &Item<'a>,
        range: &Range<usize>,
        see: &mut dyn FnMut(PlannedCheck) -> Result<()>,
    ) -> Result<()> {
        let Some(target) = self.target(item) else { return Ok(()) };
        let slots = item.slots();
        let mut common = Common::default();
        let mut visit = |of_crate: Option<&CrateFacts>| -> Result<()> {
            for platform in &slots {
                if self.out(item, *platform, of_crate).is_none() {
                    see(self.plan(item, *platform, of_crate, &mut common)?)?;
                }
            }
            Ok(())
        };
        match (target, &self.facts.crates) {
            (Target::Whole, _) => visit(None),
            (Target::EachCrate, Some(crates)) => {
                crates.get(range.clone()).into_iter().flatten().try_for_each(|found| visit(Some(found)))
            }
            (Target::Crate(index), Some(crates)) => {
                crates.get(index).map_or(Ok(()), |found| visit(Some(found)))
            }
            (_, None) => Ok(()),
        }
    }

    /// Plans one check.
    pub(super) fn plan_one(
        &self,
        item: &Item<'a>,
        platform: Option<Platform>,
        of_crate: Option<&CrateFacts>,
    ) -> Result<PlannedCheck> {
        self.plan(item, platform, of_crate, &mut Common::default())
    }

    fn plan(
        &self,
        item: &Item<'a>,
        platform: Option<Platform>,
        of_crate: Option<&CrateFacts>,
        common: &mut Common,
    ) -> Result<PlannedCheck> {
        let known = common.settings.iter().find(|(of, _)| *of == platform).map(|(_, step)| Arc::clone(step));
        let step = known.unwrap_or_else(|| {
            let step = Arc::new(self.settings(item, platform));
            common.settings.push((platform, Arc::clone(&step)));
            step
        });
        let source = Source {
            item,
            platform,
            target: platform.or(self.job),
            os: self.os,
            of_crate,
            config: self.config,
            facts: self.facts,
            parsed: &common.parsed,
        };
        let made = source.make()?;
        Ok(PlannedCheck {
            label: item.label(platform, of_crate.map(|found| found.name.as_str())),
            name: item.test.name.clone(),
            platform,
            os: self.os,
            work: made.work,
            command: made.command,
            directory: made.directory,
            package: made.package,
            soft_fail: is_soft(step.attributes.get("soft_fail").map(|soft| &soft.value)),
            timeout_in_minutes: minutes(&step.timeout.value)
                .filter(|_| step.timeout.origin != Origin::Default),
            env: made.env,
            needs: made.needs,
            if_changed: if self.facts.selection.is_none() { if_changed(item, of_crate) } else { None },
            decision: self.decide(item, of_crate),
            step,
        })
    }

    /// The settings of an item's steps on a platform.
    pub fn settings(&self, item: &Item<'_>, platform: Option<Platform>) -> StepSettings {
        let mut settings = settle(item, platform, self.os, self.config, &self.facts.variables);
        let emulated = platform.is_some_and(Platform::is_emulated);
        let overridden = self.config.checks.get(item.name()).is_some_and(|check| check.command.is_some());
        if item.kind == Kind::Standard && !emulated {
            settings.check = Some(item.name().to_owned());
            settings.overrides = vec![item.name().to_owned()];
        } else if let (false, Some(legacy)) = (overridden, &item.legacy) {
            let check = legacy.check.name();
            settings.check = Some(check.to_owned());
            settings.overrides = vec![check.to_owned(), item.name().to_owned()];
        }
        settings
    }
}

/// The paths whose changes make a step run. If the step has its own `if_changed`, that is in its attributes
/// already.
fn if_changed(item: &Item<'_>, of_crate: Option<&CrateFacts>) -> Option<Watched> {
    if item.test.attributes.contains_key("if_changed") {
        return None;
    }
    let watched = &of_crate?.watched;
    // Only changes in a crate's own files make the crate's own tests run (predecessor's rule).
    Some(if item.owner.is_none() { watched.clone() } else { watched.of_the_crate_alone() })
}
