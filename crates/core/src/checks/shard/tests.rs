//! Tests of the shares, and of how nextest's report is read.

use super::*;
use serde_json::json;

fn shard(job: &str, count: &str) -> Result<Option<Shard>> {
    Shard::of_job(Some(job), Some(count))
}

fn command(text: &str) -> CargoCommand {
    CargoCommand::parse(text).unwrap()
}

#[test]
fn a_job_is_counted_from_0_by_buildkite_and_from_1_by_nextest() {
    let shares = ["0", "1", "2"].map(|job| shard(job, "3").unwrap().unwrap());
    assert_eq!(shares.map(Shard::partition), ["hash:1/3", "hash:2/3", "hash:3/3"]);
    assert_eq!(shares.map(Shard::is_first), [true, false, false]);
}

#[test]
fn without_other_jobs_nothing_is_divided() {
    assert_eq!(shard("0", "1").unwrap(), None);
    assert_eq!(Shard::of_job(None, None).unwrap(), None);
    assert_eq!(Shard::of_job(Some("0"), None).unwrap(), None);
}

#[test]
fn a_job_that_cannot_be_is_refused_and_not_guessed() {
    for (job, count) in [("3", "3"), ("-1", "3"), ("one", "3"), ("0", "0"), ("0", "")] {
        let error = shard(job, count).unwrap_err();
        assert_eq!(crate::exit::of(&error), crate::exit::Exit::Usage);
        assert!(error.to_string().starts_with("BUILDKITE_PARALLEL_JOB"), "{error}");
    }
}

#[test]
fn only_unit_tests_can_be_divided_and_only_into_a_number() {
    let check = |name: &str, own: Value| crate::checks::check_options(name, own.as_object().unwrap());
    assert!(check("unittests-gnu", json!({"parallelism": 4})).is_ok());
    for (name, own, said) in [
        ("clippy", json!({"parallelism": 4}), "checks.clippy.parallelism: only the standard unit tests"),
        (
            "unittests-gnu",
            json!({"parallelism": 0}),
            "checks.unittests-gnu.parallelism: expected a whole number",
        ),
        ("unittests-gnu", json!({"paralelism": 2}), "checks.unittests-gnu.paralelism: unknown option; did"),
    ] {
        let error = check(name, own).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }
}

#[test]
fn a_command_that_nextest_cannot_take_over_says_why() {
    for (text, refused) in [
        ("cargo test --workspace", false),
        ("cargo build", true),
        ("cargo test --doc", true),
        ("cargo test -- --test-threads=1", true),
    ] {
        assert_eq!(refusal(Some(&command(text))).is_some(), refused, "{text}");
    }
    assert!(refusal(None).is_some());
}

#[test]
fn cargos_arguments_go_to_nextest_under_its_names_for_them() {
    let shard = shard("1", "2").unwrap().unwrap();
    let text = "cargo test --workspace -j 2 --profile=ci --release -q --no-fail-fast --lib";
    let given = arguments(&command(text), shard);
    let own = "--no-fail-fast --no-tests=pass --ignore-default-filter --retries=0 --profile=rust-vmm-ci \
               --partition=hash:2/2";
    let cargos = "--workspace --build-jobs 2 --cargo-profile=ci --release --cargo-quiet --lib";
    assert_eq!(given.join(" "), format!("{cargos} {own}"));
}

#[test]
fn the_configuration_is_toml_whatever_the_path() {
    let text = configuration(Path::new("/it's a \"path\"\\x")).unwrap();
    let parsed: toml::Table = text.parse().unwrap();
    let profile = &parsed["profile"][PROFILE];
    assert_eq!(profile["junit"]["path"].as_str(), Some("/it's a \"path\"\\x"));
    assert_eq!(profile["slow-timeout"]["grace-period"].as_str(), Some("1s"));
}

/// A workspace with a library in the root and a program, as in the output of `cargo metadata`.
fn metadata() -> Metadata {
    let package = |name: &str, dir: &str, kind: &str, doctest: bool| {
        json!({"name": name, "version": "0.1.0", "id": format!("path+file://{dir}#{name}@0.1.0"),
            "manifest_path": format!("{dir}/Cargo.toml"), "dependencies": [], "features": {},
            "targets": [{"name": name, "kind": [kind], "crate_types": [kind], "doctest": doctest,
                "src_path": format!("{dir}/src/lib.rs")}]})
    };
    let packages = [package("lib-a", "/r", "lib", true), package("bin-b", "/r/b", "bin", false)];
    let ids: Vec<_> = packages.iter().map(|package| package["id"].clone()).collect();
    let metadata = json!({"packages": packages, "workspace_members": ids, "resolve": null,
        "workspace_root": "/r", "target_directory": "/r/target", "version": 1});
    serde_json::from_value(metadata).unwrap()
}

#[test]
fn doctests_run_where_cargo_would_run_them() {
    let metadata = metadata();
    for (args, dir, has) in [
        ("--workspace", "/r", true),
        ("--workspace", "/r/b", true),
        ("", "/r", true),
        ("", "/r/b", false),
        ("-p bin-b", "/r", false),
        ("--package=lib-a", "/r/b", true),
        ("--workspace --exclude lib-a", "/r", false),
        ("--workspace --lib", "/r", false),
        ("--workspace --test=x", "/r", false),
    ] {
        let command = command(&format!("cargo test {args}"));
        assert_eq!(has_doctests(&command, &metadata, Path::new(dir)), has, "{args} in {dir}");
    }
}

/// A report of cargo-nextest 0.9.151, shortened.
const JUNIT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="3" failures="2" errors="0" uuid="6a9a47b9-c050-494c-a90f-3b06a68b7d3d" timestamp="2026-11-22T23:14:21.558+00:00" time="0.176">
    <testsuite name="sample" tests="3" disabled="0" errors="0" failures="2">
        <testcase name="tests::aborts" classname="sample" timestamp="2026-11-22T23:14:21.559+00:00" time="0.011">
            <failure message="process aborted with signal 6 (SIGABRT)" type="test abort">process aborted with signal 6 (SIGABRT)</failure>
        </testcase>
        <testcase name="tests::passes" classname="sample" timestamp="2026-11-22T23:14:21.610+00:00" time="0.021"/>
        <testcase name="tests::fails" classname="sample" timestamp="2026-11-22T23:14:21.573+00:00" time="0.106">
            <failure message="thread &apos;tests::fails&apos; (29434) panicked at src/lib.rs:19:9" type="test failure with exit code 101">thread &apos;tests::fails&apos; (29434) panicked at src/lib.rs:19:9:
assertion `left == right` failed: sum</failure>
        </testcase>
    </testsuite>
</testsuites>
"#;

#[test]
fn a_test_that_fails_under_nextest_is_found_as_under_libtest() {
    let found = findings(JUNIT, &str::to_owned);
    let messages: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
    let aborted = "test tests::aborts failed: process aborted with signal 6 (SIGABRT)";
    assert_eq!(messages, [aborted, "test tests::fails failed"]);
    assert_eq!(found[1].package.as_deref(), Some("sample"));
    assert_eq!(found[1].place().as_deref(), Some("src/lib.rs:19:9"));
    assert!(found[1].rendered.as_ref().unwrap().ends_with("failed: sum"));
    assert_eq!(found[0].rendered.as_deref(), Some("process aborted with signal 6 (SIGABRT)"));
}

#[test]
fn a_report_that_is_none_has_no_findings_and_a_flood_is_cut() {
    assert!(findings("", &str::to_owned).is_empty() && findings("<testsuites", &str::to_owned).is_empty());
    let flood = JUNIT.replace("failed: sum", &"ż".repeat(MOST_OUTPUT));
    let length = findings(&flood, &str::to_owned)[1].rendered.as_ref().unwrap().len();
    assert!(length <= MOST_OUTPUT && length > MOST_OUTPUT / 2, "{length}");
}
