//! Tests of opt-in checks, and of options that have no effect on an emulated platform.

use crate::checks::{Work, opt_in};
use crate::config::Config;
use crate::model::{Os, Platform};
use crate::plan::{Asked, Facts, Planner, for_run};
use crate::workspace::MemoryFiles;
use serde_json::{Value, json};

fn labels(options: &Value, os: Os) -> Vec<String> {
    let config = Config::parse(options).unwrap();
    let facts = Facts::read(&MemoryFiles::default(), &|_| None, &config, false).unwrap();
    let plan = for_run(&config, &facts, Platform::X86_64, os, &Asked::default()).unwrap();
    plan.checks.iter().map(|check| check.label.to_string()).collect()
}

#[test]
fn an_opt_in_check_is_in_only_where_somebody_asks_for_it() {
    for check in opt_in() {
        let name = check.name;
        for os in Os::ALL {
            let is_in = |options: Value| labels(&options, os).iter().any(|label| label == name);
            assert!(!is_in(json!({})), "{name} is in by itself");
            assert!(is_in(json!({"checks": {name: true}})), "`true` does not add {name}");
            assert!(is_in(json!({"only": name})), "`only` does not add {name}");
            assert!(is_in(json!({"standard": false, "checks": {name: true}})), "{name} is no standard check");
            assert!(!is_in(json!({"checks": {name: true}, "skip": name})), "`skip` does not win over `true`");
            let Some(option) = check.options.first() else { continue };
            let example: Value = serde_json::from_str(option.example).unwrap();
            let own = json!({"checks": {name: {option.name: example}}});
            assert_eq!(is_in(own), check.is_added_by_options(), "{name}: whether its options add it");
        }
    }
}

#[test]
fn an_opt_in_check_is_asked_for_by_name_on_the_command_line_and_explained() {
    for check in opt_in() {
        let config = Config::default();
        let facts = Facts::read(&MemoryFiles::default(), &|_| None, &config, false).unwrap();
        let asked = Asked { names: vec![check.name.into()], packages: Vec::new() };
        let plan = for_run(&config, &facts, Platform::Aarch64, Os::Linux, &asked).unwrap();
        let [planned] = &plan.checks[..] else { panic!("{}: {:?}", check.name, plan.checks) };
        assert_eq!(planned.command, check.command());
        assert!(matches!(planned.work, Work::Logic(_)) && planned.platform.is_none());
        let explained = Planner::for_upload(&config, &facts).unwrap().explain(check.name).unwrap();
        let out = explained[0].out.as_ref().unwrap().to_string();
        assert!(out.contains(&format!("`checks: {{{}: true}}` adds it", check.name)), "{out}");
    }
}

#[test]
fn a_test_of_the_repository_takes_the_place_of_an_opt_in_check_of_its_name() {
    let name = opt_in().next().unwrap().name;
    let options = json!({"steps": [{"label": name, "command": "make"}]});
    let all = labels(&options, Os::Linux);
    assert_eq!(all.iter().filter(|label| *label == name).count(), 1, "{all:?}");
    let added = json!({"steps": options["steps"], "checks": {name: true}});
    assert_eq!(labels(&added, Os::Linux), all);
}

#[test]
fn a_check_that_only_advises_fails_softly_unless_the_options_say_otherwise() {
    let soft = |options: Value| {
        let config = Config::parse(&options).unwrap();
        let facts = Facts::read(&MemoryFiles::default(), &|_| None, &config, false).unwrap();
        let plan = for_run(&config, &facts, Platform::X86_64, Os::Linux, &Asked::default()).unwrap();
        plan.checks.iter().find(|check| check.label.as_str() == "semver").map(|check| check.soft_fail)
    };
    assert_eq!(soft(json!({"checks": {"semver": true}})), Some(true));
    assert_eq!(soft(json!({"checks": {"semver": {"baseline": "base"}}})), Some(true));
    assert_eq!(soft(json!({"checks": {"semver": {"soft-fail": false}}})), Some(false));
    assert_eq!(soft(json!({"steps": [{"label": "semver", "command": "make"}]})), Some(false));
    let all = opt_in().filter(|check| check.advisory).map(|check| check.name).collect::<Vec<_>>();
    assert_eq!(all, ["semver"]);
}

/// The notes of an upload with these options.
fn notes(options: &Value) -> Vec<String> {
    let config = Config::parse(options).unwrap();
    let facts = Facts::read(&MemoryFiles::default(), &|_| None, &config, false).unwrap();
    Planner::for_upload(&config, &facts).unwrap().notes()
}

#[test]
fn what_options_cannot_do_on_an_emulated_platform_is_said() {
    let both = json!(["x86_64", "riscv64"]);
    let said = "riscv64 steps run with all features only";
    for mode in ["each", "powerset-all"] {
        let notes = notes(&json!({"platform": both, "features": mode}));
        assert_eq!(notes, [format!("features: {said}")]);
    }
    for mode in ["powerset", "powerset-all", "each"] {
        let notes = notes(&json!({"platform": both, "checks": {"clippy": {"features": mode}}}));
        assert_eq!(notes, [format!("checks.clippy.features: {said}")]);
    }
    let divided = json!({"platform": both, "checks": {"unittests-gnu": {"parallelism": 2}}});
    assert_eq!(
        notes(&divided),
        ["checks.unittests-gnu.parallelism: the riscv64 step is one job, which runs all tests"]
    );
    for options in [
        json!({"platform": "x86_64", "features": "each"}),
        json!({"platform": both, "features": "all"}),
        json!({"platform": both, "features": "default"}),
        json!({"platform": both, "only": ["style"], "features": "each"}),
        json!({"platform": both, "features": "each", "checks": {
            "build-gnu": {"features": "all"}, "unittests-gnu": {"features": "all"},
            "unittests-gnu-release": {"features": "default"}, "clippy": {"features": "all"}}}),
    ] {
        assert_eq!(notes(&options), [""; 0], "{options}");
    }
}

#[test]
fn sets_of_features_for_a_check_of_an_emulated_platform_alone_are_refused() {
    let options =
        json!({"platform": "riscv64", "checks": {"clippy": {"platform": "riscv64", "features": "each"}}});
    let config = Config::parse(&options).unwrap();
    let facts = Facts::read(&MemoryFiles::default(), &|_| None, &config, false).unwrap();
    let error = Planner::for_upload(&config, &facts).unwrap_err();
    assert_eq!(crate::exit::of(&error), crate::exit::Exit::Usage);
    assert!(error.to_string().starts_with("checks.clippy.features: "), "{error}");
}
