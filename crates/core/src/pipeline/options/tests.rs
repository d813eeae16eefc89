//! Every value of every option is written into an uploaded step and read again. The result must be the same.

use crate::checks::times::Times;
use crate::config::{CheckOptions, Config, Jobs};
use crate::pipeline::{Groups, Renderer, Step};
use crate::plan::{Facts, Planner};
use crate::workspace::MemoryFiles;
use serde_json::{Map, Value, json};

/// Every kind of value of each option. The module `config::agreement` checks that the list is complete.
const VALUES: &str = include_str!("../../../../../tests/cases/config/options.yml");
/// One configuration with every option.
const EVERY_OPTION: &str = include_str!("../../../../../tests/cases/config/every-option.yml");

const REFERENCE: &str = "rust-vmm/rust-vmm-ci#v1";
const TESTS: &str = r#"{"tests": [{"test_name": "miri", "command": "cargo miri", "platform": ["x86_64"]}]}"#;
const PACKAGE: &str = "[package]\nname = \"a\"\n[workspace]\nmembers = [\"b\"]\n";
const OTHER: &str = "[package]\nname = \"b\"\n";

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// The options in every step of the upload.
fn uploaded(written: &Value) -> Vec<Value> {
    let config = Config::parse(written).unwrap_or_else(|error| panic!("{written}: {error}"));
    let files = MemoryFiles::of(&[
        ("a.json", TESTS),
        ("b.json", r#"{"tests": []}"#),
        ("Cargo.toml", PACKAGE),
        ("b/Cargo.toml", OTHER),
    ]);
    let facts = Facts::read(&files, &|_| None, &config, false).unwrap();
    let planner = Planner::for_upload(&config, &facts).unwrap();
    let mut checks = Vec::new();
    planner
        .visit(&mut |check| {
            checks.push(check);
            Ok(())
        })
        .unwrap();
    let times = Times::default();
    let value = |step: &Step<'_>| -> Value {
        let mut text = Vec::new();
        step.write(&mut text).unwrap();
        serde_json::from_slice(&text).unwrap()
    };
    let steps: Vec<Value> = match config.jobs {
        Jobs::PerPlatform => {
            let groups = Groups::of(checks, &config, &times).unwrap();
            let steps = groups.steps(&config, REFERENCE).unwrap();
            steps.iter().map(value).collect()
        }
        Jobs::PerCheck => {
            let mut renderer = Renderer::new(&config, REFERENCE);
            let steps = checks.iter().map(|check| renderer.step(check).unwrap());
            steps.map(|step| value(&step)).collect()
        }
    };
    steps.into_iter().map(|step| step["plugins"][0][REFERENCE].clone()).collect()
}

/// A configuration as text, without the options that an upload has already applied. Those are in the labels
/// in `only`, or in the step itself.
fn kept(written: &Value) -> String {
    let config = Config::parse(written).unwrap_or_else(|error| panic!("{written}: {error}"));
    let settled = Config::default();
    let checks = config.checks.into_iter().map(|(name, check)| (name, kept_of_check(check)));
    // If all options of a check have been applied, the step has none for it.
    let nothing = format!("{:?}", CheckOptions::default());
    let checks = checks.filter(|(_, check)| format!("{check:?}") != nothing);
    let kept = Config {
        checks: checks.collect(),
        mode: settled.mode,
        platforms: settled.platforms,
        os: settled.os,
        only: settled.only,
        skip: settled.skip,
        workspace: settled.workspace,
        dependents: settled.dependents,
        select: settled.select,
        ignore: settled.ignore,
        jobs: settled.jobs,
        split: settled.split,
        docker: settled.docker,
        agents: settled.agents,
        hypervisor: settled.hypervisor,
        timeout_in_minutes: settled.timeout_in_minutes,
        summary: settled.summary,
        step_options: settled.step_options,
        ..config
    };
    format!("{kept:#?}")
}

/// The options of a check, without those that affect its step.
fn kept_of_check(check: CheckOptions) -> CheckOptions {
    let settled = CheckOptions::default();
    CheckOptions { docker: settled.docker, agents: settled.agents, soft_fail: settled.soft_fail, ..check }
}

/// The configuration of an upload by platform, with one additional option.
fn with(key: &str, value: &Value) -> Value {
    let mut config = json!({
        "platform": "x86_64", "os": "linux", "jobs": "per-platform",
        "steps": [{"label": "mine", "command": "make", "platform": "x86_64"}],
    });
    config[key] = value.clone();
    config
}

#[test]
fn every_value_of_every_option_comes_back_from_a_platforms_step() {
    let mut values = yaml(VALUES).as_object().unwrap().clone();
    let of_checks = values.shift_remove("checks.style").unwrap();
    // These make steps of another kind, or no steps. Each has its own test in `tests/cases/pipeline`.
    for other in ["mode", "jobs", "workspace", "only"] {
        values.shift_remove(other).unwrap();
    }
    for (key, value) in of_checks.as_object().unwrap() {
        let options = value.as_array().unwrap().iter().map(|value| json!({"clippy": {key: value}}));
        values["checks"].as_array_mut().unwrap().extend(options);
    }
    assert!(values.len() > 10);
    for (key, all) in &values {
        for value in all.as_array().unwrap() {
            let written = with(key, value);
            let options = uploaded(&written);
            assert!(!options.is_empty(), "{written}");
            for options in options.iter().filter(|options| options.get("only").is_some()) {
                assert_eq!(kept(options), kept(&written), "{key}: {value}");
            }
        }
    }
}

#[test]
fn a_configuration_with_every_option_comes_back_from_a_platforms_step() {
    let mut written = yaml(EVERY_OPTION);
    // The first makes steps for crates, the second leaves checks out.
    for other in ["workspace", "only"] {
        written.as_object_mut().unwrap().shift_remove(other).unwrap();
    }
    written["standard"] = true.into();
    let options = uploaded(&written);
    let planned: Vec<&Value> = options.iter().filter(|options| options.get("only").is_some()).collect();
    assert!(!planned.is_empty());
    for options in planned {
        assert_eq!(kept(options), kept(&written));
    }
}

#[test]
fn the_options_of_a_check_come_back_from_its_own_step() {
    let values = yaml(VALUES)["checks.style"].as_object().unwrap().clone();
    for (key, all) in &values {
        for value in all.as_array().unwrap() {
            let written = json!({"platform": "x86_64", "only": "clippy", "checks": {"clippy": {key: value}}});
            let options = uploaded(&written);
            assert_eq!(options.len(), 1, "{written}");
            let check = |written: &Value| {
                let config = Config::parse(written).unwrap();
                let check = config.checks.get("clippy").cloned().unwrap_or_default();
                // These two are attributes of the step.
                let check = CheckOptions { platforms: None, timeout_in_minutes: None, ..check };
                format!("{:#?}", kept_of_check(check))
            };
            assert_eq!(check(&options[0]), check(&written), "{key}: {value}");
        }
    }
}

#[test]
fn what_is_the_default_is_not_written() {
    let options = uploaded(&json!({"platform": "x86_64", "only": "clippy", "docker": false}));
    assert_eq!(options, [json!({"platform": "x86_64", "docker": false})]);
    let keys = |options: &Map<String, Value>| options.keys().cloned().collect::<Vec<_>>();
    let options = uploaded(&with("docker", &json!(false)));
    assert_eq!(keys(options[0].as_object().unwrap()), ["platform", "only", "steps", "docker"]);
}
