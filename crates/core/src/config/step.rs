//! The repository's own step, as it is written under `steps`. This plugin reads `label`, `command` and
//! `platform`. The other attributes of a Buildkite command step are passed on as they are written.

use super::ExtraStep;
use super::form::{Agents, Platforms};
use crate::model::BUILDKITE_STEP_KEYS;
use crate::options::{Command, Name, OneOrMany, Positive};
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;

/// The keys that a step may have.
const KEYS: [&str; BUILDKITE_STEP_KEYS.len() + 1] = {
    let mut keys = ["platform"; BUILDKITE_STEP_KEYS.len() + 1];
    let mut at = 0;
    while at < BUILDKITE_STEP_KEYS.len() {
        keys[at] = BUILDKITE_STEP_KEYS[at];
        at += 1;
    }
    keys
};

/// A key of a step. It is checked while it is read, so that an error's path ends with it.
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
            _ => Err(Error::unknown_field(&key, &KEYS)),
        }
    }
}

/// A step's `timeout_in_minutes`, as it is written: Buildkite also accepts a number in quotes.
struct StepMinutes(Value);

impl<'de> Deserialize<'de> for StepMinutes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
        match number.and_then(Positive::of) {
            Some(_) => Ok(Self(value)),
            None => Err(D::Error::invalid_value(Unexpected::Other("another value"), &Positive::WHAT)),
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
                Key::Label => once(&mut step.label, "label", map.next_value::<Name>()?.0)?,
                // Buildkite combines a list into one script, with a command on each line.
                Key::Command => {
                    let lines = map.next_value::<OneOrMany<Command>>()?.0;
                    let lines: Vec<String> = lines.into_iter().map(|Command(line)| line).collect();
                    once(&mut step.command, "command", lines.join("\n"))?;
                }
                Key::Platform => step.platforms = Some(map.next_value::<Platforms>()?.0),
                Key::Minutes => {
                    let StepMinutes(minutes) = map.next_value()?;
                    step.attributes.insert("timeout_in_minutes".into(), minutes);
                }
                Key::Attribute(name) if name == "agents" => {
                    let Agents(tags) = map.next_value()?;
                    step.attributes.insert(name, tags.into());
                }
                Key::Attribute(name) => {
                    step.attributes.insert(name, map.next_value()?);
                }
            }
        }
        match (step.label.is_empty(), step.command.is_empty()) {
            (true, _) => Err(Error::missing_field("label")),
            (_, true) => Err(Error::missing_field("command")),
            _ => Ok(step),
        }
    }
}

/// Sets a value that has two possible keys (`label`, `name`). An error if both are used.
fn once<E: Error>(slot: &mut String, what: &str, value: String) -> Result<(), E> {
    if !slot.is_empty() {
        return Err(E::custom(format!("the {what} is given twice")));
    }
    *slot = value;
    Ok(())
}
