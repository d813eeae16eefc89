//! What the agent's administrator decides for every job on a machine: `/etc/rust-vmm-ci/config.json`.

use super::options::{self, OPTIONS};
use anyhow::Result;
use rust_vmm_ci_core::config::{Cache, DockerChoice};
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::model::did_you_mean;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::Path;

/// Where the policy is.
pub const PATH: &str = "/etc/rust-vmm-ci/config.json";
/// The variable that names another file in its place.
pub const VARIABLE: &str = "RUST_VMM_CI_POLICY";

/// A policy, as read and checked. One without content changes nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Policy {
    /// The file that it stands in, for messages.
    pub file: String,
    /// Defaults for the option `docker`.
    pub docker: DockerChoice,
    /// Words for every `docker run`, as they are: `--cpuset-cpus=0-3`.
    pub run_options: Vec<String>,
    /// The registry, with a port where it needs one, that Docker Hub's images are taken from.
    pub registry_mirror: Option<String>,
    /// What is kept between jobs, where the repository does not say.
    pub cache: Option<Cache>,
    /// What all target directories that are kept may take together, in gigabytes (10⁹ bytes).
    pub target_gigabytes: Option<u64>,
    /// The key paths whose value here wins over the repository's: `docker`, `docker.NAME`, `cache`.
    forced: Vec<String>,
}

/// The file as it is written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Raw {
    docker: Option<Value>,
    run_options: Vec<String>,
    registry_mirror: Option<String>,
    cache: Option<String>,
    target_gigabytes: Option<u64>,
    forced: Vec<String>,
}

impl Policy {
    /// The policy of a file, or none where the file is not there. A `named` file must be there.
    ///
    /// # Errors
    /// Exit 3 with the file and the key: it is not the repository that is wrong.
    pub fn read(named: Option<&Path>) -> Result<Self> {
        let file = named.unwrap_or(Path::new(PATH));
        if named.is_none() && !file.is_absolute() {
            // On Windows, where anybody may make such a folder on a drive.
            return Ok(Self::default());
        }
        match std::fs::read_to_string(file) {
            Ok(text) => Self::parse(&file.display().to_string(), &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
                Ok(Self::default())
            }
            Err(error) => {
                Err(exit::infrastructure(format!("the agent's policy {}: {error}", file.display())))
            }
        }
    }

    /// The policy in a file's text.
    ///
    /// # Errors
    /// As [`Policy::read`].
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let wrong = |message: String| exit::infrastructure(format!("the agent's policy {file}: {message}"));
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let raw: Raw = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
            let path = error.path().to_string();
            wrong(format!("{path}: {}", error.into_inner()))
        })?;
        let policy = Self {
            file: file.to_owned(),
            docker: docker(raw.docker).map_err(wrong)?,
            run_options: raw.run_options,
            registry_mirror: raw.registry_mirror.map(|mirror| mirror.trim_end_matches('/').to_owned()),
            cache: raw.cache.as_deref().map(cache).transpose().map_err(wrong)?,
            target_gigabytes: raw.target_gigabytes,
            forced: raw.forced,
        };
        if let Some(word) = policy.run_options.iter().find(|word| !word.starts_with('-')) {
            return Err(wrong(format!("run-options: `{word}` is no flag; write one as --NAME=VALUE")));
        }
        match policy.forced.iter().find_map(|key| policy.is_not_there(key)) {
            Some(message) => Err(wrong(message)),
            None => Ok(policy),
        }
    }

    /// Whether the policy's value of a key path wins over the repository's.
    pub fn forces(&self, key: &str) -> bool {
        self.forced.iter().any(|forced| forced == key)
    }

    /// What is wrong with a key path in `forced`: the policy has no value for it.
    fn is_not_there(&self, key: &str) -> Option<String> {
        let there = match (key, key.strip_prefix("docker.")) {
            ("docker", _) => self.docker != DockerChoice::Unset,
            ("cache", _) => self.cache.is_some(),
            (_, Some(name)) => {
                matches!(&self.docker, DockerChoice::Options(options) if options.contains_key(name))
            }
            _ => {
                let known = ["docker", "cache"].into_iter().map(str::to_owned);
                let known: Vec<_> =
                    known.chain(OPTIONS.iter().map(|entry| format!("docker.{}", entry.name))).collect();
                let meant = did_you_mean(key, known.iter().map(String::as_str));
                let meant = if meant.contains("did you mean") { meant } else { String::new() };
                return Some(format!("forced: `{key}` cannot be forced{meant}"));
            }
        };
        (!there).then(|| format!("forced: `{key}` has no value here that could be forced"))
    }
}

fn docker(written: Option<Value>) -> Result<DockerChoice, String> {
    let check = |map: &Map<String, Value>| -> Result<(), String> {
        map.iter()
            .try_for_each(|(name, value)| options::read_at(&format!("docker.{name}"), name, value).map(drop))
    };
    match written {
        None => Ok(DockerChoice::Unset),
        Some(Value::Bool(false)) => Ok(DockerChoice::Off),
        Some(Value::Object(map)) => check(&map).map(|()| DockerChoice::Options(map)),
        Some(other) => Err(format!("docker: expected false or a map of options, got {other}")),
    }
}

fn cache(word: &str) -> Result<Cache, String> {
    match word {
        "none" => Ok(Cache::None),
        "registry" => Ok(Cache::Registry),
        "target" => Ok(Cache::Target),
        other => Err(format!(
            "cache: unknown cache `{other}`{}",
            did_you_mean(other, ["none", "registry", "target"])
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str) -> String {
        let error = Policy::parse("p.json", text).unwrap_err();
        assert_eq!(exit::of(&error), exit::Exit::Infrastructure);
        error.to_string()
    }

    #[test]
    fn a_policy_is_read_whole() {
        let text = r#"{"docker": {"image": "a:b"}, "run-options": ["--cpuset-cpus=0"], "cache": "target",
            "registry-mirror": "mirror:5000/", "target-gigabytes": 3, "forced": ["docker.image", "cache"]}"#;
        let policy = Policy::parse("p.json", text).unwrap();
        assert_eq!(policy.registry_mirror.as_deref(), Some("mirror:5000"));
        assert_eq!((policy.cache, policy.target_gigabytes), (Some(Cache::Target), Some(3)));
        assert!(policy.forces("docker.image") && policy.forces("cache") && !policy.forces("docker"));
    }

    #[test]
    fn what_is_wrong_in_a_policy_is_named_with_its_file_and_key() {
        let cases = [
            (r#"{"docker": {"imgae": "a"}}"#, "docker.imgae: unknown option; did you mean `image`?"),
            (r#"{"docker": {"load": "a"}}"#, "docker.load: has no place here"),
            (r#"{"docker": "a"}"#, "docker: expected false or a map"),
            (r#"{"cache": "regsitry"}"#, "cache: unknown cache `regsitry`; did you mean `registry`?"),
            (r#"{"forced": ["docker.image"]}"#, "forced: `docker.image` has no value here"),
            (r#"{"forced": ["cahce"]}"#, "forced: `cahce` cannot be forced; did you mean `cache`?"),
            (r#"{"run-options": ["x"]}"#, "run-options: `x` is no flag"),
            (r#"{"target-gigabytes": "3"}"#, "target-gigabytes: invalid type"),
            (r"{", "EOF"),
        ];
        for (text, expected) in cases {
            let said = says(text);
            assert!(said.contains("p.json") && said.contains(expected), "{text}: {said}");
        }
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let error = Policy::read(Some(Path::new("/no/such/policy.json"))).unwrap_err();
        assert!(error.to_string().contains("/no/such/policy.json"), "{error}");
    }
}
