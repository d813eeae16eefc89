use super::order::order;
use super::*;
use rust_vmm_ci_core::config::Config;
use rust_vmm_ci_core::plan::{Asked, Facts, for_run};
use rust_vmm_ci_core::workspace::MemoryFiles;
use serde_json::json;

/// A plan with these checks, and with a step of the repository.
fn plan_of(checks: &[&str]) -> Vec<PlannedCheck> {
    let options = json!({"steps": [{"label": "mine", "command": "make"}], "only": checks});
    let config = Config::parse(&options).unwrap();
    let facts = Facts::read(&MemoryFiles::default(), &|_| None, &config, false).unwrap();
    for_run(&config, &facts, Platform::X86_64, Os::Linux, &Asked::default()).unwrap().checks
}

const MOST: [&str; 9] = [
    "build-gnu",
    "style",
    "doc",
    "unittests-gnu",
    "unittests-gnu-release",
    "clippy",
    "coverage",
    "bench",
    "mine",
];

#[test]
fn what_only_checks_dependencies_begins_after_what_compiles_them() {
    let begin = |checks: &[&str]| -> Vec<String> {
        let plan = plan_of(checks);
        order(&plan).into_iter().map(|index| plan[index].name.to_string()).collect()
    };
    let expected = [
        "build-gnu",
        "style",
        "unittests-gnu",
        "doc",
        "unittests-gnu-release",
        "clippy",
        "coverage",
        "mine",
        "bench",
    ];
    assert_eq!(begin(&MOST), expected);
    assert_eq!(begin(&["style", "doc", "unittests-gnu-release"]), ["style", "doc", "unittests-gnu-release"]);
}

/// What a plan begins with while these are under way.
fn begins_beside(under_way: &[&str]) -> Vec<String> {
    let plan = plan_of(&MOST);
    let named = |name: &str| plan.iter().find(|check| check.name.as_str() == name).unwrap().needs.clone();
    let busy: Vec<Needs> = under_way.iter().map(|name| named(name)).collect();
    let free = plan.iter().filter(|check| {
        !under_way.contains(&check.name.as_str()) && !busy.iter().any(|busy| busy.collide_with(&check.needs))
    });
    free.map(|check| check.name.to_string()).collect()
}

#[test]
fn a_check_that_panics_is_broken_and_takes_no_other_with_it() {
    let options = json!({"only": ["style"]});
    let config = Config::parse(&options).unwrap();
    let facts = Facts::read(&MemoryFiles::default(), &|_| None, &config, false).unwrap();
    let plan = for_run(&config, &facts, Platform::X86_64, Os::Linux, &Asked::default()).unwrap().checks;
    let outcome = despite_panic(&plan[0], || panic!("a test's own panic"));
    assert_eq!((outcome.verdict, outcome.name.as_str()), (Verdict::Broken, "style"));
}

#[test]
fn what_would_only_wait_or_be_disturbed_does_not_begin() {
    assert_eq!(begins_beside(&["build-gnu"]), ["style", "doc", "unittests-gnu", "clippy", "coverage"]);
    // One set of tests at a time: they may use the same port or folder.
    assert_eq!(begins_beside(&["unittests-gnu"]), ["build-gnu", "style"]);
    assert_eq!(begins_beside(&["unittests-gnu-release"]), ["style", "doc", "clippy"]);
    assert_eq!(begins_beside(&["bench"]), [""; 0]);
    assert_eq!(begins_beside(&["mine"]), [""; 0]);
    assert!(!begins_beside(&["style"]).contains(&"mine".to_owned()));
}
