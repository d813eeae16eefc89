//! Holds together what says which options there are: the types here, `plugin.yml` and `docs/options.md`.

use super::{Config, text};
use crate::config::check::COMMON_CHECK_KEYS;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const PLUGIN_YML: &str = include_str!("../../../../plugin.yml");
const OPTIONS: &str = include_str!("../../../../docs/options.md");
const VALUES: &str = include_str!("../../../../tests/cases/config/options.yml");

type Set = BTreeSet<String>;

fn properties() -> Map<String, Value> {
    let plugin = text::yaml(PLUGIN_YML).unwrap();
    assert_eq!(plugin["configuration"]["additionalProperties"], false);
    plugin["configuration"]["properties"].as_object().unwrap().clone()
}

/// The options that the types know, by what they say of one that they do not.
fn known() -> Set {
    let told = Config::parse(&json!({"?": 1})).unwrap_err().to_string();
    told.split_once("one of: ").unwrap().1.split(", ").map(str::to_owned).collect()
}

/// The values that an option takes, one at least of each kind, for options and for checks' options.
fn values() -> (Map<String, Value>, Map<String, Value>) {
    let mut values = text::yaml(VALUES).unwrap().as_object().unwrap().clone();
    let of_checks = values.shift_remove("checks.style").unwrap().as_object().unwrap().clone();
    (values, of_checks)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The schema itself and its alternatives.
fn alternatives(schema: &Value) -> Vec<&Value> {
    schema["anyOf"].as_array().map_or_else(|| vec![schema], |any| any.iter().collect())
}

fn kinds_in_schema(schema: &Value) -> Set {
    let names = |kind: &Value| match kind {
        Value::Array(kinds) => kinds.clone(),
        one => vec![one.clone()],
    };
    let kinds = alternatives(schema).into_iter().flat_map(|schema| names(&schema["type"]));
    kinds.map(|kind| kind.as_str().unwrap().to_owned()).collect()
}

/// Holds an option's kinds of values against the schema: those that are told are accepted, all others
/// refused, and the schema says the same.
fn assert_kinds(key: &str, schema: &Value, values: &Value, parse: &dyn Fn(&Value) -> bool) {
    let values = values.as_array().unwrap();
    for value in values {
        assert!(parse(value), "{key}: {value} is refused");
    }
    let kinds: Set = values.iter().map(|value| kind(value).to_owned()).collect();
    assert_eq!(kinds_in_schema(schema), kinds, "{key} in plugin.yml");
    for other in [json!(true), json!(7), json!("\u{0}"), json!([[]]), json!({"\u{0}": []})] {
        if !kinds.contains(kind(&other)) {
            assert!(!parse(&other), "{key}: {other} is accepted");
        }
    }
}

fn with(key: &str, value: &Value) -> Value {
    Value::Object([(key.to_owned(), value.clone())].into_iter().collect())
}

#[test]
fn the_schema_has_the_options_that_the_types_have() {
    let in_schema: Set = properties().keys().cloned().collect();
    assert_eq!(in_schema, known());
}

#[test]
fn every_option_takes_the_kinds_of_values_that_the_schema_says() {
    let (values, _) = values();
    assert_eq!(values.keys().cloned().collect::<Set>(), known());
    for (key, schema) in properties() {
        assert_kinds(&key, &schema, &values[&key], &|value| Config::parse(&with(&key, value)).is_ok());
    }
}

#[test]
fn every_check_option_takes_the_kinds_of_values_that_the_schema_says() {
    let schema = &properties()["checks"]["additionalProperties"]["properties"];
    let in_schema: Set = schema.as_object().unwrap().keys().cloned().collect();
    assert_eq!(in_schema, COMMON_CHECK_KEYS.iter().map(|key| (*key).to_owned()).collect::<Set>());
    let (_, values) = values();
    assert_eq!(values.keys().cloned().collect::<Set>(), in_schema);
    for key in COMMON_CHECK_KEYS {
        let parse = |value: &Value| {
            let config = Config::parse(&json!({"checks": {"style": with(key, value)}}));
            config.is_ok_and(|config| config.checks["style"].own.is_empty())
        };
        assert_kinds(key, &schema[key], &values[key], &parse);
    }
}

#[test]
fn the_schemas_words_are_those_of_the_types() {
    let of_checks = properties()["checks"]["additionalProperties"]["properties"].as_object().unwrap().clone();
    let options = properties().into_iter().map(|(key, schema)| (schema, None, key));
    let of_checks = of_checks.into_iter().map(|(key, schema)| (schema, Some("style"), key));
    let mut held = 0;
    for (schema, check, key) in options.chain(of_checks) {
        let written = |value: &Value| match check {
            Some(check) => json!({"checks": with(check, &with(&key, value))}),
            None => with(&key, value),
        };
        let words = alternatives(&schema).into_iter().find_map(|schema| schema["enum"].as_array());
        let told = Config::parse(&written(&json!("\u{0}"))).err().map(|error| error.to_string());
        let listed = told.as_deref().and_then(|told| told.split_once("; one of: "));
        let Some(words) = words else {
            assert_eq!(listed, None, "{key} has no enum");
            continue;
        };
        let words: Vec<&str> = words.iter().map(|word| word.as_str().unwrap()).collect();
        assert_eq!(listed.map(|(_, words)| words), Some(words.join(", ").as_str()), "{key}");
        held += 1;
    }
    assert_eq!(held, 10, "options with words");
}

#[test]
fn the_readme_has_a_heading_with_the_right_kinds_for_every_option_and_no_other() {
    let properties = properties();
    let mut headings = Set::new();
    for line in OPTIONS.lines().filter_map(|line| line.strip_prefix("### `")) {
        let (key, kinds) = line.strip_suffix(')').unwrap().split_once("` (").unwrap();
        let in_schema = kinds_in_schema(&properties[key]);
        assert_eq!(kinds.split(" or ").map(str::to_owned).collect::<Set>(), in_schema, "{key}");
        assert!(headings.insert(key.to_owned()), "{key} has two headings");
    }
    assert_eq!(headings, known());
}

#[test]
fn the_readme_has_every_common_option_of_checks() {
    for key in COMMON_CHECK_KEYS {
        assert!(OPTIONS.contains(&format!("\n| `{key}` |")), "{key}");
    }
}

#[test]
fn every_example_of_the_readme_is_accepted_and_shows_its_option() {
    let sections: Vec<&str> = OPTIONS.split("\n### `").skip(1).collect();
    assert!(!sections.is_empty());
    for section in sections {
        let (key, rest) = section.split_once('`').unwrap();
        let (_, example) = rest.split_once("```yaml\n").unwrap_or_else(|| panic!("{key} has no example"));
        let value = text::yaml(example.split_once("```").unwrap().0).unwrap();
        assert!(value.get(key).is_some(), "{key}'s example shows another");
        Config::parse(&value).unwrap_or_else(|error| panic!("{key}'s example: {error}"));
    }
}
