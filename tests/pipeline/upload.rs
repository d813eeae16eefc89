//! `mode: upload` in jobs of the real agent's, and what the agent makes of what is uploaded.

use super::{BINARY, cases, parsed};
use serde_json::{Value, json};
use std::time::Duration;
use support::agent::agent;
use support::buildkite::{Build, Buildkite, Refusal};
use support::case::Case;
use support::sandbox::Sandbox;

const LIMIT: Duration = Duration::from_secs(300);
const MANIFEST: &str = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const LIBRARY: &str = "//! A crate.\n\n/// Adds.\npub fn add(a: u32, b: u32) -> u32 {\n    a + b\n}\n";

/// A whole build whose first step uploads with these options.
fn build(
    files: &[(&str, &str)],
    options: &Value,
    refusals: impl IntoIterator<Item = Refusal>,
) -> Option<Build> {
    let agent = agent()?;
    let sandbox = Sandbox::new();
    let mut all =
        vec![("Cargo.toml", MANIFEST), ("src/lib.rs", LIBRARY), (".gitignore", "target\nCargo.lock\n")];
    all.extend(files);
    let source = sandbox.repository("source", &all);
    let plugin = sandbox.this_plugin();
    let reference = format!("{}#{}", plugin.url(), plugin.head());
    let mut options = options.clone();
    options["mode"] = "upload".into();
    let mut buildkite = Buildkite::new(&source);
    buildkite.queue(&json!({ "label": "upload", "plugins": [{ reference: options }] }));
    buildkite.refuse_uploads(refusals);
    buildkite.start(agent, &sandbox, |command| {
        command.env("RUST_VMM_CI_BINARY", BINARY);
    });
    let build = buildkite.finish(LIMIT);
    assert!(build.unanswered.is_empty(), "{}", build.story());
    Some(build)
}

#[test]
fn a_whole_build_runs_every_uploaded_step_and_one_fails() {
    let steps = json!([
        {"label": "fails", "command": "echo \"$HOME\" && echo $$ > /dev/null && exit 7"},
        {"label": "last", "command": "echo the last of {target_platform}", "platform": [std::env::consts::ARCH]},
    ]);
    let options = json!({"docker": false, "platform": std::env::consts::ARCH, "only": ["build-gnu", "style", "clippy", "fails", "last"], "steps": steps});
    let Some(build) = build(&[], &options, []) else { return };
    let arch = std::env::consts::ARCH;
    let expected = [
        "upload".into(),
        format!("build-gnu-{arch}"),
        "style".into(),
        format!("clippy-{arch}"),
        "fails".into(),
        format!("last-{arch}"),
    ];
    assert_eq!(build.labels(), expected, "{}", build.story());
    let statuses: Vec<_> = build.jobs.iter().map(|job| job.exit_status).collect();
    assert_eq!(statuses, [Some(0), Some(0), Some(0), Some(0), Some(7), Some(0)], "{}", build.story());
    assert!(build.job("upload").log().contains("uploaded 5 steps"), "{}", build.story());
    assert!(
        build.job(&format!("last-{arch}")).log().contains(&format!("the last of {arch}")),
        "{}",
        build.story()
    );
}

#[test]
fn more_than_five_hundred_jobs_arrive_in_order_and_none_is_lost() {
    let tests: Vec<Value> = (0..1201)
        .map(|index| json!({"test_name": format!("t{index}"), "command": "true", "skip": "not today"}))
        .collect();
    let file = json!({ "tests": tests }).to_string();
    let options = json!({"standard": false, "tests": "t.json"});
    let Some(build) = build(&[("t.json", &file)], &options, []) else { return };
    let expected: Vec<String> = (0..1201).map(|index| format!("t{index}")).collect();
    assert_eq!(build.labels()[1..], expected);
    assert_eq!(build.uploads.len(), 3);
}

#[test]
fn an_upload_with_no_step_passes_and_says_so() {
    let options = json!({"standard": false});
    let Some(build) = build(&[], &options, []) else { return };
    assert_eq!((build.labels(), build.jobs[0].exit_status), (vec!["upload"], Some(0)), "{}", build.story());
    assert!(build.job("upload").log().contains("there is no step to upload"), "{}", build.story());
    assert!(build.uploads.is_empty());
}

#[test]
fn an_upload_that_is_answered_503_twice_succeeds() {
    let options = json!({"standard": false, "docker": false, "steps": [{"label": "one", "command": "true"}]});
    let Some(build) = build(&[], &options, [Refusal::Status(503), Refusal::Status(503)]) else { return };
    assert_eq!(build.labels(), ["upload", "one"], "{}", build.story());
}

#[test]
fn an_upload_that_is_rejected_is_the_environments_failure_and_says_why() {
    let options = json!({"standard": false, "steps": [{"label": "one", "command": "true"}]});
    let refusal = Refusal::Rejected("no such queue".into());
    let Some(build) = build(&[], &options, [refusal]) else { return };
    let job = build.job("upload");
    assert_eq!(job.exit_status, Some(3), "{}", build.story());
    assert!(job.log().contains("no such queue"), "{}", build.story());
}

#[test]
fn without_an_agent_the_upload_is_the_environments_failure() {
    let case = Case::new(BINARY, &json!({"config": {"mode": "upload"}}));
    let output = case.command(&["hook", "command"]).env("PATH", case.repository()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("buildkite-agent"), "{said}");
}

#[test]
fn a_mistake_uploads_nothing_and_names_its_place() {
    let Some(build) = build(&[(".platform", "x86\n")], &json!({}), []) else { return };
    let job = build.job("upload");
    assert_eq!(job.exit_status, Some(2), "{}", build.story());
    assert!(
        job.log().contains(".platform:1: expected one of x86_64, aarch64, riscv64, got \"x86\""),
        "{}",
        build.story()
    );
    assert!(build.uploads.is_empty());
}

/// The labels of the steps that the agent leaves to run after a change of these files.
fn run_after(agent: &std::path::Path, changed: &[(&str, &str)]) -> Vec<String> {
    let (_, mut value) =
        cases("steps").into_iter().find(|(name, _)| name == "a-selective-workspace").unwrap();
    value["config"]["platform"] = "x86_64".into();
    let case = Case::new(BINARY, &value);
    let pipeline = case.pipeline(&[]).out;
    let git = |args: &[&str]| {
        let output = case.program("git").args(args).current_dir(case.repository()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "Base"]);
    for (path, text) in changed {
        std::fs::create_dir_all(case.repository().join(path).parent().unwrap()).unwrap();
        std::fs::write(case.repository().join(path), text).unwrap();
    }
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "Change"]);
    let parsed = parsed(agent, &case.repository(), &pipeline, &["--git-diff-base", "HEAD~1"]);
    let steps = parsed["steps"].as_array().unwrap().iter();
    let run = steps.filter(|step| step.get("skip").is_none_or(|skip| skip == false));
    run.map(|step| step["label"].as_str().unwrap().to_owned())
        .filter(|label| !label.contains("cov-"))
        .collect()
}

#[test]
fn the_agent_runs_the_steps_of_the_crates_that_a_change_reaches() {
    let Some(agent) = agent() else { return };
    let all = [
        "a: build-x86_64",
        "b: build-x86_64",
        "implicit: build-x86_64",
        "root: build-x86_64",
        "all",
        "b: own-x86_64",
    ];
    for (changed, run) in [
        ("crates/a/src/deep/file.rs", vec!["a: build-x86_64", "b: build-x86_64", "all", "b: own-x86_64"]),
        ("crates/out/x.rs", vec!["a: build-x86_64", "b: build-x86_64", "all", "b: own-x86_64"]),
        ("b/tests/t.rs", vec!["b: build-x86_64", "all", "b: own-x86_64"]),
        ("far/implicit/src/lib.rs", vec!["implicit: build-x86_64", "root: build-x86_64", "all"]),
        ("src/deep/lib.rs", vec!["root: build-x86_64", "all"]),
        (".cargo/config.toml", all[..5].to_vec()),
        ("Cargo.lock", all[..5].to_vec()),
        ("crates/new/readme", vec!["all"]),
    ] {
        assert_eq!(run_after(agent, &[(changed, "changed")]), run, "{changed}");
    }
}
