//! What is left of a run that is killed, and of processes that leave their check.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]
#![allow(clippy::disallowed_methods, reason = "a test starts what it tests")]

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::one_step::OneStep;
use support::process::{Finished, Running, kill};
use support::sandbox::{Repository, Sandbox};

/// A variable by which the processes of a sandbox are found, whatever they are called.
const MARK: &str = "RUST_VMM_CI_TEST_MARK";
/// How long a test waits for what must happen, until it fails.
const LIMIT: Duration = Duration::from_secs(60);
/// Starts processes that leave their parent, their process group and their session, works for a fifth of a
/// second and fails. A run that was not killed must fail.
const LEAVES: &str = "setsid sleep 600 & (setsid sh -c 'sleep 600 & sleep 600' & ) ; \
                      (trap '' TERM HUP; sleep 600) & echo begun; for i in 1 2; do sleep 0.1; done; exit 7";

fn start(step: &OneStep) -> Running {
    let mut command = step.sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
    command.args(step.arguments()).env(MARK, step.sandbox.path()).current_dir(step.repository.path());
    Running::start(&mut command, step.sandbox.path().join("log"))
}

/// The command lines of the processes of this sandbox.
fn processes(step: &OneStep) -> Vec<(i32, String)> {
    let mark = format!("{MARK}={}", step.sandbox.path().display());
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let own = processes.filter_map(|process| {
        let variables = fs::read(process.path().join("environ")).ok()?;
        let marked = variables.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        marked.then(|| Some((process.file_name().to_str()?.parse().ok()?, line)))?
    });
    own.collect()
}

/// Waits until no process is left. Returns how long it took.
#[track_caller]
fn nothing_is_left(step: &OneStep) -> Duration {
    let begin = Instant::now();
    let gone = support::eventually(LIMIT, || processes(step).is_empty().then_some(()));
    assert!(gone.is_some(), "left: {:#?}", processes(step));
    begin.elapsed()
}

#[test]
fn what_leaves_its_session_ends_with_its_check() {
    let sample = OneStep::new(LEAVES);
    let finished = start(&sample).finish(LIMIT);
    assert_eq!(finished.status, 1, "{}", finished.output);
    assert_eq!(sample.verdict().as_deref(), Some("failed"));
    // The keepers have ended before the report was written.
    assert!(processes(&sample).is_empty(), "left: {:#?}", processes(&sample));
}

#[test]
fn nothing_is_left_of_a_run_that_was_killed() {
    let sample = OneStep::new(&LEAVES.replace("in 1 2", "in $(seq 6000)"));
    let mut running = start(&sample);
    running.wait_for("begun\n", LIMIT);
    // What a process has that begins a program at this moment cannot be seen.
    let all = support::eventually(LIMIT, || (processes(&sample).len() > 5).then_some(()));
    assert!(all.is_some(), "{:#?}", processes(&sample));
    running.kill();
    assert_eq!(running.finish(LIMIT).status, 137);
    nothing_is_left(&sample);
}

#[test]
fn a_check_whose_keeper_is_killed_leaves_nothing_and_does_not_pass() {
    let sample = OneStep::new(&LEAVES.replace("in 1 2", "in $(seq 6000)"));
    let mut running = start(&sample);
    running.wait_for("begun\n", LIMIT);
    let keepers: Vec<i32> = processes(&sample)
        .into_iter()
        .filter(|(_, line)| line.starts_with("rust-vmm-ci keep-process"))
        .map(|(process, _)| process)
        .collect();
    assert!(!keepers.is_empty(), "{:#?}", processes(&sample));
    keepers.into_iter().for_each(kill);
    let Finished { status, output } = running.finish(LIMIT);
    assert!([1, 3].contains(&status), "{status}: {output}");
    nothing_is_left(&sample);
}

#[test]
fn a_command_below_its_keeper_is_started_as_without_one() {
    let sample = OneStep::new("kill -9 $$");
    assert_eq!(start(&sample).finish(LIMIT).status, 1);
    let report = fs::read_to_string(sample.report()).unwrap();
    assert!(report.contains("signal 9"), "{report}");
    // Nothing to read, no file that it would not have otherwise, its own process group, and its status.
    let script = "cat; ls /proc/self/fd | wc -l | tr -d ' ' | sed 's/^/open: /'; \
                  test $(ps -o pgid= -p $$) = $$ && echo leads; exit 101";
    let mut plain = Sandbox::new().command("sh");
    let plain = plain.args(["-c", script]).stdin(Stdio::null()).current_dir("/").output().unwrap();
    let plain = String::from_utf8(plain.stdout).unwrap();
    assert!(plain.starts_with("open: "), "{plain}");
    let sample = OneStep::new(script);
    let Finished { status, output } = start(&sample).finish(LIMIT);
    assert_eq!(status, 1, "{output}");
    assert!(output.contains(plain.lines().next().unwrap()), "{plain}: {output}");
    assert!(output.contains("leads\n") && output.contains("status 101"), "{output}");
}

#[test]
fn nobody_can_play_a_keeper_by_hand() {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
    command.args(["keep-process", "tree", "0", "touch", "made"]).current_dir(sandbox.path());
    let finished = Running::start(&mut command, sandbox.path().join("log")).finish(LIMIT);
    assert_eq!(finished.status, 2);
    assert!(!sandbox.path().join("made").exists());
    let mut command = sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
    command.args(["keep-clean", "command", "touch", "made"]).current_dir(sandbox.path());
    let finished = Running::start(&mut command, sandbox.path().join("log")).finish(LIMIT);
    assert_eq!(finished.status, 2);
    std::thread::sleep(Duration::from_secs(1));
    assert!(!sandbox.path().join("made").exists());
}

/// A crate whose test fails, or works for ten minutes where a variable names a file for it to make.
const SLEEPS: &str = r#"
#[test]
fn judged() {
    let Ok(begun) = std::env::var("BEGUN") else { panic!() };
    std::fs::write(begun, "").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(600));
}
"#;

/// A repository with that crate, and a folder of temporary files.
struct Tested {
    sandbox: Sandbox,
    repository: Repository,
    temporary: PathBuf,
}

impl Tested {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let manifest = "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
        let ignored = "target\nCargo.lock\n";
        let files = [("Cargo.toml", manifest), ("src/lib.rs", SLEEPS), (".gitignore", ignored)];
        let repository = sandbox.repository("checkout", &files);
        let temporary = sandbox.folder("temporary");
        Self { sandbox, repository, temporary }
    }

    fn start(&self, args: &[&str], begun: Option<&Path>) -> Running {
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
        command.args(args).current_dir(self.repository.path()).env("TMPDIR", &self.temporary);
        command.env("BUILDKITE_PLUGIN_CONFIGURATION", r#"{"docker": false}"#);
        command.envs(begun.map(|file| ("BEGUN", file)));
        Running::start(&mut command, self.sandbox.path().join("log"))
    }

    /// Starts the program and waits until the test works.
    #[track_caller]
    fn started(&self, args: &[&str]) -> Running {
        let begun = self.sandbox.path().join("begun");
        let running = self.start(args, Some(&begun));
        let waited = support::eventually(2 * LIMIT, || begun.exists().then_some(()));
        assert!(waited.is_some(), "{}", running.output());
        running
    }

    /// What the program has made outside the repository, and git's records of worktrees.
    fn made(&self) -> Vec<PathBuf> {
        let entries = |folder: &Path| -> Vec<PathBuf> {
            fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
        };
        let mut made = entries(self.sandbox.path());
        made.retain(|path| path.to_str().unwrap().contains("-reproduce-"));
        made.extend(entries(&self.temporary));
        made.extend(entries(&self.repository.path().join(".git/worktrees")));
        made
    }

    /// Kills the program while the test works, and returns what it had made.
    #[track_caller]
    fn killed(&self, args: &[&str]) -> Vec<PathBuf> {
        let running = self.started(args);
        let made = self.made();
        running.kill();
        assert_eq!(running.finish(LIMIT).status, 137);
        let gone = support::eventually(LIMIT, || self.made().is_empty().then_some(()));
        assert!(gone.is_some(), "left: {:#?}", self.made());
        made
    }
}

#[test]
fn no_temporary_folder_is_left_of_a_run_that_was_killed() {
    let made = Tested::new().killed(&["run", "unittests-gnu"]);
    assert_eq!(made.len(), 1, "{made:#?}");
}

#[test]
fn no_worktree_is_left_of_a_reproduction_that_was_killed() {
    let tested = Tested::new();
    let report = tested.sandbox.path().join("report.json");
    let report = report.to_str().unwrap();
    let run = tested.start(&["run", "unittests-gnu", "--report", report], None);
    assert_eq!(run.finish(LIMIT).status, 1);
    assert!(tested.made().is_empty(), "{:#?}", tested.made());
    let made = tested.killed(&["reproduce", report]);
    // The worktree's folder, git's record of it, and the folder of the run.
    assert_eq!(made.len(), 3, "{made:#?}");
}

#[test]
fn what_took_the_name_of_a_temporary_folder_is_not_removed() {
    let tested = Tested::new();
    let running = tested.started(&["run", "unittests-gnu"]);
    let made = tested.made();
    let [folder] = made.as_slice() else { panic!("{made:#?}") };
    fs::rename(folder, tested.sandbox.path().join("moved")).unwrap();
    fs::create_dir(folder).unwrap();
    fs::write(folder.join("file"), "").unwrap();
    running.kill();
    running.finish(LIMIT);
    let cleaner = || {
        let line = format!("keep-clean\0folder\0{}\0", tested.temporary.display());
        let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let lines = processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
        lines.into_iter().any(|said| said.contains(&line))
    };
    assert!(support::eventually(LIMIT, || (!cleaner()).then_some(())).is_some());
    assert!(folder.join("file").exists());
}

/// `KILLS=N` sets the number, and `SEED=N` the moments. `tests/perf/kill-50` is the same for containers.
#[test]
fn nothing_is_left_of_a_hundred_runs_that_were_killed_at_random_moments_and_no_verdict_is_wrong() {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |n| n.parse().unwrap());
    let (kills, seed) = (number("KILLS", 100), number("SEED", u64::from(std::process::id()) | 1));
    let sample = OneStep::new(LEAVES);
    // As long as a run takes that is not killed, and a little more: some are not.
    let begin = Instant::now();
    assert_eq!(start(&sample).finish(LIMIT).status, 1);
    let whole = u64::try_from(begin.elapsed().as_micros()).unwrap() * 11 / 10;
    let files = || -> BTreeSet<_> {
        fs::read_dir(sample.sandbox.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    let (mut ended, mut slowest, mut random, known) = (0, Duration::ZERO, seed, files());
    for kill in 0..kills {
        let _ = fs::remove_file(sample.report());
        let running = start(&sample);
        // xorshift: the same seed gives the same moments.
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        std::thread::sleep(Duration::from_micros(random % whole));
        running.kill();
        let finished = running.finish(LIMIT);
        let verdict = sample.verdict();
        let right = match finished.status {
            // It may have written its report before.
            137 => verdict.as_deref().is_none_or(|verdict| verdict == "failed"),
            1 => verdict.as_deref() == Some("failed"),
            _ => false,
        };
        assert!(right, "kill {kill} of seed {seed}: {}, {verdict:?}: {}", finished.status, finished.output);
        ended += u64::from(finished.status == 1);
        slowest = slowest.max(nothing_is_left(&sample));
        let more: Vec<_> = files().into_iter().filter(|name| !known.contains(name)).collect();
        assert!(
            more.iter().all(|name| name == "report.json"),
            "kill {kill} of seed {seed}: {more:?} is left"
        );
    }
    say(&format!(
        "seed {seed}: {kills} kills within {} ms, {ended} after the end, 0 processes left, 0 wrong verdicts, \
         the last process gone within {} ms",
        whole / 1000,
        slowest.as_millis()
    ));
}

/// Prints a line past the test harness, which shows only what failing tests print.
fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}
