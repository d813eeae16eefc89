//! Finds what a check shares with other checks of its job. Cargo keeps what it compiles in one target
//! directory, in a separate folder for each target, profile and purpose.

use super::PlannedCheck;
use crate::checks::Compiles;

/// What some checks share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The part that is compiled only once.
    pub what: &'static str,
    /// The labels of the other checks.
    pub with: Vec<String>,
}

/// Where cargo keeps what a check compiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'c> {
    /// The folder of the workspace.
    directory: Option<&'c str>,
    /// The place within its target directory.
    compiles: &'c Compiles,
}

impl<'c> Place<'c> {
    /// The place of a check. None if it compiles nothing, or compiles into another target directory.
    pub fn of(check: &'c PlannedCheck) -> Option<Self> {
        let compiles = check.needs.compiles.as_ref()?;
        Some(Self { directory: check.directory.as_deref(), compiles })
    }

    /// Whether both compile the host's code (build scripts, procedural macros) in the same way.
    fn has_host_code_of(&self, other: &Self) -> bool {
        self.directory == other.directory && self.compiles.release == other.compiles.release
    }
}

/// Whether two checks can be in one job. A check without a platform can be in any platform's job.
fn may_share_a_job(one: &PlannedCheck, other: &PlannedCheck) -> bool {
    let platforms = one.platform.zip(other.platform);
    one.os == other.os && platforms.is_none_or(|(one, other)| one == other)
}

/// What a check shares with those of `checks` that run in the same job, as far as both are compiled for the
/// same features. Empty if the repository's own flags give the check a separate cache.
pub fn shares(check: &PlannedCheck, checks: &[PlannedCheck]) -> Vec<Shared> {
    let Some(place) = Place::of(check) else { return Vec::new() };
    let others = || {
        let others =
            checks.iter().filter(|other| other.label != check.label && may_share_a_job(check, other));
        others.filter_map(|other| Some((other.label.to_string(), Place::of(other)?)))
    };
    let crates = others().filter(|(_, other)| *other == place).map(|(label, _)| label).collect();
    let host = others().filter(|(_, other)| *other != place && place.has_host_code_of(other));
    let host = host.map(|(label, _)| label).collect();
    let shared = [("dependencies", crates), ("build scripts and procedural macros", host)];
    shared
        .into_iter()
        .filter(|(_, with): &(_, Vec<String>)| !with.is_empty())
        .map(|(what, with)| Shared { what, with })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::STANDARD;
    use crate::config::Config;
    use crate::model::{Os, Platform};
    use crate::plan::{Asked, Facts, for_run};
    use crate::predecessor::Description;

    fn told(name: &str) -> Vec<String> {
        let config = Config { standard: true, ..Config::default() };
        let standard = Description::read("the standard checks", STANDARD).unwrap();
        let mut facts = Facts::default();
        facts.standard = standard;
        facts.coverage = vec![Platform::X86_64];
        let plan = for_run(&config, &facts, Platform::X86_64, Os::Linux, &Asked::default()).unwrap();
        let check = plan.checks.iter().find(|check| check.name.as_str() == name).unwrap();
        shares(check, &plan.checks)
            .iter()
            .map(|shared| format!("{}: {}", shared.what, shared.with.join(" ")))
            .collect()
    }

    #[test]
    fn a_check_shares_with_those_of_its_target_profile_and_purpose() {
        assert_eq!(told("build-gnu")[0], "dependencies: unittests-gnu-release-x86_64");
        assert_eq!(told("unittests-gnu")[0], "dependencies: coverage-x86_64");
        assert_eq!(told("clippy")[0], "dependencies: doc");
    }

    #[test]
    fn checks_of_one_profile_share_the_hosts_code() {
        assert!(told("clippy")[1].starts_with("build scripts and procedural macros: "));
        assert!(told("clippy")[1].contains("unittests-gnu-x86_64"));
        assert!(!told("clippy")[1].contains("release"));
    }

    #[test]
    fn what_compiles_nothing_shares_nothing() {
        assert!(told("style").is_empty());
        assert!(told("commit-format").is_empty());
    }
}
