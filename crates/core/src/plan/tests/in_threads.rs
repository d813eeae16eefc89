//! Tests of planning in several threads: the checks and the errors are those of planning in one.

use crate::config::Config;
use crate::plan::{Facts, PlannedCheck, Planner};
use crate::workspace::MemoryFiles;
use anyhow::{Result, bail};
use serde_json::json;

/// More crates than are planned at once.
const CRATES: usize = 1100;

/// A workspace in which these crates describe a test of their own: its name and its command.
fn workspace(own: &[(usize, &str, &str)]) -> (Config, Facts) {
    let mut files = MemoryFiles::of(&[("Cargo.toml", "[workspace]\nmembers = [\"c*\"]\n")]);
    for number in 0..CRATES {
        files.0.insert(format!("c{number}/Cargo.toml"), format!("[package]\nname = \"c{number}\"\n"));
    }
    // Each test that is asked for has to be in some crate.
    for (number, name, command) in own.iter().chain(&[(CRATES - 1, "own", "cargo test")]) {
        let described = json!({"tests": [{"test_name": name, "command": command}]}).to_string();
        files.0.insert(format!("c{number}/.buildkite/custom-tests.json"), described);
    }
    let only = ["style", "clippy", "clippy-x86_64", "own"];
    let config = Config::parse(&json!({"workspace": "selective", "only": only})).unwrap();
    let facts = Facts::read(&files, &|_| None, &config, false).unwrap();
    (config, facts)
}

/// The labels of all checks, or the error. The caller refuses the label `refused`.
fn labels((config, facts): &(Config, Facts), refused: &str, threads: Option<usize>) -> Result<Vec<String>> {
    let planner = Planner::for_upload(config, facts)?;
    let add = |labels: &mut Vec<String>, check: &PlannedCheck| {
        if check.label.as_str() == refused {
            bail!("{refused} is refused");
        }
        labels.push(check.label.as_str().to_owned());
        Ok(())
    };
    let mut all = Vec::new();
    match threads {
        None => planner.visit(&mut |check| add(&mut all, &check))?,
        Some(threads) => planner.visit_in_threads(threads, &Vec::new, &add, &mut |labels| {
            all.extend(labels);
            Ok(())
        })?,
    }
    Ok(all)
}

#[test]
fn checks_come_in_the_same_order() {
    let own = workspace(&[(3, "own", "cargo test"), (1050, "own", "make")]);
    let expected = labels(&own, "", None).unwrap();
    assert_eq!(expected.len(), CRATES * 2 + 4);
    for threads in [1, 2, 5] {
        assert!(labels(&own, "", Some(threads)).unwrap() == expected, "{threads}");
    }
}

#[test]
fn of_several_errors_the_first_in_order_is_told() {
    const TWICE: &str = "two steps have the label";
    const PLACEHOLDER: &str = "has {target_platform}";
    const REFUSED: &str = "is refused";
    let twice = |number| (number, "clippy-x86_64", "cargo test");
    let placeholder = |number| (number, "own", "cargo test {target_platform}");
    for (own, refused, told) in [
        (vec![twice(700)], "", TWICE),
        (vec![placeholder(700)], "", PLACEHOLDER),
        (vec![twice(5), placeholder(700)], "", TWICE),
        (vec![twice(700), placeholder(5)], "", PLACEHOLDER),
        (vec![twice(6), placeholder(5)], "", PLACEHOLDER),
        (vec![twice(5), placeholder(6)], "", TWICE),
        // A check is compared with those before it, and then it is added.
        (vec![twice(5)], "c5: clippy-x86_64", REFUSED),
        (vec![twice(5)], "c1000: clippy-aarch64", REFUSED),
        (vec![twice(5), (6, "own", "cargo test")], "c6: own", TWICE),
        (vec![placeholder(700), (699, "own", "cargo test")], "c699: own", REFUSED),
    ] {
        let workspace = workspace(&own);
        let expected = labels(&workspace, refused, None).unwrap_err().to_string();
        assert!(expected.contains(told), "{own:?}, {refused}: {expected}");
        for threads in [1, 2, 5] {
            let error = labels(&workspace, refused, Some(threads)).unwrap_err().to_string();
            assert_eq!(error, expected, "{own:?}, {refused}, {threads}");
        }
    }
}
