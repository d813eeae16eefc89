//! The container's options, as data. They are the options of the docker plugin (its README and `plugin.yml`,
//! version 5.13), and `runtime`, which can also be Podman.
//!
//! A name that is not in [`OPTIONS`] is refused. If the [`Use`] of an option is `Run`, the option becomes
//! that flag of `docker run` and nothing else. The effects crate handles the other options by name.

use super::DockerChoice;
use crate::options::{self, AnyText, Positive, Refusal};
use serde::de::{DeserializeSeed, Error, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use std::fmt;

/// One option.
#[derive(Debug)]
pub struct Entry {
    /// Its name, as users write it.
    pub name: &'static str,
    /// Which values it accepts.
    pub kind: Kind,
    /// What it does.
    pub does: Use,
}

/// Which values an option accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// Text. A number is read as text (`cpus: 0.5`).
    Text,
    /// A list of texts. One text is read as a list of one, and `false` as an empty list.
    List,
    /// A whole number, at least one.
    Count,
    /// `false`, or a list (`shell`).
    FalseOrList,
    /// `true` or `false`, or text (`mount-ssh-agent`).
    FlagOrText,
    /// The word `image` (`as`).
    Image,
}

/// What an option does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It becomes this flag of `docker run`: once if it is true, with its text, or once for each item of its
    /// list.
    Run(&'static str),
    /// The effects crate handles it by its name.
    Ours,
    /// It has no effect, whatever its value is. Its purpose is fulfilled anyway, as the text explains.
    Moot(&'static str),
    /// Only this boolean is allowed here, for this reason.
    Only(bool, &'static str),
    /// It is not allowed here, for this reason.
    Refused(&'static str),
}

use Kind::{Count, FalseOrList, Flag, FlagOrText, Image, List, Text};
use Use::{Moot, Only, Ours, Refused, Run};

const fn option(name: &'static str, kind: Kind, does: Use) -> Entry {
    Entry { name, kind, does }
}

/// Every option, by name.
pub const OPTIONS: [Entry; 62] = [
    option("add-caps", List, Run("--cap-add")),
    option("add-host", List, Run("--add-host")),
    option("additional-groups", List, Run("--group-add")),
    option("always-pull", Flag, Ours),
    // The docker plugin does not have this option. It makes an upload write the attribute `image` of the
    // steps, for Kubernetes.
    option("as", Image, Ours),
    option("chown", Flag, Moot("what a job writes always belongs to the agent's user afterwards")),
    option("chown-image", Text, Refused("no second image is needed to change owners")),
    option(
        "command",
        List,
        Refused("the step's command is what runs: use `command` of the step, or `steps`"),
    ),
    option("cpus", Text, Run("--cpus")),
    option("debug", Flag, Ours),
    option("device-read-bps", List, Run("--device-read-bps")),
    option("device-read-iops", List, Run("--device-read-iops")),
    option("device-write-bps", List, Run("--device-write-bps")),
    option("device-write-iops", List, Run("--device-write-iops")),
    option("devices", List, Run("--device")),
    option("drop-caps", List, Run("--cap-drop")),
    option("entrypoint", Text, Ours),
    option("env-file", List, Run("--env-file")),
    option("env-propagation-list", Text, Ours),
    option("environment", List, Ours),
    option("expand-image-vars", Flag, Ours),
    option("expand-volume-vars", Flag, Ours),
    option("gpus", Text, Run("--gpus")),
    option("image", Text, Ours),
    option("init", Flag, Ours),
    option("interactive", Flag, Only(false, "standard input is closed, so that nothing waits for a person")),
    option("ipc", Text, Run("--ipc")),
    option("leave-container", Flag, Only(false, "nothing is left behind; use `run --docker` to look around")),
    option("load", Text, Refused("images come from a registry or are there: load it in a step before")),
    option("log-driver", Text, Run("--log-driver")),
    option("log-opt", List, Run("--log-opt")),
    option("memory", Text, Run("--memory")),
    option("memory-swap", Text, Run("--memory-swap")),
    option("memory-swappiness", Text, Run("--memory-swappiness")),
    option(
        "mount-buildkite-agent",
        Flag,
        Only(false, "the agent and its token stay outside: annotations are made from the host"),
    ),
    option("mount-checkout", Flag, Only(true, "the checks work on the checkout")),
    option("mount-ssh-agent", FlagOrText, Ours),
    option("network", Text, Ours),
    option("pid", Text, Run("--pid")),
    option("platform", Text, Ours),
    option("privileged", Flag, Run("--privileged")),
    option("propagate-aws-auth-tokens", Flag, Ours),
    option("propagate-environment", Flag, Ours),
    option("propagate-gcp-auth-tokens", Flag, Ours),
    option("propagate-uid-gid", Flag, Ours),
    option("publish", List, Run("--publish")),
    option("pull-retries", Count, Ours),
    option("run-labels", Flag, Ours),
    option("runtime", Text, Ours),
    option("security-opts", List, Run("--security-opt")),
    option("shell", FalseOrList, Ours),
    option("shm-size", Text, Run("--shm-size")),
    option("skip-checkout", Flag, Only(false, "the checks work on the checkout")),
    option("storage-opt", Text, Run("--storage-opt")),
    option("sysctls", List, Run("--sysctl")),
    option("tmpfs", List, Run("--tmpfs")),
    option("tty", Flag, Run("--tty")),
    option("ulimits", List, Run("--ulimit")),
    option("user", Text, Ours),
    option("userns", Text, Ours),
    option("volumes", List, Ours),
    option("workdir", Text, Ours),
];

/// A value of the right kind, after reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    /// `true` or `false`.
    Flag(bool),
    /// Text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
    /// A number.
    Count(u32),
}

impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Text(text) => Value::from(text.as_str()).fmt(f),
            Self::List(items) => Value::from(items.as_slice()).fmt(f),
            Self::Count(number) => number.fmt(f),
        }
    }
}

/// The names of [`OPTIONS`].
const NAMES: [&str; OPTIONS.len()] = {
    let mut names = [""; OPTIONS.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = OPTIONS[at].name;
        at += 1;
    }
    names
};

impl Kind {
    /// What kind of value is expected.
    const fn expected(self) -> &'static str {
        match self {
            Flag => "true or false",
            Text => "text without NUL",
            List => "text, a list of texts, or false for none",
            Count => Positive::WHAT,
            FalseOrList => "false or a list of texts such as [\"/bin/bash\", \"-e\", \"-c\"]",
            FlagOrText => "true, false or text",
            Image => "image",
        }
    }

    /// The value, read as this kind. None if it has another kind.
    fn given(self, value: &Value) -> Option<Given> {
        let text = |value: &Value| match value {
            Value::Number(number) => Some(number.to_string()),
            text => options::read::<AnyText>(text).ok().map(|AnyText(text)| text),
        };
        let list = |value: &Value| value.as_array()?.iter().map(text).collect::<Option<_>>();
        match (self, value) {
            (Flag | FlagOrText, Value::Bool(flag)) => Some(Given::Flag(*flag)),
            (FalseOrList, Value::Bool(false)) => Some(Given::Flag(false)),
            // The docker plugin documents `volumes` as "array or boolean".
            (List, Value::Bool(false)) => Some(Given::List(Vec::new())),
            (List | FalseOrList, Value::Array(_)) => list(value).map(Given::List),
            (List, one) => text(one).map(|one| Given::List(vec![one])),
            (Text | FlagOrText, one) => text(one).map(Given::Text),
            (Image, one) => (one == "image").then(|| Given::Text("image".into())),
            (Count, number) => number.as_u64().and_then(Positive::of).map(|count| Given::Count(count.0)),
            _ => None,
        }
    }
}

impl Entry {
    /// Reads the value for this option.
    ///
    /// # Errors
    /// If the value has another kind or is not allowed here. The refusal's path is that of the value.
    fn read(&self, value: &Value) -> Result<Given, Refusal> {
        if let Refused(reason) = self.does {
            return Err(Refusal::because(format!("has no place here: {reason}")));
        }
        let given = self.kind.given(value).ok_or_else(|| Refusal::expected(self.kind.expected(), value))?;
        match self.does {
            Only(only, reason) if given != Given::Flag(only) => {
                Err(Refusal::because(format!("cannot be {given}: {reason}")))
            }
            _ => Ok(given),
        }
    }
}

/// The option with this name, and the value that was written for it.
///
/// # Errors
/// If the option is unknown, or if the value has another kind or is not allowed here. The refusal's path
/// begins with the option's name.
pub fn read(name: &str, value: &Value) -> Result<(&'static Entry, Given), Refusal> {
    let entry =
        OPTIONS.iter().find(|entry| entry.name == name).ok_or_else(|| Refusal::unknown(name, NAMES))?;
    let given = entry.read(value).map_err(|refusal| refusal.below(name))?;
    Ok((entry, given))
}

impl<'de> Deserialize<'de> for DockerChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChoiceVisitor)
    }
}

struct ChoiceVisitor;

impl<'de> Visitor<'de> for ChoiceVisitor {
    type Value = DockerChoice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false or a map of the docker plugin's options such as {\"image\": NAME}")
    }

    fn visit_bool<E: Error>(self, container: bool) -> Result<DockerChoice, E> {
        Ok(if container { DockerChoice::Options(Map::new()) } else { DockerChoice::Off })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DockerChoice, A::Error> {
        let mut options = Map::new();
        while let Some(Name(entry)) = map.next_key()? {
            options.insert(entry.name.to_owned(), map.next_value_seed(entry)?);
        }
        Ok(DockerChoice::Options(options))
    }
}

/// The name of an option.
struct Name(&'static Entry);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let entry = OPTIONS.iter().find(|entry| entry.name == name);
        entry.map(Self).ok_or_else(|| D::Error::unknown_field(&name, &NAMES))
    }
}

/// Reads the option's value and keeps it as it is written.
impl<'de> DeserializeSeed<'de> for &Entry {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let value = Value::deserialize(deserializer)?;
        match self.read(&value) {
            Ok(_) => Ok(value),
            Err(refusal) => Err(match refusal.problem() {
                options::Problem::Expected(what) => {
                    D::Error::invalid_type(Unexpected::Other("another kind"), &what.as_str())
                }
                options::Problem::Other(reason) => D::Error::custom(reason),
                _ => D::Error::custom(&refusal),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_are_sorted_and_each_is_there_once() {
        let names: Vec<_> = OPTIONS.iter().map(|entry| entry.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }

    #[test]
    fn every_kind_reads_what_it_may_be_and_refuses_the_rest() {
        let cases = [
            (Flag, json!(true), Some(Given::Flag(true))),
            (Flag, json!("true"), None),
            (Text, json!("2g"), Some(Given::Text("2g".into()))),
            (Text, json!(0.5), Some(Given::Text("0.5".into()))),
            (Text, json!(["a"]), None),
            (Text, json!("a\u{0}b"), None),
            (List, json!(["a", 1]), Some(Given::List(vec!["a".into(), "1".into()]))),
            (List, json!("a"), Some(Given::List(vec!["a".into()]))),
            (List, json!(false), Some(Given::List(vec![]))),
            (List, json!([["a"]]), None),
            (List, json!(true), None),
            (Count, json!(3), Some(Given::Count(3))),
            (Count, json!(0), None),
            (FalseOrList, json!(false), Some(Given::Flag(false))),
            (FalseOrList, json!(true), None),
            (FalseOrList, json!("/bin/sh"), None),
            (Image, json!("image"), Some(Given::Text("image".into()))),
            (Image, json!("plugin"), None),
            (FlagOrText, json!("/home/ci"), Some(Given::Text("/home/ci".into()))),
        ];
        for (kind, value, expected) in cases {
            assert_eq!(kind.given(&value), expected, "{kind:?} {value}");
        }
    }

    #[test]
    fn what_makes_no_sense_here_is_refused_with_the_reason() {
        let says = |name: &str, value: Value| read(name, &value).unwrap_err().to_string();
        assert!(says("command", json!(["x"])).contains("the step's command is what runs"));
        assert!(says("load", json!("x.tar")).contains("images come from a registry"));
        assert!(says("mount-buildkite-agent", json!(true)).contains("token stay outside"));
        assert!(says("leave-container", json!(true)).contains("nothing is left behind"));
        assert!(says("mount-checkout", json!(false)).contains("the checks work on the checkout"));
        assert_eq!(says("volume", json!([])), "volume: unknown option; did you mean `volumes`?");
    }

    #[test]
    fn the_docker_plugins_defaults_may_be_written_down() {
        for (name, value) in [("mount-buildkite-agent", false), ("interactive", false), ("chown", false)] {
            assert!(read(name, &json!(value)).is_ok(), "{name}");
        }
    }
}
