//! `run`: the checks, here.

use super::environment::{self, variable};
use super::{configuration, facts, job_files, machine, place, reporting};
use crate::cli::{Common, RunArgs};
use anyhow::Result;
use rust_vmm_ci_core::config::{Config, Found, Mode};
use rust_vmm_ci_core::exit::{Exit, infrastructure, usage};
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_core::plan::{self, Asked, PlannedCheck};
use rust_vmm_ci_core::report::{Report, Usage, profile, table};
use rust_vmm_ci_effects::run::console::Console;
use rust_vmm_ci_effects::run::{self, Job, Settings};
use rust_vmm_ci_effects::{container, process};
use std::path::Path;
use std::time::Instant;

/// Runs checks and reports.
///
/// # Errors
/// Exit 2 for what a person got wrong; what goes wrong with a check is its outcome.
pub fn run(common: &Common, args: &RunArgs) -> Result<Exit> {
    process::heed_signals()?;
    job_files::keep_temporary_files_together();
    let root = configuration::root(common)?;
    let found = configuration::find(common, &root, Mode::Run)?;
    if args.docker {
        return place::run_checks(common, args, &root, found);
    }
    Ok(in_job(common, args, &root, &found)?.exit())
}

/// Runs checks with a configuration that is known, and returns the report.
///
/// # Errors
/// As [`run`].
pub fn in_job(common: &Common, args: &RunArgs, root: &Path, found: &Found) -> Result<Report> {
    let config = &found.config;
    let os = this_os(common, config)?;
    let platform = this_platform(common, config)?;
    let facts = facts::read(root, config, !args.package.is_empty())?;
    let asked = Asked { names: args.names.clone(), packages: args.package.clone() };
    let plan = plan::for_run(config, &facts, platform, os, asked)?;
    refuse_without_manifest(root, &plan.checks)?;
    for note in &plan.notes {
        eprintln!("rust-vmm-ci: note: {note}");
    }
    let report = execute(root, &plan.checks, platform, os, args)?;
    let text = table::summary(&report, environment::color());
    print!("{}{text}", if environment::in_buildkite() { "+++ :clipboard: rust-vmm-ci\n" } else { "\n" });
    if args.timings {
        print!("\n{}", profile::table(&report));
    }
    reporting::write_files(root, &report, args);
    Ok(report)
}

/// The system that checks can run for here.
fn this_os(common: &Common, config: &Config) -> Result<Os> {
    let here = Os::of_this_machine().ok_or_else(|| {
        infrastructure(format!("checks run on Linux and Windows; this is {}", std::env::consts::OS))
    })?;
    match common.os.or(config.os) {
        Some(other) if other != here => Err(usage(format!(
            "os: {other} is not this machine's ({here}); run it on an agent with `os={other}`, or print its \
             steps with `rust-vmm-ci pipeline --os {other}`"
        ))),
        _ => Ok(here),
    }
}

/// The platform that checks can run for here: one of several that are configured is meant.
fn this_platform(common: &Common, config: &Config) -> Result<Platform> {
    let here = Platform::of_this_machine().ok_or_else(|| {
        infrastructure(format!("checks run on x86_64 and aarch64; this is {}", std::env::consts::ARCH))
    })?;
    let configured = config.platforms.as_deref().unwrap_or_default();
    let other = match common.platform {
        Some(platform) => Some(platform).filter(|platform| *platform != here),
        None if configured.contains(&here) => None,
        None => configured.first().copied(),
    };
    let Some(other) = other else { return Ok(here) };
    let how = if other.is_emulated() {
        "it is emulated in a container: `rust-vmm-ci run --docker`".to_owned()
    } else {
        format!("run it on an agent with `platform={}`", other.agent_tag())
    };
    Err(usage(format!(
        "platform: {other} is not this machine's ({here}); {how}, or print its steps with `rust-vmm-ci \
         pipeline --platform {other}`"
    )))
}

/// Refuses to run cargo where there is no package for it.
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

/// Runs a plan and makes the report.
fn execute(
    root: &Path,
    checks: &[PlannedCheck],
    platform: Platform,
    os: Os,
    args: &RunArgs,
) -> Result<Report> {
    let begin = Instant::now();
    let job = Job::new(root);
    let console =
        Console::new(environment::console_kind(), environment::color(), Box::new(std::io::stdout()));
    let settings = Settings {
        platform,
        os,
        ci: environment::in_ci(),
        strict: args.strict,
        fail_fast: args.fail_fast,
        jobs: args.jobs.map_or_else(|| run::at_once(machine::cores(), machine::memory()), usize::from),
        shard: environment::shard()?,
        timings: args.timings,
        update: args.update,
    };
    let outcomes = run::run(checks, &job, &settings, &console, begin);
    Ok(Report {
        toolchain: job.toolchain().ok().map(|toolchain| toolchain.version.clone()),
        container: variable(container::IMAGE_VARIABLE),
        cancelled: process::cancelled(),
        usage: process::usage().map(|process::Usage { cpu, own_cpu, own_memory }| Usage {
            cpu,
            own_cpu,
            own_memory,
        }),
        outcomes,
        ..reporting::about(root, platform, os, begin)
    })
}
