//! The option `split`: a number of jobs, or a map with that number and files of measured times.

use super::form::{Count, Form, Leaf, Name, OneOrMany};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;

/// Over how many jobs a platform's checks are split, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The number of jobs, at least 1.
    pub jobs: u32,
    /// Reports of earlier runs, from the repository's root; none for the built-in times.
    pub times: Vec<String>,
}

impl Default for Split {
    /// One job: nothing is split.
    fn default() -> Self {
        Self { jobs: 1, times: Vec::new() }
    }
}

/// The option as a map.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    jobs: Leaf<Count>,
    times: Option<OneOrMany<Name>>,
}

impl<'de> Deserialize<'de> for Split {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SplitVisitor)
    }
}

struct SplitVisitor;

impl SplitVisitor {
    fn number<E: Error>(value: impl Into<Value>) -> Result<Split, E> {
        let Count(jobs) = Count::read(value.into()).map_err(E::custom)?;
        Ok(Split { jobs, ..Split::default() })
    }
}

impl<'de> Visitor<'de> for SplitVisitor {
    type Value = Split;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of jobs, or a map of `jobs` and `times`")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Split, A::Error> {
        let Written { jobs: Leaf(Count(jobs)), times } =
            Written::deserialize(MapAccessDeserializer::new(map))?;
        let times = times.into_iter().flat_map(|OneOrMany(names)| names).map(|Name(name)| name).collect();
        Ok(Split { jobs, times })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Split, E> {
        Self::number(number)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Split, E> {
        Self::number(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Split, E> {
        Self::number(number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Split, E> {
        Self::number(text)
    }
}
