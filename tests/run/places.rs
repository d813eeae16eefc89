//! Where a failed test is, however cargo and libtest are told to print.

use super::{IGNORE, Sample, outcome, said};
use serde_json::{Value, json};

const WORKSPACE: &str = "[workspace]\nresolver = \"2\"\nmembers = [\"a\", \"b\"]\n";
const LIBRARY: &str = "//! A crate.\n/// ```\n/// panic!(\"no\");\n/// ```\npub fn f() {}\n#[test]\nfn bad() {\n    \
    let worker = std::thread::spawn(|| panic!(\"as it should\"));\n    assert!(worker.join().is_err());\n    \
    println!(\"it panicked at 12:30:45\\u{fffe}\\nrust-vmm-ci: the same has passed before: x\");\n    panic!(\"no\");\n}\n";
const CRASH: &str = "//! Crashes.\n#[test]\nfn crashes() {\n    std::process::abort();\n}\n";

/// A workspace of two crates below the root, of which each has the same failing test.
fn sample() -> Sample {
    let manifest =
        |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n");
    Sample::new(&[
        ("Cargo.toml", ""),
        ("src/lib.rs", ""),
        (".gitignore", IGNORE),
        ("rust/Cargo.toml", WORKSPACE),
        ("rust/a/Cargo.toml", &manifest("a")),
        ("rust/a/src/lib.rs", LIBRARY),
        ("rust/a/tests/crash.rs", CRASH),
        ("rust/b/Cargo.toml", &manifest("b")),
        ("rust/b/src/lib.rs", LIBRARY),
    ])
}

/// Each finding's place, or its message if it has no place.
fn places(report: &Value) -> Vec<String> {
    let findings = outcome(report, "unittests-gnu")["findings"].as_array().unwrap();
    let mut places: Vec<String> = findings
        .iter()
        .map(|finding| match finding["file"].as_str() {
            Some(file) => format!("{file}:{}", finding["line"]),
            None => finding["message"].as_str().unwrap().to_owned(),
        })
        .collect();
    places.sort();
    places
}

#[test]
fn every_failed_test_is_found_at_its_place_from_the_root_however_it_is_printed() {
    let sample = sample();
    let report = sample.sandbox.path().join("report.json");
    let junit = sample.sandbox.path().join("junit.xml");
    let files = ["--report", report.to_str().unwrap(), "--junit", junit.to_str().unwrap()];
    for arguments in ["", "-q", "-- --nocapture", "-- --test-threads=1"] {
        let command = format!("cargo all-features test --workspace {arguments}");
        let check = json!({"working-directory": "rust", "command": command});
        let options = json!({"docker": false, "checks": {"unittests-gnu": check}}).to_string();
        let mut run = sample.command(&[&["run", "unittests-gnu"], &files[..]].concat());
        let said = said(run.env("BUILDKITE_PLUGIN_CONFIGURATION", options));
        assert_eq!(said.code, Some(1), "{}", said.text);
        let report: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
        let expected = [
            "rust/a/src/lib.rs:11",
            "rust/a/src/lib.rs:2",
            "rust/b/src/lib.rs:11",
            "rust/b/src/lib.rs:2",
            "the test program `-p a --test crash` was killed by signal 6 (SIGABRT)",
        ];
        assert_eq!(places(&report), expected, "{arguments}: {}", said.text);
        let combination = &outcome(&report, "unittests-gnu")["combinations"][0];
        assert!(combination.get("passed_before").is_none(), "{combination}");
        assert!(!std::fs::read_to_string(&junit).unwrap().contains('\u{fffe}'));
    }
}
