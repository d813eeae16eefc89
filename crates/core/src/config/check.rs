//! The options of one check, as they are written under `checks`.

use super::CheckOptions;
use super::form::{Agents, Names, Platforms};
use crate::exit::usage;
use crate::options::{AnyText, Command, Name, OneOrMany, Positive, Refusal, Scalar};
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
    /// Refuses the options in [`CheckOptions::own`], except the `known` ones. `known` are the options that
    /// only the check of this `name` has.
    ///
    /// # Errors
    /// Exit 2 with the key path and what the person probably meant.
    pub fn refuse_unknown(&self, name: &str, known: &[&str]) -> Result<()> {
        match self.own.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(key) => {
                let known = known.iter().copied().chain(COMMON_CHECK_KEYS);
                Err(usage(Refusal::unknown(key, known).below(&format!("checks.{name}"))))
            }
        }
    }
}

/// A key of a check. A common key with `_` instead of `-` is refused here. Only the check itself knows
/// whether any other unknown key is an option of its own.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        let kebab = key.to_lowercase().replace('_', "-");
        if kebab != key && COMMON_CHECK_KEYS.contains(&kebab.as_str()) {
            return Err(Error::unknown_field(&key, &COMMON_CHECK_KEYS));
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
                "agents" => options.agents = Some(map.next_value::<Agents>()?.0),
                "args" => options.args = texts(map.next_value()?),
                "command" => options.command = Some(map.next_value::<Command>()?.0),
                "docker" => options.docker = map.next_value()?,
                "env" => {
                    let variables: IndexMap<VariableName, Scalar> = map.next_value()?;
                    options.env = variables
                        .into_iter()
                        .map(|(VariableName(name), Scalar(value))| (name, value))
                        .collect();
                }
                "exclude" => options.exclude = names(&mut map)?,
                "features" => options.features = Some(map.next_value()?),
                "packages" => options.packages = names(&mut map)?,
                "platform" => options.platforms = Some(map.next_value::<Platforms>()?.0),
                "soft-fail" => options.soft_fail = Some(map.next_value()?),
                "timeout-in-minutes" => {
                    options.timeout_in_minutes = Some(map.next_value::<Positive>()?.0);
                }
                "working-directory" => {
                    options.working_directory = Some(map.next_value::<Name>()?.0);
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
    Ok(map.next_value::<Names>()?.0.into_iter().map(|Name(name)| name).collect())
}

fn texts(OneOrMany(texts): OneOrMany<AnyText>) -> Vec<String> {
    texts.into_iter().map(|AnyText(text)| text).collect()
}

/// The name of an environment variable that a process can receive.
#[derive(PartialEq, Eq, Hash)]
struct VariableName(String);

impl<'de> Deserialize<'de> for VariableName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Name(name) = Name::deserialize(deserializer)?;
        if name.contains('=') {
            return Err(Error::custom("a variable's name has no `=`"));
        }
        Ok(Self(name))
    }
}

/// The options that every check has, for the schema.
#[cfg(test)]
#[derive(schemars::JsonSchema)]
#[schemars(rename_all = "kebab-case")]
#[allow(dead_code, reason = "only the schema is made of it")]
pub struct Written {
    agents: Option<Agents>,
    args: Option<OneOrMany<AnyText>>,
    command: Option<Command>,
    docker: Option<super::form::Choice>,
    env: Option<std::collections::BTreeMap<String, serde_json::Value>>,
    exclude: Option<Names>,
    features: Option<crate::model::FeatureMode>,
    packages: Option<Names>,
    platform: Option<Platforms>,
    soft_fail: Option<bool>,
    timeout_in_minutes: Option<Positive>,
    working_directory: Option<Name>,
}
