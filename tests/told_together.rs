//! Jobs that end at the same time, each with the real agent, against a Buildkite of our own: none is missing on
//! the page of the build. The jobs are started without an agent's worker, so that many of them run at once.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use support::agent::agent;
use support::buildkite::{Buildkite, of_build};
use support::process::Running;
use support::sandbox::{Repository, Sandbox};

const LIMIT: Duration = Duration::from_secs(300);
/// For how long rounds are begun.
const TIME: Duration = Duration::from_secs(60);

/// A checkout, whose jobs end when a file is there.
struct Machine {
    sandbox: Sandbox,
    source: Repository,
    agent: &'static Path,
}

impl Machine {
    /// None where there is no agent.
    fn new() -> Option<Self> {
        let agent = agent()?;
        let sandbox = Sandbox::new();
        let source = sandbox.repository("source", &[("kept.txt", "of the repository\n")]);
        Some(Self { sandbox, source, agent })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.sandbox.path().join(name)
    }

    /// Starts a job whose check ends with a status as soon as the file `go` is there.
    fn start(&self, buildkite: &Buildkite, label: &str, retries: u32, status: i32) -> Running {
        let (ready, go) = (self.file(&format!("ready-{label}")), self.file("go"));
        let script = format!(
            "touch {}; while [ ! -e {} ]; do sleep 0.05; done; echo {label} ended; exit {status}",
            ready.display(),
            go.display()
        );
        let options = json!({
            "docker": false, "only": ["together"], "steps": [{"label": "together", "command": script}],
        });
        let mut path = vec![self.agent.parent().unwrap().to_owned()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
        let mut command: Command = self.sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
        command
            .args(["hook", "command"])
            .current_dir(self.source.path())
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("TMPDIR", self.sandbox.folder("tmp"))
            .envs(of_build(&self.source))
            .env("BUILDKITE_AGENT_ENDPOINT", buildkite.endpoint())
            .env("BUILDKITE_AGENT_ACCESS_TOKEN", "of-the-session")
            .env("BUILDKITE_JOB_ID", format!("job-{label}-{retries}"))
            .env("BUILDKITE_STEP_ID", format!("step-{label}"))
            .env("BUILDKITE_LABEL", label)
            .env("BUILDKITE_RETRY_COUNT", retries.to_string())
            .env("BUILDKITE_PLUGIN_NAME", "RUST_VMM_CI")
            .env("BUILDKITE_PLUGIN_CONFIGURATION", options.to_string());
        Running::start(&mut command, self.file(&format!("log-{label}-{retries}")))
    }

    /// Runs jobs at once: label, how often it was retried, and status. All end together.
    fn together(&self, buildkite: &Buildkite, jobs: &[(&str, u32, i32)]) {
        let _ = std::fs::remove_file(self.file("go"));
        let started: Vec<Running> = jobs
            .iter()
            .map(|(label, retries, status)| self.start(buildkite, label, *retries, *status))
            .collect();
        let ready = |label: &str| self.file(&format!("ready-{label}")).exists();
        let all = support::eventually(LIMIT, || jobs.iter().all(|(label, ..)| ready(label)).then_some(()));
        assert!(all.is_some(), "{}", started.iter().map(Running::output).collect::<String>());
        std::fs::write(self.file("go"), "").unwrap();
        for (job, (label, _, status)) in started.into_iter().zip(jobs) {
            let finished = job.finish(LIMIT);
            assert_eq!(finished.status, *status, "{label}: {}", finished.output);
            std::fs::remove_file(self.file(&format!("ready-{label}"))).unwrap();
        }
    }
}

/// The row of a job in the annotation of the build.
fn row<'b>(body: &'b str, label: &str) -> &'b str {
    let rows = body.split("<tr>").skip(1).map(|row| row.split("</tr>").next().unwrap_or_default());
    let rows: Vec<&str> = rows.filter(|row| row.contains(&format!(">{label}<"))).collect();
    let [row] = &rows[..] else { panic!("not one row of {label}: {body}") };
    row
}

#[test]
fn of_jobs_that_end_together_none_is_missing_on_the_page_of_the_build() {
    let Some(machine) = Machine::new() else { return };
    let labels: Vec<String> = (0..20).map(|number| format!("job{number:02}")).collect();
    let jobs: Vec<(&str, u32, i32)> = labels.iter().map(|label| (label.as_str(), 0, 1)).collect();
    let begin = Instant::now();
    // More rounds by hand: ROUNDS=100.
    let wanted: Option<u32> = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let mut rounds = 0;
    while rounds == 0 || wanted.map_or(begin.elapsed() < TIME, |wanted| rounds < wanted) {
        let buildkite = Buildkite::new(&machine.source);
        machine.together(&buildkite, &jobs);
        let build = buildkite.build();
        let [annotation] = &build.annotations[..] else { panic!("{:?}", build.annotations) };
        for label in &labels {
            assert!(
                row(&annotation.body, label).contains('❌'),
                "{label}, round {rounds}: {}",
                annotation.body
            );
        }
        assert!(build.unanswered.is_empty(), "{:?}", build.unanswered);
        rounds += 1;
    }
}

#[test]
fn a_build_of_six_jobs_shows_the_three_that_failed_and_what_their_retries_made_of_them() {
    let Some(machine) = Machine::new() else { return };
    let buildkite = Buildkite::new(&machine.source);
    let signs = |expected: [char; 6]| {
        let build = buildkite.build();
        let [annotation] = &build.annotations[..] else { panic!("{:?}", build.annotations) };
        for (label, sign) in ["a", "b", "c", "d", "e", "f"].into_iter().zip(expected) {
            assert!(row(&annotation.body, label).contains(sign), "{label}: {}", annotation.body);
        }
    };
    let first = [("a", 0, 1), ("b", 0, 1), ("c", 0, 1), ("d", 0, 0), ("e", 0, 0), ("f", 0, 0)];
    machine.together(&buildkite, &first);
    signs(['❌', '❌', '❌', '✅', '✅', '✅']);
    machine.together(&buildkite, &[("a", 1, 0), ("b", 1, 1)]);
    signs(['✅', '❌', '❌', '✅', '✅', '✅']);
    machine.together(&buildkite, &[("b", 2, 0), ("c", 1, 0)]);
    assert!(buildkite.build().annotations.is_empty(), "{:?}", buildkite.build().annotations);
}
