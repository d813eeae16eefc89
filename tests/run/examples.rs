//! Examples in documentation that are compiled as one program.

use super::{MANIFEST, Sample, outcome, said};
use serde_json::{Value, json};
use std::fs;

/// A library with six ordinary examples, of which one is `code`, at line 3.
fn sample(code: &str) -> Sample {
    let ordinary = "/// ```\n/// assert_eq!(1 + 1, 2);\n/// ```\n".repeat(5);
    let library = format!("//! A crate.\n\n/// ```\n/// {code}\n/// ```\n{ordinary}pub fn a() {{}}\n");
    Sample::new(&[("Cargo.toml", MANIFEST), ("src/lib.rs", &library)])
}

fn merged(report: &Value) -> &Value {
    &outcome(report, "unittests-gnu")["combinations"][0]["merged_examples"]
}

#[test]
fn ordinary_examples_are_one_program_and_the_timings_say_it() {
    let sample = sample("let a = 1;");
    let file = sample.sandbox.path().join("report.json");
    let said = sample.run(&["run", "unittests-gnu", "--timings", "--report", file.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(said.text.contains("6 examples in documentation were compiled together"), "{}", said.text);
    let report: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(*merged(&report), 6, "{report}");
}

#[test]
fn the_option_turns_it_off() {
    let sample = sample("let a = 1;");
    let file = sample.sandbox.path().join("report.json");
    let mut command = sample.command(&["run", "unittests-gnu", "--report", file.to_str().unwrap()]);
    let options = json!({"merge-examples": false, "docker": false}).to_string();
    let said = said(command.env("BUILDKITE_PLUGIN_CONFIGURATION", options));
    assert_eq!(said.code, Some(0), "{}", said.text);
    let report: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert!(merged(&report).is_null(), "{report}");
}

#[test]
fn a_merged_example_that_fails_has_its_place_and_says_how_to_have_it_alone() {
    let sample = sample("let a: Option<u8> = None; a.unwrap();");
    let said = sample.run(&["run", "unittests-gnu"]);
    assert_eq!(said.code, Some(1), "{}", said.text);
    assert!(said.text.contains("6 of 6"), "{}", said.text);
    for text in ["panicked at src/lib.rs:3:", "standalone_crate", "merge-examples: false"] {
        assert!(said.text.contains(text), "{text}: {}", said.text);
    }
    assert!(!said.text.contains("__example_"), "{}", said.text);
}

#[test]
fn each_example_has_a_process_of_its_own_and_only_one_run() {
    let mark = "let mark = concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/target/mark\"); let there = std::fs::exists(mark).unwrap(); \
                std::fs::write(mark, \"\").unwrap(); assert!(there);";
    let sample = sample(mark);
    let said = sample.run(&["run", "unittests-gnu"]);
    assert_eq!(said.code, Some(1), "what it says at its first run is final: {}", said.text);
    assert!(said.text.contains("6 of 6") && said.text.contains("5 passed; 1 failed"), "{}", said.text);
}
