//! Runs planned checks, as many at once as may be, and makes their outcomes.

use super::console::Console;
use super::context::{Context, Judgement};
use super::job::Job;
use super::{audit, bench, cargo, commit_format, coverage, program, shell};
use crate::process::{self, Command};
use anyhow::Result;
use rust_vmm_ci_core::checks::shard::Shard;
use rust_vmm_ci_core::checks::{Logic, Needs, Work};
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_core::plan::PlannedCheck;
use rust_vmm_ci_core::report::{Outcome, Timings, Verdict};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time limit of a check in CI where nobody set one, in minutes (predecessor's rule for a step).
const DEFAULT_TIMEOUT: u32 = 15;

/// How a run goes about its checks.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Settings {
    /// The platform that the checks are for.
    pub platform: Platform,
    /// The system that the checks are for.
    pub os: Os,
    /// Whether this is CI: what is missing is then broken, and time limits hold.
    pub ci: bool,
    /// Whether what is missing is broken on a person's machine too.
    pub strict: bool,
    /// Whether the first failure ends the run.
    pub fail_fast: bool,
    /// How many checks may run at once.
    pub jobs: usize,
    /// Which of its step's jobs this is, where it has several.
    pub shard: Option<Shard>,
    /// Whether linking is told from compiling.
    pub timings: bool,
    /// Whether `coverage` writes its file.
    pub update: bool,
}

/// More checks than this at once have nothing to do: what compiles for debugging, what compiles for
/// release, and what compiles nothing.
const MOST: usize = 3;
/// The memory that a compiler takes, in bytes: rustc 1.95 took at most 357 MiB for vm-memory, 381 for
/// kvm and 281 for vmm-sys-util, with what they depend on, in both profiles.
const OF_A_COMPILER: u64 = 512 << 20;

/// How many checks run at once where nobody says: one for every two cores, [`MOST`] at most, and no
/// more than have memory for a compiler on every core each.
///
/// One cargo keeps two cores busy but while it links or tests. A second beside it saved 3 % (event-manager)
/// to 12 % (vmm-sys-util) of the time on two cores, and took up to 9 % more of the processor. With more
/// cores what stands idle grows. Each check's cargo may use every core: whatever part of them it were
/// given, it would leave them idle whenever another check links, runs tests or has ended.
pub fn at_once(cores: usize, memory: Option<u64>) -> usize {
    let of_a_check = OF_A_COMPILER.saturating_mul(u64::try_from(cores).unwrap_or(u64::MAX));
    let fitting = memory.map_or(MOST, |memory| usize::try_from(memory / of_a_check.max(1)).unwrap_or(MOST));
    MOST.min(cores / 2).min(fitting).max(1)
}

/// Which checks are still to begin, and what those under way have taken.
struct Queue {
    pending: Vec<usize>,
    busy: Vec<Needs>,
    /// Since when a worker has found nothing that it may begin.
    idle: Option<Instant>,
    stop: bool,
}

/// Runs the checks and returns their outcomes, in the plan's order.
pub fn run(
    plan: &[PlannedCheck],
    job: &Job,
    settings: &Settings,
    console: &Console,
    begin: Instant,
) -> Vec<Outcome> {
    let queue =
        Mutex::new(Queue { pending: (0..plan.len()).collect(), busy: Vec::new(), idle: None, stop: false });
    let freed = Condvar::new();
    let at_once = settings.jobs.clamp(1, plan.len().max(1));
    let outcomes: Vec<Mutex<Option<Outcome>>> = plan.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(Next { index, needs, queued }) = next(&queue, &freed, plan) {
                    let beside = if needs.machine { 1 } else { at_once };
                    let outcome =
                        Outcome { queued, ..run_check(&plan[index], job, settings, console, begin, beside) };
                    let failed = outcome.verdict == Verdict::Failed && !outcome.soft_fail;
                    *outcomes[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
                    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(at) = queue.busy.iter().position(|busy| *busy == needs) {
                        queue.busy.swap_remove(at);
                    }
                    queue.stop |= (failed && settings.fail_fast) || process::cancelled();
                    freed.notify_all();
                }
            });
        }
    });
    let finished = outcomes.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    finished.zip(plan).map(|(outcome, check)| outcome.unwrap_or_else(|| not_begun(check))).collect()
}

/// A check that begins.
struct Next {
    index: usize,
    needs: Needs,
    /// How long a worker had nothing to do before it, in seconds.
    queued: f64,
}

/// The next check that nothing under way is in the way of; none when there is nothing left to begin.
fn next(queue: &Mutex<Queue>, freed: &Condvar, plan: &[PlannedCheck]) -> Option<Next> {
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if queue.stop || queue.pending.is_empty() {
            return None;
        }
        let can_begin = |index: &usize| {
            let needs = &plan[*index].needs;
            !queue.busy.iter().any(|busy| busy.collide_with(needs))
        };
        if let Some(position) = queue.pending.iter().position(can_begin) {
            let index = queue.pending.remove(position);
            let needs = plan[index].needs.clone();
            queue.busy.push(needs.clone());
            let queued = queue.idle.take().map_or(0.0, |since| since.elapsed().as_secs_f64());
            return Some(Next { index, needs, queued });
        }
        queue.idle.get_or_insert_with(Instant::now);
        queue = freed.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}

/// The outcome of a check that the run did not come to.
fn not_begun(check: &PlannedCheck) -> Outcome {
    let (verdict, reason) = if process::cancelled() {
        (Verdict::Cancelled, "the job was cancelled before it began")
    } else {
        (Verdict::Skipped, "an earlier check failed, and `--fail-fast` ends the run there")
    };
    Outcome { verdict, reason: Some(reason.into()), ..blank(check) }
}

/// An outcome that only says which check it is of.
fn blank(check: &PlannedCheck) -> Outcome {
    Outcome {
        label: check.label.to_string(),
        name: check.name.to_string(),
        soft_fail: check.soft_fail,
        command: check.command.clone(),
        ..Outcome::default()
    }
}

fn run_check(
    check: &PlannedCheck,
    job: &Job,
    settings: &Settings,
    console: &Console,
    begin: Instant,
    at_once: usize,
) -> Outcome {
    let started = Instant::now();
    let mut log = console.begin(check.label.as_str());
    let limit = check.timeout_in_minutes.or(settings.ci.then_some(DEFAULT_TIMEOUT));
    // A limit is for a check that has the machine: what shares it may take so many times as long.
    let share = u32::try_from(at_once).unwrap_or(u32::MAX);
    let deadline = limit.and_then(|minutes| {
        let alone = Duration::from_secs(u64::from(minutes) * 60);
        started.checked_add(alone.saturating_mul(share))
    });
    let (judged, timings) = judge(check, job, settings, console.color(), deadline, begin, &mut log);
    let mut judgement = judged.unwrap_or_else(|error| {
        let reason = format!("{error:#}");
        log.line(format!("{reason}\n").as_bytes());
        Judgement { verdict: Verdict::Broken, reason: Some(reason), ..Judgement::default() }
    });
    // What has no remedy is not missing: there is nothing to do on this platform.
    let missing = judgement.verdict == Verdict::Skipped && judgement.remedy.is_some();
    if missing && (settings.ci || settings.strict) {
        judgement.verdict = Verdict::Broken;
    }
    let outcome = Outcome {
        verdict: judgement.verdict,
        reason: judgement.reason,
        remedy: judgement.remedy,
        started: (started - begin).as_secs_f64(),
        seconds: started.elapsed().as_secs_f64(),
        timings: Timings::total(judgement.combinations.iter().map(|run| run.timings).chain([timings])),
        combinations: judgement.combinations,
        findings: judgement.findings,
        sections: judgement.sections,
        artifacts: judgement.artifacts,
        ..blank(check)
    };
    log.end(&outcome);
    outcome
}

fn judge(
    check: &PlannedCheck,
    job: &Job,
    settings: &Settings,
    color: bool,
    deadline: Option<Instant>,
    run_started: Instant,
    log: &mut super::console::CheckLog<'_>,
) -> (Result<Judgement>, Option<Timings>) {
    let mut cargo =
        job.toolchain().map_or_else(|_| Command::new("cargo"), |toolchain| toolchain.cargo.clone());
    if settings.ci && std::env::var_os("CARGO_INCREMENTAL").is_none() {
        // What it saves at the next build it costs at every first one; a person's own builds, in the
        // same target directory, would no longer share with ours.
        cargo = cargo.env("CARGO_INCREMENTAL", "0");
    }
    let directory = check.directory.as_ref().map_or_else(|| job.root.clone(), |dir| job.root.join(dir));
    // Both callbacks write to the one log; only one is ever called at a time.
    let log = std::cell::RefCell::new(log);
    let mut context = Context {
        root: &job.root,
        directory,
        platform: settings.platform,
        os: settings.os,
        cargo: if color { cargo.env("CARGO_TERM_COLOR", "always") } else { cargo },
        env: &check.env,
        deadline,
        run_started,
        color,
        look: settings.timings,
        timings: None,
        log: &mut |line| log.borrow_mut().line(line),
        progress: &mut |index, count, what| log.borrow_mut().progress(index, count, what),
    };
    let package = check.package.as_deref();
    let judged = match &check.work {
        Work::Cargo { command, features, divided } => {
            let shard = settings.shard.filter(|_| *divided);
            cargo::run(&mut context, command, *features, job, shard)
        }
        Work::Shell(script) => shell::run(&mut context, script),
        Work::Logic(Logic::Coverage) => coverage::run(&mut context, package, job, settings.update),
        Work::Logic(Logic::CommitFormat(options)) => commit_format::run(&mut context, options),
        Work::Logic(Logic::Audit(options)) => audit::run(&mut context, options),
        Work::Logic(Logic::Bench(options)) => bench::run(&mut context, package, job, options),
        Work::Logic(Logic::Program(program)) => program::run(&mut context, program, job),
    };
    (judged, context.timings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_vmm_ci_core::config::Config;
    use rust_vmm_ci_core::plan::{Asked, Facts, for_run};
    use rust_vmm_ci_core::workspace::MemoryFiles;
    use serde_json::json;

    const GIB: u64 = 1 << 30;

    #[test]
    fn as_many_run_at_once_as_cores_and_memory_allow_and_three_at_most() {
        for (cores, memory, expected) in [
            (1, Some(64 * GIB), 1),
            (2, Some(64 * GIB), 1),
            (4, Some(64 * GIB), 2),
            (4, Some(2 * GIB), 1),
            (8, Some(64 * GIB), 3),
            (8, Some(9 * GIB), 2),
            (64, Some(16 * GIB), 1),
            (8, None, 3),
            (8, Some(0), 1),
        ] {
            assert_eq!(at_once(cores, memory), expected, "{cores} cores, {memory:?} bytes");
        }
    }

    /// What a plan begins with while these are under way.
    fn begins_beside(under_way: &[&str]) -> Vec<String> {
        let options = json!({"steps": [{"label": "mine", "command": "make"}], "only": ["build-gnu", "style",
            "doc", "unittests-gnu", "unittests-gnu-release", "clippy", "coverage", "bench", "mine"]});
        let config = Config::parse(&options).unwrap();
        let facts = Facts::read(&MemoryFiles::default(), &|_| None, &config, false).unwrap();
        let plan = for_run(&config, &facts, Platform::X86_64, Os::Linux, Asked::default()).unwrap().checks;
        let named = |name: &str| plan.iter().find(|check| check.name.as_str() == name).unwrap().needs.clone();
        let busy: Vec<Needs> = under_way.iter().map(|name| named(name)).collect();
        let free = plan.iter().filter(|check| {
            !under_way.contains(&check.name.as_str())
                && !busy.iter().any(|busy| busy.collide_with(&check.needs))
        });
        free.map(|check| check.name.to_string()).collect()
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
}
