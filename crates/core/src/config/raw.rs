//! What users write, key by key, and what it comes to.

use super::form::{Agents, Hypervisor, Leaf, Minutes, Name, OneOrMany};
use super::{Cache, CheckOptions, Config, DockerChoice, ExtraStep, Jobs, Mode, Split, WorkspaceMode};
use crate::model::{FeatureMode, Os, Platform};
use indexmap::IndexMap;
use semver::VersionReq;
use serde::Deserialize;
use serde::de::{Error, MapAccess};

/// The options as written; what is not there is unset. A key's name is its field's, in kebab-case.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RawConfig {
    mode: Option<Leaf<Mode>>,
    platform: Option<Platforms>,
    os: Option<Leaf<Os>>,
    only: Option<Selection>,
    skip: Option<OneOrMany<Name>>,
    standard: Option<Leaf<bool>>,
    steps: Vec<ExtraStep>,
    tests: Option<OneOrMany<Name>>,
    checks: IndexMap<String, CheckOptions>,
    features: Option<Leaf<FeatureMode>>,
    workspace: Option<Leaf<WorkspaceMode>>,
    dependents: Option<Leaf<bool>>,
    jobs: Option<Leaf<Jobs>>,
    split: Option<Split>,
    docker: Option<Leaf<DockerChoice>>,
    agents: Option<Leaf<Agents>>,
    hypervisor: Option<Leaf<Hypervisor>>,
    timeout_in_minutes: Option<Leaf<Minutes>>,
    cache: Option<Leaf<Cache>>,
    annotate: Option<Leaf<bool>>,
    version: Option<Leaf<VersionReq>>,
}

impl From<RawConfig> for Config {
    fn from(raw: RawConfig) -> Self {
        let unset = Self::default();
        Self {
            mode: set(raw.mode, unset.mode),
            platforms: raw.platform.map(|Platforms(platforms)| platforms),
            os: raw.os.map(|Leaf(os)| os),
            only: raw.only.map(|Selection(names)| names),
            skip: raw.skip.map_or(unset.skip, texts),
            standard: set(raw.standard, unset.standard),
            steps: raw.steps,
            tests: raw.tests.map_or(unset.tests, texts),
            checks: raw.checks,
            features: set(raw.features, unset.features),
            workspace: set(raw.workspace, unset.workspace),
            dependents: set(raw.dependents, unset.dependents),
            jobs: set(raw.jobs, unset.jobs),
            split: raw.split.unwrap_or(unset.split),
            docker: set(raw.docker, unset.docker),
            agents: raw.agents.map(|Leaf(Agents(tags))| tags),
            hypervisor: raw.hypervisor.map(|Leaf(Hypervisor(name))| name),
            timeout_in_minutes: raw.timeout_in_minutes.map(|Leaf(Minutes(minutes))| minutes),
            cache: raw.cache.map(|Leaf(cache)| cache),
            annotate: set(raw.annotate, unset.annotate),
            version: raw.version.map(|Leaf(requirement)| requirement),
            step_options: unset.step_options,
        }
    }
}

fn set<T>(written: Option<Leaf<T>>, default: T) -> T {
    written.map_or(default, |Leaf(value)| value)
}

fn texts(OneOrMany(names): OneOrMany<Name>) -> Vec<String> {
    names.into_iter().map(|Name(text)| text).collect()
}

/// Platforms: at least one, since none would be a green build of nothing, and each once, since two
/// steps would share a label.
#[derive(Debug)]
struct Platforms(Vec<Platform>);

impl<'de> Deserialize<'de> for Platforms {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let OneOrMany(platforms) = OneOrMany::<Platform>::deserialize(deserializer)?;
        let twice = platforms.iter().enumerate().find(|(at, platform)| platforms[..*at].contains(platform));
        match twice {
            _ if platforms.is_empty() => {
                Err(Error::custom("names no platform; leave it out for the default"))
            }
            Some((_, platform)) => Err(Error::custom(format!("names `{platform}` twice"))),
            None => Ok(Self(platforms)),
        }
    }
}

/// The value of the key `platform`, wherever one stands.
pub fn platforms<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Vec<Platform>, A::Error> {
    map.next_value::<Platforms>().map(|Platforms(platforms)| platforms)
}

/// The names in `only`: at least one, since none would be a green build of nothing.
#[derive(Debug)]
struct Selection(Vec<String>);

impl<'de> Deserialize<'de> for Selection {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = texts(OneOrMany::deserialize(deserializer)?);
        if names.is_empty() {
            return Err(Error::custom("names no check; leave it out for all of them"));
        }
        Ok(Self(names))
    }
}
