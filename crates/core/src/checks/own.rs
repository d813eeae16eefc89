//! Reads the options that only one check has into the type of that check.

use crate::config::COMMON_CHECK_KEYS;
use crate::exit;
use crate::model::did_you_mean;
use anyhow::Result;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde_json::{Map, Value};

/// Reads a check's own options into its type. The type must deny unknown fields.
///
/// # Errors
/// Exit 2, with the key path, what was expected and what was meant.
pub fn read<T: DeserializeOwned>(check: &str, own: &Map<String, Value>) -> Result<T> {
    serde_path_to_error::deserialize(Value::Object(own.clone())).map_err(|error| {
        let path = format!("checks.{check}.{}", error.path());
        exit::usage(explain(&path, &error.into_inner().to_string()))
    })
}

/// Checks that a check without options of its own is given none.
///
/// # Errors
/// Exit 2 with the key path of the first.
pub fn read_none(check: &str, own: &Map<String, Value>) -> Result<()> {
    match own.keys().next() {
        None => Ok(()),
        Some(key) => {
            let meant = did_you_mean(key, COMMON_CHECK_KEYS);
            Err(exit::usage(format!("checks.{check}.{key}: unknown option{meant}")))
        }
    }
}

/// serde's message in the words of the configuration's other errors.
fn explain(path: &str, message: &str) -> String {
    if let Some((given, known)) =
        message.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, expected "))
    {
        // `one of `a`, `b``: every second part between backquotes is a name.
        let known = known.split('`').skip(1).step_by(2).chain(COMMON_CHECK_KEYS);
        return format!("{path}: unknown option{}", did_you_mean(given, known));
    }
    if let Some((given, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        let expected = match expected {
            "a boolean" => "true or false",
            "a sequence" => "a list",
            other => other,
        };
        let given = if given == "sequence" { "a list" } else { given };
        return format!("{path}: expected {expected}, got {given}");
    }
    format!("{path}: {message}")
}

/// A limit: a whole number from 1, or `false` for none.
///
/// # Errors
/// Where it is neither.
pub fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if value == Value::Bool(false) {
        return Ok(None);
    }
    let number = value.as_u64().filter(|number| *number > 0).and_then(|number| usize::try_from(number).ok());
    number
        .map(Some)
        .ok_or_else(|| D::Error::custom(format!("expected a number from 1, or false, got {value}")))
}

/// A text that is not empty.
///
/// # Errors
/// Where it is none.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) if !text.trim().is_empty() => Ok(Some(text.trim().to_owned())),
        other => Err(D::Error::custom(format!("expected a text that is not empty, got {other}"))),
    }
}
