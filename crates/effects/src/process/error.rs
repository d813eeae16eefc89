//! Why a process gave no result.

use super::Command;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

/// Why a process could not be started, or why a question has no answer. Each ends the program with exit 3
/// where nobody handles it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is no such program, or the folder that it was to work in is not there.
    #[error("cannot start {what}: {error}")]
    NotFound {
        /// The program, and the folder where the command names one.
        what: String,
        /// The system's own error.
        error: Arc<io::Error>,
    },
    /// The program is there, but the system did not start it.
    #[error("cannot start {what}: {error}")]
    NotStarted {
        /// The program, and the folder where the command names one.
        what: String,
        /// The system's own error.
        error: Arc<io::Error>,
    },
    /// The job was cancelled, and so the process was ended.
    #[error("`{command}` was ended: the job was cancelled{said}")]
    Cancelled {
        /// The command as a person would type it.
        command: String,
        /// What it wrote to standard error.
        said: Said,
    },
    /// The process was ended at its deadline.
    #[error("`{command}` did not answer within {} s{said}", .after.as_secs_f32())]
    TimedOut {
        /// The command as a person would type it.
        command: String,
        /// How long it was given.
        after: Duration,
        /// What it wrote to standard error.
        said: Said,
    },
    /// The process ended with a status other than 0. Only [`super::answer`] takes this for an error.
    #[error("`{command}` failed ({status}){said}")]
    Failed {
        /// The command as a person would type it.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to standard error.
        said: Said,
    },
    /// The system does not tell how the process ended.
    #[error("cannot wait for `{command}`: {error}")]
    Lost {
        /// The command as a person would type it.
        command: String,
        /// The system's own error.
        error: Arc<io::Error>,
    },
}

/// A process's standard error as text. It is shown after a colon, or not at all where it is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said(pub String);

impl Said {
    /// A standard error as text, without white space around it. Bytes that are not UTF-8 are replaced.
    pub fn of(stderr: &[u8]) -> Self {
        Self(String::from_utf8_lossy(stderr).trim().to_owned())
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ": {}", self.0) }
    }
}

impl Error {
    /// The error of a command that the system did not start.
    pub(super) fn starting(command: &Command, error: io::Error) -> Self {
        let folder = command.dir.as_ref().map_or(String::new(), |dir| format!(" in {}", dir.display()));
        let what = format!("`{}`{folder}", command.program.to_string_lossy());
        let not_found = error.kind() == io::ErrorKind::NotFound;
        let error = Arc::new(error);
        if not_found { Self::NotFound { what, error } } else { Self::NotStarted { what, error } }
    }

    /// The error of this type in the chain of an error, where there is one.
    pub fn of(error: &anyhow::Error) -> Option<&Self> {
        error.chain().find_map(|cause| cause.downcast_ref())
    }

    /// Whether the cause of an error is that the job was cancelled.
    pub fn is_cancel(error: &anyhow::Error) -> bool {
        matches!(Self::of(error), Some(Self::Cancelled { .. }))
    }
}
