//! The verdict is about what cargo does in its folder, with its variables and options.

use super::{LIBRARY, MANIFEST, Said, Sample, outcome, said};
use serde_json::{Value, json};

/// A library that compiles only without the flag `--cfg special`.
const NOT_SPECIAL: &str = "//! A.\n#[cfg(special)]\ncompile_error!(\"special\");\n";
/// A library that compiles only with the flag `--cfg special`.
const SPECIAL: &str = "//! A.\n#[cfg(not(special))]\ncompile_error!(\"not special\");\n";
/// A library whose test passes only where a variable is set.
const NEEDS_VARIABLE: &str =
    "//! A.\n#[test]\nfn needs() {\n    assert!(std::env::var_os(\"NEEDED\").is_some());\n}\n";

/// Runs checks with these options of `checks`.
fn with_checks(sample: &Sample, checks: &Value, names: &[&str]) -> Said {
    let options = json!({"docker": false, "checks": checks}).to_string();
    let mut all = vec!["run"];
    all.extend(names);
    said(sample.command(&all).env("BUILDKITE_PLUGIN_CONFIGURATION", options))
}

fn manifest(more: &str) -> String {
    format!("{MANIFEST}[lints.rust]\nunexpected_cfgs = \"allow\"\n{more}")
}

/// A workspace of the members `a` and `b`, with these files.
fn workspace(files: &[(&str, &str)]) -> Sample {
    let [a, b] = ["a", "b"].map(|name| MANIFEST.replace("sample", name));
    let mut all = vec![
        ("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"a\", \"b\"]\n"),
        ("a/Cargo.toml", &a),
        ("b/Cargo.toml", &b),
        ("a/src/lib.rs", LIBRARY),
        ("b/src/lib.rs", LIBRARY),
    ];
    all.retain(|(path, _)| !files.iter().any(|(other, _)| other == path));
    all.extend(files);
    Sample::new(&all)
}

/// An executable script outside of the repository.
fn script(sample: &Sample, name: &str, text: &str) -> String {
    let file = sample.sandbox.path().join(name);
    support::program::write(&file, &format!("#!/bin/sh\n{text}\n"));
    file.to_str().unwrap().to_owned()
}

#[test]
fn the_flags_of_a_check_replace_those_of_an_option_of_its_command() {
    let sample = Sample::new(&[("Cargo.toml", &manifest("")), ("src/lib.rs", SPECIAL)]);
    let args = json!({"build-gnu": {"args": ["--config", "build.rustflags=['--cfg','special']"]}});
    let said = with_checks(&sample, &args, &["build-gnu"]);
    assert_eq!(said.code, Some(1), "{}", said.text);
}

#[test]
fn a_runner_is_used_that_stands_in_an_option_or_before_the_command() {
    let sample = Sample::new(&[("src/lib.rs", NEEDS_VARIABLE)]);
    assert_eq!(sample.run(&["run", "unittests-gnu"]).code, Some(1));
    let option = json!({"unittests-gnu": {"args": ["--config=target.'cfg(unix)'.runner='env NEEDED=1'"]}});
    let said = with_checks(&sample, &option, &["unittests-gnu"]);
    assert_eq!(said.code, Some(0), "{}", said.text);
    let triple = format!("{}_unknown_linux_gnu", std::env::consts::ARCH).to_uppercase();
    let command = format!("CARGO_TARGET_{triple}_RUNNER='env NEEDED=1' cargo all-features test --workspace");
    let said = with_checks(&sample, &json!({"unittests-gnu": {"command": command}}), &["unittests-gnu"]);
    assert_eq!(said.code, Some(0), "{}", said.text);
}

#[test]
fn the_configuration_of_a_members_folder_holds_for_its_runs() {
    let special = "[build]\nrustflags = [\"--cfg\", \"special\"]\n";
    let [a, b] = ["a", "b"].map(|name| manifest("").replace("sample", name));
    let sample = workspace(&[
        ("a/Cargo.toml", &a),
        ("b/Cargo.toml", &b),
        ("b/src/lib.rs", NOT_SPECIAL),
        ("b/.cargo/config.toml", special),
    ]);
    let command = json!({"clippy": {"command": "cargo all-features clippy --workspace"}});
    assert_eq!(with_checks(&sample, &command, &["clippy"]).code, Some(1));
    std::fs::remove_file(sample.repository.path().join("b/.cargo/config.toml")).unwrap();
    let report = sample.report(&["clippy"]);
    let combinations = outcome(&report, "clippy")["combinations"].as_array().unwrap();
    assert_eq!(combinations.len(), 1, "without it one run stands for both: {combinations:?}");
}

#[test]
fn the_sets_of_features_are_those_of_the_selected_packages() {
    let b = format!("{}[features]\nx = []\n", MANIFEST.replace("sample", "b"));
    let sample = workspace(&[("b/Cargo.toml", &b), ("b/src/lib.rs", "#[cfg(feature = \"x\")]\nerror\n")]);
    let failing = with_checks(&sample, &json!({}), &["build-gnu"]);
    assert_eq!(failing.code, Some(1), "{}", failing.text);
    for selection in [json!({"packages": ["a"]}), json!({"exclude": ["b"]})] {
        let said = with_checks(&sample, &json!({"build-gnu": selection}), &["build-gnu"]);
        assert_eq!(said.code, Some(0), "{}", said.text);
    }
}

#[test]
fn a_lock_file_that_must_stay_as_it_is_stays_so_whatever_runs_beside() {
    let sample = Sample::new(&[
        (".gitignore", "target\n"),
        ("dep/Cargo.toml", &MANIFEST.replace("sample", "dep")),
        ("dep/src/lib.rs", LIBRARY),
        ("Cargo.toml", &format!("{MANIFEST}[dependencies]\ndep = {{ path = \"dep\" }}\n")),
        ("Cargo.lock", "version = 4\n\n[[package]]\nname = \"sample\"\nversion = \"0.1.0\"\n"),
    ]);
    let locked = json!({"doc": {"args": ["--locked"]}});
    let said = with_checks(&sample, &locked, &["doc"]);
    assert_eq!((said.code, sample.repository.git(&["status", "--porcelain"]).as_str()), (Some(1), ""));
    assert!(said.text.contains("--locked"), "cargo's own words: {}", said.text);
    let beside = with_checks(&sample, &locked, &["build-gnu", "doc"]);
    assert_eq!(beside.code, Some(1), "build-gnu mends the lock file, doc must not use that: {}", beside.text);
}

#[test]
fn a_command_that_is_not_known_runs_as_it_stands() {
    let sample = Sample::new(&[(".cargo/config.toml", "[alias]\nxtask = [\"check\", \"--quiet\"]\n")]);
    let tool = "shift\n[ \"$*\" = \"check --strict -- x\" ] || { echo \"error: got $*\" >&2; exit 2; }";
    script(&sample, "cargo-inspect", tool);
    let path = format!("{}:{}", sample.sandbox.path().display(), std::env::var("PATH").unwrap());
    for (command, code) in [
        ("cargo inspect check --strict -- x", 0),
        ("cargo inspect else", 1),
        ("cargo xtask --lib", 0),
        ("cargo no-such-subcommand", 3),
    ] {
        let options = json!({"docker": false, "checks": {"doc": {"command": command}}}).to_string();
        let mut run = sample.command(&["run", "doc"]);
        let said =
            said(run.env("BUILDKITE_PLUGIN_CONFIGURATION", options).env("PATH", &path).env("CI", "true"));
        assert_eq!(said.code, Some(code), "{command}: {}", said.text);
    }
}

#[test]
fn a_flag_that_the_command_has_already_is_not_given_twice() {
    let sample = Sample::new(&[("src/lib.rs", "//! A.\n#[test]\nfn fine() {}\n")]);
    for flag in ["--no-run", "--no-fail-fast", "--message-format=json", "--no-default-features"] {
        let said = with_checks(&sample, &json!({"unittests-gnu": {"args": [flag]}}), &["unittests-gnu"]);
        assert_eq!(said.code, Some(0), "{flag}: {}", said.text);
    }
    let warning = Sample::new(&[("src/lib.rs", "//! A.\nfn unused() {}\n")]);
    let short = json!({"build-gnu": {"args": ["--message-format", "short"]}});
    let said = with_checks(&warning, &short, &["build-gnu"]);
    assert_eq!(said.code, Some(1), "warnings are denied nevertheless: {}", said.text);
}

#[test]
fn what_cannot_be_reached_or_started_is_no_failure_of_the_commit() {
    let down = "[source.crates-io]\nreplace-with = \"down\"\n[source.down]\nregistry = \"sparse+http://127.0.0.1:1/\"\n[net]\nretry = 0\n";
    let itoa = format!("{MANIFEST}[dependencies]\nitoa = \"1\"\n");
    let git = format!("{MANIFEST}[dependencies]\nitoa = {{ git = \"http://127.0.0.1:1/a.git\" }}\n");
    for (manifest, config) in [(&itoa, down), (&git, "[net]\nretry = 0\n")] {
        let sample = Sample::new(&[("Cargo.toml", manifest), (".cargo/config.toml", config)]);
        let said = sample.run(&["run", "build-gnu", "clippy"]);
        assert_eq!(said.code, Some(3), "{}", said.text);
        assert!(said.text.contains("could not be reached"), "{}", said.text);
    }
    let sample = Sample::new(&[]);
    let broken = script(&sample, "broken-wrapper", "exit 9");
    for variable in
        [("RUSTC_WRAPPER", "/no/wrapper"), ("RUSTC_WRAPPER", &broken), ("RUSTUP_TOOLCHAIN", "none-such")]
    {
        let mut run = sample.command(&["run", "build-gnu"]);
        let said = said(run.env(variable.0, variable.1).env("CI", "true"));
        assert_eq!(said.code, Some(3), "{variable:?}: {}", said.text);
    }
    let missing = format!("{MANIFEST}[dependencies]\nb = {{ path = \"b\" }}\n");
    let said = Sample::new(&[("Cargo.toml", &missing)]).run(&["run", "build-gnu"]);
    assert_eq!(said.code, Some(1), "a dependency that the commit lacks is its fault: {}", said.text);
}

#[test]
fn a_check_for_another_platform_than_rustcs_host_has_no_verdict() {
    let sample = Sample::new(&[]);
    let other = if std::env::consts::ARCH == "x86_64" { "aarch64" } else { "x86_64" };
    let host = format!("{other}-unknown-linux-gnu");
    let real = which_rustc();
    let text = format!(
        "[ \"$2\" = --verbose ] && {{ {real} -vV | sed 's/^host: .*/host: {host}/'; exit; }}\nexec {real} \"$@\""
    );
    script(&sample, "rustc", &text);
    let path = format!("{}:{}", sample.sandbox.path().display(), std::env::var("PATH").unwrap());
    let run = |platform: &[&str]| {
        let report = sample.sandbox.path().join("report.json");
        let mut args = vec!["run", "build-gnu", "--report", report.to_str().unwrap()];
        args.extend(platform);
        let said = said(sample.command(&args).env("PATH", &path));
        (said, std::fs::read_to_string(report).unwrap_or_default())
    };
    let (said, _) = run(&["--platform", std::env::consts::ARCH]);
    assert_eq!(said.code, Some(2), "rustc compiles for another one: {}", said.text);
    assert!(said.text.contains(other), "{}", said.text);
    let (said, report) = run(&[]);
    let report: Value = serde_json::from_str(&report).unwrap_or_else(|_| panic!("{}", said.text));
    assert_eq!((report["platform"].as_str(), report["host"].as_str()), (Some(other), Some(host.as_str())));
}

/// The path of rustc itself.
fn which_rustc() -> String {
    let output = std::process::Command::new("rustc").args(["--print", "sysroot"]).output().unwrap();
    format!("{}/bin/rustc", String::from_utf8(output.stdout).unwrap().trim())
}
