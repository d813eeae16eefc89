//! Examples in documentation that are compiled as one program.

use super::{MANIFEST, Sample, outcome, said};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use walkdir::WalkDir;

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

/// The programs of examples that are kept.
fn kept(sample: &Sample) -> Vec<PathBuf> {
    let files = WalkDir::new(sample.repository.path().join("target/rust-vmm-ci/examples"));
    let files = files.into_iter().map(|file| file.unwrap().into_path());
    files.filter(|file| file.is_file()).collect()
}

#[test]
fn compiled_examples_are_used_again_until_the_library_changes() {
    let sample = sample("let here = file!();");
    assert_eq!(sample.run(&["run", "unittests-gnu"]).code, Some(0));
    let programs = kept(&sample);
    assert_eq!(programs.len(), 2, "one for five examples, and one for the example that is compiled alone");
    for program in &programs {
        // The length of what the compiler said comes first.
        fs::write(program, [&0_u64.to_le_bytes()[..], b"#!/bin/sh\nexit 9\n"].concat()).unwrap();
    }
    let said = sample.run(&["run", "unittests-gnu"]);
    assert!(said.code == Some(1) && said.text.contains("0 passed; 6 failed"), "{}", said.text);
    let said = sample.run(&["run", "clippy", "build-gnu", "unittests-gnu"]);
    assert_eq!(said.code, Some(1), "other checks compile into the same folder: {}", said.text);
    let library = sample.repository.path().join("src/lib.rs");
    fs::write(&library, fs::read_to_string(&library).unwrap() + "/// B.\npub fn b() {}\n").unwrap();
    let said = sample.run(&["run", "unittests-gnu"]);
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert_eq!(kept(&sample).len(), 2, "what no longer fits is removed");
}

#[test]
fn an_example_that_reads_a_variable_while_it_is_compiled_is_not_kept() {
    for code in [
        "assert_eq!(option_env!(\"SAMPLE\"), Some(\"1\"));",
        "let here = file!(); assert_eq!(option_env!(\"SAMPLE\"), Some(\"1\"));",
    ] {
        let sample = sample(code);
        let run = |value: &str| said(sample.command(&["run", "unittests-gnu"]).env("SAMPLE", value));
        assert_eq!(run("1").code, Some(0), "{code}");
        assert_eq!(run("2").code, Some(1), "{code}");
    }
}

/// A procedural macro that reads a file, and does not tell rustc that it does.
const MACRO: &str = "extern crate proc_macro;\n#[proc_macro]\npub fn number(_: proc_macro::TokenStream) -> \
                     proc_macro::TokenStream {\n    std::fs::read_to_string(concat!(env!(\"CARGO_MANIFEST_DIR\"), \
                     \"/number\")).unwrap().parse().unwrap()\n}\n";

#[test]
fn an_example_with_a_macro_that_another_library_passes_on_is_not_kept() {
    let example = "/// ```\n/// assert_eq!(passes::number!(), 1);\n/// ```\n";
    let library = format!("//! A crate.\n\n{example}{}pub fn a() {{}}\n", example.repeat(5));
    let named = |name: &str, more: &str| MANIFEST.replace("\"sample\"", &format!("\"{name}\"")) + more;
    let sample = Sample::new(&[
        ("Cargo.toml", &format!("{MANIFEST}[dependencies]\npasses = {{ path = \"passes\" }}\n[workspace]\n")),
        ("src/lib.rs", &library),
        ("passes/Cargo.toml", &named("passes", "[dependencies]\nmacros = { path = \"../macros\" }\n")),
        ("passes/src/lib.rs", "pub use macros::number;\n"),
        ("macros/Cargo.toml", &named("macros", "[lib]\nproc-macro = true\n")),
        ("macros/src/lib.rs", MACRO),
        ("macros/number", "1"),
    ]);
    assert_eq!(sample.run(&["run", "unittests-gnu"]).code, Some(0));
    fs::write(sample.repository.path().join("macros/number"), "2").unwrap();
    let said = sample.run(&["run", "unittests-gnu"]);
    assert_eq!(said.code, Some(1), "cargo compiles each example at each run: {}", said.text);
}
