//! What a check is given to work with, and what it gives back.

use super::stopwatch::{self, Stopwatch};
use crate::process::{self, Command, Ended, Stream};
use anyhow::Result;
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_core::report::{Artifact, Combination, Finding, Section, Timings, Verdict};
use std::borrow::Cow;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Sees each line of a command; what it returns goes to the log.
pub type OnLine<'r> = dyn for<'l> FnMut(Stream, &'l [u8]) -> Option<Cow<'l, [u8]>> + 'r;

/// Where and how a check runs.
pub struct Context<'a> {
    /// The repository's root.
    pub root: &'a Path,
    /// The folder that the check works in: the root, or a folder below it.
    pub directory: PathBuf,
    /// The platform that the check is for.
    pub platform: Platform,
    /// The system that the check is for.
    pub os: Os,
    /// cargo itself, with what makes it skip rustup's proxy; without arguments.
    pub cargo: Command,
    /// Variables for the check's work.
    pub env: &'a [(String, String)],
    /// When the check must have ended.
    pub deadline: Option<Instant>,
    /// When the run began: outcomes count from here.
    pub run_started: Instant,
    /// Whether tools may colour what they say.
    pub color: bool,
    /// Whether compilers are looked at, so that linking is told from compiling.
    pub look: bool,
    /// What the cargo commands spent their time on that are no combination's; none where there were none.
    pub timings: Option<Timings>,
    /// The check's log: each line is shown or kept as the console sees fit.
    pub log: &'a mut dyn FnMut(&[u8]),
    /// Told what the check is at, for a progress line: how many of how many, and what.
    pub progress: &'a mut dyn FnMut(usize, usize, &str),
}

impl Context<'_> {
    /// cargo, in the check's folder and with its variables.
    pub fn cargo(&self) -> Command {
        self.with_env(self.cargo.clone())
    }

    /// Another program, in the check's folder and with its variables.
    pub fn command(&self, program: &str) -> Command {
        self.with_env(Command::new(program))
    }

    fn with_env(&self, command: Command) -> Command {
        let command = if command.dir.is_none() { command.dir(&self.directory) } else { command };
        self.env.iter().fold(command, |command, (name, value)| command.env(name, value))
    }

    /// Adds a line to the check's log.
    pub fn say(&mut self, line: &str) {
        (self.log)(format!("{line}\n").as_bytes());
    }

    /// Runs a command under the check's deadline, with all that it says in the log.
    ///
    /// # Errors
    /// Where it cannot be started: exit 3.
    pub fn run(&mut self, command: &Command) -> Result<Ended> {
        let log = &mut *self.log;
        process::supervise(command, self.deadline, &mut |_, line| log(line))
    }

    /// Runs a command under the check's deadline. `on_line` sees each line; what it returns as
    /// `true` goes to the log.
    ///
    /// # Errors
    /// Where it cannot be started: exit 3.
    pub fn run_reading(
        &mut self,
        command: &Command,
        on_line: &mut dyn FnMut(Stream, &[u8]) -> bool,
    ) -> Result<Ended> {
        let log = &mut *self.log;
        process::supervise(command, self.deadline, &mut |stream, line| {
            if on_line(stream, line) {
                log(line);
            }
        })
    }

    /// Runs cargo under the check's deadline and notes what it spends its time on.
    ///
    /// # Errors
    /// Where it cannot be started: exit 3.
    pub fn run_cargo(
        &mut self,
        command: &Command,
        job: stopwatch::Job,
        on_line: &mut OnLine<'_>,
    ) -> Result<Ended> {
        let log = &mut *self.log;
        // Lines and looks come by turns.
        let watch = RefCell::new(Stopwatch::start(job, Instant::now()));
        let mut line = |stream: Stream, line: &[u8]| {
            watch.borrow_mut().line(stream, line, Instant::now());
            if let Some(text) = on_line(stream, line) {
                log(&text);
            }
        };
        let mut look = |leader: u32| {
            if let (true, Some((compilers, linking))) = (self.look, process::compilers(leader)) {
                watch.borrow_mut().look(compilers, linking, Instant::now());
            }
        };
        let ended = process::supervise_watching(command, self.deadline, &mut line, &mut look)?;
        *self.timings.get_or_insert_default() += watch.into_inner().stop(Instant::now());
        Ok(ended)
    }
}

/// What a check came to. An error in place of it means that the check is broken: its message is the
/// reason.
#[derive(Clone, Debug, Default)]
pub struct Judgement {
    /// Passed, failed, broken, skipped or cancelled.
    pub verdict: Verdict,
    /// Why, where the findings do not say it.
    pub reason: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
    /// See [`rust_vmm_ci_core::report::Outcome`].
    pub combinations: Vec<Combination>,
    /// See [`rust_vmm_ci_core::report::Outcome`].
    pub findings: Vec<Finding>,
    /// See [`rust_vmm_ci_core::report::Outcome`].
    pub sections: Vec<Section>,
    /// See [`rust_vmm_ci_core::report::Outcome`].
    pub artifacts: Vec<Artifact>,
}

impl Judgement {
    /// A judgement by findings alone: any that is an error makes the check fail.
    pub fn by_findings(findings: Vec<Finding>) -> Self {
        let failed = findings.iter().any(|finding| finding.level == rust_vmm_ci_core::report::Level::Error);
        let verdict = if failed { Verdict::Failed } else { Verdict::Passed };
        Self { verdict, findings, ..Self::default() }
    }

    /// A check that could not do its work because a tool is missing: broken in CI and under
    /// `--strict`, skipped on a person's machine (the runner decides). `remedy` is the command that
    /// installs it.
    pub fn missing(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Skipped,
            reason: Some(what.into()),
            remedy: Some(remedy.into()),
            ..Self::default()
        }
    }
}
