//! This plugin's options in a generated step: everything that the step's job needs, without default values.
//!
//! The types here are the written form of the options. serde writes them, in the order of the fields.

#[cfg(test)]
mod tests;

use crate::config::{CheckOptions, Config, ExtraStep, WorkspaceMode};
use crate::model::{FeatureMode, Origin, Os, Platform};
use crate::plan::{PlannedCheck, StepSettings, TracedMap};
use crate::predecessor::minutes;
use anyhow::{Result, bail};
use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value};

/// The options of a step for one check.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct OneCheck {
    #[serde(flatten)]
    machine: Machine,
    #[serde(skip_serializing_if = "Map::is_empty")]
    checks: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    docker: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_in_minutes: Option<u32>,
    #[serde(flatten)]
    job: JobOptions,
}

/// The options of a step for many checks of a platform.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ManyChecks<'a> {
    #[serde(flatten)]
    pub machine: Machine,
    #[serde(flatten)]
    pub plan: Option<PlanOptions<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker: Option<Value>,
    #[serde(flatten)]
    pub job: JobOptions,
}

/// The platform and the system, if the job might otherwise use others.
#[derive(Debug, Default, Serialize)]
pub struct Machine {
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<&'static str>,
}

impl Machine {
    pub fn of(platform: Option<Platform>, os: Os) -> Self {
        Self { platform: platform.map(Platform::as_str), os: (os != Os::Linux).then(|| os.as_str()) }
    }
}

/// The options with which a job plans the same checks as the upload did.
#[derive(Debug, Serialize)]
pub struct PlanOptions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    standard: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<&'static str>,
    #[serde(rename = "merge-examples", skip_serializing_if = "Option::is_none")]
    merge_examples: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workspace: Option<WorkspaceMode>,
    only: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tests: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<WrittenStep<'a>>,
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    checks: IndexMap<&'a str, WrittenCheck<'a>>,
}

impl<'a> PlanOptions<'a> {
    /// The options of the configuration for these checks.
    pub fn of(checks: &'a [PlannedCheck], config: &'a Config) -> Self {
        // All fields are named, so that a new option does not compile until it is handled here. The upload
        // has already applied the fields that are not used here: their effect is in the checks' labels, in
        // the step itself, or in other parts of the options.
        let Config {
            standard,
            features,
            merge_examples,
            tests,
            steps,
            checks: overrides,
            mode: _,
            platforms: _,
            os: _,
            only: _,
            skip: _,
            workspace,
            dependents: _,
            jobs: _,
            split: _,
            docker: _,
            agents: _,
            hypervisor: _,
            timeout_in_minutes: _,
            cache: _,
            annotate: _,
            summary: _,
            github_check: _,
            version: _,
            step_options: _,
            select: _,
            ignore: _,
            source: _,
        } = config;
        let mut written: IndexMap<&str, WrittenCheck> =
            overrides.iter().map(|(name, check)| (name.as_str(), WrittenCheck::whole(check))).collect();
        for check in checks.iter().filter(|check| matches!(check.step.timeout.origin, Origin::Variable(_))) {
            let check_options = written.entry(check.name.as_str()).or_default();
            check_options.timeout_in_minutes = minutes(&check.step.timeout.value);
        }
        written.retain(|_, check| *check != WrittenCheck::default());
        Self {
            standard: (!standard).then_some(false),
            features: not_default(*features),
            merge_examples: (!merge_examples).then_some(false),
            workspace: (*workspace != WorkspaceMode::default()).then_some(*workspace),
            // The checks are named by label, so that the job does not repeat the upload's decisions.
            only: checks.iter().map(|check| check.label.as_str()).collect(),
            tests,
            steps: steps.iter().map(WrittenStep::of).collect(),
            checks: written,
        }
    }
}

/// The options that are about jobs, not about checks.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobOptions {
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotate: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    github_check: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
}

impl JobOptions {
    pub fn of(config: &Config) -> Self {
        Self {
            cache: config.cache.map(crate::config::Cache::as_str),
            annotate: (!config.annotate).then_some(false),
            github_check: config.github_check.then_some(true),
            version: config.version.as_ref().map(ToString::to_string),
        }
    }
}

/// The repository's own step, as it is written under `steps`.
#[derive(Debug, Serialize)]
struct WrittenStep<'a> {
    label: &'a str,
    command: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Vec<&'static str>>,
    #[serde(flatten)]
    attributes: &'a Map<String, Value>,
}

impl<'a> WrittenStep<'a> {
    fn of(step: &'a ExtraStep) -> Self {
        let ExtraStep { label, command, platforms, attributes } = step;
        Self { label, command, platform: platforms.as_deref().map(names), attributes }
    }
}

/// The options of a check, as they are written under `checks`.
#[derive(Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
struct WrittenCheck<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    args: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    packages: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    exclude: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    env: Option<&'a IndexMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    working_directory: Option<&'a str>,
    #[serde(flatten)]
    own: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<Vec<&'static str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_in_minutes: Option<u32>,
}

impl<'a> WrittenCheck<'a> {
    /// The options that affect the check's work. The options that affect its step are in the step already.
    fn of_work(check: &'a CheckOptions) -> Self {
        let CheckOptions {
            args,
            packages,
            exclude,
            command,
            env,
            features,
            working_directory,
            own,
            docker: _,
            agents: _,
            timeout_in_minutes: _,
            soft_fail: _,
            platforms: _,
            // The job has the check's name in `only`, which also adds the check.
            added: _,
        } = check;
        Self {
            args,
            packages,
            exclude,
            command: command.as_deref(),
            env: Some(env).filter(|env| !env.is_empty()),
            features: features.map(feature_mode),
            working_directory: working_directory.as_deref(),
            own: Some(own).filter(|own| !own.is_empty()),
            platform: None,
            timeout_in_minutes: None,
        }
    }

    /// The options that a job of many checks reads.
    fn whole(check: &'a CheckOptions) -> Self {
        Self {
            platform: check.platforms.as_deref().map(names),
            timeout_in_minutes: check.timeout_in_minutes,
            ..Self::of_work(check)
        }
    }
}

/// The options of a check's step.
///
/// # Errors
/// If they cannot be written as JSON. None of our options has this error.
pub fn of_check(config: &Config, check: &PlannedCheck) -> Result<Map<String, Value>> {
    let settings = &check.step;
    let timeout = Some(&settings.timeout).filter(|timeout| timeout.origin != Origin::Default);
    let (checks, features) = match &settings.check {
        Some(name) => (overrides(config, settings, name)?, not_default(config.features)),
        None => (Map::new(), None),
    };
    to_map(&OneCheck {
        machine: Machine::of(check.platform, check.os),
        checks,
        features,
        docker: docker(settings.docker.as_ref().map(TracedMap::to_map), check.os),
        timeout_in_minutes: timeout.and_then(|timeout| minutes(&timeout.value)),
        job: JobOptions::of(config),
    })
}

/// The option `checks` for the check of this name in the step's job. It combines the options of all names
/// that apply to the check. If two set the same value, the later one wins.
fn overrides(config: &Config, settings: &StepSettings, name: &str) -> Result<Map<String, Value>> {
    let mut own = Map::new();
    for known in settings.overrides.iter().filter_map(|name| config.checks.get(name)) {
        own.extend(to_map(&WrittenCheck::of_work(known))?);
    }
    Ok(if own.is_empty() { own } else { Map::from_iter([(name.to_owned(), Value::Object(own))]) })
}

/// The option `docker`: the container's options. Without options it is `false` on Linux, because a container
/// is the default there.
pub fn docker(options: Option<Map<String, Value>>, os: Os) -> Option<Value> {
    match options {
        Some(options) => Some(Value::Object(options)),
        None => (os == Os::Linux).then_some(Value::Bool(false)),
    }
}

/// Options as a map for a step.
///
/// # Errors
/// If they cannot be written as JSON. None of our options has this error.
pub fn to_map(options: &impl Serialize) -> Result<Map<String, Value>> {
    match serde_json::to_value(options)? {
        Value::Object(map) => Ok(map),
        other => bail!("options are no map: {other}"),
    }
}

fn names(platforms: &[Platform]) -> Vec<&'static str> {
    platforms.iter().map(|platform| platform.as_str()).collect()
}

fn not_default(mode: FeatureMode) -> Option<&'static str> {
    (mode != FeatureMode::default()).then(|| feature_mode(mode))
}

/// The word for a mode in the options.
const fn feature_mode(mode: FeatureMode) -> &'static str {
    match mode {
        FeatureMode::Powerset => "powerset",
        FeatureMode::PowersetAll => "powerset-all",
        FeatureMode::Each => "each",
        FeatureMode::All => "all",
        FeatureMode::Default => "default",
    }
}
