//! Runs planned checks, as many at once as may be, and makes their outcomes.

use super::console::Console;
use super::context::{Context, Judgement};
use super::job::Job;
use super::{audit, bench, cargo, commit_format, coverage, shell};
use crate::model::{Os, Platform};
use crate::plan::{PlannedCheck, Work};
use crate::process::{self, Command};
use crate::report::{Outcome, Timings, Verdict};
use anyhow::Result;
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
    /// Whether linking is told from compiling.
    pub timings: bool,
    /// Whether `coverage` writes its file.
    pub update: bool,
}

/// What two checks may not use at once: cargo locks a target directory's profile, and the second
/// would only wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Debug,
    Release,
    Free,
}

impl Lane {
    fn of(check: &PlannedCheck) -> Self {
        match &check.work {
            Work::Cargo(command, _) if command.verb == "fmt" => Self::Free,
            Work::Cargo(command, _) if command.has("--release") => Self::Release,
            Work::CommitFormat | Work::Audit => Self::Free,
            Work::Cargo(..) | Work::Coverage | Work::Bench | Work::Shell(_) => Self::Debug,
        }
    }
}

/// Which checks are still to begin, and which lanes are taken.
struct Queue {
    pending: Vec<usize>,
    busy: Vec<Lane>,
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
    let outcomes: Vec<Mutex<Option<Outcome>>> = plan.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..settings.jobs.clamp(1, plan.len().max(1)) {
            scope.spawn(|| {
                while let Some(Next { index, lane, queued }) = next(&queue, &freed, plan) {
                    let outcome =
                        Outcome { queued, ..run_check(&plan[index], job, settings, console, begin) };
                    let failed = outcome.verdict == Verdict::Failed && !outcome.soft_fail;
                    *outcomes[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
                    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
                    queue.busy.retain(|busy| *busy != lane);
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
    lane: Lane,
    /// How long a worker had nothing to do before it, in seconds.
    queued: f64,
}

/// The next check whose lane is free; none when there is nothing left to begin.
fn next(queue: &Mutex<Queue>, freed: &Condvar, plan: &[PlannedCheck]) -> Option<Next> {
    let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if queue.stop || queue.pending.is_empty() {
            return None;
        }
        let lane_of = |index: &usize| Lane::of(&plan[*index]);
        let free = queue.pending.iter().position(|index| {
            let lane = lane_of(index);
            lane == Lane::Free || !queue.busy.contains(&lane)
        });
        if let Some(position) = free {
            let index = queue.pending.remove(position);
            let lane = lane_of(&index);
            if lane != Lane::Free {
                queue.busy.push(lane);
            }
            let queued = queue.idle.take().map_or(0.0, |since| since.elapsed().as_secs_f64());
            return Some(Next { index, lane, queued });
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
) -> Outcome {
    let started = Instant::now();
    let mut log = console.begin(check.label.as_str());
    let limit = check.timeout_in_minutes.or(settings.ci.then_some(DEFAULT_TIMEOUT));
    let deadline = limit.map(|minutes| started + Duration::from_secs(u64::from(minutes) * 60));
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
    let judged = match &check.work {
        Work::Cargo(command, mode) => cargo::run(&mut context, command, *mode, job),
        Work::Shell(script) => shell::run(&mut context, script),
        Work::Coverage => coverage::run(&mut context, check.package.as_deref(), job, settings.update),
        Work::Bench => crate::checks::bench::options(&check.own)
            .and_then(|options| bench::run(&mut context, check.package.as_deref(), job, &options)),
        Work::CommitFormat => commit_format::run(&mut context, &check.own),
        Work::Audit => audit::run(&mut context, &check.own),
    };
    (judged, context.timings)
}
