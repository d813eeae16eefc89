//! Reads a configuration. If it is wrong, the error says where and how to mend it.

use super::{Config, Jobs};
use crate::buildkite::STEP_OPTIONS;
use crate::exit::usage;
use crate::options::{self, Refusal, Source};
use anyhow::Result;
use indexmap::IndexMap;
use serde_json::Value;

impl Config {
    /// Reads the plugin's options from a step. `null` is the default configuration.
    ///
    /// # Errors
    /// As [`Config::read`], with exit 2.
    pub fn parse(value: &Value) -> Result<Self> {
        Self::read(value, Source::Step).map_err(usage)
    }

    /// Reads the plugin's options from this source. `null` is the default configuration.
    ///
    /// # Errors
    /// If a value is not allowed. If a nested value is `null`, because the agent then drops the whole
    /// configuration. If an option has no effect without another option.
    pub fn read(value: &Value, source: Source) -> Result<Self, Refusal> {
        let read = || {
            if value.is_null() {
                return Ok(Self::default());
            }
            refuse_nulls(value)?;
            let (step_options, rest) = take_step_options(value)?;
            let config: Self = options::read(&rest).map_err(|refusal| with_step_options(refusal, &rest))?;
            let config = Self { step_options, ..config };
            if config.split.jobs > 1 && config.jobs == Jobs::PerCheck {
                let reason =
                    "every check has a job of its own; add `jobs: per-platform`, or leave `split` out";
                return Err(Refusal::because(reason).below("split"));
            }
            for (at, glob) in config.ignore.iter().enumerate() {
                let wrong = |error: glob::PatternError| Refusal::because(error.to_string());
                glob::Pattern::new(glob).map_err(|error| wrong(error).below(&format!("ignore[{at}]")))?;
            }
            Ok(config)
        };
        match read() {
            Ok(config) => Ok(Self { source, ..config }),
            Err(refusal) => Err(refusal.at_source(source)),
        }
    }
}

/// Splits the options into those that are attributes of every step, and the rest.
fn take_step_options(value: &Value) -> Result<(IndexMap<&'static str, Value>, Value), Refusal> {
    let mut taken = IndexMap::new();
    let mut rest = value.clone();
    let Value::Object(options) = &mut rest else { return Ok((taken, rest)) };
    for option in STEP_OPTIONS {
        if let Some(value) = options.shift_remove(option.name) {
            (option.check)(&value).map_err(|refusal| refusal.below(option.name))?;
            taken.insert(option.name, value);
        }
    }
    Ok((taken, rest))
}

/// The refusal of an unknown option. It also suggests step options that the person may have meant.
fn with_step_options(refusal: Refusal, options: &Value) -> Refusal {
    let mut keys = options.as_object().into_iter().flat_map(|options| options.keys());
    let Some(key) = keys.find(|key| options::key(key) == refusal.path()) else { return refusal };
    let names: Vec<&str> = STEP_OPTIONS.iter().map(|option| option.name).collect();
    refusal.or_one_of(key, &names)
}

/// Refuses nested `null`s.
///
/// # Errors
/// The refusal names the key path of each `null`.
pub fn refuse_nulls(value: &Value) -> Result<(), Refusal> {
    let paths = nulls(value);
    if paths.is_empty() { Ok(()) } else { Err(Refusal::without_value(&paths)) }
}

/// The key paths of every `null` within a value.
fn nulls(value: &Value) -> Vec<String> {
    let within = |head: &str, item: &Value| -> Vec<String> {
        nulls(item).iter().map(|rest| options::path(head, rest)).collect()
    };
    match value {
        Value::Null => vec![String::new()],
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(at, item)| within(&format!("[{at}]"), item)).collect()
        }
        Value::Object(map) => map.iter().flat_map(|(key, item)| within(&options::key(key), item)).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DockerChoice, Jobs, Mode, Select, Split, WorkspaceMode, agreement, text};
    use crate::exit::{self, Exit};
    use crate::model::{Os, Platform};
    use serde_json::json;

    #[derive(serde::Deserialize)]
    struct Refused {
        given: Value,
        says: String,
    }

    #[derive(serde::Deserialize)]
    struct Same {
        written: Vec<Value>,
    }

    fn cases<T: serde::de::DeserializeOwned>(text: &str) -> Vec<T> {
        let cases: Vec<T> = serde_json::from_value(text::yaml(text).unwrap()).unwrap();
        assert!(!cases.is_empty());
        cases
    }

    #[test]
    fn what_no_option_allows_is_refused_with_its_place_and_what_was_meant() {
        let mut differing = Vec::new();
        let all = agreement::names().join(", ");
        let platforms = Platform::ALL.map(Platform::as_str).join(", ");
        for Refused { given, says } in cases(include_str!("../../../../tests/cases/config/refused.yml")) {
            let says = says.replace("{all}", &all).replace("{platforms}", &platforms);
            match Config::parse(&given) {
                Ok(_) => differing.push(format!("{given} is accepted")),
                Err(error) if error.to_string() != says => {
                    differing.push(format!("{given}\n  says {error}\n  not  {says}"));
                }
                Err(error) => assert_eq!(exit::of(&error), Exit::Usage, "{given}"),
            }
        }
        assert!(differing.is_empty(), "{}", differing.join("\n"));
    }

    #[test]
    fn what_may_be_written_in_two_ways_comes_to_the_same() {
        for Same { written } in cases(include_str!("../../../../tests/cases/config/same.yml")) {
            let first = format!("{:?}", Config::parse(&written[0]).unwrap());
            for other in &written[1..] {
                assert_eq!(format!("{:?}", Config::parse(other).unwrap()), first, "{other}");
            }
        }
    }

    #[test]
    fn every_option_arrives() {
        let text = include_str!("../../../../tests/cases/config/every-option.yml");
        let config = Config::parse(&text::yaml(text).unwrap()).unwrap();
        assert_eq!(config.mode, Mode::Upload);
        assert_eq!(config.platforms, Some(vec![Platform::X86_64, Platform::Riscv64]));
        assert_eq!(config.os, Some(Os::Linux));
        assert_eq!(config.only, Some(vec!["style".into(), "bzimage".into()]));
        assert_eq!(config.skip, ["doc"]);
        assert!(!config.standard);
        assert_eq!(config.tests, ["a.json", "b.json"]);
        assert_eq!(config.features, crate::model::FeatureMode::Each);
        assert_eq!(config.workspace, WorkspaceMode::Selective);
        assert!(!config.dependents);
        assert_eq!(config.select, Select::Changes);
        assert_eq!(config.ignore, ["docs/**"]);
        assert_eq!(config.jobs, Jobs::PerPlatform);
        assert_eq!(config.split, Split { jobs: 3, times: vec!["times.json".into()] });
        let docker = json!({"image": "rustvmm/dev:v1", "runtime": "podman"});
        assert_eq!(config.docker, DockerChoice::Options(docker.as_object().unwrap().clone()));
        assert_eq!(config.agents, json!({"os": "linux", "large": true}).as_object().cloned());
        assert_eq!(config.hypervisor.as_deref(), Some("mshv"));
        assert_eq!(config.timeout_in_minutes, Some(30));
        assert_eq!(config.cache, Some(crate::config::Cache::None));
        assert!(!config.annotate);
        assert!(config.version.unwrap().matches(&semver::Version::new(1, 2, 0)));
    }

    #[test]
    fn a_steps_attributes_pass_through_as_written() {
        let text = include_str!("../../../../tests/cases/config/every-option.yml");
        let config = Config::parse(&text::yaml(text).unwrap()).unwrap();
        let [step] = &config.steps[..] else { panic!("one step") };
        assert_eq!(step.label, "bzimage");
        assert_eq!(step.command, "cargo build --release --features bzimage");
        assert_eq!(step.platforms, Some(vec![Platform::X86_64]));
        let attributes = json!({"soft_fail": "true", "timeout_in_minutes": "20", "env": {"A": 1}});
        assert_eq!(Value::Object(step.attributes.clone()), attributes);
    }

    #[test]
    fn a_checks_options_are_parted_from_its_own() {
        let text = include_str!("../../../../tests/cases/config/every-option.yml");
        let config = Config::parse(&text::yaml(text).unwrap()).unwrap();
        let check = &config.checks["commit-format"];
        assert_eq!(check.command.as_deref(), Some("true"));
        assert_eq!(check.args, ["--lib"]);
        assert_eq!(check.env["RUST_BACKTRACE"], "1");
        assert_eq!(check.packages, ["a"]);
        assert_eq!(check.exclude, ["b"]);
        assert_eq!(check.features, Some(crate::model::FeatureMode::All));
        assert_eq!(check.working_directory.as_deref(), Some("sub"));
        assert_eq!(check.docker, DockerChoice::Off);
        assert_eq!(check.agents, json!({"queue": "big"}).as_object().cloned());
        assert_eq!(check.timeout_in_minutes, Some(5));
        assert_eq!(check.soft_fail, Some(true));
        assert_eq!(check.platforms, Some(vec![Platform::Aarch64]));
        assert_eq!(Value::Object(check.own.clone()), json!({"title": 72}));

        assert!(check.refuse_unknown("commit-format", &["title"]).is_ok());
        let error = check.refuse_unknown("commit-format", &["titel-length"]).unwrap_err();
        assert!(error.to_string().starts_with("checks.commit-format.title: unknown option; one of: "));
    }
}
