//! The attribute `retry` of a step (Buildkite's documentation, "Command step", retry attributes).

use super::short;
use crate::model::did_you_mean;
use serde_json::{Map, Value};

/// The keys of `retry`.
const KEYS: [&str; 2] = ["automatic", "manual"];
/// The keys of a rule for automatic retries.
const AUTOMATIC: [&str; 4] = ["exit_status", "limit", "signal", "signal_reason"];
/// The keys of the rule for manual retries.
const MANUAL: [&str; 3] = ["allowed", "permit_on_passed", "reason"];

/// Checks the names in a value of `retry`, and that each has the right kind of value: Buildkite ignores
/// a misspelt name. The values of the rules are passed on as they are. An error begins with the rest of
/// the key path, or with `: `.
pub fn check(value: &Value) -> Result<(), String> {
    let retry = match value {
        Value::Object(retry) => retry,
        Value::Bool(automatic) => {
            return Err(format!(
                ": expected a map of `automatic` and `manual`, got {automatic}; write: {{\"automatic\": {automatic}}}"
            ));
        }
        other => return Err(format!(": expected a map of `automatic` and `manual`, got {}", short(other))),
    };
    known(retry, &KEYS, "")?;
    match retry.get("automatic") {
        None | Some(Value::Bool(_)) => {}
        Some(Value::Object(rule)) => known(rule, &AUTOMATIC, ".automatic")?,
        Some(Value::Array(rules)) => {
            for (index, rule) in rules.iter().enumerate() {
                let path = format!(".automatic[{index}]");
                let rule = rule.as_object().ok_or_else(|| {
                    format!("{path}: expected a map such as {{\"exit_status\": -1}}, got {}", short(rule))
                })?;
                known(rule, &AUTOMATIC, &path)?;
            }
        }
        Some(other) => {
            return Err(format!(
                ".automatic: expected true, false, a map or a list of maps, got {}",
                short(other)
            ));
        }
    }
    match retry.get("manual") {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(Value::Object(rule)) => known(rule, &MANUAL, ".manual"),
        Some(other) => Err(format!(".manual: expected true, false or a map, got {}", short(other))),
    }
}

fn known(map: &Map<String, Value>, keys: &[&str], path: &str) -> Result<(), String> {
    match map.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(format!("{path}.{key}: unknown key{}", did_you_mean(key, keys.iter().copied()))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_form_that_buildkite_takes_is_accepted() {
        for value in [
            json!({}),
            json!({"automatic": true}),
            json!({"automatic": {"exit_status": "*", "limit": 2}, "manual": false}),
            json!({"automatic": [{"exit_status": [-1, 255], "limit": 2}, {"signal_reason": "agent_stop", "signal": "*"}]}),
            json!({"manual": {"allowed": false, "reason": "no", "permit_on_passed": true}}),
        ] {
            assert_eq!(check(&value), Ok(()), "{value}");
        }
    }

    #[test]
    fn a_misspelt_name_or_another_kind_is_refused_with_its_place() {
        for (value, told) in [
            (
                json!(true),
                r#": expected a map of `automatic` and `manual`, got true; write: {"automatic": true}"#,
            ),
            (json!("no"), r#": expected a map of `automatic` and `manual`, got "no""#),
            (json!({"automatc": true}), ".automatc: unknown key; did you mean `automatic`?"),
            (json!({"automatic": [{"limt": 2}]}), ".automatic[0].limt: unknown key; did you mean `limit`?"),
            (
                json!({"automatic": [2]}),
                r#".automatic[0]: expected a map such as {"exit_status": -1}, got 2"#,
            ),
            (
                json!({"automatic": "yes"}),
                r#".automatic: expected true, false, a map or a list of maps, got "yes""#,
            ),
            (json!({"manual": {"allowd": true}}), ".manual.allowd: unknown key; did you mean `allowed`?"),
            (json!({"manual": 1}), ".manual: expected true, false or a map, got 1"),
        ] {
            assert_eq!(check(&value), Err(told.to_owned()));
        }
    }
}
