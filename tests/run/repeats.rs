//! Tests that would be run a second time.

use super::{IGNORE, Sample, outcome, said};
use serde_json::{Value, json};
use std::fs;

/// A workspace whose member `a` has two features, which its member `b` never sees: 4 sets. The tests and
/// the example of `b` leave a line each time that they run.
fn sample() -> Sample {
    let member = |name: &str, more: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{more}")
    };
    let note = |who: &str| {
        format!(
            "use std::io::Write as _;\n\
             std::fs::File::options().create(true).append(true).open(\"ran.txt\").unwrap().write_all(b\"{who}\\n\").unwrap();\n"
        )
    };
    let example = note("example").lines().map(|line| format!("/// {line}")).collect::<Vec<_>>().join("\n");
    let library = format!(
        "/// Notes.\n///\n/// ```\n{example}\n/// ```\npub fn noted() {{}}\n#[test]\nfn runs() {{ {} }}\n",
        note("test")
    );
    Sample::new(&[
        ("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"a\", \"b\"]\n"),
        ("a/Cargo.toml", &member("a", "[features]\nx = []\ny = []\n")),
        ("a/src/lib.rs", "#[test]\nfn runs() {}\n"),
        ("b/Cargo.toml", &member("b", "")),
        ("b/src/lib.rs", &library),
        (".gitignore", IGNORE),
    ])
}

fn ran(sample: &Sample) -> Vec<String> {
    let text = fs::read_to_string(sample.repository.path().join("b/ran.txt")).unwrap();
    text.lines().map(ToOwned::to_owned).collect()
}

#[test]
fn a_member_that_a_set_of_features_leaves_as_it_was_is_tested_once() {
    let sample = sample();
    let report = sample.report(&["unittests-gnu"]);
    let tests = outcome(&report, "unittests-gnu");
    assert_eq!(tests["verdict"], "passed", "{report}");
    assert_eq!(ran(&sample), ["test", "example"]);
    let combinations = tests["combinations"].as_array().unwrap();
    assert_eq!(combinations.len(), 4, "none (which is b's too), x, y, x and y: {combinations:?}");
    let passed_before = |index: usize| combinations[index]["passed_before"].as_array().map_or(0, Vec::len);
    assert_eq!([0, 1, 2, 3].map(passed_before), [0, 2, 2, 2], "{combinations:?}");
}

#[test]
fn what_failed_is_run_again_with_every_set() {
    let sample = sample();
    fs::create_dir(sample.repository.path().join("b/ran.txt")).unwrap();
    let report = sample.report(&["unittests-gnu"]);
    let tests = outcome(&report, "unittests-gnu");
    assert_eq!(tests["verdict"], "failed");
    let combinations = tests["combinations"].as_array().unwrap();
    assert!(combinations.iter().all(|combination| combination["verdict"] == "failed"), "{combinations:?}");
    let findings = tests["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 2, "the test and the example, each once: {findings:?}");
    assert_eq!(findings[0]["feature_sets"].as_array().unwrap().len(), 4, "{findings:?}");
}

#[test]
fn all_is_run_again_where_it_is_asked_for() {
    let sample = sample();
    let file = sample.sandbox.path().join("report.json");
    let mut command = sample.command(&["run", "unittests-gnu", "--report", file.to_str().unwrap()]);
    let all = json!({"features": "powerset-all", "docker": false}).to_string();
    let said = said(command.env("BUILDKITE_PLUGIN_CONFIGURATION", all));
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert_eq!(ran(&sample).len(), 2 * 5, "a's 4 sets and b's one");
    let report: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let combinations = outcome(&report, "unittests-gnu")["combinations"].as_array().unwrap();
    assert!(
        combinations.iter().all(|combination| combination["passed_before"].is_null()),
        "{combinations:?}"
    );
}
