//! `jobs: per-platform`: a step for each platform, whose job runs all checks of the platform. With the option
//! `split` a platform has several such steps.

use super::options::{self, JobOptions, Machine, ManyChecks, PlanOptions};
use super::step::{Renderer, Shared, Step, plugins};
use crate::buildkite::STEP_OPTIONS;
use crate::checks::times::Times;
use crate::config::Config;
use crate::exit::usage;
use crate::model::{CheckName, Origin, Os, Platform, StepLabel};
use crate::plan::{AS_IMAGE, PlannedCheck, StepSettings, split};
use crate::predecessor::minutes;
use anyhow::Result;
use indexmap::IndexMap;
use serde_json::{Map, Value};
use std::sync::Arc;

/// The checks of an upload, by platform.
#[derive(Debug)]
pub struct Groups {
    /// The platforms' jobs, in order.
    pub jobs: Vec<Group>,
    /// Checks that are for no particular platform, if there is no native platform whose job could run them.
    any: Vec<PlannedCheck>,
    /// Checks whose steps have settings that a job with many checks cannot have.
    alone: Vec<PlannedCheck>,
}

/// The checks of a platform that one job runs.
#[derive(Debug)]
pub struct Group {
    /// The label of its step: the platform's label, followed by ` (1/3)` and so on if the platform is split.
    pub label: String,
    /// The platform.
    platform: Platform,
    /// The settings of the platform's first check. They are used for the step.
    machine: Option<Arc<StepSettings>>,
    /// Its checks, in the plan's order.
    pub checks: Vec<PlannedCheck>,
}

impl Group {
    /// The checks that its job runs: those that the change reaches, or all if none is. Then the step is left out.
    pub fn run(&self) -> Vec<&PlannedCheck> {
        let run: Vec<_> = self.checks.iter().filter(|check| check.left_out().is_none()).collect();
        if run.is_empty() { self.checks.iter().collect() } else { run }
    }
}

impl Groups {
    /// Sorts planned checks by platform, and divides those of each platform by the `times` that they take.
    ///
    /// # Errors
    /// Exit 2 for a check that the agent runs only if certain files change.
    pub fn of(checks: Vec<PlannedCheck>, config: &Config, times: &Times) -> Result<Self> {
        let mut groups = Self { jobs: Vec::new(), any: Vec::new(), alone: Vec::new() };
        let mut platforms: IndexMap<Platform, Vec<PlannedCheck>> = IndexMap::new();
        for check in checks {
            if check.if_changed.is_some() {
                return Err(config.source.named_in(usage(
                    "jobs: per-platform: a platform's one job cannot be gated on each crate's files; add \
                     `select: changes`, or leave out `workspace: selective` or `jobs`",
                )));
            }
            match check.platform {
                _ if is_special(&check.step) => groups.alone.push(check),
                Some(platform) => platforms.entry(platform).or_default().push(check),
                None => groups.any.push(check),
            }
        }
        // The job of an emulated platform has another container.
        if let Some((_, first)) = platforms.iter_mut().find(|(platform, _)| !platform.is_emulated()) {
            first.append(&mut groups.any);
        }
        for (platform, mut checks) in platforms {
            part(&mut checks, &mut groups.alone);
            groups.jobs.extend(jobs_of(platform, &checks, config, times));
        }
        Ok(groups)
    }

    /// The steps, in order: first those of the platforms, then those of single checks.
    ///
    /// # Errors
    /// As [`Renderer::step`].
    pub fn steps(&self, config: &Config, reference: &str) -> Result<Vec<Step<'_>>> {
        let mut steps = Vec::new();
        for group in &self.jobs {
            steps.push(step(group, config, reference)?);
        }
        let mut renderer = Renderer::new(config, reference);
        for check in self.any.iter().chain(&self.alone) {
            steps.push(renderer.step(check)?);
        }
        Ok(steps)
    }
}

/// The jobs of a platform. The option `split` says how many, but there are at most as many as checks.
fn jobs_of(platform: Platform, checks: &[PlannedCheck], config: &Config, times: &Times) -> Vec<Group> {
    let os = checks.first().map_or(Os::Linux, |check| check.os);
    let machine = checks.iter().find(|check| check.platform.is_some()).map(|check| Arc::clone(&check.step));
    let label = label(platform, os, config);
    let parts = split(checks, config.split.jobs, times);
    let count = parts.len();
    let group = |(index, part): (usize, &Vec<usize>)| Group {
        label: if count > 1 { format!("{label} ({}/{count})", index + 1) } else { label.clone() },
        platform,
        machine: machine.clone(),
        checks: part.iter().filter_map(|index| checks.get(*index).cloned()).collect(),
    };
    parts.iter().enumerate().map(group).collect()
}

/// The step of a job.
fn step(group: &Group, config: &Config, reference: &str) -> Result<Step<'static>> {
    let (platform, settings) = (group.platform, group.machine.as_ref());
    let checks: Vec<PlannedCheck> = group.run().into_iter().cloned().collect();
    let os = checks.first().map_or(Os::Linux, |check| check.os);
    let agents = settings.map(|settings| settings.agents.to_map()).unwrap_or_default();
    let docker = settings.and_then(|settings| settings.docker.as_ref()).map(|_| merged_docker(&checks));
    let timeout: u32 = checks.iter().filter_map(|check| minutes(&check.step.timeout.value)).sum();
    let options = options::to_map(&ManyChecks {
        machine: Machine::of(Some(platform), os),
        // The job of an emulated platform plans nothing, because its step contains the checks' commands.
        plan: (!platform.is_emulated()).then(|| PlanOptions::of(&checks, config)),
        docker: options::docker(docker, os),
        job: JobOptions::of(config),
    })?;
    let command =
        if platform.is_emulated() { PlannedCheck::script(&checks) } else { "rust-vmm-ci run".to_owned() };
    let attributes = settings.map(|settings| settings.attributes.to_map()).unwrap_or_default();
    Ok(Step {
        label: group.label.clone().into(),
        command: command.into(),
        shared: Arc::new(Shared::new(
            &agents,
            &plugins(reference, options, &[]),
            &timeout.into(),
            attributes,
            config,
        )?),
        if_changed: None,
        skip: checks.first().and_then(|check| check.left_out().map(|reason| reason.to_owned().into())),
    })
}

/// Whether a step has settings that a job with many checks cannot have: plugins, or an attribute that not
/// every step has.
fn is_special(settings: &StepSettings) -> bool {
    let plain = |origin: &Origin| match origin {
        Origin::Default => true,
        // All checks of a job use the same image.
        Origin::Option(key) if key == AS_IMAGE => true,
        Origin::Option(key) => STEP_OPTIONS.iter().any(|option| option.name == key),
        _ => false,
    };
    !settings.plugins.is_empty() || settings.attributes.iter().any(|(_, traced)| !plain(&traced.origin))
}

/// Moves checks from `checks` to `alone` if their agents or their image differ from those of the first check.
fn part(checks: &mut Vec<PlannedCheck>, alone: &mut Vec<PlannedCheck>) {
    let Some(first) = checks.first().map(|check| Arc::clone(&check.step)) else { return };
    let fits = |check: &PlannedCheck| {
        let mut agents = first.agents.to_map();
        if check.platform.is_none() {
            agents.shift_remove("platform");
        }
        let image = |settings: &StepSettings| {
            settings.docker.as_ref().map(|docker| docker.get("image").map(|image| image.value.clone()))
        };
        check.step.agents.to_map() == agents && image(&check.step) == image(&first)
    };
    let (fitting, others) = std::mem::take(checks).into_iter().partition(fits);
    *checks = fitting;
    alone.extend(others);
}

/// The container's options of all checks together. Lists are joined. For other values the first one that is
/// not `false` is used.
fn merged_docker(checks: &[PlannedCheck]) -> Map<String, Value> {
    let mut merged = Map::new();
    let maps = checks.iter().filter_map(|check| check.step.docker.as_ref());
    for (name, value) in maps.flat_map(crate::plan::TracedMap::to_map) {
        match (merged.get_mut(&name), value) {
            (Some(Value::Array(all)), Value::Array(more)) => {
                let more: Vec<Value> = more.into_iter().filter(|item| !all.contains(item)).collect();
                all.extend(more);
            }
            (Some(known), value) if *known == Value::Bool(false) => *known = value,
            (Some(_), _) => {}
            (None, value) => {
                merged.insert(name, value);
            }
        }
    }
    merged
}

/// The label of a platform's step: `checks-PLATFORM`. Without the standard checks, the name of the first file
/// of tests is used instead, so that the steps of two uploads in a build have different labels.
fn label(platform: Platform, os: Os, config: &Config) -> String {
    let stem = |path: &String| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.strip_suffix(".json").unwrap_or(name).to_owned()
    };
    let name = match config.tests.first() {
        Some(file) if !config.standard => stem(file),
        _ => "checks".to_owned(),
    };
    let name = if os == Os::Linux { name } else { format!("{name}-{os}") };
    StepLabel::of(&CheckName::new(name), Some(platform), None).as_str().to_owned()
}
