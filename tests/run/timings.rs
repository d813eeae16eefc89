//! Where the time went: what `--timings` says, and what it leaves behind.

use super::{MANIFEST, Sample, outcome};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::time::Duration;
use support::process::Running;

/// How long a test waits for what must happen, until it fails.
const LIMIT: Duration = Duration::from_secs(60);

fn seconds(value: &Value, name: &str) -> f64 {
    value["timings"][name].as_f64().unwrap_or_else(|| panic!("no {name} in {value}"))
}

#[test]
fn building_and_running_are_told_apart_for_each_combination() {
    let manifest = format!("{MANIFEST}[features]\na = []\n");
    let library =
        "#[test]\nfn takes_time() {\n    std::thread::sleep(std::time::Duration::from_secs(3));\n}\n";
    let sample = Sample::new(&[("Cargo.toml", &manifest), ("src/lib.rs", library)]);
    let report = sample.report(&["unittests-gnu", "style"]);
    let tests = outcome(&report, "unittests-gnu");
    let combinations = tests["combinations"].as_array().unwrap();
    assert_eq!(combinations.len(), 2);
    for combination in combinations {
        assert!((1.0..combination["seconds"].as_f64().unwrap()).contains(&seconds(combination, "run")));
        assert!(seconds(combination, "compile") > 0.01, "{combination}");
        assert_eq!(combination["timings"].get("link"), None, "nobody asked to look: {combination}");
    }
    for part in ["compile", "run", "waiting"] {
        let sum: f64 = combinations.iter().map(|combination| seconds(combination, part)).sum();
        assert!((seconds(tests, part) - sum).abs() < 1e-6, "{part}: {tests}");
    }
    let build: f64 = ["compile", "run", "waiting"].iter().map(|part| seconds(tests, part)).sum();
    assert!(build <= tests["seconds"].as_f64().unwrap(), "{tests}");
    assert_eq!(outcome(&report, "style").get("timings"), None, "that is none of cargo's work");
}

#[test]
fn a_wait_for_a_lock_is_neither_building_nor_running() {
    let sample = Sample::new(&[]);
    assert_eq!(sample.run(&["run", "build-gnu"]).code, Some(0));
    let build = sample.repository.path().join("target/release");
    let lock = File::open(build.join(".cargo-lock")).unwrap();
    lock.lock().unwrap();
    let file = sample.sandbox.path().join("report.json");
    let mut command = sample.command(&["run", "build-gnu", "--report", file.to_str().unwrap()]);
    let mut running = Running::start(&mut command, sample.sandbox.path().join("log"));
    running.wait_for("Blocking waiting for file lock", LIMIT);
    // It has waited so long at least, however busy the machine is.
    std::thread::sleep(Duration::from_millis(1100));
    lock.unlock().unwrap();
    let said = running.finish(LIMIT);
    assert_eq!(said.status, 0, "{}", said.output);
    let report: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let build = outcome(&report, "build-gnu");
    let waiting = seconds(build, "waiting");
    assert!((1.0..build["seconds"].as_f64().unwrap()).contains(&waiting), "{build}");
}

#[test]
fn timings_tell_linking_and_what_was_used_and_leave_no_file_behind() {
    let linker = "#!/bin/sh\nsleep 3\nexec cc \"$@\"\n";
    let sample = Sample::new(&[
        ("src/main.rs", "//! A program.\nfn main() {}\n"),
        (".cargo/config.toml", "[target.'cfg(all())']\nlinker = \"./slow-linker\"\n"),
        ("slow-linker", linker),
    ]);
    let file = sample.sandbox.path().join("timed.json");
    let said = sample.run(&["run", "build-gnu", "style", "--timings", "--report", file.to_str().unwrap()]);
    assert_eq!(said.code, Some(0), "{}", said.text);
    let table = said.text.split("\nseconds ").nth(1).unwrap_or_else(|| panic!("no table: {}", said.text));
    let rows: Vec<&str> = table.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let label = format!("build-gnu-{}", std::env::consts::ARCH);
    assert!(rows.contains(&label.as_str()) && rows.contains(&"sum") && rows.contains(&"CPU"), "{table}");
    let report: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert!(report["usage"]["own_cpu"].as_f64().unwrap() < report["usage"]["cpu"].as_f64().unwrap());
    if fs::exists(format!("/proc/self/task/{}/children", std::process::id())).unwrap() {
        let build = outcome(&report, "build-gnu");
        assert!(seconds(build, "link") > 0.5 && seconds(build, "compile") > 0.0, "{build}");
    } else {
        assert!(std::env::var_os("REQUIRE_ALL").is_none(), "this kernel does not tell children");
        println!("skipped: this kernel does not tell children (CONFIG_PROC_CHILDREN)");
    }
    assert!(!sample.repository.path().join("target/cargo-timings").exists());
}

#[test]
fn a_check_that_found_its_lane_taken_says_how_long_a_free_one_waited_for_it() {
    let sample = Sample::new(&[(
        ".buildkite/pipeline.yml",
        "steps:\n  - plugins:\n      - rust-vmm/rust-vmm-ci#v1.0.0:\n          standard: false\n          \
         steps:\n            - {label: one, command: sleep 3}\n            - {label: two, command: 'true'}\n",
    )]);
    let report = sample.report(&["--jobs", "2"]);
    let queued = |name: &str| outcome(&report, name)["queued"].as_f64();
    assert_eq!(queued("one"), None);
    let whole = report["seconds"].as_f64().unwrap();
    assert!(queued("two").is_some_and(|queued| (0.8..whole).contains(&queued)), "{report}");
    let one_by_one = sample.report(&["--jobs", "1"]);
    assert_eq!(outcome(&one_by_one, "two")["queued"], json!(null), "nobody stood idle: {one_by_one}");
}
