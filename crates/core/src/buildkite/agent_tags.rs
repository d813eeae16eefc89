//! Agent tags: the tags that an agent must have to take a step.

use crate::options::{Name, Scalar, is_plain, read};
use serde::de::{Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::fmt;

/// Agent tags, in both forms that Buildkite accepts: a map, or a list of `name=value`. In a list, spaces
/// around the name and the value are removed.
#[derive(Debug)]
pub struct AgentTags(pub Map<String, Value>);

impl<'de> Deserialize<'de> for AgentTags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AgentTagsVisitor)
    }
}

struct AgentTagsVisitor;

impl<'de> Visitor<'de> for AgentTagsVisitor {
    type Value = AgentTags;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of agent tags, or a list of \"name=value\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AgentTags, A::Error> {
        let mut tags = Map::new();
        while let Some(Name(name)) = map.next_key()? {
            let Tag(value) = map.next_value()?;
            tags.insert(name, value);
        }
        Ok(AgentTags(tags))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AgentTags, A::Error> {
        let mut tags = Map::new();
        while let Some(Pair(name, value)) = seq.next_element()? {
            tags.insert(name, value.into());
        }
        Ok(AgentTags(tags))
    }
}

/// The value of an agent tag, as it is written.
struct Tag(Value);

impl<'de> Deserialize<'de> for Tag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        read::<Scalar>(&value)
            .map_err(|_| D::Error::invalid_value(Unexpected::Other("another value"), &Scalar::WHAT))?;
        Ok(Self(value))
    }
}

/// An agent tag as `name=value`.
struct Pair(String, String);

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let pair = text.split_once('=').filter(|(name, _)| !name.trim().is_empty() && is_plain(&text));
        pair.map(|(name, value)| Self(name.trim().to_owned(), value.trim().to_owned()))
            .ok_or_else(|| D::Error::invalid_value(Unexpected::Str(&text), &"text such as \"name=value\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tags(value: &Value) -> Map<String, Value> {
        read::<AgentTags>(value).unwrap().0
    }

    #[test]
    fn a_list_and_a_map_are_the_same_tags() {
        let map = json!({"os": "linux", "queue": "a=b"});
        assert_eq!(tags(&map), tags(&json!(["os=linux", " queue = a=b "])));
        assert_eq!(tags(&json!({"large": true, "n": 4})).len(), 2);
        assert!(tags(&json!([])).is_empty());
    }

    #[test]
    fn what_is_no_tag_is_refused_and_not_dropped() {
        for (given, path) in [
            (json!("linux"), ""),
            (json!(["os=linux", "kvm"]), "[1]"),
            (json!(["os=linux", 5]), "[1]"),
            (json!(["=linux"]), "[0]"),
            (json!({"os": ["linux"]}), "os"),
        ] {
            assert_eq!(read::<AgentTags>(&given).unwrap_err().path(), path, "{given}");
        }
    }
}
