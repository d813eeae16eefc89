//! `mode: upload` for agents with Windows, and the build that it makes, by the agent for Windows.

use super::{LIBRARY, machine};
use serde_json::{Value, json};
use support::buildkite::Refusal;
use support::wine::LIMIT;

#[test]
fn every_step_of_windows_is_uploaded_for_its_agents_and_runs() {
    let Some(machine) = machine(LIBRARY) else { return };
    let steps =
        json!([{"label": "mine", "command": "stub.exe print \"100% & !\" & exit 7", "platform": ["x86_64"]}]);
    let options = json!({"mode": "upload", "os": "windows", "platform": "x86_64", "skip": ["unittests-msvc-release", "commit-format"], "steps": steps});
    // The first answer is no, and it is tried again.
    machine.buildkite().refuse_uploads([Refusal::Status(503)]);
    let agent = machine.start_agent(&json!({"label": "upload", "plugins": options}));
    let build = machine.buildkite().finish(LIMIT);
    drop(agent);
    let labels = [
        "upload",
        "build-msvc-x86_64",
        "style",
        "doc",
        "unittests-msvc-x86_64",
        "clippy-x86_64",
        "mine-x86_64",
    ];
    assert_eq!(build.labels(), labels, "{}", build.story());
    assert!(build.job("upload").log().contains("uploaded 6 steps"), "{}", build.story());
    for job in &build.jobs[1..] {
        let step = &job.step;
        assert_eq!(step["agents"], json!({"os": "windows", "platform": "x86_64"}), "{step}");
        let options = step["plugins"][0].as_object().unwrap().values().next().unwrap();
        assert_eq!(options["os"], "windows", "{step}");
        assert_eq!(options.get("docker"), None, "no container unless asked for: {step}");
        let status = if job.label() == "mine-x86_64" { 7 } else { 0 };
        assert_eq!(job.exit_status, Some(status), "{}: {}", job.label(), job.log());
    }
    assert_eq!(build.job("style").step["command"], "rust-vmm-ci run style");
    assert!(build.job("mine-x86_64").log().contains("<100% & !>"), "{}", build.story());
}

#[test]
fn what_is_wrong_uploads_nothing() {
    let Some(machine) = machine(LIBRARY) else { return };
    let options: Value = json!({"mode": "upload", "os": "windows", "checks": {"clipy": {}}});
    let outcome = machine.run(&options, None);
    assert_eq!(outcome.status, 2, "{}", outcome.log);
    assert!(outcome.log.contains("checks.clipy"), "{}", outcome.log);
    assert!(outcome.build.uploads.is_empty());
}
