//! The exit codes, and errors that know theirs.

use std::error::Error;

/// How the program ends. The numbers are a contract (docs/architecture.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Every check passed, or failed softly.
    Passed,
    /// A check failed.
    Failed,
    /// The configuration or the command line is wrong; nothing was done.
    Usage,
    /// A tool, docker, the agent or git did not do its part.
    Infrastructure,
    /// A person's own command ended so: its status is kept, but for 125, which the agent would
    /// report as its own failure (-1) and which becomes 3. A byte on Unix; on Windows any 32 bits
    /// (3221225477, a crash there, is -1073741819 here: the system sees the same bits).
    Command(i32),
}

impl Exit {
    /// The number for the operating system.
    pub const fn code(self) -> i32 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Infrastructure | Self::Command(125) => 3,
            Self::Command(code) => code,
        }
    }
}

/// Why the program ends: a sentence, or an error that code can look into.
type Reason = Box<dyn Error + Send + Sync>;

/// An error with the exit code that it ends the program with.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    exit: Exit,
    reason: Reason,
}

/// An error in what a person wrote: exit 2.
pub fn usage(reason: impl Into<Reason>) -> anyhow::Error {
    Failure { exit: Exit::Usage, reason: reason.into() }.into()
}

/// An error of something that the program relies on: exit 3.
pub fn infrastructure(reason: impl Into<Reason>) -> anyhow::Error {
    Failure { exit: Exit::Infrastructure, reason: reason.into() }.into()
}

/// The reason that [`usage`] or [`infrastructure`] was given, where it is an error of this type.
pub fn reason<T: Error + 'static>(error: &anyhow::Error) -> Option<&T> {
    error.chain().find_map(|cause| cause.downcast_ref::<Failure>()?.reason.downcast_ref())
}

/// The exit that an error asks for; one that does not say is taken for the environment's.
pub fn of(error: &anyhow::Error) -> Exit {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Failure>())
        .map_or(Exit::Infrastructure, |failure| failure.exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_command_keeps_its_status_but_for_125() {
        assert_eq!(Exit::Command(42).code(), 42);
        assert_eq!(Exit::Command(125).code(), 3);
        let crash = 0xC000_0005_u32.cast_signed();
        assert_eq!(Exit::Command(crash).code().cast_unsigned(), 3_221_225_477);
        assert_eq!(Exit::Command(-1).code(), -1);
    }

    #[test]
    fn a_reason_that_is_an_error_is_found_again() {
        let error = usage("x".parse::<u8>().expect_err("an error")).context("reading");
        assert!(reason::<std::num::ParseIntError>(&error).is_some());
        assert!(reason::<std::num::ParseFloatError>(&error).is_none());
    }

    #[test]
    fn an_error_keeps_its_exit_under_context() {
        let error = Err::<(), _>(usage("no")).context("reading").expect_err("an error");
        assert_eq!(of(&error), Exit::Usage);
        assert_eq!(of(&anyhow::anyhow!("disk")), Exit::Infrastructure);
    }
}
