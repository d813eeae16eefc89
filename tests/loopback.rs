//! Tests the loopback Buildkite and the offline job with the real agent, without the plugin. The tests of the
//! plugin rely on both.
#![cfg(unix)]

use std::time::Duration;

use serde_json::{Value, json};

use support::agent::agent;
use support::bootstrap::Bootstrap;
use support::buildkite::{Build, Buildkite, Phase, Refusal};
use support::sandbox::Sandbox;

const LIMIT: Duration = Duration::from_secs(60);

/// Two steps, uploaded by a job's command.
const UPLOAD: &str = r#"buildkite-agent pipeline upload <<'EOF'
{"steps": [{"label": "one", "command": "echo the first"},
           {"label": "two", "command": "echo the second"}]}
EOF"#;

/// Runs one step, and what it uploads. `None`: there is no agent on this machine.
fn build_of(step: &Value, refusals: impl IntoIterator<Item = Refusal>) -> Option<Build> {
    let agent = agent()?;
    let sandbox = Sandbox::new();
    let source = sandbox.repository("source", &[("kept.txt", "of the repository\n")]);
    let mut buildkite = Buildkite::new(&source);
    buildkite.queue(step);
    buildkite.refuse_uploads(refusals);
    buildkite.start(agent, &sandbox, |_| {});
    let build = buildkite.finish(LIMIT);
    assert!(build.unanswered.is_empty(), "{}", build.story());
    Some(build)
}

#[test]
fn a_job_with_a_plain_command_passes_and_its_log_arrives() {
    let step = json!({ "label": "plain", "command": "cat kept.txt", "env": { "A": "b" } });
    let Some(build) = build_of(&step, []) else {
        return;
    };
    let job = build.job("plain");
    assert_eq!(job.exit_status, Some(0), "{}", build.story());
    assert!(job.log().contains("of the repository"), "{}", build.story());
}

#[test]
fn a_long_log_arrives_whole_and_in_order() {
    let step = json!({ "label": "long", "command": "seq 200000 | sed 's/$/ é/'" });
    let Some(build) = build_of(&step, []) else {
        return;
    };
    let log = build.job("long").log();
    let numbers = log.lines().filter_map(|line| line.strip_suffix(" é")?.parse::<u32>().ok());
    assert!(numbers.eq(1..=200_000));
}

#[test]
fn a_job_fails_with_the_exit_status_of_its_command() {
    let Some(build) = build_of(&json!({ "command": "exit 7" }), []) else {
        return;
    };
    assert_eq!(build.job("exit 7").exit_status, Some(7), "{}", build.story());
}

#[test]
fn uploaded_steps_run_in_order_before_what_stood_behind_the_uploader() {
    let Some(agent) = agent() else { return };
    let sandbox = Sandbox::new();
    let source = sandbox.repository("source", &[]);
    let mut buildkite = Buildkite::new(&source);
    buildkite.queue(&json!({ "label": "upload", "command": UPLOAD }));
    buildkite.queue(&json!({ "label": "last", "command": "echo the last" }));
    buildkite.start(agent, &sandbox, |_| {});
    let build = buildkite.finish(LIMIT);
    assert_eq!(build.labels(), ["upload", "one", "two", "last"]);
    let statuses: Vec<_> = build.jobs.iter().map(|job| job.exit_status).collect();
    assert_eq!(statuses, [Some(0); 4], "{}", build.story());
    assert!(build.job("two").log().contains("the second"), "{}", build.story());
}

#[test]
fn an_annotation_is_appended_to_and_another_removed() {
    let command = "printf '**one**' | buildkite-agent annotate --context kept --style error
        printf ' two' | buildkite-agent annotate --context kept --style error --append
        buildkite-agent annotate --context 'to go' gone
        buildkite-agent annotation remove --context 'to go'";
    let Some(build) = build_of(&json!({ "command": command }), []) else {
        return;
    };
    assert_eq!(build.jobs[0].exit_status, Some(0), "{}", build.story());
    let [annotation] = build.annotations.as_slice() else { panic!("{:?}", build.annotations) };
    assert_eq!((annotation.context.as_str(), annotation.style.as_str()), ("kept", "error"));
    assert_eq!(annotation.body, "**one** two");
}

#[test]
fn an_annotation_whose_context_is_too_long_is_refused() {
    let context = "x".repeat(101);
    let command = format!("buildkite-agent annotate --context {context} body");
    let Some(build) = build_of(&json!({ "command": command }), []) else {
        return;
    };
    assert_ne!(build.jobs[0].exit_status, Some(0), "{}", build.story());
    assert!(build.annotations.is_empty());
}

#[test]
fn artifacts_arrive_whole() {
    let command = "mkdir -p out/deep; printf 'a\\0b' > out/deep/report.bin; touch out/empty.txt
        buildkite-agent artifact upload 'out/**/*'";
    let Some(build) = build_of(&json!({ "command": command }), []) else {
        return;
    };
    assert_eq!(build.artifact("out/deep/report.bin"), Some(b"a\0b".as_slice()), "{}", build.story());
    assert_eq!(build.artifact("out/empty.txt"), Some([].as_slice()), "{}", build.story());
}

#[test]
fn meta_data_is_kept_for_later_jobs() {
    let command = "buildkite-agent meta-data set key value
        buildkite-agent meta-data exists key
        test \"$(buildkite-agent meta-data get key)\" = value
        test \"$(buildkite-agent meta-data get other --default none)\" = none";
    let Some(build) = build_of(&json!({ "command": command }), []) else {
        return;
    };
    assert_eq!(build.jobs[0].exit_status, Some(0), "{}", build.story());
    assert_eq!(build.meta_data["key"], "value");
}

#[test]
fn an_upload_that_is_answered_503_twice_succeeds() {
    let step = json!({ "label": "upload", "command": UPLOAD });
    let refusals = [Refusal::Status(503), Refusal::Status(503)];
    let Some(build) = build_of(&step, refusals) else {
        return;
    };
    assert_eq!(build.uploads.len(), 3, "{}", build.story());
    assert_eq!(build.labels(), ["upload", "one", "two"]);
}

#[test]
fn an_upload_that_is_answered_422_fails_at_once() {
    let step = json!({ "label": "upload", "command": UPLOAD });
    let Some(build) = build_of(&step, [Refusal::Status(422)]) else {
        return;
    };
    assert_eq!((build.uploads.len(), build.labels()), (1, vec!["upload"]));
    assert_ne!(build.job("upload").exit_status, Some(0), "{}", build.story());
}

#[test]
fn an_upload_that_is_found_to_be_wrong_fails_with_the_reason() {
    let step = json!({ "label": "upload", "command": UPLOAD });
    let refusals = [Refusal::Rejected("no such queue".to_owned())];
    let Some(build) = build_of(&step, refusals) else {
        return;
    };
    assert!(build.job("upload").log().contains("no such queue"), "{}", build.story());
    assert_ne!(build.job("upload").exit_status, Some(0), "{}", build.story());
}

#[test]
fn a_step_that_the_agent_skips_does_not_run() {
    let command = "buildkite-agent pipeline upload <<'EOF'
{\"steps\": [{\"label\": \"skipped\", \"command\": \"true\", \"skip\": \"not today\"}]}
EOF";
    let Some(build) = build_of(&json!({ "command": command }), []) else {
        return;
    };
    assert_eq!(build.job("skipped").phase, Phase::Skipped, "{}", build.story());
}

#[test]
fn a_job_that_is_cancelled_ends_by_a_signal() {
    let Some(agent) = agent() else { return };
    let sandbox = Sandbox::new();
    let source = sandbox.repository("source", &[]);
    let mut buildkite = Buildkite::new(&source);
    buildkite.queue(&json!({ "label": "long", "command": "echo under way; sleep 600" }));
    buildkite.start(agent, &sandbox, |_| {});
    buildkite.wait_until(LIMIT, |build| build.job("long").log().contains("under way"));
    buildkite.cancel("long");
    let build = buildkite.finish(LIMIT);
    assert_eq!(build.job("long").exit_status, Some(-1), "{}", build.story());
}

const HOOK: &str = "#!/bin/bash
echo \"the hook with $BUILDKITE_PLUGIN_STUB_WORD\"
echo \"from $PWD\" | buildkite-agent annotate --context stub
exec bash -c \"$BUILDKITE_COMMAND\"
";

/// A job with a plugin that is not ours.
fn offline_job(agent: &std::path::Path) -> Bootstrap {
    let job =
        Bootstrap::new(env!("CARGO_BIN_EXE_rust-vmm-ci"), agent, &[("kept.txt", "of the repository\n")]);
    let plugin = job
        .sandbox()
        .repository("stub-buildkite-plugin", &[("plugin.yml", "name: stub\n"), ("hooks/command", HOOK)]);
    job.plugin_from(&plugin, &json!({ "word": "a word" }))
}

#[test]
fn an_offline_job_runs_a_plugin_from_a_git_repository() {
    let Some(agent) = agent() else { return };
    let outcome = offline_job(agent).command("cat kept.txt; exit 3").run(LIMIT);
    assert_eq!(outcome.status, 3, "{}", outcome.output);
    assert!(outcome.output.contains("the hook with a word"), "{}", outcome.output);
    assert!(outcome.output.contains("of the repository"), "{}", outcome.output);
    let checkout = outcome.checkout();
    assert_eq!(outcome.build.annotations[0].body.trim_end(), format!("from {}", checkout.display()));
}

#[test]
fn an_offline_job_can_be_cancelled_once_it_has_said_something() {
    let Some(agent) = agent() else { return };
    let command = "trap 'echo asked to end; exit 9' TERM; echo under way; sleep 600 & wait";
    let mut job = offline_job(agent).command(command).start();
    job.wait_for("under way", LIMIT);
    job.cancel();
    let outcome = job.finish(LIMIT);
    assert!(outcome.output.contains("asked to end"), "{}", outcome.output);
    assert_ne!(outcome.status, 0, "{}", outcome.output);
}

#[test]
fn a_sandbox_knows_nothing_of_who_runs_the_tests() {
    let sandbox = Sandbox::new();
    let Ok(output) = sandbox.command("env").output() else {
        panic!("env cannot be run");
    };
    let environment = String::from_utf8_lossy(&output.stdout);
    let names = ["BUILDKITE", "CARGO_MANIFEST_DIR", "CARGO_PKG"];
    let is_known = |line: &str| names.iter().any(|name| line.starts_with(name));
    assert!(!environment.lines().any(is_known), "{environment}");
    let home = format!("HOME={}", sandbox.home().display());
    assert!(environment.lines().any(|line| line == home), "{environment}");
    let source = sandbox.repository("source", &[("a.txt", "a\n")]);
    assert_eq!(source.git(&["log", "--format=%ae"]), "somebody@example.org");
}
