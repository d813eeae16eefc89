//! Reads the options that only one check has into the type of that check.

use crate::config::COMMON_CHECK_KEYS;
use crate::exit;
use crate::options::{self, Name, Refusal};
use anyhow::Result;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, Unexpected};
use serde_json::{Map, Value};

/// Reads a check's own options into its type. The type must deny unknown fields.
///
/// # Errors
/// Exit 2, with the key path, what was expected, and what the person probably meant.
pub fn read<T: DeserializeOwned>(check: &str, own: &Map<String, Value>) -> Result<T> {
    options::read(&Value::Object(own.clone())).map_err(|refusal| {
        let key = own.keys().find(|key| options::key(key) == refusal.path());
        let refusal = match key {
            Some(key) => refusal.or_one_of(key, &COMMON_CHECK_KEYS),
            None => refusal,
        };
        exit::usage(refusal.below(&format!("checks.{check}")))
    })
}

/// Refuses options for a check that has no options of its own.
///
/// # Errors
/// Exit 2 with the key path of the first option.
pub fn read_none(check: &str, own: &Map<String, Value>) -> Result<()> {
    match own.keys().next() {
        None => Ok(()),
        Some(key) => {
            let refusal = Refusal::unknown(key, COMMON_CHECK_KEYS);
            Err(exit::usage(refusal.below(&format!("checks.{check}"))))
        }
    }
}

/// Reads a limit: a whole number from 1, or `false` for no limit.
///
/// # Errors
/// For any other value.
pub fn limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    if value == Value::Bool(false) {
        return Ok(None);
    }
    let number = value.as_u64().filter(|number| *number > 0).and_then(|number| usize::try_from(number).ok());
    number.map(Some).ok_or_else(|| {
        D::Error::invalid_value(Unexpected::Other("another value"), &"a whole number from 1, or false")
    })
}

/// Reads a name or a path, and removes spaces around it.
///
/// # Errors
/// For any other value.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Name::deserialize(deserializer).map(|Name(text)| Some(text.trim().to_owned()))
}
