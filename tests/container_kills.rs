//! Jobs that are killed at random moments: what they leave behind, and how they are reported.
//! `tests/perf/kill-50` runs this test.
#![allow(clippy::disallowed_macros, reason = "a test prints for a person")]
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::json;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use support::docker::{Agent, Docker, docker};
use support::process::{find, kill};

/// What is killed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    /// The hook gets the signal that a cancel sends.
    HookTerm,
    /// The hook is killed.
    HookKill,
    /// The program `docker` is killed.
    Client,
    /// The daemon is killed and started again, as a service manager does.
    Daemon,
}

const VICTIMS: [Victim; 4] = [Victim::HookTerm, Victim::HookKill, Victim::Client, Victim::Daemon];
const MANIFEST: &str = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
/// Writes files as root, works for about a second and fails. A job that was killed must not pass, and a job
/// that was not killed must fail.
const COMMAND: &str =
    "mkdir -p a/b; i=0; while [ $i -lt 12 ]; do i=$((i+1)); echo x >a/b/$i; sleep 0.1; done; exit 7";
/// The longest time before the kill, in milliseconds. It is longer than the job takes.
const LATEST: u64 = 2200;

#[derive(Default)]
struct Row {
    jobs: usize,
    reached_the_end: usize,
    containers: usize,
    locked: usize,
    foreign: usize,
    folders: usize,
    wrong: usize,
    slowest: Duration,
}

/// Pseudo-random numbers (xorshift). The same seed gives the same run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

#[test]
#[ignore = "takes three minutes: tests/perf/kill-50"]
fn nothing_is_left_of_fifty_jobs_that_were_killed_and_no_verdict_is_wrong() {
    let Some(docker) = docker() else { return };
    let jobs = std::env::var("JOBS").map_or(50, |jobs| jobs.parse().unwrap());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let seed = std::env::var("SEED")
        .map_or(u64::try_from(now & 0xffff_ffff).unwrap() | 1, |seed| seed.parse().unwrap());
    println!("seed {seed}");
    let mut random = Random(seed);
    let agent = Agent::new(
        env!("CARGO_BIN_EXE_rust-vmm-ci"),
        docker,
        &[("Cargo.toml", MANIFEST), ("src/lib.rs", "")],
    );
    let mut rows: Vec<(Victim, Row)> = VICTIMS.iter().map(|victim| (*victim, Row::default())).collect();
    for number in 0..jobs {
        let row = &mut rows[number % VICTIMS.len()];
        attack(docker, &agent, &format!("{number}"), row.0, random.below(LATEST), &mut row.1);
    }
    println!(
        "{:<10}{:>6}{:>8}{:>12}{:>9}{:>9}{:>9}{:>8}{:>16}",
        "killed", "jobs", "ended", "containers", "locked", "foreign", "folders", "wrong", "pre-exit (max)"
    );
    for (victim, row) in &rows {
        println!(
            "{:<10}{:>6}{:>8}{:>12}{:>9}{:>9}{:>9}{:>8}{:>13} ms",
            format!("{victim:?}"),
            row.jobs,
            row.reached_the_end,
            row.containers,
            row.locked,
            row.foreign,
            row.folders,
            row.wrong,
            row.slowest.as_millis()
        );
    }
    for (victim, row) in &rows {
        let left = row.containers + row.locked + row.foreign + row.folders + row.wrong;
        assert_eq!(left, 0, "{victim:?}");
        assert!(row.slowest < Duration::from_secs(5), "{victim:?}: {:?}", row.slowest);
    }
}

fn attack(docker: &Docker, agent: &Agent, job: &str, victim: Victim, after: u64, row: &mut Row) {
    let configuration = json!({"docker": Agent::options(), "cache": "target"});
    let hook = agent.start(&mut agent.hook("command", job, &configuration, COMMAND));
    std::thread::sleep(Duration::from_millis(after));
    match victim {
        Victim::HookTerm => hook.terminate(),
        Victim::HookKill => hook.kill(),
        Victim::Client => {
            let line = format!(
                "docker run --rm --pull=never --init --label=com.github.rust-vmm.ci.job-id={}",
                agent.id(job)
            );
            find(&line).into_iter().for_each(kill);
        }
        Victim::Daemon => {
            kill(docker.daemon());
            std::thread::sleep(Duration::from_millis(500));
            docker.wait_for_daemon();
        }
    }
    let ended = hook.finish(Duration::from_secs(60));
    let begin = Instant::now();
    let after = agent.pre_exit(job);
    row.slowest = row.slowest.max(begin.elapsed());
    row.jobs += 1;
    // The command itself ends with 7. A job that was killed before has status 3. If the hook itself was
    // killed, its status is that of the signal.
    let right = match ended.status {
        3 | 7 => true,
        137 => victim == Victim::HookKill,
        // The signal came before the hook handled signals.
        143 => victim == Victim::HookTerm,
        _ => false,
    };
    row.reached_the_end += usize::from(ended.status == 7);
    row.wrong += usize::from(!right || after.status != 0);
    if !right || after.status != 0 {
        println!(
            "job {job} ({victim:?}): status {}, pre-exit {}\n{}\n{}",
            ended.status, after.status, ended.output, after.output
        );
    }
    row.containers += agent.containers(job);
    row.foreign += agent.foreign().len();
    row.folders += std::fs::read_dir(agent.path("tmp")).unwrap().count();
    let next = agent.hook("command", &format!("{job}-next"), &configuration, "true");
    let next = agent.start(&mut { next }).finish(Duration::from_secs(60));
    row.locked += usize::from(next.output.contains("another job uses"));
    row.wrong += usize::from(next.status != 0);
    if next.status != 0 {
        println!("the job after {job} ({victim:?}): {}", next.output);
    }
}
