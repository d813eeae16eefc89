//! Where a value came from, for `explain` and for errors.

use std::fmt;

/// The source of a value in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The standard checks' own description.
    Standard,
    /// What the program does where nobody says otherwise.
    Default,
    /// An entry of a repository's file: path, and the key path within it.
    File(String, String),
    /// A variable of the predecessor's.
    Variable(&'static str),
    /// An option of the plugin: its key path.
    Option(String),
    /// The agent-wide policy: its key path.
    Policy(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard => f.write_str("standard"),
            Self::Default => f.write_str("default"),
            Self::File(path, key) => write!(f, "file {path}, {key}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Option(key) => write!(f, "option {key}"),
            Self::Policy(key) => write!(f, "agent policy, {key}"),
        }
    }
}
