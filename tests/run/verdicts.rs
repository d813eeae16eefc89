//! Which checks pass, which fail, and what the program prints about them.

use super::{IGNORE, MANIFEST, Sample, outcome, said};
use serde_json::{Value, json};
use std::time::Duration;

#[test]
fn a_sound_crate_passes_and_nothing_stays_that_git_would_show() {
    let sample = Sample::new(&[]);
    let said = sample.run(&["run", "build-gnu", "style", "doc", "unittests-gnu", "clippy"]);
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert_eq!(sample.repository.git(&["status", "--porcelain"]), "");
    for name in ["build-gnu", "style", "doc", "unittests-gnu", "clippy"] {
        assert!(said.text.contains(name), "{}", said.text);
    }
}

#[test]
fn a_failure_does_not_hide_the_next_and_each_says_how_to_repeat_it() {
    let library = "//! A crate.\n\n/// Counts.\npub fn count() -> u32 {\n    let unused = 1;\n      2\n}\n";
    let sample = Sample::new(&[("src/lib.rs", library)]);
    let said = sample.run(&["run", "style", "clippy", "unittests-gnu"]);
    assert_eq!(said.code, Some(1), "{}", said.text);
    for text in ["src/lib.rs:5", "rust-vmm-ci run style", "rust-vmm-ci run clippy", "unittests-gnu"] {
        assert!(said.text.contains(text), "{text}: {}", said.text);
    }
}

#[test]
fn one_fault_under_many_feature_sets_is_one_finding() {
    let manifest = format!("{MANIFEST}[features]\na = []\nb = []\n");
    let library = "//! A crate.\n\n/// Counts.\npub fn count() -> u32 {\n    #[cfg(feature = \"a\")]\n    let unused = 1;\n    2\n}\n";
    let sample = Sample::new(&[("Cargo.toml", &manifest), ("src/lib.rs", library)]);
    let report = sample.report(&["build-gnu"]);
    let build = outcome(&report, "build-gnu");
    assert_eq!(build["verdict"], "failed");
    assert_eq!(build["combinations"].as_array().unwrap().len(), 4);
    let findings = build["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0]["line"], 6);
    assert_eq!(findings[0]["feature_sets"], json!(["a", "a,b"]));
}

#[test]
fn combinations_that_resolve_to_the_same_run_once() {
    let manifest = format!("{MANIFEST}[features]\na = [\"b\"]\nb = []\n");
    let sample = Sample::new(&[("Cargo.toml", &manifest)]);
    let report = sample.report(&["clippy"]);
    let combinations = outcome(&report, "clippy")["combinations"].as_array().unwrap();
    assert_eq!(combinations.len(), 3, "none, a (which is a,b too), b: {combinations:?}");
    assert_eq!(combinations[1]["stands_for"], json!(["a,b"]));
    let all = json!({"features": "powerset-all", "docker": false}).to_string();
    let file = sample.sandbox.path().join("report.json");
    let mut command = sample.command(&["run", "clippy", "--report", file.to_str().unwrap()]);
    assert_eq!(said(command.env("BUILDKITE_PLUGIN_CONFIGURATION", all)).code, Some(0));
    let report: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(outcome(&report, "clippy")["combinations"].as_array().unwrap().len(), 4);
}

#[test]
fn the_repositorys_own_steps_run_after_the_standard_checks() {
    let sample = Sample::new(&[(
        ".buildkite/pipeline.yml",
        "steps:\n  - plugins:\n      - rust-vmm/rust-vmm-ci#v1.0.0:\n          only: [style, own]\n          \
         steps:\n            - label: own\n              command: echo target {target_platform}; exit 5\n",
    )]);
    let said = sample.run(&["run"]);
    assert_eq!(said.code, Some(1), "{}", said.text);
    let platform = std::env::consts::ARCH;
    assert!(said.text.contains(&format!("target {platform}")), "{}", said.text);
    assert!(said.text.find("style").unwrap() < said.text.find("target ").unwrap(), "{}", said.text);
    assert!(said.text.contains("status 5"), "{}", said.text);
}

#[test]
fn a_soft_failure_is_shown_and_decides_nothing() {
    let sample = Sample::new(&[("src/lib.rs", "//! A crate.\nfn  a(){}\n")]);
    let soft = json!({"checks": {"style": {"soft-fail": true}}, "docker": false}).to_string();
    let said = said(sample.command(&["run", "style"]).env("BUILDKITE_PLUGIN_CONFIGURATION", soft));
    assert_eq!(said.code, Some(0), "{}", said.text);
    assert!(said.text.contains("failed"), "{}", said.text);
}

#[test]
fn what_is_missing_is_skipped_for_a_person_and_broken_in_ci() {
    let sample = Sample::new(&[]);
    let nothing = sample.sandbox.folder("nothing");
    let without_rust = |command: &mut std::process::Command| {
        command.env("PATH", &nothing);
    };
    let mut person = sample.command(&["run", "style"]);
    without_rust(&mut person);
    let said_to_person = said(&mut person);
    assert_eq!(said_to_person.code, Some(3), "nothing ran: {}", said_to_person.text);
    assert!(said_to_person.text.contains("skipped"), "{}", said_to_person.text);
    for variable in [("BUILDKITE", "true"), ("CI", "true")] {
        let mut ci = sample.command(&["run", "style"]);
        without_rust(&mut ci);
        let said = said(ci.env(variable.0, variable.1));
        assert_eq!(said.code, Some(3), "{}", said.text);
        assert!(said.text.contains("broken") && said.text.contains("rustup"), "{}", said.text);
    }
}

#[test]
fn a_crate_that_does_not_parse_and_a_manifest_that_does_not_fail() {
    let sample = Sample::new(&[("src/lib.rs", "fn {\n")]);
    let said = sample.run(&["run", "build-gnu", "style"]);
    assert_eq!(said.code, Some(1), "{}", said.text);
    assert!(said.text.contains("src/lib.rs:1"), "{}", said.text);
    let sample = Sample::new(&[("Cargo.toml", "[package\n")]);
    let said = sample.run(&["run", "build-gnu"]);
    assert_eq!(said.code, Some(1), "{}", said.text);
    assert!(said.text.contains("Cargo.toml:1"), "cargo's own words: {}", said.text);
}

#[test]
fn a_manifest_that_does_not_parse_is_named_by_every_check_and_its_error_once() {
    let sample = Sample::new(&[("Cargo.toml", "[package]\nnam = \"sample\"\n")]);
    for check in ["style", "build-gnu"] {
        let said = sample.run(&["run", check]);
        assert_eq!(said.code, Some(1), "{}", said.text);
        assert!(said.text.contains("  error: failed to parse manifest at `"), "{}", said.text);
        assert!(
            !said.text.contains("error: error:\n") && !said.text.contains("  error: error"),
            "{}",
            said.text
        );
    }
}

#[test]
fn a_target_directory_that_may_not_be_written_is_no_fault_of_the_commit() {
    use std::os::unix::fs::PermissionsExt as _;
    let sample = Sample::new(&[]);
    // Root may write everywhere but here.
    let target = if rustix::process::geteuid().is_root() {
        "/proc/target".to_owned()
    } else {
        let folder = sample.sandbox.folder("closed");
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o500)).unwrap();
        folder.join("target").display().to_string()
    };
    let said = said(sample.command(&["run", "build-gnu"]).env("CARGO_TARGET_DIR", target));
    assert_eq!(said.code, Some(3), "{}", said.text);
    assert!(said.text.contains("broken") && said.text.contains("may not be written"), "{}", said.text);
}

#[test]
fn a_folder_with_spaces_and_a_quote_and_no_git_is_checked_like_any() {
    let sample = Sample::named("it's a \"crate\" $HOME", &[]);
    std::fs::remove_dir_all(sample.repository.path().join(".git")).unwrap();
    let said = said(sample.command(&["run", "build-gnu", "style"]).env_remove("HOME"));
    assert_eq!(said.code, Some(0), "{}", said.text);
}

#[test]
fn a_test_that_hangs_ends_with_its_time_limit() {
    let library = "#[test]\nfn hangs() {\n    std::thread::sleep(std::time::Duration::from_secs(600));\n    \
                   std::fs::write(\"woken\", \"\").unwrap();\n}\n";
    let sample = Sample::new(&[("src/lib.rs", library)]);
    assert_eq!(sample.run(&["run", "build-gnu"]).code, Some(0));
    let configuration =
        json!({"checks": {"unittests-gnu": {"timeout-in-minutes": 1}}, "docker": false}).to_string();
    let said =
        said(sample.command(&["run", "unittests-gnu"]).env("BUILDKITE_PLUGIN_CONFIGURATION", configuration));
    assert_eq!(said.code, Some(1), "{}", said.text);
    assert!(said.text.contains("time limit"), "{}", said.text);
    assert!(!sample.repository.path().join("woken").exists(), "the test has ended by itself");
}

#[test]
fn output_of_200_mb_takes_no_memory_to_speak_of() {
    let library = "#[test]\nfn floods() {\n    use std::io::Write;\n    let line = [b'x'; 1 << 16];\n    let mut out = std::io::stdout();\n    \
                   for _ in 0..3200 {\n        out.write_all(&line).unwrap();\n    }\n    out.write_all(b\"\\n\").unwrap();\n}\n";
    let sample = Sample::new(&[("src/lib.rs", library), (".gitignore", IGNORE)]);
    let mut command = sample.command(&["run", "unittests-gnu"]);
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut stdout = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()).unwrap());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(reader.join().unwrap() > 200_000_000, "all of it is passed on into a pipe");
    assert!(peak > 0 && peak < 100 * 1024, "{peak} KiB");
}
