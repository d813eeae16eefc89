//! The leaves of a configuration: what may be written there, and the words for what may not.
//!
//! The key path before an error comes from where the leaf stands (`serde_path_to_error`), so the
//! texts here begin with what was expected.

use super::{Cache, DockerChoice, Jobs, Mode, WorkspaceMode};
use crate::buildkite::agent_tags;
use crate::model::{FeatureMode, HYPERVISORS, Os, Platform, did_you_mean};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::fmt;
use std::marker::PhantomData;

/// How a leaf is read; an error is a sentence without key path.
pub trait Form: Sized {
    /// The value that stands there.
    fn read(value: Value) -> Result<Self, String>;
}

/// A leaf as serde reads it.
#[derive(Debug)]
pub struct Leaf<T>(pub T);

impl<'de, T: Form> Deserialize<'de> for Leaf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::read(Value::deserialize(deserializer)?).map(Self).map_err(Error::custom)
    }
}

/// One leaf, or a list of them.
#[derive(Debug)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<'de, T: Form> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData)).map(Self)
    }
}

/// Reads a list element by element, so that an error's path has the index.
struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Form> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name or a list of names")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(Leaf(item)) = seq.next_element()? {
            all.push(item);
        }
        Ok(all)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
        one(Value::deserialize(MapAccessDeserializer::new(map))?)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        one(text.into())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Vec<T>, E> {
        one(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Vec<T>, E> {
        one(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Vec<T>, E> {
        one(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Vec<T>, E> {
        one(value.into())
    }
}

fn one<T: Form, E: Error>(value: Value) -> Result<Vec<T>, E> {
    Ok(vec![T::read(value).map_err(E::custom)?])
}

/// The sentence for a value of the wrong kind. A long value is cut: the path says where it stands.
pub fn unexpected(what: &str, value: &Value) -> String {
    const SHOWN: usize = 60;
    let text = value.to_string();
    let cut = text.char_indices().nth(SHOWN).map(|(at, _)| at);
    match cut {
        Some(at) => format!("expected {what}, got {} …", &text[..at]),
        None => format!("expected {what}, got {text}"),
    }
}

/// Any text, the empty one too.
impl Form for String {
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(text),
            Value::Number(_) | Value::Bool(_) => {
                Err(format!("{}; write it in quotes", unexpected("text", &value)))
            }
            _ => Err(unexpected("text", &value)),
        }
    }
}

/// A name, a path or a command: text that is not blank.
#[derive(Debug)]
pub struct Name(pub String);

impl Form for Name {
    fn read(value: Value) -> Result<Self, String> {
        let text = String::read(value)?;
        if text.trim().is_empty() {
            Err("expected text, got nothing but blanks".into())
        } else {
            Ok(Self(text))
        }
    }
}

/// A variable's value: text, or a number or boolean that is meant as text, as in Buildkite's `env`.
#[derive(Debug)]
pub struct Variable(pub String);

impl Form for Variable {
    fn read(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(Self(text)),
            Value::Number(_) | Value::Bool(_) => Ok(Self(value.to_string())),
            _ => Err(unexpected("text", &value)),
        }
    }
}

impl Form for bool {
    fn read(value: Value) -> Result<Self, String> {
        match &value {
            Value::Bool(flag) => Ok(*flag),
            Value::String(text) => Err(match text.to_lowercase().as_str() {
                "true" | "yes" | "on" => format!("{}; write: true", unexpected("true or false", &value)),
                "false" | "no" | "off" => format!("{}; write: false", unexpected("true or false", &value)),
                _ => unexpected("true or false", &value),
            }),
            _ => Err(unexpected("true or false", &value)),
        }
    }
}

/// Whole minutes, at least one.
#[derive(Debug)]
pub struct Minutes(pub u32);

impl Form for Minutes {
    fn read(value: Value) -> Result<Self, String> {
        positive("minutes", &value).map(Self)
    }
}

/// How many jobs, at least one.
#[derive(Debug)]
pub struct Count(pub u32);

impl Form for Count {
    fn read(value: Value) -> Result<Self, String> {
        positive("a number of jobs", &value).map(Self)
    }
}

fn positive(what: &str, value: &Value) -> Result<u32, String> {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    match number {
        Some(0) => Err(format!("expected {what}, at least 1, got 0")),
        Some(number) => Ok(number),
        None if value.as_str().is_some_and(|text| text.trim().parse::<u32>().is_ok()) => {
            Err(format!("{}; write it without quotes", unexpected(what, value)))
        }
        None => Err(unexpected(what, value)),
    }
}

/// An option whose value is one of a few words.
macro_rules! words {
    ($type:ty, $what:literal, $($word:literal => $value:expr),+ $(,)?) => {
        impl Form for $type {
            fn read(value: Value) -> Result<Self, String> {
                let words = [$($word),+];
                match value.as_str() {
                    $(Some($word) => Ok($value),)+
                    Some(other) => Err(unknown($what, other, &words)),
                    None => Err(unexpected(&format!("one of {}", words.join(", ")), &value)),
                }
            }
        }
    };
}

fn unknown(what: &str, given: &str, words: &[&str]) -> String {
    format!("unknown {what} `{given}`{}", did_you_mean(given, words.iter().copied()))
}

words!(Mode, "mode", "run" => Self::Run, "upload" => Self::Upload);
words!(WorkspaceMode, "workspace mode", "whole" => Self::Whole, "selective" => Self::Selective);
words!(Jobs, "kind of jobs", "per-check" => Self::PerCheck, "per-platform" => Self::PerPlatform);
words!(Cache, "cache", "none" => Self::None, "registry" => Self::Registry, "target" => Self::Target);
words!(
    FeatureMode, "set of features",
    "powerset" => Self::Powerset,
    "powerset-all" => Self::PowersetAll,
    "each" => Self::Each,
    "all" => Self::All,
    "default" => Self::Default,
);

impl Form for Platform {
    fn read(value: Value) -> Result<Self, String> {
        match value.as_str() {
            Some(name) => name.parse(),
            None => Err(unexpected(&format!("one of {}", Self::ALL.map(Self::as_str).join(", ")), &value)),
        }
    }
}

impl Form for Os {
    fn read(value: Value) -> Result<Self, String> {
        match value.as_str() {
            Some(name) => name.parse(),
            None => Err(unexpected(&format!("one of {}", Self::ALL.map(Self::as_str).join(", ")), &value)),
        }
    }
}

/// The agent tag `hypervisor`: one that agents carry, since a step with another is never taken.
#[derive(Debug)]
pub struct Hypervisor(pub String);

impl Form for Hypervisor {
    fn read(value: Value) -> Result<Self, String> {
        match value.as_str() {
            Some(name) if HYPERVISORS.contains(&name) => Ok(Self(name.into())),
            Some(name) => Err(unknown("hypervisor", name, &HYPERVISORS)),
            None => Err(unexpected(&format!("one of {}", HYPERVISORS.join(", ")), &value)),
        }
    }
}

impl Form for semver::VersionReq {
    fn read(value: Value) -> Result<Self, String> {
        const WHAT: &str = "a requirement such as \">=1.2\"";
        match value.as_str() {
            Some(text) => text.parse().map_err(|error| format!("{}: {error}", unexpected(WHAT, &value))),
            None if value.is_number() => Err(format!("{}; write it in quotes", unexpected(WHAT, &value))),
            None => Err(unexpected(WHAT, &value)),
        }
    }
}

impl Form for DockerChoice {
    fn read(value: Value) -> Result<Self, String> {
        const WHAT: &str = "false or a map of the docker plugin's options";
        match value {
            Value::Bool(false) => Ok(Self::Off),
            Value::Bool(true) => Ok(Self::Options(Map::new())),
            Value::Object(options) => Ok(Self::Options(options)),
            Value::String(ref text) if ["true", "false"].contains(&text.as_str()) => {
                Err(format!("{}; write: {text}", unexpected(WHAT, &value)))
            }
            Value::String(ref image) => Err(format!(
                "{}; for an image write: {{\"image\": {}}}",
                unexpected(WHAT, &value),
                Value::from(image.as_str())
            )),
            _ => Err(unexpected(WHAT, &value)),
        }
    }
}

/// Agent tags, in both forms that Buildkite takes: a map, or a list of `name=value`.
#[derive(Debug)]
pub struct Agents(pub Map<String, Value>);

impl Form for Agents {
    fn read(value: Value) -> Result<Self, String> {
        agent_tags(&value).map(Self).map_err(|error| error.to_string())
    }
}
