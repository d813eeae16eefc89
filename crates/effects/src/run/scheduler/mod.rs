//! Runs planned checks, several at once where they do not disturb each other, and makes their outcomes.

mod capacity;
mod order;

pub use capacity::at_once;

use super::console::Console;
use super::context::{Context, Judgement, Part, with_variables};
use super::{JobFacts, audit, bench, cargo, commit_format, coverage, msrv, program, semver, shell};
use crate::process::{self, Command};
use anyhow::Result;
use rust_vmm_ci_core::checks::shard::Shard;
use rust_vmm_ci_core::checks::{Logic, Needs, Work};
use rust_vmm_ci_core::exit::{self, Exit};
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_core::plan::PlannedCheck;
use rust_vmm_ci_core::report::{Outcome, Timings, Verdict};
use rust_vmm_ci_core::workspace::flags;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time limit of a check in CI where nobody has set one, in minutes: the predecessor's for a step.
const DEFAULT_TIMEOUT: u32 = 15;

/// What holds for all checks of a run.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Settings {
    /// The platform that the checks are for.
    pub platform: Platform,
    /// The system that the checks are for.
    pub os: Os,
    /// Whether this is CI. There a check whose tool is missing is broken, and time limits hold.
    pub ci: bool,
    /// Whether a check whose tool is missing is broken on a person's machine too.
    pub strict: bool,
    /// How many times longer the checks may take than their time limits say.
    pub slower: u32,
    /// Whether the first failure ends the run.
    pub fail_fast: bool,
    /// How many checks may run at once.
    pub jobs: usize,
    /// Which of the jobs of its step this is, where the step has several.
    pub shard: Option<Shard>,
    /// Whether the time of linking is measured apart from that of compiling.
    pub timings: bool,
    /// What a person asked to run of each check.
    pub part: Part,
    /// Whether `coverage` writes its file.
    pub update: bool,
}

/// Which checks have not begun, and what the checks under way need.
struct Queue {
    pending: Vec<usize>,
    busy: Vec<Needs>,
    /// Since when a worker has found no check that may begin.
    idle: Option<Instant>,
    stop: bool,
}

/// Runs the checks and returns their outcomes in the order of the plan. `ended` is called with each outcome as
/// soon as it is final.
pub fn run(
    plan: &[PlannedCheck],
    job: &JobFacts,
    settings: &Settings,
    console: &Console,
    begin: Instant,
    ended: &(dyn Fn(&Outcome) + Sync),
) -> Vec<Outcome> {
    note_lock_files(plan, job, settings, console.color());
    let queue = Mutex::new(Queue { pending: order::order(plan), busy: Vec::new(), idle: None, stop: false });
    let freed = Condvar::new();
    let at_once = settings.jobs.clamp(1, plan.len().max(1));
    let outcomes: Vec<Mutex<Option<Outcome>>> = plan.iter().map(|_| Mutex::new(None)).collect();
    let work = || {
        while let Some(Next { index, needs, queued }) = next(&queue, &freed, plan) {
            let beside = if needs.machine { 1 } else { at_once };
            let run = || run_check(&plan[index], job, settings, console, begin, beside);
            let outcome = Outcome { queued, ..despite_panic(&plan[index], run) };
            ended(&outcome);
            let failed = outcome.verdict == Verdict::Failed && !outcome.soft_fail;
            *outcomes[index].lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
            let mut queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = queue.busy.iter().position(|busy| *busy == needs) {
                queue.busy.swap_remove(at);
            }
            queue.stop |= (failed && settings.fail_fast) || process::cancelled();
            freed.notify_all();
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..at_once {
            // If the system cannot start a thread, fewer checks run at once.
            let _ = std::thread::Builder::new().name("check".into()).spawn_scoped(scope, work);
        }
        work();
    });
    let finished = outcomes.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    finished.zip(plan).map(|(outcome, check)| outcome.unwrap_or_else(|| not_begun(check))).collect()
}

/// The outcome of a check. Where running it panics, the check is broken: the other checks and the report
/// must not end with it. The panic hook has said where the panic was.
fn despite_panic(check: &PlannedCheck, run: impl FnOnce() -> Outcome) -> Outcome {
    std::panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Outcome {
        verdict: Verdict::Broken,
        reason: Some("this program has a bug, which the log describes".into()),
        ..blank(check)
    })
}

/// The check that a worker begins.
struct Next {
    index: usize,
    needs: Needs,
    /// How long a worker had nothing to do before, in seconds.
    queued: f64,
}

/// The next check that may run beside those under way. It waits for one, and returns none when no check is
/// left to begin.
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

/// The outcome of a check that never began.
fn not_begun(check: &PlannedCheck) -> Outcome {
    let (verdict, reason) = if process::cancelled() {
        (Verdict::Cancelled, "the job was cancelled before it began")
    } else {
        (Verdict::Skipped, "an earlier check failed, and `--fail-fast` ends the run there")
    };
    Outcome { verdict, reason: Some(reason.into()), ..blank(check) }
}

/// An outcome that only names its check.
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
    job: &JobFacts,
    settings: &Settings,
    console: &Console,
    begin: Instant,
    at_once: usize,
) -> Outcome {
    let started = Instant::now();
    let mut log = console.begin(check.label.as_str());
    let limit = check.timeout_in_minutes.or(settings.ci.then_some(DEFAULT_TIMEOUT));
    // A limit is meant for a check that has the machine to itself. Where several checks share the machine,
    // each may take as many times longer.
    let share = u32::try_from(at_once).unwrap_or(u32::MAX).saturating_mul(settings.slower);
    let deadline = limit.and_then(|minutes| {
        let alone = Duration::from_secs(u64::from(minutes) * 60);
        started.checked_add(alone.saturating_mul(share))
    });
    let (judged, timings) = process::with_limit(deadline, || {
        judge(check, job, settings, console.color(), deadline, begin, &mut log)
    });
    let mut judgement = judged.unwrap_or_else(|error| {
        if process::Error::is_cancel(&error) {
            return Judgement::cancelled();
        }
        let reason = format!("{error:#}");
        log.line(format!("{reason}\n").as_bytes());
        let misuse = exit::of(&error) == Exit::Usage;
        Judgement { verdict: Verdict::Broken, misuse, reason: Some(reason), ..Judgement::default() }
    });
    // A tool is missing only where a remedy says how to install it. A check that is skipped without one has
    // nothing to do on this platform.
    let missing = judgement.verdict == Verdict::Skipped && judgement.remedy.is_some();
    if missing && (settings.ci || settings.strict) {
        judgement.verdict = Verdict::Broken;
    }
    let outcome = Outcome {
        verdict: judgement.verdict,
        misuse: judgement.misuse,
        reason: judgement.reason,
        remedy: judgement.remedy,
        started: (started - begin).as_secs_f64(),
        seconds: started.elapsed().as_secs_f64(),
        timings: Timings::total(judgement.combinations.iter().map(|run| run.timings).chain([timings])),
        combinations: judgement.combinations,
        findings: judgement.findings,
        tests: judgement.tests,
        sections: judgement.sections,
        artifacts: judgement.artifacts,
        ..blank(check)
    };
    log.end(&outcome);
    outcome
}

fn judge(
    check: &PlannedCheck,
    job: &JobFacts,
    settings: &Settings,
    color: bool,
    deadline: Option<Instant>,
    run_started: Instant,
    log: &mut super::console::CheckLog<'_>,
) -> (Result<Judgement>, Option<Timings>) {
    let directory = directory(check, job);
    let env = variables(check);
    let cargo = cargo_command(check, job, settings, color);
    // Both callbacks write to the one log; only one is ever called at a time.
    let log = std::cell::RefCell::new(log);
    let mut context = Context {
        root: &job.root,
        directory,
        platform: settings.platform,
        os: settings.os,
        cargo,
        env: &env,
        deadline,
        run_started,
        color,
        part: &settings.part,
        look: settings.timings,
        timings: None,
        log: &mut |line| log.borrow_mut().line(line),
        progress: &mut |index, count, what| log.borrow_mut().progress(index, count, what),
    };
    let package = check.package.as_deref();
    let judged = match &check.work {
        Work::Cargo { command, features, divided, merge_examples } => {
            let shard = settings.shard.filter(|_| *divided);
            cargo::run(&mut context, command, *features, job, shard, *merge_examples)
        }
        Work::Shell(script) => shell::run(&mut context, script),
        Work::Logic(Logic::Coverage) => coverage::run(&mut context, package, job, settings.update),
        Work::Logic(Logic::CommitFormat(options)) => commit_format::run(&mut context, options),
        Work::Logic(Logic::Audit(options)) => audit::run(&mut context, options),
        Work::Logic(Logic::Bench(options)) => bench::run(&mut context, package, job, options),
        Work::Logic(Logic::Msrv) => msrv::run(&mut context, package, job),
        Work::Logic(Logic::Semver(options)) => semver::run(&mut context, package, job, options),
        Work::Logic(Logic::Program(program)) => program::run(&mut context, program, job),
    };
    (judged, context.timings)
}

/// The folder that a check works in.
fn directory(check: &PlannedCheck, job: &JobFacts) -> PathBuf {
    check.directory.as_ref().map_or_else(|| job.root.clone(), |dir| job.root.join(dir))
}

/// cargo for a check, without the variables that the check sets.
fn cargo_command(check: &PlannedCheck, job: &JobFacts, settings: &Settings, color: bool) -> Command {
    let toolchain = job.toolchain(&directory(check, job), &variables(check));
    let takes_configuration = toolchain.as_ref().is_ok_and(|toolchain| toolchain.takes_configuration());
    let mut cargo = toolchain.map_or_else(|_| Command::new("cargo"), |toolchain| toolchain.cargo.clone());
    if settings.ci && std::env::var_os("CARGO_INCREMENTAL").is_none() {
        // Incremental compilation costs at every first build what it saves at the next one. On a person's
        // machine the builds of the checks and of the person share what they compile only if both use it.
        cargo = cargo.env("CARGO_INCREMENTAL", "0");
    }
    if settings.ci {
        let arguments: &[String] =
            if let Work::Cargo { command, .. } = &check.work { &command.args } else { &[] };
        let dir = directory(check, job);
        let config = cargo::configuration::of(&dir, &variables(check), arguments);
        cargo = cargo::debug::with_less(cargo, &dir, &config);
        if let Some(dependencies) = job.dependencies().filter(|_| takes_configuration) {
            cargo = dependencies.apply(cargo, &config);
        }
    }
    if color { cargo.env("CARGO_TERM_COLOR", "always") } else { cargo }
}

/// Asks cargo about the workspace for each check that wants the lock file as it is. Other checks of the job
/// may mend an outdated lock file, and what cargo says then would not be about the commit.
fn note_lock_files(plan: &[PlannedCheck], job: &JobFacts, settings: &Settings, color: bool) {
    for check in plan {
        if let Work::Cargo { command, .. } = &check.work
            && command.lock_flags().any(|flag| flag != "--offline")
            && job.toolchain(&directory(check, job), &variables(check)).is_ok()
        {
            let cargo = with_variables(cargo_command(check, job, settings, color), &variables(check));
            // The check finds the same answer, and says it.
            let _ = job.workspace(&cargo, &directory(check, job), command.lock_flags());
        }
    }
}

/// The variables that a check sets. Those of a cargo command stand in the command. Flags for rustc that are
/// known are put into effect by the check itself.
fn variables(check: &PlannedCheck) -> Vec<(String, String)> {
    let mut all = check.env.clone();
    if let Work::Cargo { command, .. } = &check.work {
        let known = |(name, value): &&(String, String)| name == "RUSTFLAGS" && flags::are_known(value);
        all.extend(command.env.iter().filter(|variable| !known(variable)).cloned());
    }
    all
}

#[cfg(test)]
mod tests;
