//! A configuration from what was written, or the error that says where it is wrong and how to mend
//! it.

use super::form::unexpected;
use super::raw::RawConfig;
use super::text::printable;
use super::{Config, Jobs};
use crate::buildkite::STEP_OPTIONS;
use crate::exit::usage;
use crate::model::did_you_mean;
use anyhow::Result;
use indexmap::IndexMap;
use serde_json::{Map, Value};

impl Config {
    /// Reads the plugin's options as they stand in a step; `null` is the default configuration.
    ///
    /// # Errors
    /// Exit 2 for what no option allows, with its key path and what was meant; for a nested `null`,
    /// for which the agent drops the whole configuration; for an option that says nothing without
    /// another.
    pub fn parse(value: &Value) -> Result<Self> {
        let mut map = match value {
            Value::Null => return Ok(Self::default()),
            Value::Object(map) => map.clone(),
            // serde would read a list's items as the options in the order of their fields.
            other => {
                return Err(usage(printable(&format!(
                    "the plugin's options: {}",
                    unexpected("a map of options", other)
                ))));
            }
        };
        if let Some(told) = nulls_told(value) {
            return Err(usage(told));
        }
        let step_options = take_step_options(&mut map).map_err(|told| usage(printable(&told)))?;
        let raw: RawConfig = serde_path_to_error::deserialize(Value::Object(map)).map_err(|error| {
            usage(printable(&explain(&error.path().to_string(), &error.inner().to_string())))
        })?;
        let config = Self { step_options, ..Self::from(raw) };
        if config.split.jobs > 1 && config.jobs == Jobs::PerCheck {
            return Err(usage(
                "split: every check has a job of its own; add `jobs: per-platform`, or leave `split` out",
            ));
        }
        Ok(config)
    }
}

/// Takes the options that are attributes of steps out of the options, and checks them. An error has its
/// key path.
fn take_step_options(options: &mut Map<String, Value>) -> Result<IndexMap<&'static str, Value>, String> {
    let mut taken = IndexMap::new();
    for option in STEP_OPTIONS {
        if let Some(value) = options.shift_remove(option.name) {
            (option.check)(&value).map_err(|told| format!("{}{told}", option.name))?;
            taken.insert(option.name, value);
        }
    }
    Ok(taken)
}

/// What to say of the nested `null`s in a value, with the key path of each; nothing where it has none.
pub fn nulls_told(value: &Value) -> Option<String> {
    let paths = nulls(value);
    let have = if paths.len() == 1 { "has" } else { "have" };
    (!paths.is_empty()).then(|| {
        printable(&format!(
            "{}: {have} no value (null); remove the key or give it one: for a null within them the \
             agent drops all options of a plugin",
            paths.join(", ")
        ))
    })
}

/// The key paths of every `null` within a value.
fn nulls(value: &Value) -> Vec<String> {
    let within = |head: String, item: &Value| -> Vec<String> {
        nulls(item)
            .into_iter()
            .map(|rest| match rest.as_str() {
                "" => head.clone(),
                index if index.starts_with('[') => format!("{head}{index}"),
                key => format!("{head}.{key}"),
            })
            .collect()
    };
    match value {
        Value::Null => vec![String::new()],
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(at, item)| within(format!("[{at}]"), item)).collect()
        }
        Value::Object(map) => map.iter().flat_map(|(key, item)| within(key.clone(), item)).collect(),
        _ => Vec::new(),
    }
}

/// serde's message in the words of the other errors: path, what was expected, what stands there.
fn explain(path: &str, message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown field `") {
        let known: Vec<&str> =
            rest.rsplit_once(", expected ").map_or("", |(_, known)| known).split('`').collect();
        let of_steps = STEP_OPTIONS.iter().map(|option| option.name).filter(|_| !path.contains('.'));
        let known = known.into_iter().skip(1).step_by(2).chain(of_steps);
        let given = path.rsplit('.').next().unwrap_or(path);
        return format!("{path}: unknown option{}", did_you_mean(given, known));
    }
    if let Some((given, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        let given = if given == "sequence" { "list" } else { given };
        let expected = if expected == "a sequence" { "a list" } else { expected };
        return format!("{path}: expected {expected}, got {given}");
    }
    format!("{path}: {message}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DockerChoice, Jobs, Mode, Split, WorkspaceMode, text};
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
        let plugin = text::yaml(include_str!("../../../../plugin.yml")).unwrap();
        let all = plugin["configuration"]["properties"].as_object().unwrap().keys();
        let all = all.map(String::as_str).collect::<Vec<_>>().join(", ");
        let mut differing = Vec::new();
        for Refused { given, says } in cases(include_str!("../../../../tests/cases/config/refused.yml")) {
            match Config::parse(&given) {
                Ok(_) => differing.push(format!("{given} is accepted")),
                Err(error) if error.to_string() != says.replace("{all}", &all) => {
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
