//! The options of a container, as data: those of the docker plugin (its README and `plugin.yml`,
//! v5.13), and `runtime`, which names Podman as well.
//!
//! What [`OPTIONS`] does not list is refused. An option whose [`Use`] is a flag becomes that flag of
//! `docker run` and nothing else; the rest [`super::resolve`] knows by name.

use anyhow::Result;
use rust_vmm_ci_core::config::printable;
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::model::did_you_mean;
use serde_json::Value;
use std::fmt;

/// One option.
#[derive(Debug)]
pub struct Entry {
    /// Its name, as users write it.
    pub name: &'static str,
    /// What may be written there.
    pub kind: Kind,
    /// What it does.
    pub does: Use,
}

/// What may be written for an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`.
    Flag,
    /// Text, or a number that is meant as text (`cpus: 0.5`).
    Text,
    /// Texts, or one text that is meant as a list of one, or `false` for none.
    List,
    /// A whole number, at least one.
    Count,
    /// `false`, or a list (`shell`).
    FalseOrList,
    /// `true` or `false`, or text (`mount-ssh-agent`).
    FlagOrText,
}

/// What an option does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The flag of `docker run` that it becomes: once where it is true, with its text, or once for
    /// each item of its list.
    Run(&'static str),
    /// [`super::resolve`] works with it.
    Ours,
    /// Nothing, whatever is written: what it is for is so without it, as the text says.
    Moot(&'static str),
    /// Only this boolean makes sense here, for this reason.
    Only(bool, &'static str),
    /// It makes no sense here, for this reason.
    Refused(&'static str),
}

use Kind::{Count, FalseOrList, Flag, FlagOrText, List, Text};
use Use::{Moot, Only, Ours, Refused, Run};

const fn option(name: &'static str, kind: Kind, does: Use) -> Entry {
    Entry { name, kind, does }
}

/// Every option, by name.
pub const OPTIONS: [Entry; 61] = [
    option("add-caps", List, Run("--cap-add")),
    option("add-host", List, Run("--add-host")),
    option("additional-groups", List, Run("--group-add")),
    option("always-pull", Flag, Ours),
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
    option("platform", Text, Run("--platform")),
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

/// A value of the right kind.
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

/// The option of this name and the value that is written for it.
///
/// # Errors
/// A sentence without the option's path: it is unknown, of the wrong kind, or makes no sense here.
fn read(name: &str, value: &Value) -> Result<(&'static Entry, Given), String> {
    let Some(entry) = OPTIONS.iter().find(|entry| entry.name == name) else {
        return Err(format!("unknown option{}", did_you_mean(name, OPTIONS.iter().map(|e| e.name))));
    };
    if let Refused(reason) = entry.does {
        return Err(format!("has no place here: {reason}"));
    }
    let given = given(entry.kind, value)?;
    match entry.does {
        Only(only, reason) if given != Given::Flag(only) => Err(format!("cannot be {value}: {reason}")),
        _ => Ok((entry, given)),
    }
}

/// Whether an option may be written so, for who only passes it on.
///
/// # Errors
/// Exit 2 with the place and what is wrong.
pub fn check(place: &str, name: &str, value: &Value) -> Result<()> {
    read_at(place, name, value).map(drop).map_err(exit::usage)
}

/// As [`read`]; the sentence begins with the place.
///
/// # Errors
/// As [`read`].
pub fn read_at(place: &str, name: &str, value: &Value) -> Result<(&'static Entry, Given), String> {
    read(name, value).map_err(|message| printable(&format!("{place}: {message}")))
}

fn given(kind: Kind, value: &Value) -> Result<Given, String> {
    let text = |value: &Value| match value {
        Value::String(text) if text.contains('\0') => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let list = |value: &Value| match value {
        // The docker plugin documents `volumes` as "array or boolean".
        Value::Bool(false) => Some(Vec::new()),
        Value::Array(items) => items.iter().map(text).collect::<Option<Vec<_>>>(),
        one => text(one).map(|one| vec![one]),
    };
    let (what, given) = match (kind, value) {
        (Flag | FalseOrList | FlagOrText, Value::Bool(flag)) if kind != FalseOrList || !flag => {
            return Ok(Given::Flag(*flag));
        }
        (Flag, _) => ("true or false", None),
        (Text, _) => ("text", text(value).map(Given::Text)),
        (List, _) => ("a list of texts", list(value).map(Given::List)),
        (FalseOrList, Value::Array(_)) => ("false or a list", list(value).map(Given::List)),
        (FalseOrList, _) => ("false or a list, such as [\"/bin/bash\", \"-e\", \"-c\"]", None),
        (FlagOrText, _) => ("true, false or text", text(value).map(Given::Text)),
        (Count, _) => {
            let number = value.as_u64().and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0);
            ("a number, at least 1", number.map(Given::Count))
        }
    };
    given.ok_or_else(|| format!("expected {what}, got {value}"))
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
            (FlagOrText, json!("/home/ci"), Some(Given::Text("/home/ci".into()))),
        ];
        for (kind, value, expected) in cases {
            assert_eq!(given(kind, &value).ok(), expected, "{kind:?} {value}");
        }
    }

    #[test]
    fn what_makes_no_sense_here_is_refused_with_the_reason() {
        let says = |name: &str, value: Value| read(name, &value).unwrap_err();
        assert!(says("command", json!(["x"])).contains("the step's command is what runs"));
        assert!(says("load", json!("x.tar")).contains("images come from a registry"));
        assert!(says("mount-buildkite-agent", json!(true)).contains("token stay outside"));
        assert!(says("leave-container", json!(true)).contains("nothing is left behind"));
        assert!(says("mount-checkout", json!(false)).contains("the checks work on the checkout"));
        assert_eq!(says("volume", json!([])), "unknown option; did you mean `volumes`?");
    }

    #[test]
    fn the_docker_plugins_defaults_may_be_written_down() {
        for (name, value) in [("mount-buildkite-agent", false), ("interactive", false), ("chown", false)] {
            assert!(read(name, &json!(value)).is_ok(), "{name}");
        }
    }
}
