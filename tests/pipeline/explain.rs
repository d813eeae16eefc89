//! `explain` and `list`.

use super::{BINARY, cases};
use serde_json::{Value, json};
use support::case::{Case, Printed};

/// A repository with every kind of origin.
fn case() -> Case {
    Case::new(
        BINARY,
        &json!({
            "files": {
                ".platform": "x86_64\n",
                "t.json": {"tests": [{"test_name": "miri", "command": "cargo miri test", "platform": ["x86_64", "aarch64"],
                                      "docker_plugin": {"privileged": true}}]},
            },
            "variables": {"TESTS_TO_SKIP": ["style"], "TIMEOUTS_MIN": {"clippy": 42}},
            "config": {"tests": "t.json", "skip": ["doc"], "docker": {"image": "an/image:1"}, "checks": {"clippy": {"env": {"A": "b"}}},
                       "retry": {"automatic": true},
                       "steps": [{"label": "mine", "command": "make", "soft_fail": true, "retry": {"manual": false}}]},
        }),
    )
}

fn explained(name: &str) -> String {
    let Printed { code, out, err } = case().run(&["explain", name]);
    assert_eq!(code, Some(0), "{err}");
    out
}

#[test]
fn every_value_of_a_step_has_its_origin() {
    insta::assert_snapshot!("a-standard-check", explained("clippy-x86_64"));
    insta::assert_snapshot!("a-described-test", explained("miri-x86_64"));
    insta::assert_snapshot!("a-step-of-the-repositorys-own", explained("mine"));
}

#[test]
fn a_step_that_is_not_there_has_its_reason() {
    for (name, reason) in [
        ("style", "is no step: it is skipped (variable TESTS_TO_SKIP)"),
        ("doc", "is no step: it is skipped (option skip[0])"),
        ("miri-aarch64", "is no step: aarch64 is not among the platforms (file .platform"),
        ("unittests-msvc", "is no step: it is for windows (option os)"),
        ("bench", "is no step: it is opt-in: `checks: {bench: true}` adds it"),
    ] {
        let told = explained(name);
        assert!(told.contains(reason), "{reason} in\n{told}");
    }
}

#[test]
fn a_checks_name_explains_all_of_its_steps() {
    let told = explained("miri");
    assert!(
        told.contains("miri-x86_64\n  is a step") && told.contains("miri-aarch64\n  is no step"),
        "{told}"
    );
}

#[test]
fn a_check_of_a_split_platform_says_its_job_and_the_time_that_it_counts_for() {
    let (_, case) =
        cases("steps").into_iter().find(|(name, _)| name == "a-platform-split-over-jobs").unwrap();
    let explained = |name: &str| {
        let Printed { code, out, err } = Case::new(BINARY, &case).run(&["explain", name]);
        assert_eq!(code, Some(0), "{err}");
        out
    };
    let told = explained("unittests-gnu-x86_64");
    let expected =
        "runs in checks-x86_64 (2/3): 300 s of its 300 s  (file times.json, outcomes[1].seconds)\n";
    assert!(told.contains(expected), "{told}");
    assert!(!told.contains("shares in one job"), "what it could share with is in other jobs: {told}");
    let told = explained("build-gnu-x86_64");
    assert!(told.contains("shares in one job: dependencies with unittests-gnu-release-x86_64\n"), "{told}");
    let told = explained("checks-x86_64 (1/3)");
    for line in ["unittests-gnu-release-x86_64  68 s  (default)\n", "  in all 168 s\n"] {
        assert!(told.contains(line), "{line} in\n{told}");
    }
}

#[test]
fn a_label_of_nothing_is_refused_with_what_was_meant() {
    for (name, meant) in
        [("cliipy-x86_64", "did you mean `clippy-x86_64`?"), ("cliipy", "did you mean `clippy`?")]
    {
        let Printed { code, err, .. } = case().run(&["explain", name]);
        assert!(code == Some(2) && err.contains(meant), "{err}");
    }
}

#[test]
fn the_list_has_every_step_with_its_command_and_its_origin() {
    let Printed { code, out, err } = case().run(&["list"]);
    assert_eq!(code, Some(0), "{err}");
    let pipeline: Value = serde_json::from_str(&case().pipeline(&[]).out).unwrap();
    for step in pipeline["steps"].as_array().unwrap() {
        let label = step["label"].as_str().unwrap();
        assert!(
            out.lines().any(|line| line.trim_start().starts_with(&format!("{label} "))),
            "{label} in\n{out}"
        );
    }
    let bench = out.lines().find(|line| line.trim_start().starts_with("bench ")).unwrap();
    assert!(bench.contains("not slower") && bench.contains("checks: {bench: true}"), "{bench}");
    assert!(out.contains("\nx86_64\n") && out.contains("\nany platform\n"), "{out}");
    let miri = out.lines().find(|line| line.contains("miri-x86_64")).unwrap();
    assert!(miri.contains("cargo miri test") && miri.contains("file t.json, tests[0]"), "{miri}");
}

#[test]
fn what_the_agents_policy_makes_of_a_steps_container_is_told() {
    let policy = json!({
        "docker": {"image": "rustvmm/dev:v50", "privileged": false, "devices": ["/dev/kvm"]},
        "run-options": ["--cpuset-cpus=0-7"],
        "registry-mirror": "mirror:5000",
        "cache": "target",
        "forced": ["docker.privileged"],
    });
    let explained = |name: &str, config: Value| {
        let case = Case::new(
            BINARY,
            &json!({
                "files": {"policy.json": policy, ".platform": "x86_64\nriscv64"},
                "variables": {"RUST_VMM_CI_POLICY": "repository/policy.json"},
                "config": config,
            }),
        );
        let Printed { code, out, err } = case.run(&["explain", name]);
        assert_eq!(code, Some(0), "{err}");
        out
    };
    let told = explained("unittests-gnu-x86_64", json!({}));
    for line in [
        "here: docker.image  mirror:5000/rustvmm/dev:v50  (agent policy, docker.image of repository/policy.json)",
        "here: docker.privileged  false  (agent policy, docker.privileged of repository/policy.json)",
        "here: docker.devices  [\"/dev/kvm\"]  (agent policy, docker.devices of repository/policy.json)",
        "here: run-options  --cpuset-cpus=0-7  (agent policy, run-options of repository/policy.json)",
        "here: cache  target  (agent policy, cache of repository/policy.json)",
    ] {
        assert!(told.contains(line), "{line} in\n{told}");
    }
    let told = explained("build-gnu-riscv64", json!({}));
    assert!(told.contains("here: docker.image  mirror:5000/rustvmm/dev:v50-riscv  ("), "{told}");
    let told =
        explained("build-gnu-x86_64", json!({"docker": {"image": "ghcr.io/a/b:1"}, "cache": "registry"}));
    assert!(!told.contains("here: docker.image") && !told.contains("here: cache"), "{told}");
}
