//! Where a value in a plan came from. `explain` prints it, and errors name it.

use std::fmt;

/// The source of a value in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The description of the standard checks (`checks/standard.json`).
    Standard,
    /// The program's default.
    Default,
    /// An entry in a file of the repository: the path of the file, and the key path in it.
    File(String, String),
    /// An environment variable that the predecessor reads, by its name.
    Variable(&'static str),
    /// An option of the plugin, by its key path.
    Option(String),
    /// The policy of the agent, by its key path.
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
