//! A cancel ends the children, and the report says so.

use super::Sample;
use std::time::Duration;
use support::process::Running;

/// How long the test waits for what must happen, until it fails.
const LIMIT: Duration = Duration::from_secs(60);

#[test]
fn a_cancel_ends_the_whole_tree_and_is_reported() {
    let library = "#[test]\nfn hangs() {\n    println!(\"begun\");\n    std::fs::write(\"pid\", std::process::id().to_string()).unwrap();\n    \
                   std::thread::sleep(std::time::Duration::from_secs(600));\n}\n";
    let sample = Sample::new(&[("src/lib.rs", library)]);
    let report = sample.sandbox.path().join("report.json");
    let mut command = sample.command(&[
        "run",
        "unittests-gnu",
        "style",
        "--jobs",
        "1",
        "--report",
        report.to_str().unwrap(),
    ]);
    let running = Running::start(&mut command, sample.sandbox.path().join("log"));
    let pid_file = sample.repository.path().join("pid");
    // The file is empty at first.
    let begun = || std::fs::read_to_string(&pid_file).ok()?.parse::<i32>().ok();
    let pid = support::eventually(2 * LIMIT, begun).unwrap_or_else(|| panic!("{}", running.output()));
    running.terminate();
    let finished = running.finish(LIMIT);
    assert_eq!(finished.status, 3, "{}", finished.output);
    let gone = || (!std::path::Path::new(&format!("/proc/{pid}")).exists()).then_some(());
    assert!(support::eventually(LIMIT, gone).is_some(), "the test goes on");
    let report: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
    assert_eq!(report["cancelled"], true);
    let outcomes = report["outcomes"].as_array().unwrap();
    let cancelled = outcomes.iter().find(|outcome| outcome["name"] == "unittests-gnu").unwrap();
    assert_eq!(cancelled["verdict"], "cancelled");
}
