//! Checks that run at once.

use super::Sample;
use serde_json::Value;

/// Lets the release build end only after a debug build has begun.
const BUILD: &str = r#"//! Waits.

fn main() {
    let begun = std::path::Path::new("target/a-debug-build-has-begun");
    if std::env::var("PROFILE").unwrap() == "debug" {
        std::fs::write(begun, "").unwrap();
    }
    for _ in 0..6000 {
        if begun.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("nothing runs beside the release build");
}
"#;

#[test]
fn checks_that_run_at_once_speak_one_after_the_other() {
    let sample = Sample::new(&[("build.rs", BUILD)]);
    let file = sample.sandbox.path().join("report.json");
    let names = ["build-gnu", "style", "doc", "unittests-gnu", "clippy"];
    let args = ["run", "--jobs", "3", "--report", file.to_str().unwrap()];
    let said = sample.run(&[&args[..], &names].concat());
    assert_eq!(said.code, Some(0), "{}", said.text);
    let mut told = Vec::new();
    let mut speaks: Option<&str> = None;
    for line in said.text.lines() {
        if let Some(label) = line.strip_prefix("== ") {
            assert_eq!(speaks.replace(label), None, "{line}: another speaks\n{}", said.text);
        } else if let Some(label) = speaks {
            if line.starts_with(&format!("{label}: passed (")) {
                told.push(label);
                speaks = None;
            } else if let Some((_, command)) =
                line.strip_prefix("$ ").and_then(|line| line.split_once("cargo "))
            {
                let verb = match label.trim_end_matches(&format!("-{}", std::env::consts::ARCH)) {
                    "build-gnu" => "build",
                    "style" => "fmt",
                    "unittests-gnu" => "test",
                    other => other,
                };
                assert!(command.starts_with(verb), "{label}: {line}\n{}", said.text);
            }
        }
    }
    assert_eq!((told.len(), speaks), (names.len(), None), "{}", said.text);

    let report: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let outcomes = report["outcomes"].as_array().unwrap();
    let order: Vec<_> = outcomes.iter().map(|outcome| outcome["name"].as_str().unwrap()).collect();
    assert_eq!(order, names, "the report keeps the plan's order");
    let span = |name: &str| {
        let outcome = outcomes.iter().find(|outcome| outcome["name"] == name).unwrap();
        let started = outcome["started"].as_f64().unwrap();
        (started, started + outcome["seconds"].as_f64().unwrap())
    };
    let (build, tests) = (span("build-gnu"), span("unittests-gnu"));
    assert!(build.0 < tests.1 && tests.0 < build.1, "a release build and debug tests run at once");
    let (doc, clippy) = (span("doc"), span("clippy"));
    assert!(doc.1 <= clippy.0 || clippy.1 <= doc.0, "what locks the same folder does not");
}
