//! The options that one check has of its own: from the configuration's words to the check's type.

use crate::config::COMMON_CHECK_KEYS;
use crate::exit;
use crate::model::did_you_mean;
use anyhow::Result;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error};
use serde_json::{Map, Value};

/// Reads a check's own options into its type, whose unknown fields must be denied.
///
/// # Errors
/// Exit 2, with the key path, what was expected and what was meant.
pub fn read<T: DeserializeOwned>(check: &str, own: &Map<String, Value>) -> Result<T> {
    serde_path_to_error::deserialize(Value::Object(own.clone())).map_err(|error| {
        let path = format!("checks.{check}.{}", error.path());
        exit::usage(explain(&path, &error.into_inner().to_string()))
    })
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

#[cfg(test)]
mod tests {
    use crate::checks::{audit, bench, commit_format, shard};
    use crate::config::COMMON_CHECK_KEYS;
    use anyhow::Result;
    use serde_json::{Map, Value};
    use std::collections::BTreeSet;

    const OPTIONS: &str = include_str!("../../../../docs/options.md");

    type Set = BTreeSet<String>;

    /// The options that a check knows, by what it says of one that it does not.
    fn known(read: impl Fn(&Map<String, Value>) -> Result<()>) -> Set {
        let unknown = [("?".to_owned(), Value::from(1))].into_iter().collect();
        let told = read(&unknown).unwrap_err().to_string();
        let names = told.split_once("one of: ").unwrap().1.split(", ").map(str::to_owned);
        names.filter(|name| !COMMON_CHECK_KEYS.contains(&name.as_str())).collect()
    }

    /// The options of a check in the table of docs/options.md: its row and those below it without a name.
    fn in_readme(check: &str) -> Set {
        let rows = OPTIONS.lines().skip_while(|line| !line.starts_with(&format!("| `{check}`")));
        let cells = rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>());
        let of_check = cells
            .enumerate()
            .take_while(|(index, cells)| cells.len() > 2 && (*index == 0 || cells[1].is_empty()));
        of_check.map(|(_, cells)| cells[2].trim_matches('`').to_owned()).collect()
    }

    #[test]
    fn the_page_of_options_has_every_option_that_checks_have_of_their_own() {
        for (check, known) in [
            ("commit-format", known(|own| commit_format::options(own).map(drop))),
            ("cargo-audit", known(|own| audit::options(own).map(drop))),
            ("bench", known(|own| bench::options(own).map(drop))),
            ("unittests-gnu", known(|own| shard::check_options("unittests-gnu", own))),
        ] {
            assert!(!known.is_empty());
            assert_eq!(in_readme(check), known, "{check}");
        }
    }
}
