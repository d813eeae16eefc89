//! The option `split`: a number of jobs, or a map with that number and files of measured times.

use super::form;
use crate::options::Positive;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// The number of jobs that a platform's checks are divided among, and the times used for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// The number of jobs, at least 1.
    pub jobs: u32,
    /// Reports of earlier runs, from the repository's root. Empty for the built-in times.
    pub times: Vec<String>,
}

impl Default for Split {
    /// One job: nothing is divided.
    fn default() -> Self {
        Self { jobs: 1, times: Vec::new() }
    }
}

/// The option as a map.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Map {
    jobs: Positive,
    #[serde(default, deserialize_with = "form::names")]
    times: Vec<String>,
}

impl<'de> Deserialize<'de> for Split {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SplitVisitor)
    }
}

struct SplitVisitor;

impl<'de> Visitor<'de> for SplitVisitor {
    type Value = Split;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, or a map of `jobs` and `times`", Positive::WHAT)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Split, A::Error> {
        let Map { jobs: Positive(jobs), times } = Map::deserialize(MapAccessDeserializer::new(map))?;
        Ok(Split { jobs, times })
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Split, E> {
        let number = Positive::of(number)
            .ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &Positive::WHAT))?;
        Ok(Split { jobs: number.0, ..Split::default() })
    }
}

/// The option's schema.
#[cfg(test)]
pub struct Written;

#[cfg(test)]
impl schemars::JsonSchema for Written {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Split".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let jobs = generator.subschema_for::<Positive>();
        let times = generator.subschema_for::<form::Names>();
        schemars::json_schema!({"anyOf": [
            jobs,
            {
                "type": "object",
                "required": ["jobs"],
                "properties": {"jobs": jobs, "times": times},
                "additionalProperties": false
            }
        ]})
    }
}
