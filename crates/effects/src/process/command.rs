//! What is to be started.

use super::GRACE;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A program with its arguments, what differs in its environment, and its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Name on PATH, or path.
    pub program: OsString,
    /// Arguments, handed over as they are: no shell reads them.
    pub args: Vec<OsString>,
    /// Variables to set, or with `None` to take away.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// Working folder; this process's where there is none.
    pub dir: Option<PathBuf>,
    /// What a supervised tree is given between the request to end and the kill.
    pub grace: Duration,
    /// Whether a supervised tree goes on when the job is cancelled: it clears up.
    pub despite_cancel: bool,
}

impl Command {
    /// A program without arguments.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            dir: None,
            grace: GRACE,
            despite_cancel: false,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), Some(value.into())));
        self
    }

    /// Takes a variable away.
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env.push((name.into(), None));
        self
    }

    /// Gives a supervised tree another time to end in.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Lets a supervised tree go on when the job is cancelled.
    #[must_use]
    pub fn despite_cancel(mut self) -> Self {
        self.despite_cancel = true;
        self
    }

    /// Sets the working folder.
    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.dir = Some(dir.as_ref().to_owned());
        self
    }
}

impl fmt::Display for Command {
    /// As a person would type it in a POSIX shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            if let Some(value) = value {
                write!(f, "{}={} ", name.to_string_lossy(), quote(value))?;
            }
        }
        f.write_str(&quote(&self.program))?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", quote(arg)))
    }
}

/// A word as a POSIX shell must be given it.
fn quote(word: &OsStr) -> String {
    shell_words::quote(&word.to_string_lossy()).into_owned()
}
