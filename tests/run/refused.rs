//! A person's mistake gets one error that says what to do, and the exit status 2.

use super::{MANIFEST, Said, Sample, said};
use serde_json::json;

/// Arguments, and what the refusal must say.
fn refused(sample: &Sample, args: &[&str], expected: &[&str]) {
    let said = sample.run(args);
    assert_eq!(said.code, Some(2), "{args:?}: {}", said.text);
    for text in expected {
        assert!(said.text.contains(text), "{args:?} should say {text:?}:\n{}", said.text);
    }
    let errors =
        said.text.lines().filter(|line| line.starts_with("rust-vmm-ci:") || line.starts_with("error:"));
    assert_eq!(errors.count(), 1, "{args:?}: one error:\n{}", said.text);
}

#[test]
fn names_that_are_none_are_refused_with_what_was_meant() {
    let sample = Sample::new(&[]);
    refused(&sample, &["run", "cliippy"], &["cliippy", "clippy"]);
    refused(&sample, &["run", "--platform", "x86-64"], &["x86_64"]);
    refused(&sample, &["run", "--os", "linus"], &["linux"]);
    refused(&sample, &["run", "--no-such-option"], &["--no-such-option"]);
}

#[test]
fn another_machines_platform_is_refused_with_what_to_do() {
    let sample = Sample::new(&[]);
    let other = if cfg!(target_arch = "x86_64") { "aarch64" } else { "x86_64" };
    refused(&sample, &["run", "--platform", other], &[other, "machine"]);
    refused(&sample, &["run", "--os", "windows"], &["windows", "machine"]);
}

#[test]
fn a_folder_without_a_manifest_is_no_rust_project() {
    let sample = Sample::new(&[("empty/.keep", "")]);
    refused(&sample, &["run", "-C", "empty"], &["Cargo.toml"]);
    refused(&sample, &["run", "-C", "nowhere"], &["nowhere"]);
    refused(&sample, &["run", "-C", "Cargo.toml"], &["not a folder"]);
}

#[test]
fn a_configuration_is_refused_with_the_key_and_what_was_meant() {
    let sample = Sample::new(&[]);
    let cases = [
        (json!({"platfrom": "x86_64"}).to_string(), vec!["platfrom", "platform"]),
        (
            json!({"checks": {"clippy": {"timeout": 3}}}).to_string(),
            vec!["checks.clippy", "timeout-in-minutes"],
        ),
        (json!({"checks": {"cliipy": {"args": []}}}).to_string(), vec!["checks.cliipy", "clippy"]),
        (json!({"checks": {"clippy": {"title": 3}}}).to_string(), vec!["checks.clippy.title"]),
        (json!({"only": ["stile"]}).to_string(), vec!["only", "stile", "style"]),
        (json!({"skip": ["docs"]}).to_string(), vec!["skip", "docs", "doc"]),
        ("{\"mode\": ".to_owned(), vec!["BUILDKITE_PLUGIN_CONFIGURATION"]),
        (json!({"checks": {"clippy": null}}).to_string(), vec!["checks.clippy", "null"]),
    ];
    for (configuration, expected) in cases {
        let said = said(sample.command(&["run"]).env("BUILDKITE_PLUGIN_CONFIGURATION", &configuration));
        assert_eq!(said.code, Some(2), "{configuration}: {}", said.text);
        for text in expected {
            assert!(said.text.contains(text), "{configuration} should say {text:?}:\n{}", said.text);
        }
    }
}

#[test]
fn a_file_of_tests_is_refused_with_its_place() {
    let cases = [
        ("", "tests.json"),
        (r#"{"tests": [{"test_name": "a", "command": "true", "platform": "x86_64"}]}"#, "platform"),
        (r#"{"tests": [{"test_name": "a", "comand": "true"}]}"#, "command"),
        (
            r#"{"tests": [{"test_name": "a", "command": "true"}, {"test_name": "a", "command": "false"}]}"#,
            "a",
        ),
    ];
    for (text, expected) in cases {
        let sample = Sample::new(&[("tests.json", text)]);
        let configuration = json!({"tests": "tests.json", "standard": false}).to_string();
        let said = said(sample.command(&["run"]).env("BUILDKITE_PLUGIN_CONFIGURATION", configuration));
        assert_eq!(said.code, Some(2), "{text}: {}", said.text);
        assert!(said.text.contains("tests.json") && said.text.contains(expected), "{text}: {}", said.text);
    }
    let sample = Sample::new(&[]);
    let configuration = json!({"tests": "missing.json"}).to_string();
    let said = said(sample.command(&["run"]).env("BUILDKITE_PLUGIN_CONFIGURATION", configuration));
    assert_eq!((said.code, said.text.contains("missing.json")), (Some(2), true), "{}", said.text);
}

#[test]
fn a_test_and_a_combination_that_are_not_there_are_a_mistake_and_no_pass() {
    let sample = Sample::new(&[("src/lib.rs", "//! A crate.\n\n#[test]\nfn good() {}\n")]);
    let run = |args: &[&str]| sample.run(&[&["run", "unittests-gnu"], args].concat());
    assert_eq!(run(&["--test", "good"]).code, Some(0));
    let said = run(&["--test", "nope"]);
    assert_eq!(said.code, Some(2), "{}", said.text);
    assert!(said.text.contains("--test: no test is called nope, so none ran"), "{}", said.text);
    assert_eq!(run(&["--test", "nope", "--test", "good"]).code, Some(0), "one of them is there");
    let said = run(&["--combination", "nope"]);
    assert_eq!(said.code, Some(2), "{}", said.text);
    assert!(said.text.contains("there are: no features"), "{}", said.text);
}

#[test]
fn arguments_that_no_tool_takes_are_a_mistake_of_the_configuration() {
    let sample = Sample::new(&[("src/lib.rs", "//! A crate.\n\n#[test]\nfn good() {}\n")]);
    let options =
        |check: &str, options: serde_json::Value| json!({"checks": {check: options}, "docker": false});
    for (check, configuration, expected) in [
        (
            "build-gnu",
            options("build-gnu", json!({"args": ["--nope"]})),
            "unexpected argument '--nope' found",
        ),
        ("style", options("style", json!({"args": ["--nope"]})), "unexpected argument '--nope' found"),
        (
            "unittests-gnu",
            options("unittests-gnu", json!({"args": ["--", "--nope"]})),
            "Unrecognized option: 'nope'",
        ),
        ("build-gnu", options("build-gnu", json!({"exclude": ["sample"]})), "leave out every package"),
    ] {
        let mut command = sample.command(&["run", check]);
        let said = said(command.env("BUILDKITE_PLUGIN_CONFIGURATION", configuration.to_string()));
        assert_eq!(said.code, Some(2), "{configuration}: {}", said.text);
        assert!(said.text.contains(expected), "{configuration}: {}", said.text);
    }
}

#[test]
fn a_report_that_cannot_be_written_is_no_pass_and_hides_no_failure() {
    let sample = Sample::new(&[]);
    let said = sample.run(&["run", "style", "--report", "/no/such/folder/report.json"]);
    assert_eq!(said.code, Some(3), "{}", said.text);
    assert!(said.text.contains("/no/such/folder/report.json"), "{}", said.text);
    refused(
        &sample,
        &["run", "style", "--report", "x", "--junit", "x"],
        &["--report and --junit", "same file"],
    );
    let bad = Sample::new(&[("src/lib.rs", "fn  a(){}\n")]);
    assert_eq!(bad.run(&["run", "style", "--report", "/no/such/folder/report.json"]).code, Some(1));
}

#[test]
fn a_full_disk_below_the_output_is_noticed() {
    let sample = Sample::new(&[]);
    for args in [&["list"][..], &["explain", "style"], &["completions", "bash"], &["explain", "unittests-*"]]
    {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let output = sample.command(args).stdout(full).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{args:?}: {said}");
        assert!(said.contains("could not be written"), "{args:?}: {said}");
        assert_eq!(sample.run(args).code, Some(0), "{args:?}");
    }
}

#[test]
fn what_no_machine_can_finish_is_refused_at_once_with_what_mends_it() {
    let package = |rest: &str| format!("{MANIFEST}{rest}");
    let features =
        |count: usize| (0..count).fold("[features]\n".to_owned(), |all, n| format!("{all}f{n} = []\n"));
    let globs = format!("[workspace]\nmembers = [\"{}\"]\n", ["**/*"; 32].join("/"));
    let deep = format!("{}f", "a/".repeat(64));
    for (manifest, mode, told) in [
        (package(&globs), "powerset", "visits too many folders; name the members' folders"),
        (package(&features(16)), "powerset", "65536 combinations"),
        (package(&features(16)), "powerset-all", "65536 combinations"),
        (package(&features(10_000)), "each", "10002 combinations"),
    ] {
        let sample = Sample::new(&[("Cargo.toml", &manifest), (&deep, "")]);
        let options = format!(r#"{{"docker": false, "features": "{mode}"}}"#);
        let Said { code, text } =
            said(sample.command(&["run", "build-gnu"]).env("BUILDKITE_PLUGIN_CONFIGURATION", options));
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(told), "{text}");
    }
}
