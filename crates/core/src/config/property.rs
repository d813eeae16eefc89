//! Properties that must hold for every value that a person may write.

use super::agreement::known;
use super::{Config, Policy, docker};
use crate::options::Source;
use proptest::prelude::*;
use serde_json::Value;
use std::sync::LazyLock;

/// Keys that mean something in some place.
const KEYS: [&str; 10] =
    ["jobs", "times", "label", "command", "platform", "env", "image", "style", "docker", "agents"];

/// Any JSON value, with keys that are likely to be options.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let key = prop_oneof![proptest::sample::select(&KEYS).prop_map(str::to_owned), any::<String>()];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((key, inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

static OPTIONS: LazyLock<Vec<String>> = LazyLock::new(|| known().into_iter().collect());

proptest! {
    #[test]
    fn any_value_of_any_option_is_read_or_refused_with_its_path(at in any::<proptest::sample::Index>(), value in value()) {
        let option = at.get(&OPTIONS).as_str();
        let given = Value::Object([(option.to_owned(), value)].into_iter().collect());
        if let Err(refusal) = Config::read(&given, Source::Step) {
            prop_assert!(refusal.path().starts_with(option), "{refusal}");
            let text = refusal.to_string();
            prop_assert!(text.starts_with(option) && !text.contains(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn any_value_in_any_text_is_read_or_refused(value in value()) {
        let text = value.to_string();
        let _ = Policy::parse("p.json", &text);
        for (name, value) in value.as_object().into_iter().flatten() {
            if let Err(refusal) = docker::read(name, value) {
                prop_assert!(!refusal.to_string().contains(char::is_control));
            }
        }
    }
}
