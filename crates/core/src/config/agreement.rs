//! Compares the places that list the options: the type [`Config`], `plugin.yml` and `docs/options.md`. The
//! schema in `plugin.yml` is generated from the type: `UPDATE=1 cargo test -p rust-vmm-ci-core --lib
//! agreement` writes it.

use super::{Config, text};
use crate::buildkite::{STEP_OPTIONS, StepOption};
use crate::config::check::COMMON_CHECK_KEYS;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const PLUGIN_YML: &str = include_str!("../../../../plugin.yml");
const OPTIONS: &str = include_str!("../../../../docs/options.md");
const VALUES: &str = include_str!("../../../../tests/cases/config/options.yml");

type Set = BTreeSet<String>;

/// The schema of the options. It uses only keywords that are the same in draft-07 and draft 2019-09, because
/// the plugin linter reads the former and the agent the latter. The linter refuses `$schema`, `format` and
/// unknown keywords.
fn generated() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let schema = settings.into_generator().into_root_schema_for::<Config>().to_value();
    let mut schema = plain(&schema, 0);
    for required in ["description", "required"] {
        schema.as_object_mut().unwrap().shift_remove(required);
    }
    // `true` adds an opt-in check.
    schema["properties"]["checks"]["additionalProperties"]["type"] = json!(["boolean", "object"]);
    let properties = schema["properties"].as_object_mut().unwrap();
    for StepOption { name, description, kinds, .. } in STEP_OPTIONS {
        let kinds = if let [kind] = kinds { json!(kind) } else { json!(kinds) };
        properties.insert((*name).to_owned(), json!({"description": description, "type": kinds}));
    }
    schema
}

/// A schema without the parts that only Rust's types need: titles, defaults, formats, and `null` for an unset
/// option. Only the descriptions of the options (`depth` 1) stay.
fn plain(schema: &Value, depth: usize) -> Value {
    let Value::Object(map) = schema else { return schema.clone() };
    let is_null = |schema: &Value| schema["type"] == "null";
    let mut plain_map = Map::new();
    // The description comes first, because a person reads it first.
    let description = map.iter().filter(|(key, _)| *key == "description");
    for (key, value) in description.chain(map.iter().filter(|(key, _)| *key != "description")) {
        let value = match key.as_str() {
            "title" | "default" | "format" => continue,
            "description" if depth != 1 => continue,
            "description" => Value::from(value.as_str().unwrap().replace('\n', " ")),
            "properties" => {
                let properties = value.as_object().unwrap().iter();
                properties.map(|(name, schema)| (name.clone(), plain(schema, depth + 1))).collect()
            }
            "items" | "additionalProperties" => match value {
                Value::Object(_) => plain(value, depth + 2),
                other if *other == json!(true) => continue,
                other => other.clone(),
            },
            "type" => match value.as_array() {
                None => value.clone(),
                Some(kinds) => {
                    let kinds: Vec<Value> = kinds.iter().filter(|kind| *kind != "null").cloned().collect();
                    if let [one] = &kinds[..] { one.clone() } else { kinds.into() }
                }
            },
            "enum" => value.as_array().unwrap().iter().filter(|word| !word.is_null()).cloned().collect(),
            "anyOf" | "oneOf" => {
                let all = value.as_array().unwrap().iter().filter(|schema| !is_null(schema));
                let all: Vec<Value> = all.map(|schema| plain(schema, depth + 2)).collect();
                // In the schema, each variant of an enum with comments is a separate schema.
                let words: Vec<Value> =
                    all.iter().filter_map(|schema| schema.get("const").cloned()).collect();
                let rest = all.iter().filter(|schema| schema.get("const").is_none());
                let listed = rest.clone().filter_map(|schema| schema["enum"].as_array()).flatten().cloned();
                if !words.is_empty() {
                    plain_map.insert("type".into(), "string".into());
                    plain_map.insert("enum".into(), listed.chain(words).collect());
                    continue;
                }
                if let [one] = &all[..] {
                    plain_map.extend(one.as_object().unwrap().clone());
                    continue;
                }
                Value::Array(all)
            }
            _ => value.clone(),
        };
        plain_map.insert(key.clone(), value);
    }
    Value::Object(plain_map)
}

fn properties() -> Map<String, Value> {
    let plugin = text::yaml(PLUGIN_YML).unwrap();
    assert_eq!(plugin["configuration"]["additionalProperties"], false);
    plugin["configuration"]["properties"].as_object().unwrap().clone()
}

/// The keys of the options, in order.
pub fn names() -> Vec<String> {
    generated()["properties"].as_object().unwrap().keys().cloned().collect()
}

/// The same keys as a set.
pub fn known() -> Set {
    names().into_iter().collect()
}

#[test]
fn plugin_yml_has_the_schema_of_the_types() {
    let schema = generated();
    let written = text::yaml(PLUGIN_YML).unwrap()["configuration"].clone();
    if written != schema && std::env::var_os("UPDATE").is_some() {
        let (head, _) = PLUGIN_YML.split_once("configuration:").unwrap();
        let text = serde_saphyr::to_string(&json!({"configuration": schema})).unwrap();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugin.yml");
        std::fs::write(path, format!("{head}{text}")).unwrap();
        return;
    }
    for (name, option) in schema["properties"].as_object().unwrap() {
        assert!(option["description"].is_string(), "{name} has no comment");
        assert_eq!(&written["properties"][name], option, "{name}: write plugin.yml with UPDATE=1");
    }
    assert_eq!(written, schema, "write plugin.yml with UPDATE=1");
}

/// The values to try, for options and for checks' options: at least one of each kind that an option accepts.
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

/// Compares an option's kinds of values with the schema. The given values must be accepted, every other kind
/// must be refused, and the schema must say the same.
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
fn the_schemas_words_are_those_that_the_reader_takes() {
    let of_checks = properties()["checks"]["additionalProperties"]["properties"].as_object().unwrap().clone();
    let options = properties().into_iter().map(|(key, schema)| (schema, None, key));
    let of_checks = of_checks.into_iter().map(|(key, schema)| (schema, Some("style"), key));
    let mut held = 0;
    for (schema, check, key) in options.chain(of_checks) {
        let refused = match check {
            Some(check) => json!({"checks": with(check, &with(&key, &json!("\u{0}")))}),
            None => with(&key, &json!("\u{0}")),
        };
        let told = Config::parse(&refused).err().map(|error| error.to_string()).unwrap_or_default();
        let taken = told.split_once("expected one of ").and_then(|(_, rest)| rest.split_once(", got "));
        let words = alternatives(&schema).into_iter().find_map(|schema| schema["enum"].as_array());
        let words: Option<Vec<&str>> =
            words.map(|words| words.iter().map(|word| word.as_str().unwrap()).collect());
        assert_eq!(
            taken.map(|(words, _)| words),
            words.as_ref().map(|words| words.join(", ")).as_deref(),
            "{key}"
        );
        held += usize::from(words.is_some());
    }
    assert_eq!(held, 11, "options with words");
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
