//! What differs for one check, as it is written under `checks`.

use super::form::{Agents, Leaf, Minutes, Name, OneOrMany, Variable};
use super::raw::platforms;
use super::{CheckOptions, DockerChoice};
use crate::exit::usage;
use crate::model::{FeatureMode, did_you_mean};
use anyhow::Result;
use indexmap::IndexMap;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// The options that every check has (design.md, option `checks`).
pub const COMMON_CHECK_KEYS: [&str; 12] = [
    "agents",
    "args",
    "command",
    "docker",
    "env",
    "exclude",
    "features",
    "packages",
    "platform",
    "soft-fail",
    "timeout-in-minutes",
    "working-directory",
];

impl CheckOptions {
    /// Refuses what is left in [`CheckOptions::own`] and is none of the `known` options that the
    /// check of this `name` has of its own.
    ///
    /// # Errors
    /// Exit 2 with the key path and what was meant.
    pub fn refuse_unknown(&self, name: &str, known: &[&str]) -> Result<()> {
        match self.own.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let candidates = known.iter().copied().chain(COMMON_CHECK_KEYS);
                Err(usage(format!("checks.{name}.{key}: unknown option{}", did_you_mean(key, candidates))))
            }
        }
    }
}

/// A key of a check. A common one with `_` for `-` is refused here, where its path is known; whether
/// another is one of the check's own, the check itself knows.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        let kebab = key.to_lowercase().replace('_', "-");
        if kebab != key && COMMON_CHECK_KEYS.contains(&kebab.as_str()) {
            return Err(Error::custom(format!("unknown option; did you mean `{kebab}`?")));
        }
        Ok(Self(key))
    }
}

impl<'de> Deserialize<'de> for CheckOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CheckVisitor)
    }
}

struct CheckVisitor;

impl<'de> Visitor<'de> for CheckVisitor {
    type Value = CheckOptions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "true or a map of the check's options (a check that is to be left out is named in `skip`)",
        )
    }

    fn visit_bool<E: Error>(self, added: bool) -> Result<CheckOptions, E> {
        if added {
            Ok(CheckOptions { added, ..CheckOptions::default() })
        } else {
            Err(E::invalid_type(Unexpected::Bool(false), &self))
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CheckOptions, A::Error> {
        let mut options = CheckOptions::default();
        while let Some(Key(key)) = map.next_key()? {
            match key.as_str() {
                "agents" => options.agents = Some(map.next_value::<Leaf<Agents>>()?.0.0),
                "args" => options.args = map.next_value::<OneOrMany<String>>()?.0,
                "command" => options.command = Some(map.next_value::<Leaf<Name>>()?.0.0),
                "docker" => options.docker = map.next_value::<Leaf<DockerChoice>>()?.0,
                "env" => {
                    let variables: IndexMap<String, Leaf<Variable>> = map.next_value()?;
                    options.env =
                        variables.into_iter().map(|(name, Leaf(Variable(value)))| (name, value)).collect();
                }
                "exclude" => options.exclude = names(&mut map)?,
                "features" => options.features = Some(map.next_value::<Leaf<FeatureMode>>()?.0),
                "packages" => options.packages = names(&mut map)?,
                "platform" => options.platforms = Some(platforms(&mut map)?),
                "soft-fail" => options.soft_fail = Some(map.next_value::<Leaf<bool>>()?.0),
                "timeout-in-minutes" => {
                    options.timeout_in_minutes = Some(map.next_value::<Leaf<Minutes>>()?.0.0);
                }
                "working-directory" => {
                    options.working_directory = Some(map.next_value::<Leaf<Name>>()?.0.0);
                }
                _ => {
                    options.own.insert(key, map.next_value()?);
                }
            }
        }
        Ok(options)
    }
}

fn names<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Vec<String>, A::Error> {
    Ok(map.next_value::<OneOrMany<Name>>()?.0.into_iter().map(|Name(name)| name).collect())
}
