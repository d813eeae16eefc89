//! The description of the check `cargo-audit`, and the options that only it has.

use super::NAME;
use crate::checks::check::{Check, Membership, OwnOption, Runs};
use crate::checks::own;
use crate::checks::work::{Logic, Needs};
use anyhow::Result;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected};
use serde_json::{Map, Value};

/// The check.
pub const CHECK: Check = Check {
    name: NAME,
    holds: "no dependency has an advisory of RustSec's, and none is yanked",
    membership: Membership::Standard,
    advisory: false,
    options: &[
        OwnOption {
            name: "ignore",
            kinds: &["array"],
            doc: "a list of `{id, reason}`: advisories (`RUSTSEC-…`, `yanked:NAME@VERSION`) that do not fail the check",
            default: "none",
            example: r#"[{"id": "RUSTSEC-2020-0001", "reason": "not compiled in"}]"#,
        },
        OwnOption {
            name: "database",
            kinds: &["string"],
            doc: "the advisory database: a folder in the repository, or the `https://` address of a mirror",
            default: "RustSec's",
            example: r#""advisories""#,
        },
        OwnOption {
            name: "new-only",
            kinds: &["boolean"],
            doc: "whether an advisory that the base has too is only a warning",
            default: "`false`",
            example: "true",
        },
        OwnOption {
            name: "base",
            kinds: &["string"],
            doc: "what to compare with when `new-only` is set, as above",
            default: "the pull request's",
            example: r#""main""#,
        },
    ],
    runs: Runs::Logic {
        read: |own| options(own).map(Logic::Audit),
        needs: Needs { manifest: true, ..Needs::NOTHING },
    },
    seconds: 5.0,
};

/// The options that only this check has, under `checks.cargo-audit`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Options {
    /// Advisories that do not make the check fail, with reasons.
    pub ignore: Vec<Ignored>,
    /// Where the advisories come from. None for `RustSec`'s database.
    #[serde(deserialize_with = "database")]
    pub database: Option<Database>,
    /// Whether an advisory that the base has too is only a warning.
    pub new_only: bool,
    /// With `new-only`: what the change is compared with. It is a branch, `REMOTE/BRANCH`, or the full hash
    /// of a commit.
    #[serde(deserialize_with = "own::text")]
    pub base: Option<String>,
}

/// An advisory that somebody examined and found harmless in this repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Its id, such as `RUSTSEC-2020-0001`, or `yanked:NAME@VERSION`.
    pub id: String,
    /// Why it does not matter.
    pub reason: String,
}

/// An advisory database that is not `RustSec`'s own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// A folder, from the repository's root.
    Path(String),
    /// The address of a mirror. cargo-audit accepts `https://` only.
    Mirror(String),
}

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = |key: &str| value[key].as_str().map(str::trim).filter(|text| !text.is_empty());
        match (text("id"), text("reason"), value.as_object().map(Map::len)) {
            (Some(id), Some(reason), Some(2)) => Ok(Self { id: id.to_owned(), reason: reason.to_owned() }),
            _ => Err(D::Error::invalid_value(
                Unexpected::Other("another value"),
                &"{\"id\": …, \"reason\": …}",
            )),
        }
    }
}

fn database<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Database>, D::Error> {
    let place = own::text(deserializer)?.unwrap_or_default();
    if place.starts_with("https://") {
        Ok(Some(Database::Mirror(place)))
    } else if place.contains("://") || place.starts_with("git@") {
        let what = "a path, or an address that begins with https:// (cargo-audit takes no other)";
        Err(D::Error::invalid_value(Unexpected::Str(&place), &what))
    } else {
        Ok(Some(Database::Path(place)))
    }
}

/// Reads the check's own options.
///
/// # Errors
/// Exit 2, with the key path, for an unknown option or a wrong value.
pub fn options(own: &Map<String, Value>) -> Result<Options> {
    own::read(NAME, own)
}
