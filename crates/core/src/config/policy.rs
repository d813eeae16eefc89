//! What the agent's administrator decides for every job on a machine: the text of
//! `/etc/rust-vmm-ci/config.json`.

use super::docker::OPTIONS;
use super::untrusted::Untrusted;
use super::{Cache, DockerChoice};
use crate::exit;
use crate::options::{self, AnyText, Name, Refusal, Source};
use anyhow::Result;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer};

/// A policy, as read and checked. An empty one changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Policy {
    /// The path of the policy's file, for messages.
    #[serde(skip)]
    pub file: String,
    /// Defaults for the option `docker`.
    pub docker: DockerChoice,
    /// Flags that every `docker run` gets as they are, such as `--cpuset-cpus=0-3`.
    #[serde(deserialize_with = "flags")]
    pub run_options: Vec<String>,
    /// The address of the registry that replaces Docker Hub, with a port if it needs one.
    #[serde(deserialize_with = "mirror")]
    pub registry_mirror: Option<String>,
    /// The image in which the hooks build this program on a machine without Cargo. `hooks/lib/build` reads
    /// this value with sed, so it must be plain text without escapes.
    #[serde(deserialize_with = "plain_image")]
    pub install_image: Option<String>,
    /// What is kept between jobs, if the repository does not set it.
    pub cache: Option<Cache>,
    /// The limit for all kept target directories together, in gigabytes (10⁹ bytes).
    pub target_gigabytes: Option<u64>,
    /// The changes that are not trusted. A job that builds one runs in a container that is not privileged,
    /// and leaves nothing for other jobs.
    pub untrusted: Untrusted,
    /// The key paths whose value in the policy overrides the repository's: `docker`, `docker.NAME`, `cache`.
    forced: Vec<String>,
}

impl Policy {
    /// Reads the policy from the text of a file.
    ///
    /// # Errors
    /// Exit 3 with the file and the key, because the administrator made the mistake, not the repository.
    pub fn parse(file: &str, text: &str) -> Result<Self> {
        let read = || {
            let policy: Self = options::read(&options::json(text).map_err(Refusal::because)?)?;
            for (at, key) in policy.forced.iter().enumerate() {
                policy.check_forced(key).map_err(|refusal| refusal.below(&format!("forced[{at}]")))?;
            }
            Ok(Self { file: file.to_owned(), ..policy })
        };
        read().map_err(|refusal: Refusal| {
            exit::infrastructure(refusal.at_source(Source::Policy(file.to_owned())))
        })
    }

    /// Whether the policy's value of a key path overrides the repository's.
    pub fn forces(&self, key: &str) -> bool {
        self.forced.iter().any(|forced| forced == key)
    }

    /// Refuses a key path in `forced` if it cannot be forced, or if this policy has no value for it.
    fn check_forced(&self, key: &str) -> Result<(), Refusal> {
        let name = key.strip_prefix("docker.");
        let is_set = match (key, name) {
            ("docker", _) => self.docker != DockerChoice::Unset,
            ("cache", _) => self.cache.is_some(),
            (_, Some(name)) if OPTIONS.iter().any(|entry| entry.name == name) => {
                matches!(&self.docker, DockerChoice::Options(options) if options.contains_key(name))
            }
            _ => {
                let docker: Vec<String> =
                    OPTIONS.iter().map(|entry| format!("docker.{}", entry.name)).collect();
                let known = ["docker", "cache"].into_iter().chain(docker.iter().map(String::as_str));
                let refusal = Refusal::expected("docker, docker.NAME or cache", &key.into());
                return Err(refusal.close_to(key, known));
            }
        };
        if is_set { Ok(()) } else { Err(Refusal::because(format!("`{key}` has no value here to force"))) }
    }
}

/// Reads flags for `docker run`. Each flag is one word that includes its value.
fn flags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let flags = Vec::<Flag>::deserialize(deserializer)?;
    Ok(flags.into_iter().map(|Flag(flag)| flag).collect())
}

struct Flag(String);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let AnyText(flag) = AnyText::deserialize(deserializer)?;
        if flag.starts_with('-') {
            Ok(Self(flag))
        } else {
            Err(D::Error::invalid_value(Unexpected::Str(&flag), &"a flag such as --NAME=VALUE"))
        }
    }
}

/// Reads a registry's address.
fn mirror<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Name::deserialize(deserializer).map(|Name(mirror)| Some(mirror.trim_end_matches('/').to_owned()))
}

/// Reads the name of an image. It must need no escapes in JSON.
fn plain_image<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let Name(image) = Name::deserialize(deserializer)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/@-".contains(&byte);
    if image.bytes().all(plain) && image.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        Ok(Some(image))
    } else {
        Err(D::Error::invalid_value(Unexpected::Str(&image), &"the name of an image"))
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
        assert_eq!(policy.untrusted, Untrusted::Nothing);
        for (word, rule) in [("true", Untrusted::Everything), (r#""forks""#, Untrusted::Forks)] {
            let policy = Policy::parse("p.json", &format!(r#"{{"untrusted": {word}}}"#)).unwrap();
            assert_eq!(policy.untrusted, rule);
        }
        assert!(policy.forces("docker.image") && policy.forces("cache") && !policy.forces("docker"));
    }

    #[test]
    fn what_is_wrong_in_a_policy_is_named_with_its_file_and_key() {
        let cases = [
            (r#"{"docker": {"imgae": "a"}}"#, "docker.imgae: unknown option; did you mean `image`?"),
            (r#"{"docker": {"load": "a"}}"#, "docker.load: has no place here"),
            (r#"{"docker": "a"}"#, "docker: expected true, false or a map"),
            (
                r#"{"cache": "regsitry"}"#,
                r#"cache: expected one of none, registry, target, got "regsitry"; did you mean `registry`?"#,
            ),
            (r#"{"forced": ["docker.image"]}"#, "forced[0]: `docker.image` has no value here"),
            (
                r#"{"forced": ["cahce"]}"#,
                r#"forced[0]: expected docker, docker.NAME or cache, got "cahce"; did you mean `cache`?"#,
            ),
            (r#"{"run-options": ["x"]}"#, r#"run-options[0]: expected a flag such as --NAME=VALUE, got "x""#),
            (
                r#"{"target-gigabytes": "3"}"#,
                r#"target-gigabytes: expected a whole number, got "3"; write it without quotes"#,
            ),
            (r#"{"install-image": "--privileged"}"#, "install-image: expected the name of an image"),
            (r#"{"untrusted": "fork"}"#, r#"untrusted: expected true, false or forks, got "fork""#),
            (r#"{"cache": "none", "cache": "target"}"#, "stands twice"),
            (r"{", "EOF"),
        ];
        for (text, expected) in cases {
            let said = says(text);
            assert!(said.contains("p.json") && said.contains(expected), "{text}: {said}");
        }
    }
}
