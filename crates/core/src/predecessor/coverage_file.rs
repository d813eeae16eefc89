//! `coverage_config_ARCH.json`: the score that a crate's line coverage is held to.
//!
//! The format is the predecessor's, unchanged: `coverage_score` (percent), `exclude_path` (a regular
//! expression, empty for none), `crate_features` (absent: all features; empty: the default ones; else
//! a list with commas). A key may stand twice, and the last one counts: such files exist
//! (linux-loader). Other keys are left alone.

use crate::model::Platform;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The features that coverage is measured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrateFeatures {
    /// `crate_features` is absent.
    All,
    /// `crate_features` is empty.
    Default,
    /// As listed, with commas between them.
    List(String),
}

/// What a coverage file says.
#[derive(Clone, Debug, PartialEq)]
pub struct CoverageFile {
    /// The line coverage that is held to, in percent.
    pub score: f64,
    /// The files that do not count, as a regular expression over their absolute paths; none for none.
    pub exclude: Option<String>,
    /// The features to measure with.
    pub features: CrateFeatures,
}

/// A file's name for a platform.
pub fn name(platform: Platform) -> String {
    format!("coverage_config_{platform}.json")
}

/// The text of a file for a crate that has none: all features, nothing left out.
pub fn new_text(score: f64) -> String {
    format!("{{\n  \"coverage_score\": {score:.2},\n  \"exclude_path\": \"\"\n}}\n")
}

impl CoverageFile {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Where it is not of the format: which key, what was expected, what is there. The caller adds
    /// the path.
    pub fn parse(text: &str) -> Result<Self, String> {
        let entries = entries(text)?;
        Ok(Self {
            score: score(entries.last("coverage_score"))?,
            exclude: exclude(entries.last("exclude_path"))?,
            features: features(entries.last("crate_features"))?,
        })
    }
}

/// A file's text with another score, in two decimals; every other byte as it was.
///
/// # Errors
/// Where the text is not of the format.
pub fn with_score(text: &str, score: f64) -> Result<String, String> {
    let entries = entries(text)?;
    let value = entries.last("coverage_score").ok_or("`coverage_score` is missing")?.get();
    // The value borrows from the text, so its place there is the difference of the addresses.
    let begin = value.as_ptr() as usize - text.as_ptr() as usize;
    let (before, after) = (&text[..begin], &text[begin + value.len()..]);
    Ok(format!("{before}{score:.2}{after}"))
}

/// The keys of a file's object in their order, twice where they stand twice.
struct Entries<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Entries<'t> {
    fn last(&self, key: &str) -> Option<&'t RawValue> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| *value)
    }
}

fn entries(text: &str) -> Result<Entries<'_>, String> {
    struct Object;

    impl<'de> Visitor<'de> for Object {
        type Value = Entries<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with `coverage_score` and `exclude_path`")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut entries = Vec::new();
            while let Some(entry) = map.next_entry()? {
                entries.push(entry);
            }
            Ok(Entries(entries))
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(text);
    let entries = deserializer.deserialize_map(Object).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(entries)
}

fn score(value: Option<&RawValue>) -> Result<f64, String> {
    let value = value.ok_or("`coverage_score` is missing; expected a number, such as 85.3")?;
    serde_json::from_str(value.get()).ok().filter(|score| (0.0..=100.0).contains(score)).ok_or_else(|| {
        format!("coverage_score: expected a number from 0 to 100, such as 85.3, got {}", value.get())
    })
}

fn exclude(value: Option<&RawValue>) -> Result<Option<String>, String> {
    let value = value.ok_or("`exclude_path` is missing; expected a text, \"\" to leave nothing out")?;
    let text: String = serde_json::from_str(value.get())
        .map_err(|_| format!("exclude_path: expected a text, got {}", value.get()))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn features(value: Option<&RawValue>) -> Result<CrateFeatures, String> {
    let Some(value) = value else { return Ok(CrateFeatures::All) };
    let wrong = |expected: &str| format!("crate_features: expected {expected}, got {}", value.get());
    let list = serde_json::from_str::<String>(value.get())
        .or_else(|_| serde_json::from_str::<Vec<String>>(value.get()).map(|list| list.join(",")))
        .map_err(|_| wrong("features with commas between them, such as \"a,b\""))?;
    if list.contains(char::is_whitespace) {
        return Err(wrong("features without spaces"));
    }
    Ok(if list.is_empty() { CrateFeatures::Default } else { CrateFeatures::List(list) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_with_the_last_of_two_equal_keys() {
        let text = r#"{"coverage_score": 92.54, "exclude_path": "", "crate_features": "bzimage,elf",
            "exclude_path": "loader_gen", "comment": [1]}"#;
        let expected = CoverageFile {
            score: 92.54,
            exclude: Some("loader_gen".into()),
            features: CrateFeatures::List("bzimage,elf".into()),
        };
        assert_eq!(CoverageFile::parse(text), Ok(expected));
    }

    #[test]
    fn absent_features_are_all_and_empty_ones_the_defaults() {
        let features = |rest: &str| {
            let text = format!(r#"{{"coverage_score": 90, "exclude_path": ""{rest}}}"#);
            CoverageFile::parse(&text).map(|file| file.features)
        };
        assert_eq!(features(""), Ok(CrateFeatures::All));
        assert_eq!(features(r#", "crate_features": """#), Ok(CrateFeatures::Default));
        assert_eq!(features(r#", "crate_features": ["a", "b"]"#), Ok(CrateFeatures::List("a,b".into())));
    }

    #[test]
    fn what_is_not_of_the_format_is_refused_with_its_key() {
        for (text, expected) in [
            (r#"{"coverage_score": "85", "exclude_path": ""}"#, "coverage_score: expected a number"),
            (r#"{"coverage_score": 850, "exclude_path": ""}"#, "from 0 to 100, such as 85.3, got 850"),
            (r#"{"exclude_path": ""}"#, "`coverage_score` is missing"),
            (r#"{"coverage_score": 85}"#, "`exclude_path` is missing"),
            (r#"{"coverage_score": 85, "exclude_path": ["a"]}"#, "exclude_path: expected a text"),
            (r#"{"coverage_score": 85, "exclude_path": "", "crate_features": "a, b"}"#, "without spaces"),
            (r#"{"coverage_score": 85, "exclude_path": "", "crate_features": null}"#, "crate_features:"),
            ("[85]", "expected an object"),
            (r#"{"coverage_score": 85"#, "line 1"),
            (r#"{"coverage_score": 85, "exclude_path": ""} x"#, "trailing characters"),
        ] {
            let error = CoverageFile::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_new_score_leaves_the_rest_byte_for_byte() {
        let text = "{\r\n\t\"coverage_score\" : 1,\n  \"x\": {\"coverage_score\": 2},\n\
            \"coverage_score\":  85.3  ,\"exclude_path\": \"é\"}";
        let expected = "{\r\n\t\"coverage_score\" : 1,\n  \"x\": {\"coverage_score\": 2},\n\
            \"coverage_score\":  90.00  ,\"exclude_path\": \"é\"}";
        assert_eq!(with_score(text, 90.0).as_deref(), Ok(expected));
        assert!(with_score("{}", 90.0).is_err());
    }

    #[test]
    fn a_new_file_is_one_that_can_be_read() {
        let file = CoverageFile::parse(&new_text(87.456)).unwrap();
        assert_eq!((file.score, file.exclude, file.features), (87.46, None, CrateFeatures::All));
    }
}
