//! The names that options may use, and the errors for other names.

use super::Planner;
use super::item::{Item, Kind, items_of_crate};
use crate::checks;
use crate::config::CheckOptions;
use crate::exit::usage;
use crate::model::did_you_mean;
use crate::predecessor::Legacy;
use anyhow::Result;
use std::collections::BTreeSet;

/// Whether a name, or a pattern with `*` and `?`, matches this name.
pub fn is_meant(wanted: &str, name: &str) -> bool {
    wanted == name || glob::Pattern::new(wanted).is_ok_and(|pattern| pattern.matches(name))
}

impl<'a> Planner<'a> {
    /// Refuses unknown names in `checks`, `only`, `skip` and on the command line.
    pub(super) fn refuse_unknown(&self) -> Result<()> {
        self.refuse_unknown_in_options().map_err(|error| self.config.source.named_in(error))?;
        for package in &self.asked.packages {
            let members = self.facts.crates.iter().flatten().map(|found| found.name.as_str());
            if !members.clone().any(|name| name == package) {
                return Err(usage(format!(
                    "--package: no member is called `{package}`{}",
                    did_you_mean(package, members)
                )));
            }
        }
        Ok(())
    }

    fn refuse_unknown_in_options(&self) -> Result<()> {
        let names = self.names();
        for (name, options) in &self.config.checks {
            if !names.contains(name.as_str()) {
                let meant = did_you_mean(name, names.iter().map(String::as_str));
                return Err(usage(format!("checks.{name}: unknown check{meant}")));
            }
            checks::check_options(self.check_of(name), &options.own)?;
            self.refuse_unknown_packages(name, options)?;
        }
        let only =
            self.config.only.iter().flatten().enumerate().map(|(at, name)| (format!("only[{at}]"), name));
        let skip = self.config.skip.iter().enumerate().map(|(at, name)| (format!("skip[{at}]"), name));
        for (key, name) in only.chain(skip) {
            if !names.contains(name.as_str()) && !self.is_label(name) {
                let meant = did_you_mean(name, names.iter().map(String::as_str));
                return Err(usage(format!("{key}: no check or step is called `{name}`{meant}")));
            }
        }
        Ok(())
    }

    /// Refuses names in the options `packages` and `exclude` of a check if no member of the workspace has
    /// them. A name may be a pattern, as for cargo.
    fn refuse_unknown_packages(&self, check: &str, options: &CheckOptions) -> Result<()> {
        let Some(crates) = &self.facts.crates else { return Ok(()) };
        let members = || crates.iter().map(|found| found.name.as_str());
        for (key, names) in [("packages", &options.packages), ("exclude", &options.exclude)] {
            for (at, name) in names.iter().enumerate() {
                // cargo also accepts `NAME@VERSION`.
                let plain = name.split_once('@').map_or(name.as_str(), |(plain, _)| plain);
                if !members().any(|member| is_meant(plain, member)) {
                    return Err(usage(format!(
                        "checks.{check}.{key}[{at}]: no member of the workspace is called `{name}`{}",
                        did_you_mean(name, members())
                    )));
                }
            }
        }
        Ok(())
    }

    /// Every name of a check or step, including those of the crates.
    pub fn names(&self) -> BTreeSet<String> {
        let described = self.facts.descriptions().flat_map(|file| &file.tests).map(|test| test.name.as_str());
        let steps = self.config.steps.iter().map(|step| step.label.as_str());
        described.chain(steps).chain(checks::opt_in().map(|check| check.name)).map(str::to_owned).collect()
    }

    /// The name of the check whose own options apply to a name. It is the name itself, or the check that
    /// replaces a test of this name.
    fn check_of<'n>(&self, name: &'n str) -> &'n str {
        if checks::find(name).is_some() {
            return name;
        }
        let mut tests = self.facts.descriptions().flat_map(|file| &file.tests);
        let named = tests.find(|test| test.name.as_str() == name);
        let check = named.and_then(|test| Legacy::check_of(&test.command));
        check.map_or(name, |check| check.name())
    }

    /// Whether a step has this label, on any platform and for any crate.
    pub fn is_label(&self, label: &str) -> bool {
        let mut found = false;
        self.each_item(&mut |item| found |= self.labels_of(item).any(|known| known == label));
        found
    }

    /// Calls `see` with every item, including those of the crates.
    pub fn each_item(&self, see: &mut dyn FnMut(&Item<'a>)) {
        self.items.iter().for_each(&mut *see);
        for index in 0..self.facts.crates.as_ref().map_or(0, Vec::len) {
            items_of_crate(self.config, self.facts, index).iter().for_each(&mut *see);
        }
    }

    /// The labels that an item's steps can have.
    fn labels_of<'b>(&'b self, item: &'b Item<'a>) -> impl Iterator<Item = String> + 'b {
        let crates = self.facts.crates.iter().flatten().map(|found| Some(found.name.as_str()));
        let packages = std::iter::once(None).chain(crates);
        packages.flat_map(move |package| {
            item.slots().into_iter().map(move |platform| item.label(platform, package).as_str().to_owned())
        })
    }

    /// Refuses the first name on the command line that no planned check has.
    pub(super) fn refuse_unplanned(&self, planned: &dyn Fn(&str) -> bool) -> Result<()> {
        let Some(name) = self.asked.names.iter().find(|name| !planned(name)) else { return Ok(()) };
        let mut reason = None;
        self.each_item(&mut |item| {
            let goes_by = item.name() == *name || self.labels_of(item).any(|label| label == *name);
            if goes_by && reason.is_none() {
                reason = Some(self.why_unplanned(item, name));
            }
        });
        let told = reason.map_or_else(
            || {
                let names = self.names();
                let meant = did_you_mean(name, names.iter().map(String::as_str));
                format!("no check or step is called `{name}`{meant}")
            },
            |reason| format!("`{name}`: {reason}"),
        );
        Err(usage(told))
    }

    /// Why a check that somebody asked for does not run here, and what to do.
    fn why_unplanned(&self, item: &Item<'_>, name: &str) -> String {
        let os = item.test.os;
        if os.is_some_and(|os| os != self.os) || (self.lacks_os(item) && item.kind == Kind::Standard) {
            let os = os.map_or("linux", crate::model::Os::as_str);
            return format!("is for {os}, and this run is for {}: run it there", self.os);
        }
        let slots: Vec<_> = item.slots().into_iter().flatten().collect();
        let labelled = slots.iter().filter(|slot| item.label(Some(**slot), None).as_str() == name);
        let labelled: Vec<&str> = labelled.map(|slot| slot.as_str()).collect();
        // A label names one platform. A name stands for all platforms of its steps.
        let all = || slots.iter().map(|slot| slot.as_str()).collect();
        let platforms: Vec<&str> = if labelled.is_empty() { all() } else { labelled };
        if platforms.is_empty() {
            return "is not for what was asked for".into();
        }
        let here =
            self.fixed.iter().flatten().map(|platform| platform.as_str()).collect::<Vec<_>>().join(", ");
        let there = platforms.join(", ");
        format!(
            "is for {there}, and this run is for {here}: run it on such a machine, or in CI by its step there"
        )
    }
}
