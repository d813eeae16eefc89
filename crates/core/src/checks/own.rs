//! The options that only one check has: from what is written under `checks` to the check's type.

use crate::config::COMMON_CHECK_KEYS;
use crate::exit;
use crate::options::{self, Name};
use anyhow::Result;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error, Unexpected};
use serde_json::{Map, Value};

/// Reads a check's own options into its type, which must deny unknown fields.
///
/// # Errors
/// Exit 2, with the key path, what was expected and what was meant.
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

/// Reads a limit: a whole number from 1, or `false` for none.
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

/// Reads a name or a path, without the blanks around it.
///
/// # Errors
/// For any other value.
pub fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Name::deserialize(deserializer).map(|Name(text)| Some(text.trim().to_owned()))
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
