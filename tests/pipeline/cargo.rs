//! Members as cargo itself sees them.

use super::{BINARY, cases};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use support::case::Case;

#[test]
fn the_members_are_those_that_cargo_metadata_tells() {
    let (_, value) = cases("steps").into_iter().find(|(name, _)| name == "a-selective-workspace").unwrap();
    let mut value = value;
    value["config"] = json!({"workspace": "selective", "only": ["doc-of-each"], "steps": [
        {"label": "doc-of-each", "command": "cargo doc -p {crate}"},
    ]});
    let dirs = ["", "crates/a/", "crates/out/", "far/implicit/", "b/"];
    for dir in dirs {
        value["files"][format!("{dir}src/lib.rs")] = "".into();
    }
    let case = Case::new(BINARY, &value);
    let steps: Value = serde_json::from_str(&case.pipeline(&[]).out).unwrap();
    let labels = steps["steps"].as_array().unwrap().iter().map(|step| step["label"].as_str().unwrap());
    let ours: BTreeSet<String> = labels.map(|label| label.split(": ").next().unwrap().to_owned()).collect();
    let output = case
        .program("cargo")
        .args(["metadata", "--no-deps", "--offline", "--format-version=1"])
        .current_dir(case.repository())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let theirs: BTreeSet<String> =
        packages.iter().map(|package| package["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ours, theirs);
    assert_eq!(theirs.len(), 4);
}
