//! A report with a value in every field, for the tests of all formats. The tests here compare it, and the
//! description of the format (`docs/report.md`), with the types.

use super::{
    Artifact, Combination, Finding, Job, Outcome, Report, Section, Seen, Test, Timings, Usage, VERSION,
};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_json::Value;
use std::collections::BTreeSet;

const FULL: &str = include_str!("../../../../tests/cases/report/full.json");
const DESCRIPTION: &str = include_str!("../../../../docs/report.md");

/// The report of `tests/cases/report/full.json`.
pub fn full() -> Report {
    serde_json::from_str(FULL).unwrap()
}

/// Compares a text with the snapshot of this name in `tests/cases/report`. `cargo insta review`, or
/// `INSTA_UPDATE=always cargo test`, accepts a new text.
pub fn assert_text(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../../../tests/cases/report");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A deserializer that records the names of a struct's fields and returns no values.
struct Asked<'a>(&'a mut Vec<&'static str>);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = de::value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("no struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.extend(fields);
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn fields<T: for<'de> Deserialize<'de>>() -> Vec<&'static str> {
    let mut fields = Vec::new();
    assert!(T::deserialize(Asked(&mut fields)).is_err());
    fields
}

fn all_fields() -> [(&'static str, Vec<&'static str>); 12] {
    [
        ("Report", fields::<Report>()),
        ("Outcome", fields::<Outcome>()),
        ("Combination", fields::<Combination>()),
        ("Timings", fields::<Timings>()),
        ("Usage", fields::<Usage>()),
        ("Finding", fields::<Finding>()),
        // The other fields of a shared finding are those of a finding.
        ("Shared finding", vec!["seen_by"]),
        ("Seen", fields::<Seen>()),
        ("Job", fields::<Job>()),
        ("Test", fields::<Test>()),
        ("Section", fields::<Section>()),
        ("Artifact", fields::<Artifact>()),
    ]
}

/// The fields that the description lists under the heading of a type.
fn described(name: &str) -> Vec<&'static str> {
    let (_, rest) = DESCRIPTION.split_once(&format!("\n## {name}\n")).unwrap();
    let section = rest.split("\n## ").next().unwrap();
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

/// Collects every name of a field in a value.
fn names<'v>(value: &'v Value, all: &mut BTreeSet<&'v str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                all.insert(name);
                names(value, all);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| names(item, all)),
        _ => {}
    }
}

#[test]
fn the_description_names_every_field_in_its_order() {
    for (name, fields) in all_fields() {
        assert!(!fields.is_empty(), "{name}");
        assert_eq!(described(name), fields, "{name}");
    }
    assert!(DESCRIPTION.contains(&format!("This is version {VERSION} of the format")));
}

#[test]
fn the_example_has_every_field_and_comes_back_as_it_is() {
    let example: Value = serde_json::from_str(FULL).unwrap();
    let mut known = BTreeSet::new();
    names(&example, &mut known);
    let fields: BTreeSet<&str> = all_fields().into_iter().flat_map(|(_, fields)| fields).collect();
    assert_eq!(known, fields);
    assert_eq!(serde_json::to_value(full()).unwrap(), example);
}
