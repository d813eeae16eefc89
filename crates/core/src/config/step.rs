//! A step of the repository's own, as it is written under `steps`: `label`, `command` and
//! `platform` are ours, the other attributes of a Buildkite command step pass through untouched.

use super::ExtraStep;
use super::form::{Agents, Form, Leaf, Name, OneOrMany, unexpected};
use super::raw::platforms;
use crate::model::{BUILDKITE_STEP_KEYS, closest};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;

/// A key of a step. It is judged while it is read, so that an error's path ends in it.
enum Key {
    Label,
    Command,
    Platform,
    Minutes,
    Attribute(String),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        match key.as_str() {
            "label" | "name" => Ok(Self::Label),
            "command" | "commands" => Ok(Self::Command),
            "platform" => Ok(Self::Platform),
            "timeout_in_minutes" => Ok(Self::Minutes),
            known if BUILDKITE_STEP_KEYS.contains(&known) => Ok(Self::Attribute(key)),
            other => {
                let known = BUILDKITE_STEP_KEYS.into_iter().chain(["platform"]);
                Err(Error::custom(closest(other, known).map_or_else(
                    || "not an attribute of a Buildkite command step".to_owned(),
                    |meant| format!("not an attribute of a Buildkite command step; did you mean `{meant}`?"),
                )))
            }
        }
    }
}

/// A step's `timeout_in_minutes`, kept as written: Buildkite takes a number in quotes too.
struct StepMinutes(Value);

impl Form for StepMinutes {
    fn read(value: Value) -> Result<Self, String> {
        let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
        match number {
            Some(0) => Err(unexpected("minutes, at least 1", &value)),
            Some(_) => Ok(Self(value)),
            None => Err(unexpected("minutes", &value)),
        }
    }
}

impl<'de> Deserialize<'de> for ExtraStep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StepVisitor)
    }
}

struct StepVisitor;

impl<'de> Visitor<'de> for StepVisitor {
    type Value = ExtraStep;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command step: a map with `label` and `command`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExtraStep, A::Error> {
        let mut step = ExtraStep::default();
        while let Some(key) = map.next_key()? {
            match key {
                Key::Label => once(&mut step.label, "label", map.next_value::<Leaf<Name>>()?.0.0)?,
                // Several commands are what Buildkite makes of a list: one script, line by line.
                Key::Command => {
                    let lines = map.next_value::<OneOrMany<Name>>()?.0;
                    let lines: Vec<String> = lines.into_iter().map(|Name(line)| line).collect();
                    once(&mut step.command, "command", lines.join("\n"))?;
                }
                Key::Platform => step.platforms = Some(platforms(&mut map)?),
                Key::Minutes => {
                    let StepMinutes(minutes) = map.next_value::<Leaf<_>>()?.0;
                    step.attributes.insert("timeout_in_minutes".into(), minutes);
                }
                Key::Attribute(name) if name == "agents" => {
                    let Agents(tags) = map.next_value::<Leaf<_>>()?.0;
                    step.attributes.insert(name, tags.into());
                }
                Key::Attribute(name) => {
                    step.attributes.insert(name, map.next_value()?);
                }
            }
        }
        match (step.label.is_empty(), step.command.is_empty()) {
            (true, _) => Err(Error::custom("has no `label`: it names the step in Buildkite")),
            (_, true) => Err(Error::custom("has no `command`")),
            _ => Ok(step),
        }
    }
}

/// Sets what may be given under either of two spellings (`label`, `name`), but not under both.
fn once<E: Error>(slot: &mut String, what: &str, value: String) -> Result<(), E> {
    if !slot.is_empty() {
        return Err(E::custom(format!("the {what} is given twice")));
    }
    *slot = value;
    Ok(())
}
