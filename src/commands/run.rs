//! `run`: the checks, here.

use super::environment;
use crate::cli::{Common, RunArgs};
use crate::exit::{self, Exit};
use crate::model::*;
use crate::plan::PlannedCheck;
use crate::process;
use crate::report::{Report, VERSION};
use crate::run::console::Console;
use crate::run::{self, Job, Settings};
use anyhow::{Context as _, Result};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Runs checks and reports.
pub fn run(common: &Common, args: &RunArgs) -> Result<Exit> {
    process::heed_signals()?;
    let root = root(common.dir.as_deref())?;
    let platform = Platform::of_this_machine().context("platform")?;
    let os = Os::Linux;
    let config = crate::config::Config::default();
    let facts = super::facts::read(&root, &config, false)?;
    let asked = crate::plan::Asked { names: args.names.clone(), packages: Vec::new() };
    let plan = crate::plan::for_run(&config, &facts, platform, os, asked)?.checks;
    let report = execute(&root, &plan, platform, os, args);
    for o in &report.outcomes {
        println!("{} {} {} {:.1}", o.label, o.verdict.as_str(), o.combinations.len(), o.seconds);
    }
    if let Some(file) = &args.report {
        std::fs::write(file, serde_json::to_string_pretty(&report)?)?;
    }
    Ok(report.exit())
}

/// The repository's root: the folder that was named, or this one.
fn root(dir: Option<&Path>) -> Result<PathBuf> {
    let dir = dir.unwrap_or(Path::new("."));
    let root = dir.canonicalize().map_err(|error| exit::usage(format!("-C {}: {error}", dir.display())))?;
    Ok(root)
}

/// Runs a plan and makes the report.
fn execute(root: &Path, plan: &[PlannedCheck], platform: Platform, os: Os, args: &RunArgs) -> Report {
    let begin = Instant::now();
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let job = Job::new(root);
    let console =
        Console::new(environment::console_kind(), environment::color(), Box::new(std::io::stdout()));
    let settings = Settings {
        platform,
        os,
        ci: environment::in_ci(),
        strict: args.strict,
        fail_fast: args.fail_fast,
        jobs: args.jobs.map_or(1, usize::from),
    };
    let outcomes = run::run(plan, &job, &settings, &console, begin);
    Report {
        version: VERSION,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        platform: platform.to_string(),
        os: os.to_string(),
        commit: None,
        toolchain: job.toolchain().ok().map(|toolchain| toolchain.version.clone()),
        container: None,
        started,
        seconds: begin.elapsed().as_secs_f64(),
        cancelled: process::cancelled(),
        outcomes,
    }
}
