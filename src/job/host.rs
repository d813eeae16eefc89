//! A job on this machine: checks, or the command of a step.

use super::execute::{Done, report_without_outcomes};
use super::gather::Gathered;
use super::job_files::JobFiles;
use super::promise::Promise;
use super::request::RunOptions;
use super::{kvm, last_run};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::exit::{Exit, usage};
use rust_vmm_ci_core::model::{Os, variable_matters};
use rust_vmm_ci_core::plan::{Plan, PlannedCheck};
use rust_vmm_ci_core::report::{Report, Usage};
use rust_vmm_ci_effects::process::{self, Ended};
use rust_vmm_ci_effects::run::console::Console;
use rust_vmm_ci_effects::run::shell::Script;
use rust_vmm_ci_effects::run::{self, Settings};
use rust_vmm_ci_effects::{container, files, git, say};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a step's own command may take to end after a cancel: `rust-vmm-ci run` in it first ends its
/// checks and writes its report.
const GRACE: Duration = Duration::from_secs(4);

/// How many times longer the checks may take where their platform is emulated. qemu-user took 7 to 9 times the
/// CPU time of the same job on the machine itself.
const EMULATION: u32 = 10;

/// Runs the planned checks and makes the report.
///
/// # Errors
/// Exit 2 where there is no package for a check, or where Buildkite's variables of a parallel job are wrong.
pub fn checks(gathered: &Gathered, options: &RunOptions, plan: &Plan, promise: &Promise) -> Result<Report> {
    let root = gathered.root();
    refuse_without_manifest(root, &plan.checks)?;
    plan.notes.iter().for_each(say::note);
    let begin = Instant::now();
    let environment = &gathered.environment;
    let for_a_person = !environment.ci && !environment.in_container;
    if for_a_person && !plan.checks.is_empty() {
        say::progress(last_run::announcement(gathered, &plan.checks));
    }
    let machine = gathered.machine;
    let job = &gathered.job;
    let console = Console::new(environment.console, environment.color, Box::new(std::io::stdout()))
        .of_checks(plan.checks.len());
    let settings = Settings {
        platform: gathered.target.platform,
        os: gathered.target.os,
        ci: environment.ci,
        strict: options.strict,
        slower: if environment.emulated { EMULATION } else { 1 },
        fail_fast: options.fail_fast,
        jobs: options.jobs.map_or_else(|| run::at_once(machine.cores, machine.memory), usize::from),
        shard: environment.shard()?,
        timings: options.timings,
        part: options.part.clone(),
        update: options.update,
    };
    tracing::debug!("at most {} checks at once", settings.jobs);
    let mut outcomes =
        run::run(&plan.checks, job, &settings, &console, begin, &|outcome| promise.ended(outcome));
    if gathered.machine.os == Some(Os::Linux) {
        kvm::note_beside(&mut outcomes, Path::new(kvm::DEVICE), environment.emulated);
    }
    let toolchain = job.toolchain(root, &[]).ok();
    let report = Report {
        toolchain: toolchain.as_ref().map(|toolchain| toolchain.version.clone()),
        host: toolchain.map(|toolchain| toolchain.host.clone()),
        container: environment.image.clone(),
        options: gathered.config().mattering(),
        variables: variables_that_matter(),
        cancelled: process::cancelled(),
        usage: process::usage().map(|process::Usage { cpu, own_cpu, own_memory }| Usage {
            cpu,
            own_cpu,
            own_memory,
        }),
        outcomes,
        ..report_without_outcomes(git::commit_of(root), gathered.target, begin)
    };
    if for_a_person {
        last_run::keep(gathered, &report);
    }
    Ok(report)
}

/// The names of this process's variables that can change what a check finds, in order.
pub fn variables_that_matter() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let mut names: Vec<String> = names.filter(|name| variable_matters(name)).collect();
    names.sort();
    names
}

/// Refuses to run cargo in a folder without a package.
fn refuse_without_manifest(root: &Path, checks: &[PlannedCheck]) -> Result<()> {
    let needs_cargo = |check: &&PlannedCheck| {
        check.needs.manifest
            && !root.join(check.directory.as_deref().unwrap_or_default()).join("Cargo.toml").is_file()
    };
    let Some(check) = checks.iter().find(needs_cargo) else { return Ok(()) };
    let folder = root.join(check.directory.as_deref().unwrap_or_default());
    let above = folder.ancestors().skip(1).find(|folder| folder.join("Cargo.toml").is_file());
    let how = match above {
        Some(above) => format!("there is one in {}: use `-C`", above.display()),
        None => "name the Rust project's folder with `-C DIR`".to_owned(),
    };
    Err(usage(format!("{}: there is no Cargo.toml for the check {}; {how}", folder.display(), check.label)))
}

/// Runs the command of a step. `rust-vmm-ci run` in it writes its report to a file in the job's folder:
/// the report step tells the build about it.
///
/// # Errors
/// Exit 3 where the shell cannot be started.
pub fn own_command(
    gathered: &Gathered,
    script: &str,
    files: Option<&JobFiles>,
    promise: &Promise,
) -> Result<Done> {
    let files = files.context("the command of a step needs the job's folder")?;
    let report = files.report();
    let path = files.path_with_this_program()?;
    let script = Script::new(gathered.machine.os.unwrap_or(gathered.target.os), script)?;
    let shell = script
        .command
        .clone()
        .dir(gathered.root())
        .env("PATH", path)
        .env(container::REPORT, &report)
        .grace(GRACE);
    let ended = promise.watching(&report, || process::supervise_inheriting(&shell, None))?;
    let exit = match ended {
        Ended::Exited(status) => Exit::Command(status),
        // As shells do: 128 and the signal's number.
        Ended::Signaled(signal) => Exit::Command(128 + signal),
        Ended::TimedOut | Ended::Cancelled => Exit::Infrastructure,
    };
    Ok(Done { exit, report: read_report(&report), summary: false })
}

/// Reads the report that `rust-vmm-ci run` left; none where there is none, or where it cannot be read.
fn read_report(file: &Path) -> Option<Report> {
    let text = files::open_plain(file).and_then(|file| files::bounded(&file, files::LONGEST_REPORT));
    let text = match text {
        Ok(text) => text,
        Err(error) if files::is_absent(&error) => return None,
        Err(error) => {
            say::error(format_args!("the report of `rust-vmm-ci run` is not read: {error}"));
            return None;
        }
    };
    match serde_json::from_slice(&text) {
        Ok(report) => Some(report),
        Err(error) => {
            say::error(format_args!(
                "the report of `rust-vmm-ci run` cannot be read: {error}; the build has no annotation for it"
            ));
            None
        }
    }
}
