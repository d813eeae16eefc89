//! The description of a program that is to be started.

use super::supervise::GRACE;
use rust_vmm_ci_core::model::address::REDACTED;
use rust_vmm_ci_core::model::secrets::is_secret;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a question may take unless its command says otherwise. git and the container engine answer in
/// well under a second; the agent tries again by itself for about a minute where Buildkite does not answer.
const WITHIN: Duration = Duration::from_secs(120);

/// A program with its arguments, the changes to its environment, and its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its name on PATH, or its path.
    pub program: OsString,
    /// The arguments. They arrive as they are: no shell reads them.
    pub args: Vec<OsString>,
    /// The variables to set, or with `None` to remove. Of two settings of a variable the last holds.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// The working folder. Without one it is this process's.
    pub dir: Option<PathBuf>,
    /// How long its tree is given between the request to end and the kill. A question's tree is given half
    /// a second at most.
    pub grace: Duration,
    /// How long it may take as a question, until its tree is ended. [`super::supervise`] is given a
    /// deadline of its own.
    pub within: Duration,
    /// Whether it goes on when the job is cancelled, because it tidies up.
    pub despite_cancel: bool,
    /// Whether what it leaves running in sessions of its own lives on after it. This is for programs whose
    /// task it is to start such processes: Podman's containers are some.
    pub leaves_daemons: bool,
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
            within: WITHIN,
            despite_cancel: false,
            leaves_daemons: false,
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

    /// Removes a variable.
    #[must_use]
    pub fn env_remove(mut self, name: impl Into<OsString>) -> Self {
        self.env.push((name.into(), None));
        self
    }

    /// Gives its tree another time between the request to end and the kill.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Gives it another time to answer in as a question.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = within;
        self
    }

    /// Lets it go on when the job is cancelled.
    #[must_use]
    pub fn despite_cancel(mut self) -> Self {
        self.despite_cancel = true;
        self
    }

    /// Lets what it leaves running in sessions of its own live on after it.
    #[must_use]
    pub fn leaves_daemons(mut self) -> Self {
        self.leaves_daemons = true;
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
    /// As a person would type it in a POSIX shell, without the values of secret variables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            let name = name.to_string_lossy();
            match value {
                Some(_) if is_secret(&name) => write!(f, "{name}={REDACTED} ")?,
                Some(value) => write!(f, "{name}={} ", quote(value))?,
                None => {}
            }
        }
        f.write_str(&quote(&self.program))?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", quote(arg)))
    }
}

/// A word as one types it in a POSIX shell.
fn quote(word: &OsStr) -> String {
    shell_words::quote(&word.to_string_lossy()).into_owned()
}
