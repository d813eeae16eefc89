//! Limits for a job that builds a change which the agent's administrator does not trust.
//!
//! The policy's key `untrusted` names these changes. The job runs in a container that is not privileged. It
//! has access to the host only as far as the policy allows. It leaves nothing for other jobs.

use super::docker::Given;
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;

/// Where the change of a job comes from, according to Buildkite's variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Change {
    /// A commit of a branch of the repository, or a person's working tree.
    #[default]
    Own,
    /// A pull request from a branch of the same repository.
    PullRequest,
    /// A pull request from another repository, or from an unknown one.
    Fork,
}

/// The variables that [`Change::read`] asks for. A pipeline cannot change them.
pub const VARIABLES: [&str; 3] = ["BUILDKITE_PULL_REQUEST", "BUILDKITE_PULL_REQUEST_REPO", "BUILDKITE_REPO"];

impl Change {
    /// The change that the variables describe. `variable` returns their values.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let [number, from, repository] = VARIABLES.map(|name| variable(name).filter(|text| !text.is_empty()));
        // The variable is `false` if there is no pull request.
        if number.is_none_or(|number| number == "false") {
            return Self::Own;
        }
        match (from, repository) {
            (Some(from), Some(to)) if repository_of(&from) == repository_of(&to) => Self::PullRequest,
            _ => Self::Fork,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own => "a branch of the repository",
            Self::PullRequest => "a pull request",
            Self::Fork => "a pull request from another repository",
        })
    }
}

/// A repository's address in a uniform form: `HOST/PATH`, without user, port, scheme and `.git`. Sites that
/// host repositories ignore upper and lower case in both parts.
fn repository_of(address: &str) -> String {
    let rest = match address.split_once("://") {
        Some((_, rest)) => rest.to_owned(),
        // The form of ssh: `git@host:path`.
        None => address.replacen(':', "/", 1),
    };
    let (host, path) = rest.split_once('/').unwrap_or((&rest, ""));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let host = host.split(':').next().unwrap_or_default();
    let path = path.trim_matches('/');
    format!("{host}/{}", path.strip_suffix(".git").unwrap_or(path)).to_lowercase()
}

/// Which changes are not trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Untrusted {
    /// None.
    #[default]
    Nothing,
    /// Pull requests from another repository: `forks`.
    Forks,
    /// All: `true`.
    Everything,
}

impl Untrusted {
    /// Whether a change is one of those that are not trusted.
    pub fn covers(self, change: Change) -> bool {
        match self {
            Self::Nothing => false,
            Self::Forks => change == Change::Fork,
            Self::Everything => true,
        }
    }
}

impl<'de> Deserialize<'de> for Untrusted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words)
    }
}

struct Words;

impl Visitor<'_> for Words {
    type Value = Untrusted;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false or forks")
    }

    fn visit_bool<E: Error>(self, all: bool) -> Result<Untrusted, E> {
        Ok(if all { Untrusted::Everything } else { Untrusted::Nothing })
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Untrusted, E> {
        match word {
            "forks" => Ok(Untrusted::Forks),
            _ => Err(E::invalid_value(Unexpected::Str(word), &self)),
        }
    }
}

/// The options of a container that give no access to the host, whatever their value is.
const HARMLESS: [&str; 22] = [
    "always-pull",
    "chown",
    "cpus",
    "debug",
    "drop-caps",
    "entrypoint",
    "image",
    "init",
    "interactive",
    "leave-container",
    "memory",
    "mount-checkout",
    "platform",
    "propagate-uid-gid",
    "pull-retries",
    "run-labels",
    "shell",
    "shm-size",
    "tty",
    "user",
    "workdir",
    "memory-swap",
];

/// Why a repository may not set an option of the container to this value if the change is not trusted. None
/// if it may.
pub fn refusal(name: &str, given: &Given) -> Option<&'static str> {
    let asks_for_nothing = match given {
        Given::Flag(flag) => !flag,
        Given::List(items) => items.is_empty(),
        Given::Text(_) | Given::Count(_) => false,
    };
    if asks_for_nothing || HARMLESS.contains(&name) {
        return None;
    }
    match (name, given) {
        ("network", Given::Text(network)) if ["none", "bridge"].contains(&network.as_str()) => None,
        ("network", _) => Some("the networks that it may have are `none` and `bridge`"),
        ("runtime", Given::Text(runtime)) if ["docker", "podman"].contains(&runtime.as_str()) => None,
        ("environment", Given::List(items)) if items.iter().all(|item| item.contains('=')) => None,
        ("environment", _) => Some("it may have no variable of the agent's: write NAME=VALUE"),
        ("privileged", _) => Some("its container may not be privileged"),
        _ => Some("only the agent's policy may give it something of the host's"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::docker::OPTIONS;

    fn change(variables: &[(&str, &str)]) -> Change {
        Change::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_change_is_a_forks_unless_its_repository_is_known_to_be_this_one() {
        let pull = |from: &str| {
            change(&[
                ("BUILDKITE_PULL_REQUEST", "7"),
                ("BUILDKITE_PULL_REQUEST_REPO", from),
                ("BUILDKITE_REPO", "https://x:token@github.com/rust-vmm/vm-memory.git"),
            ])
        };
        for same in [
            "https://github.com/rust-vmm/vm-memory.git",
            "git@github.com:rust-vmm/vm-memory.git",
            "git://GitHub.com/Rust-VMM/vm-memory",
            "ssh://git@github.com:22/rust-vmm/vm-memory/",
        ] {
            assert_eq!(pull(same), Change::PullRequest, "{same}");
        }
        for other in
            ["", "https://github.com/me/vm-memory.git", "https://github.com.evil.org/rust-vmm/vm-memory"]
        {
            assert_eq!(pull(other), Change::Fork, "{other}");
        }
        assert_eq!(change(&[("BUILDKITE_PULL_REQUEST", "7")]), Change::Fork);
        for own in ["false", ""] {
            assert_eq!(change(&[("BUILDKITE_PULL_REQUEST", own)]), Change::Own);
        }
    }

    #[test]
    fn forks_are_some_of_the_changes_and_true_is_all() {
        let all = [Change::Own, Change::PullRequest, Change::Fork];
        let covered = |rule: Untrusted| all.map(|change| rule.covers(change));
        assert_eq!(covered(Untrusted::Nothing), [false, false, false]);
        assert_eq!(covered(Untrusted::Forks), [false, false, true]);
        assert_eq!(covered(Untrusted::Everything), [true, true, true]);
    }

    #[test]
    fn what_reaches_the_host_is_refused_and_what_does_not_is_not() {
        let text = |text: &str| Given::Text(text.to_owned());
        let list = |item: &str| Given::List(vec![item.to_owned()]);
        let refused = [
            ("privileged", Given::Flag(true)),
            ("devices", list("/dev/kvm")),
            ("volumes", list("/:/host")),
            ("network", text("host")),
            ("network", text("container:other")),
            ("pid", text("host")),
            ("ipc", text("host")),
            ("userns", text("host")),
            ("add-caps", list("SYS_ADMIN")),
            ("security-opts", list("seccomp=unconfined")),
            ("runtime", text("other")),
            ("environment", list("BUILDKITE_AGENT_ACCESS_TOKEN")),
            ("env-file", list("/etc/secrets")),
            ("env-propagation-list", text("LIST")),
            ("mount-ssh-agent", Given::Flag(true)),
            ("propagate-environment", Given::Flag(true)),
            ("propagate-aws-auth-tokens", Given::Flag(true)),
            ("expand-image-vars", Given::Flag(true)),
            ("gpus", text("all")),
        ];
        for (name, given) in refused {
            assert!(refusal(name, &given).is_some(), "{name}: {given}");
        }
        let allowed = [
            ("privileged", Given::Flag(false)),
            ("devices", Given::List(Vec::new())),
            ("network", text("none")),
            ("environment", list("A=b")),
            ("image", text("a:1")),
            ("cpus", text("2")),
            ("runtime", text("podman")),
        ];
        for (name, given) in allowed {
            assert_eq!(refusal(name, &given), None, "{name}: {given}");
        }
        let known = |name: &&str| OPTIONS.iter().any(|entry| entry.name == *name);
        assert!(HARMLESS.iter().all(known));
    }
}
