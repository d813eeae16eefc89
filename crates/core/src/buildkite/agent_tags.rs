//! Agent tags: what the agent that takes a step must have.

use super::short;
use serde_json::{Map, Value};
use thiserror::Error;

/// Why a value is no agent tags.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AgentTagsError {
    /// It is neither a map nor a list.
    #[error("expected a map of agent tags, got {0}")]
    Kind(String),
    /// It is a list with an item that is not `name=value`.
    #[error("expected a list of \"name=value\", got {0}")]
    Item(String),
    /// The value of a tag is a map or a list.
    #[error("tag `{name}`: expected text, got {value}")]
    Value {
        /// The tag.
        name: String,
        /// Its value, as JSON.
        value: String,
    },
}

/// Reads agent tags in both forms that Buildkite takes: a map, or a list of `name=value`. In a list,
/// blanks around the name and the value are dropped.
///
/// # Errors
/// If the value has neither form. The message does not have the key path: the caller knows it.
pub fn agent_tags(value: &Value) -> Result<Map<String, Value>, AgentTagsError> {
    let tags = match value {
        Value::Object(tags) => tags.clone(),
        Value::Array(items) => {
            let tags: Option<Map<_, _>> = items.iter().map(tag).collect();
            tags.ok_or_else(|| AgentTagsError::Item(short(value)))?
        }
        _ => return Err(AgentTagsError::Kind(short(value))),
    };
    match tags.iter().find(|(_, value)| value.is_object() || value.is_array()) {
        Some((name, value)) => Err(AgentTagsError::Value { name: name.clone(), value: short(value) }),
        None => Ok(tags),
    }
}

/// An item of a list: `name=value`, with a name.
fn tag(item: &Value) -> Option<(String, Value)> {
    let (name, value) = item.as_str()?.split_once('=')?;
    let name = name.trim();
    (!name.is_empty()).then(|| (name.to_owned(), value.trim().into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_and_a_map_are_the_same_tags() {
        let map = json!({"os": "linux", "queue": "a=b"});
        assert_eq!(agent_tags(&map).unwrap(), agent_tags(&json!(["os=linux", " queue = a=b "])).unwrap());
        assert_eq!(agent_tags(&json!({"large": true, "n": 4})).unwrap().len(), 2);
        assert!(agent_tags(&json!([])).unwrap().is_empty());
    }

    #[test]
    fn what_is_no_tag_is_refused_and_not_dropped() {
        for (given, told) in [
            (json!("linux"), r#"expected a map of agent tags, got "linux""#),
            (json!(["os=linux", "kvm"]), r#"expected a list of "name=value", got ["os=linux","kvm"]"#),
            (json!(["os=linux", 5]), r#"expected a list of "name=value", got ["os=linux",5]"#),
            (json!(["=linux"]), r#"expected a list of "name=value", got ["=linux"]"#),
            (json!({"os": ["linux"]}), r#"tag `os`: expected text, got ["linux"]"#),
        ] {
            assert_eq!(agent_tags(&given).unwrap_err().to_string(), told);
        }
    }
}
