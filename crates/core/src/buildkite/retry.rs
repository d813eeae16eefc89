//! The attribute `retry` of a step (Buildkite's documentation, "Command step", retry attributes).

use crate::options::Refusal;
use serde_json::{Map, Value};

/// The keys of `retry`.
const KEYS: [&str; 2] = ["automatic", "manual"];
/// The keys of a rule for automatic retries.
const AUTOMATIC: [&str; 4] = ["exit_status", "limit", "signal", "signal_reason"];
/// The keys of the rule for manual retries.
const MANUAL: [&str; 3] = ["allowed", "permit_on_passed", "reason"];

/// Checks the names in a value of `retry`, and the kind of each value. The check is needed because Buildkite
/// ignores a misspelt name. The values of the rules are passed on unchanged.
///
/// # Errors
/// If Buildkite does not know a name, or if a value has the wrong kind.
pub fn check(value: &Value) -> Result<(), Refusal> {
    let Value::Object(retry) = value else {
        return Err(Refusal::expected("a map such as {\"automatic\": true}", value));
    };
    known(retry, &KEYS, "")?;
    if let Some(automatic) = retry.get("automatic") {
        match automatic {
            Value::Bool(_) => {}
            Value::Object(rule) => known(rule, &AUTOMATIC, "automatic")?,
            Value::Array(rules) => rules.iter().enumerate().try_for_each(|(index, rule)| {
                let path = format!("automatic[{index}]");
                let Value::Object(rule) = rule else {
                    let what = "a map such as {\"exit_status\": -1}";
                    return Err(Refusal::expected(what, rule).below(&path));
                };
                known(rule, &AUTOMATIC, &path)
            })?,
            other => {
                let what = "true, false, a map or a list of maps";
                return Err(Refusal::expected(what, other).below("automatic"));
            }
        }
    }
    match retry.get("manual") {
        None | Some(Value::Bool(_)) => Ok(()),
        Some(Value::Object(rule)) => known(rule, &MANUAL, "manual"),
        Some(other) => Err(Refusal::expected("true, false or a map", other).below("manual")),
    }
}

fn known(map: &Map<String, Value>, keys: &[&str], path: &str) -> Result<(), Refusal> {
    match map.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(Refusal::unknown(key, keys.iter().copied()).below(path)),
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
        for (value, path) in [
            (json!(true), ""),
            (json!("no"), ""),
            (json!({"automatc": true}), "automatc"),
            (json!({"automatic": [{"limt": 2}]}), "automatic[0].limt"),
            (json!({"automatic": [2]}), "automatic[0]"),
            (json!({"automatic": "yes"}), "automatic"),
            (json!({"manual": {"allowd": true}}), "manual.allowd"),
            (json!({"manual": 1}), "manual"),
        ] {
            assert_eq!(check(&value).unwrap_err().path(), path, "{value}");
        }
    }
}
