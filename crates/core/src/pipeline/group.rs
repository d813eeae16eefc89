//! `jobs: per-platform`: a step for each platform, whose job runs every check of it, or as many as it
//! is split over.

use super::options::{add_job_options, feature_mode, of_machine, of_overrides};
use super::step::{Renderer, Shared, Step, plugins};
use crate::checks::times::Times;
use crate::config::{CheckOptions, Config};
use crate::exit::usage;
use crate::model::{CheckName, FeatureMode, Origin, Os, Platform, StepLabel};
use crate::plan::{PlannedCheck, StepSettings, split};
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
    /// Checks for no platform, where there is no native one whose job could run them.
    any: Vec<PlannedCheck>,
    /// Checks whose steps ask for something of their own.
    alone: Vec<PlannedCheck>,
}

/// What one job runs of a platform.
#[derive(Debug)]
pub struct Group {
    /// The label of its step: the platform's, and which part of how many it is.
    pub label: String,
    /// The platform.
    platform: Platform,
    /// What the steps of the platform say: those of its first check.
    machine: Option<Arc<StepSettings>>,
    /// Its checks, in the plan's order.
    pub checks: Vec<PlannedCheck>,
}

impl Groups {
    /// Sorts planned checks, and splits those of each platform by the `times` that they take.
    ///
    /// # Errors
    /// Exit 2 for a check of one crate: its step is gated on the crate's files.
    pub fn of(checks: Vec<PlannedCheck>, config: &Config, times: &Times) -> Result<Self> {
        let mut groups = Self { jobs: Vec::new(), any: Vec::new(), alone: Vec::new() };
        let mut platforms: IndexMap<Platform, Vec<PlannedCheck>> = IndexMap::new();
        for check in checks {
            if check.if_changed.is_some() {
                return Err(config.source.named_in(usage(
                    "jobs: per-platform: a platform's one job cannot be gated on each crate's files; \
                     leave out `workspace: selective` or `jobs`",
                )));
            }
            match check.platform {
                _ if is_special(&check.step) => groups.alone.push(check),
                Some(platform) => platforms.entry(platform).or_default().push(check),
                None => groups.any.push(check),
            }
        }
        // An emulated platform's job has a container that is not theirs.
        if let Some((_, first)) = platforms.iter_mut().find(|(platform, _)| !platform.is_emulated()) {
            first.append(&mut groups.any);
        }
        for (platform, mut checks) in platforms {
            part(&mut checks, &mut groups.alone);
            groups.jobs.extend(jobs_of(platform, &checks, config, times));
        }
        Ok(groups)
    }

    /// The steps, in order: the platforms', then those that stand alone.
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

/// The jobs of a platform: one, or as many as the option says and there are checks for.
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
    let Group { platform, checks, .. } = group;
    let (platform, settings) = (*platform, group.machine.as_ref());
    let os = checks.first().map_or(Os::Linux, |check| check.os);
    let agents = settings.map(|settings| settings.agents.to_map()).unwrap_or_default();
    let docker = settings.and_then(|settings| settings.docker.as_ref()).map(|_| merged_docker(checks));
    let timeout: u32 = checks.iter().filter_map(|check| minutes(&check.step.timeout.value)).sum();
    let mut options = if platform.is_emulated() {
        of_machine(Some(platform), os)
    } else {
        job_options(platform, os, checks, config)
    };
    if let Some(docker) = docker {
        options.insert("docker".into(), Value::Object(docker));
    } else if os == Os::Linux {
        options.insert("docker".into(), false.into());
    }
    add_job_options(&mut options, config);
    let command =
        if platform.is_emulated() { PlannedCheck::script(checks) } else { "rust-vmm-ci run".to_owned() };
    let attributes = settings.map(|settings| settings.attributes.to_map()).unwrap_or_default();
    Ok(Step {
        label: group.label.clone().into(),
        command: command.into(),
        shared: Arc::new(Shared::new(
            &agents,
            &plugins(reference, options, &[]),
            timeout.into(),
            attributes,
        )?),
        if_changed: None,
    })
}

/// The options by which the job plans the same checks: the upload's, without what has been
/// decided here.
fn job_options(platform: Platform, os: Os, checks: &[PlannedCheck], config: &Config) -> Map<String, Value> {
    let mut options = of_machine(Some(platform), os);
    if !config.standard {
        options.insert("standard".into(), false.into());
    }
    if config.features != FeatureMode::default() {
        options.insert("features".into(), feature_mode(config.features).into());
    }
    // By label, so that what the upload decided holds, whatever decided it.
    let labels: Vec<&str> = checks.iter().map(|check| check.label.as_str()).collect();
    options.insert("only".into(), labels.into());
    if !config.tests.is_empty() {
        options.insert("tests".into(), config.tests.clone().into());
    }
    if !config.steps.is_empty() {
        let steps: Vec<Value> = config.steps.iter().map(extra_step).collect();
        options.insert("steps".into(), steps.into());
    }
    let mut overrides = Map::new();
    for (name, check) in &config.checks {
        overrides.insert(name.clone(), Value::Object(of_whole(check)));
    }
    for check in checks.iter().filter(|check| matches!(check.step.timeout.origin, Origin::Variable(_))) {
        let entry = overrides.entry(check.name.as_str()).or_insert_with(|| Value::Object(Map::new()));
        entry["timeout-in-minutes"] = check.step.timeout.value.clone();
    }
    overrides.retain(|_, options| options.as_object().is_some_and(|options| !options.is_empty()));
    if !overrides.is_empty() {
        options.insert("checks".into(), Value::Object(overrides));
    }
    options
}

/// Whether a step asks for what a job of many checks cannot give.
fn is_special(settings: &StepSettings) -> bool {
    let plain = |origin: &Origin| matches!(origin, Origin::Default);
    !settings.plugins.is_empty() || settings.attributes.iter().any(|(_, traced)| !plain(&traced.origin))
}

/// Takes the checks that do not fit with the first one's agents and container out of a group.
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

/// The container's options of all checks in one: lists are joined, of other values the first that is
/// not `false` holds.
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

/// The label of a platform's step: after the files where these are all, so that two uploads of a build
/// can be told apart.
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

/// All of a check's options that a job reads.
fn of_whole(check: &CheckOptions) -> Map<String, Value> {
    let mut options = of_overrides(check);
    if let Some(platforms) = &check.platforms {
        let names: Vec<&str> = platforms.iter().map(|platform| platform.as_str()).collect();
        options.insert("platform".into(), names.into());
    }
    if let Some(minutes) = check.timeout_in_minutes {
        options.insert("timeout-in-minutes".into(), minutes.into());
    }
    options
}

/// A step of the configuration as it was written.
fn extra_step(step: &crate::config::ExtraStep) -> Value {
    let mut written = Map::new();
    written.insert("label".into(), step.label.as_str().into());
    written.insert("command".into(), step.command.as_str().into());
    if let Some(platforms) = &step.platforms {
        let names: Vec<&str> = platforms.iter().map(|platform| platform.as_str()).collect();
        written.insert("platform".into(), names.into());
    }
    written.extend(step.attributes.clone());
    Value::Object(written)
}
