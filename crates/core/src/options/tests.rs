use super::*;
use crate::model::FeatureMode;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only what is refused matters")]
struct Shape {
    name: Name,
    #[serde(default)]
    flag: bool,
    number: Option<Positive>,
    word: Option<FeatureMode>,
    list: Option<OneOrMany<Name>>,
}

/// The reader's error for a value of [`Shape`].
fn refusal(value: &Value) -> String {
    read::<Shape>(value).unwrap_err().at_source(Source::File("f".into())).to_string()
}

#[test]
fn an_error_has_the_place_what_was_expected_what_stands_there_and_what_was_meant() {
    for (value, says) in [
        (json!([]), "f: expected a map, got []"),
        (json!({}), "f: has no `name`"),
        (json!({"nmae": 1}), "f: nmae: unknown option; did you mean `name`?"),
        (json!({"x": 1}), "f: x: unknown option; one of: name, flag, number, word, list"),
        (json!({"name": 5}), "f: name: expected text, got 5; write it in quotes"),
        (
            json!({"name": "a\u{0}"}),
            "f: name: expected one line of text that is not blank and has no control characters, got \"a␀\"",
        ),
        (json!({"name": "a", "flag": "yes"}), "f: flag: expected true or false, got \"yes\"; write true"),
        (json!({"name": "a", "list": ["b", []]}), "f: list[1]: expected text, got []"),
        (
            json!({"name": "a", "number": "3"}),
            "f: number: expected a whole number from 1 to 4294967295, got \"3\"; write it without quotes",
        ),
        (
            json!({"name": "a", "word": "eahc"}),
            "f: word: expected one of powerset, powerset-all, each, all, default, got \"eahc\"; \
             did you mean `each`?",
        ),
    ] {
        assert_eq!(refusal(&value), says);
    }
}

#[test]
fn a_long_value_and_a_long_key_are_cut() {
    let long = "x".repeat(100_000);
    for value in [json!({"name": [long]}), json!({long.clone(): 1}), json!({"name": "a", "word": long})] {
        assert!(refusal(&value).chars().count() < 400);
    }
}

#[test]
fn the_source_stands_in_front() {
    let told = |source| Refusal::expected("text", &json!(1)).below("a[0]").at_source(source).to_string();
    let path = || "p".to_owned();
    for (source, says) in [
        (Source::Step, "a[0]: expected text, got 1"),
        (Source::ConfigFile(path()), "--config p: a[0]: expected text, got 1"),
        (Source::PipelineFile { path: path(), step: "3".into() }, "p, step 3: a[0]: expected text, got 1"),
        (Source::Variable("V"), "V.a[0]: expected text, got 1"),
        (Source::Policy(path()), "the agent's policy p: a[0]: expected text, got 1"),
    ] {
        assert_eq!(told(source), says);
    }
    let hostile = told(Source::ConfigFile("a\u{1b}[2J\n".into()));
    assert!(!hostile.contains(char::is_control), "{hostile:?}");
}

#[test]
fn an_error_that_comes_later_gets_the_source_once() {
    let source = Source::ConfigFile("c.yml".into());
    let plain = source.named_in(crate::exit::usage("skip[0]: no check"));
    assert_eq!(plain.to_string(), "--config c.yml: skip[0]: no check");
    let refusal = Refusal::because("no").below("a").at_source(source.clone());
    assert_eq!(source.named_in(crate::exit::usage(refusal)).to_string(), "--config c.yml: a: no");
    let other = source.named_in(crate::exit::infrastructure("the disk"));
    assert_eq!(other.to_string(), "the disk");
}

#[test]
fn a_json_key_that_stands_twice_is_an_error() {
    let error = json("{\"a\": {\"b\": 1, \"c\": [], \"b\": 2}}").unwrap_err();
    assert_eq!(error, "the key \"b\" stands twice at line 1 column 27");
    assert_eq!(json("\u{feff}{\"a\": [1, -1, 1.5, null, true, \"x\"]}").unwrap()["a"][5], "x");
    assert!(json(&"[".repeat(100_000)).is_err());
}
