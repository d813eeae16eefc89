//! The kinds of values that only some options have.

pub use crate::buildkite::AgentTags as Agents;
use crate::model::{HYPERVISORS, Platform};
use crate::options::{Name, OneOrMany, Positive};
use semver::VersionReq;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

#[cfg(test)]
pub use schemas::{Choice, Hypervisor, OsName, Selection};

/// Names: one name or a list of names.
pub type Names = OneOrMany<Name>;

/// Reads names.
pub fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let OneOrMany(names) = Names::deserialize(deserializer)?;
    Ok(names.into_iter().map(|Name(name)| name).collect())
}

/// Platforms. There must be at least one, because a build without a platform would be green without checking
/// anything. Each may occur once, because two steps would otherwise have the same label.
#[derive(Debug)]
pub struct Platforms(pub Vec<Platform>);

impl<'de> Deserialize<'de> for Platforms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
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

/// Reads [`Platforms`].
pub fn platforms<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Platform>>, D::Error> {
    Platforms::deserialize(deserializer).map(|Platforms(platforms)| Some(platforms))
}

/// Reads the names in `only`. There must be at least one, because a build without a check would be green
/// without checking anything.
pub fn selection<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    let names = names(deserializer)?;
    if names.is_empty() {
        return Err(Error::custom("names no check; leave it out for all of them"));
    }
    Ok(Some(names))
}

/// Reads a number of minutes.
pub fn minutes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    Positive::deserialize(deserializer).map(|Positive(minutes)| Some(minutes))
}

/// Reads the agent tag `hypervisor`. Only values that agents have are accepted, because no agent would take a
/// step with another value.
pub fn hypervisor<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    if HYPERVISORS.contains(&name.as_str()) {
        Ok(Some(name))
    } else {
        Err(D::Error::unknown_variant(&name, &HYPERVISORS))
    }
}

/// Reads a version requirement.
pub fn version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<VersionReq>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(|error| {
        let what = format!("text with a requirement such as \">=1.2\" ({error})");
        D::Error::invalid_value(Unexpected::Str(&text), &what.as_str())
    })
}

/// Reads [`Agents`].
pub fn agents<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Map<String, Value>>, D::Error> {
    Agents::deserialize(deserializer).map(|Agents(tags)| Some(tags))
}

/// The schemas of values that hand-written code reads.
#[cfg(test)]
mod schemas {
    use super::{Agents, HYPERVISORS, Platforms};
    use crate::model::{Os, Platform};
    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    /// The option `os`.
    pub struct OsName;

    /// A choice of container.
    pub struct Choice;

    /// The agent tag `hypervisor`.
    pub struct Hypervisor;

    /// The names in `only`.
    pub struct Selection;

    macro_rules! schema {
        ($($type:ident: $schema:tt;)*) => {$(
            impl JsonSchema for $type {
                fn schema_name() -> std::borrow::Cow<'static, str> {
                    stringify!($type).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!($schema)
                }
            }
        )*};
    }

    schema! {
        Agents: {"type": ["object", "array"]};
        Choice: {"type": ["boolean", "object"]};
        Hypervisor: {"type": "string", "enum": HYPERVISORS};
        OsName: {"type": "string", "enum": Os::ALL};
        Platforms: {"anyOf": [
            {"type": "string", "enum": Platform::ALL},
            {"type": "array", "minItems": 1, "items": {"type": "string", "enum": Platform::ALL}}
        ]};
        Selection: {"anyOf": [
            {"type": "string"},
            {"type": "array", "minItems": 1, "items": {"type": "string"}}
        ]};
    }
}
