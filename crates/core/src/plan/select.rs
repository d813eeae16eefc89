//! Decides which items have a step, on which platform and for which crate, and why others have none.

use super::Planner;
use super::facts::CrateFacts;
use super::item::{Item, Kind};
use super::names::is_meant;
use crate::checks::Check;
use crate::config::WorkspaceMode;
use crate::model::{Origin, Os, Platform};
use crate::predecessor::Scope;

/// Why an item has no step.
#[derive(Clone, Debug, PartialEq)]
pub enum Out {
    /// The standard checks are turned off.
    NoStandard,
    /// The check with this name runs only if somebody asks for it, and nobody did.
    OptIn(&'static str),
    /// It is for another system.
    OtherOs(Os),
    /// Its platform is not enabled. The origin says where the enabled platforms are set.
    Platform(Platform, Origin),
    /// It is skipped. The origin says where.
    Skipped(Origin),
    /// The option `only` names other checks.
    NotOnly,
    /// The option with this key excludes the crate from the check.
    Crate(String),
    /// Nobody asked for it on the command line.
    NotAsked,
}

impl std::fmt::Display for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoStandard => f.write_str(
                "the standard checks are left out (option standard); `standard: true` brings them",
            ),
            Self::OptIn(name) => write!(
                f,
                "it is opt-in: `checks: {{{name}: true}}` adds it, and `rust-vmm-ci run {name}` runs it once"
            ),
            Self::OtherOs(os) => write!(f, "it is for {os} (option os); `os: {os}` brings it"),
            Self::Platform(platform, origin @ (Origin::File(..) | Origin::Default)) => write!(
                f,
                "{platform} is not among the platforms ({origin}); a line `{platform}` in .platform, or the \
                 option platform, brings it"
            ),
            Self::Platform(platform, origin) => {
                write!(f, "{platform} is not among the platforms ({origin}); adding it there brings the step")
            }
            Self::Skipped(origin) => write!(f, "it is skipped ({origin}); taking it out there brings it"),
            Self::NotOnly => f.write_str("the option only does not name it; adding it there brings the step"),
            Self::Crate(key) => write!(f, "the crate is left out (option {key})"),
            Self::NotAsked => f.write_str("it was not asked for"),
        }
    }
}

/// The scope that an item is planned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Once, for the whole repository.
    Whole,
    /// Once for each crate.
    EachCrate,
    /// For one crate, given by its index.
    Crate(usize),
}

impl Planner<'_> {
    /// What an item is planned for. None if somebody asked for packages, and the item is not for packages.
    pub fn target(&self, item: &Item<'_>) -> Option<Target> {
        let selective = self.config.workspace == WorkspaceMode::Selective;
        match (item.owner, item.test.scope) {
            (Some(index), _) if selective => Some(Target::Crate(index)),
            (None, Scope::Crate) if selective => Some(Target::EachCrate),
            _ if self.asked.packages.is_empty() => Some(Target::Whole),
            // On the command line, a package restricts every standard check that can be restricted.
            _ if item.kind == Kind::Standard
                && (item.test.scope == Scope::Crate
                    || self.asked.names.iter().any(|name| name == item.name())) =>
            {
                Some(Target::EachCrate)
            }
            _ => None,
        }
    }

    /// Why an item has no step on a platform, for a crate. None if it has a step.
    pub fn out(
        &self,
        item: &Item<'_>,
        platform: Option<Platform>,
        of_crate: Option<&CrateFacts>,
    ) -> Option<Out> {
        if item.test.os.is_some_and(|os| os != self.os)
            || (item.kind == Kind::Standard && self.lacks_os(item))
        {
            let other = if self.os == Os::Linux { Os::Windows } else { Os::Linux };
            return Some(Out::OtherOs(item.test.os.unwrap_or(other)));
        }
        if let Some(platform) = platform
            && !self.is_enabled(platform, of_crate)
        {
            return Some(Out::Platform(platform, self.enabled_by(of_crate)));
        }
        if let Some(found) = of_crate {
            if !self.asked.packages.is_empty() && !self.asked.packages.contains(&found.name) {
                return Some(Out::NotAsked);
            }
            if let Some(key) = self.crate_left_out(item, found) {
                return Some(Out::Crate(key));
            }
        }
        let goes_by = |name: &str| {
            name == item.name()
                || item.label(platform, of_crate.map(|found| found.name.as_str())).as_str() == name
        };
        if !self.asked.names.is_empty() {
            // If a repository's own list uses the standard names, a typed name means the repository's tests.
            let own = |other: &Item<'_>| other.kind != Kind::Standard && other.name() == item.name();
            if item.kind == Kind::Standard && !self.config.standard && self.items.iter().any(own) {
                return Some(Out::NoStandard);
            }
            return (!self.asked.names.iter().any(|name| goes_by(name))).then_some(Out::NotAsked);
        }
        match item.opt_in() {
            Some(check) if !self.is_added(check) => return Some(Out::OptIn(check.name)),
            None if item.kind == Kind::Standard && !self.config.standard => return Some(Out::NoStandard),
            _ => {}
        }
        let only = self.config.only.as_ref().map(|only| only.iter().any(|name| goes_by(name)));
        if let Some(at) = self.config.skip.iter().position(|name| goes_by(name)) {
            return Some(Out::Skipped(Origin::Option(format!("skip[{at}]"))));
        }
        match only {
            Some(false) => Some(Out::NotOnly),
            // An option overrides the predecessor's variable.
            None if self.facts.variables.skip.iter().any(|name| name == item.name()) => {
                Some(Out::Skipped(Origin::Variable("TESTS_TO_SKIP")))
            }
            Some(true) | None => None,
        }
    }

    /// Whether the options ask for an opt-in check.
    fn is_added(&self, check: &Check) -> bool {
        let named = self.config.only.iter().flatten().any(|name| name == check.name);
        let options = self.config.checks.get(check.name);
        named || options.is_some_and(|options| options.added || check.is_added_by_options())
    }

    /// The opt-in checks that nobody asks for.
    pub fn not_added(&self) -> impl Iterator<Item = &'static Check> {
        self.items.iter().filter_map(Item::opt_in).filter(|check| !self.is_added(check))
    }

    /// Whether a standard check without `os` is for Linux only, and the system is Windows. The list sets `os`
    /// for Windows only, because the predecessor's format has no such key.
    pub(super) fn lacks_os(&self, item: &Item<'_>) -> bool {
        self.os == Os::Windows && item.test.os.is_none() && item.opt_in().is_none()
    }

    /// The key of the option that excludes a crate from a check that is planned for each crate.
    fn crate_left_out(&self, item: &Item<'_>, found: &CrateFacts) -> Option<String> {
        let options = self.config.checks.get(item.name())?;
        if let Some(at) = options.exclude.iter().position(|name| is_meant(name, &found.name)) {
            return Some(format!("checks.{}.exclude[{at}]", item.name()));
        }
        let others =
            !options.packages.is_empty() && !options.packages.iter().any(|name| is_meant(name, &found.name));
        others.then(|| format!("checks.{}.packages", item.name()))
    }

    /// Whether a platform has steps. For a crate, its own `.platform` counts, not the root's (predecessor's
    /// rule). The option `platform` restricts both.
    pub fn is_enabled(&self, platform: Platform, of_crate: Option<&CrateFacts>) -> bool {
        let own = match of_crate {
            Some(found) => found.platforms.as_deref(),
            None => self.facts.platforms.as_deref().filter(|_| self.fixed.is_none()),
        };
        match (&self.fixed, own) {
            (Some(fixed), own) => fixed.contains(&platform) && own.is_none_or(|own| own.contains(&platform)),
            (None, own) => own.unwrap_or(&Platform::DEFAULT).contains(&platform),
        }
    }

    /// Where the enabled platforms are set.
    pub fn enabled_by(&self, of_crate: Option<&CrateFacts>) -> Origin {
        let file = |dir: &str| Origin::File(format!("{dir}.platform"), "its lines".into());
        match (&self.fixed, of_crate) {
            (_, Some(CrateFacts { platforms: Some(_), dir, .. })) => file(&format!("{dir}/")),
            (Some(_), _) => Origin::Option("platform".into()),
            (None, None) if self.facts.platforms.is_some() => file(""),
            (None, _) => Origin::Default,
        }
    }
}
