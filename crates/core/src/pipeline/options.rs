//! This plugin's options in a generated step: what its job needs, and nothing that is the default.

use crate::config::{CheckOptions, Config};
use crate::model::{FeatureMode, Origin, Os, Platform};
use crate::plan::{PlannedCheck, StepSettings};
use crate::predecessor::minutes;
use serde_json::{Map, Value};

/// The options of a check's step.
pub fn of_check(config: &Config, check: &PlannedCheck) -> Map<String, Value> {
    let settings = &check.step;
    let mut options = of_machine(check.platform, check.os);
    if let Some(name) = &settings.check {
        let mut own = Map::new();
        for known in settings.overrides.iter().filter_map(|name| config.checks.get(name)) {
            own.extend(of_overrides(known));
        }
        if !own.is_empty() {
            let mut checks = Map::new();
            checks.insert(name.clone(), Value::Object(own));
            options.insert("checks".into(), Value::Object(checks));
        }
        if config.features != FeatureMode::default() {
            options.insert("features".into(), feature_mode(config.features).into());
        }
    }
    add_common(&mut options, config, settings, check.os);
    options
}

/// The platform and system, where the job could take another.
pub fn of_machine(platform: Option<Platform>, os: Os) -> Map<String, Value> {
    let mut options = Map::new();
    if let Some(platform) = platform {
        options.insert("platform".into(), platform.as_str().into());
    }
    if os != Os::Linux {
        options.insert("os".into(), os.as_str().into());
    }
    options
}

/// What every job needs.
fn add_common(options: &mut Map<String, Value>, config: &Config, settings: &StepSettings, os: Os) {
    match &settings.docker {
        Some(docker) => {
            options.insert("docker".into(), Value::Object(docker.to_map()));
        }
        None if os == Os::Linux => {
            options.insert("docker".into(), false.into());
        }
        None => {}
    }
    if settings.timeout.origin != Origin::Default
        && let Some(limit) = minutes(&settings.timeout.value)
    {
        options.insert("timeout-in-minutes".into(), limit.into());
    }
    add_job_options(options, config);
}

/// The options that are about jobs and not about checks.
pub fn add_job_options(options: &mut Map<String, Value>, config: &Config) {
    if let Some(cache) = config.cache {
        options.insert("cache".into(), cache.as_str().into());
    }
    if !config.annotate {
        options.insert("annotate".into(), false.into());
    }
    if let Some(version) = &config.version {
        options.insert("version".into(), version.to_string().into());
    }
}

/// What of a check's options concerns its work and not its step.
pub fn of_overrides(check: &CheckOptions) -> Map<String, Value> {
    let mut options = Map::new();
    let mut list = |key: &str, values: &[String]| {
        if !values.is_empty() {
            options.insert(key.to_owned(), values.to_vec().into());
        }
    };
    list("args", &check.args);
    list("packages", &check.packages);
    list("exclude", &check.exclude);
    if let Some(command) = &check.command {
        options.insert("command".into(), command.as_str().into());
    }
    if !check.env.is_empty() {
        let env: Map<_, _> =
            check.env.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        options.insert("env".into(), Value::Object(env));
    }
    if let Some(mode) = check.features {
        options.insert("features".into(), feature_mode(mode).into());
    }
    if let Some(folder) = &check.working_directory {
        options.insert("working-directory".into(), folder.as_str().into());
    }
    options.extend(check.own.clone());
    options
}

/// A mode as it is written in options.
pub const fn feature_mode(mode: FeatureMode) -> &'static str {
    match mode {
        FeatureMode::Powerset => "powerset",
        FeatureMode::PowersetAll => "powerset-all",
        FeatureMode::Each => "each",
        FeatureMode::All => "all",
        FeatureMode::Default => "default",
    }
}
