//! `coverage_config_ARCH.json`: the score that a crate's line coverage must reach.
//!
//! The format is the predecessor's. `coverage_score` is a number, in percent. `exclude_path` is a regular
//! expression. An empty one excludes nothing. `crate_features` is a list with commas. If it is empty, the
//! default features are measured. Without the key, all features are measured. A key may occur twice, and the
//! last one counts: linux-loader has such a file. Other keys have no effect.

use crate::model::Platform;
use crate::options::{self, Refusal};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;

const SCORE: &str = "coverage_score";
const EXCLUDE: &str = "exclude_path";
const FEATURES: &str = "crate_features";

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
    /// The required line coverage, in percent.
    pub score: f64,
    /// The files that do not count, as a regular expression for their absolute paths. None if all files
    /// count.
    pub exclude: Option<String>,
    /// The features to measure with.
    pub features: CrateFeatures,
}

/// The name of the file for a platform.
pub fn name(platform: Platform) -> String {
    format!("coverage_config_{platform}.json")
}

/// The text of a new file for a crate that has none: all features, no excluded files.
pub fn new_text(score: f64) -> String {
    format!("{{\n  \"coverage_score\": {score:.2},\n  \"exclude_path\": \"\"\n}}\n")
}

impl CoverageFile {
    /// Reads a file's text.
    ///
    /// # Errors
    /// If the text is not in the format. The caller adds the file's name.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let entries = entries(text)?;
        Ok(Self {
            score: score(entries.last(SCORE))?,
            exclude: exclude(entries.last(EXCLUDE))?,
            features: features(entries.last(FEATURES))?,
        })
    }
}

/// The text of a file with another score, in two decimals. Every other byte stays as it was.
///
/// # Errors
/// If the text is not in the format.
pub fn with_score(text: &str, score: f64) -> Result<String, Refusal> {
    let entries = entries(text)?;
    let value = entries.last(SCORE).ok_or_else(|| Refusal::missing(SCORE))?.get();
    // The value borrows from the text, so the difference of the addresses is its position in the text.
    let begin = value.as_ptr() as usize - text.as_ptr() as usize;
    let (before, after) = (&text[..begin], &text[begin + value.len()..]);
    Ok(format!("{before}{score:.2}{after}"))
}

/// The keys of a file's object, in order. A key that occurs twice is in it twice.
struct Entries<'t>(Vec<(String, &'t RawValue)>);

impl<'t> Entries<'t> {
    fn last(&self, key: &str) -> Option<&'t RawValue> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| *value)
    }
}

fn entries(text: &str) -> Result<Entries<'_>, Refusal> {
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
    let refusal = |error: serde_json::Error| Refusal::because(error.to_string());
    let entries = deserializer.deserialize_map(Object).map_err(refusal)?;
    deserializer.end().map_err(refusal)?;
    Ok(entries)
}

fn value(written: &RawValue) -> Result<Value, Refusal> {
    serde_json::from_str(written.get()).map_err(|error| Refusal::because(error.to_string()))
}

fn score(written: Option<&RawValue>) -> Result<f64, Refusal> {
    let value = value(written.ok_or_else(|| Refusal::missing(SCORE))?)?;
    let score = value.as_f64().filter(|score| (0.0..=100.0).contains(score));
    score.ok_or_else(|| Refusal::expected("a number from 0 to 100, such as 85.3", &value).below(SCORE))
}

fn exclude(written: Option<&RawValue>) -> Result<Option<String>, Refusal> {
    let value = value(written.ok_or_else(|| Refusal::missing(EXCLUDE))?)?;
    let text: String = options::read(&value).map_err(|refusal| refusal.below(EXCLUDE))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn features(written: Option<&RawValue>) -> Result<CrateFeatures, Refusal> {
    let Some(written) = written else { return Ok(CrateFeatures::All) };
    let value = value(written)?;
    let wrong = |what: &str| Refusal::expected(what, &value).below(FEATURES);
    let list = match &value {
        Value::String(list) => Ok(list.clone()),
        list => options::read::<Vec<String>>(list).map(|list| list.join(",")),
    };
    let list = list.map_err(|_| wrong("text: features with commas between them, such as \"a,b\""))?;
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
            (r#"{"exclude_path": ""}"#, "has no `coverage_score`"),
            (r#"{"coverage_score": 85}"#, "has no `exclude_path`"),
            (r#"{"coverage_score": 85, "exclude_path": ["a"]}"#, "exclude_path: expected text, got"),
            (r#"{"coverage_score": 85, "exclude_path": "", "crate_features": "a, b"}"#, "without spaces"),
            (r#"{"coverage_score": 85, "exclude_path": "", "crate_features": null}"#, "crate_features:"),
            ("[85]", "expected an object"),
            (r#"{"coverage_score": 85"#, "line 1"),
            (r#"{"coverage_score": 85, "exclude_path": ""} x"#, "trailing characters"),
        ] {
            let error = CoverageFile::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_new_score_leaves_the_rest_byte_for_byte() {
        let text = "{\r\n\t\"coverage_score\" : 1,\n  \"x\": {\"coverage_score\": 2},\n\
            \"coverage_score\":  85.3  ,\"exclude_path\": \"é\"}";
        let expected = "{\r\n\t\"coverage_score\" : 1,\n  \"x\": {\"coverage_score\": 2},\n\
            \"coverage_score\":  90.00  ,\"exclude_path\": \"é\"}";
        assert_eq!(with_score(text, 90.0).unwrap(), expected);
        assert!(with_score("{}", 90.0).is_err());
    }

    #[test]
    fn a_new_file_is_one_that_can_be_read() {
        let file = CoverageFile::parse(&new_text(87.456)).unwrap();
        assert_eq!((file.score, file.exclude, file.features), (87.46, None, CrateFeatures::All));
    }
}
