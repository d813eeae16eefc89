//! `run`: the checks, here.

use super::environment;
use crate::checks::cargo::CargoCommand;
use crate::cli::{Common, RunArgs};
use crate::exit::{self, Exit};
use crate::model::*;
use crate::plan::{PlannedCheck, Work};
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
    let value: serde_json::Value = serde_json::from_str(crate::checks::STANDARD)?;
    let mut plan = Vec::new();
    for test in value["tests"].as_array().unwrap() {
        if test["os"].is_string()
            || test["platform"].as_array().is_some_and(|a| !a.iter().any(|p| p == platform.as_str()))
        {
            continue;
        }
        let name = test["test_name"].as_str().unwrap();
        if !args.names.is_empty() && !args.names.iter().any(|n| n == name) {
            continue;
        }
        let command = test["command"].as_str().unwrap().replace("{target_platform}", platform.as_str());
        let Some(command) = CargoCommand::parse(&command) else { continue };
        if command.verb == "x" || command.args.is_empty() {
            continue;
        }
        let name = CheckName::new(name);
        plan.push(PlannedCheck {
            label: StepLabel::of(&name, None, None),
            name,
            platform: Some(platform),
            os,
            work: Work::Cargo(command, FeatureMode::Powerset),
            directory: None,
            package: None,
            soft_fail: false,
            timeout_in_minutes: None,
            env: vec![],
            own: serde_json::Map::default(),
        });
    }
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
        update: args.update,
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
