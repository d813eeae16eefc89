//! What a check is given to work with, and what it returns.

use super::cargo::stopwatch::{Purpose, Stopwatch};
use crate::process::{self, Command, Ended, Stream};
use anyhow::Result;
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_core::report::{Artifact, Combination, Finding, Section, Timings, Verdict};
use std::borrow::Cow;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Is called with each line that a command writes. What it returns goes to the log.
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
    /// cargo without arguments, called without rustup's proxy where that is possible.
    pub cargo: Command,
    /// Variables for the check's work, and for every question that is asked for it.
    pub env: &'a [(String, String)],
    /// When the check must have ended.
    pub deadline: Option<Instant>,
    /// When the run began. The times in outcomes count from here.
    pub run_started: Instant,
    /// Whether tools may colour what they write.
    pub color: bool,
    /// Whether compilers are watched, so that the time of linking is known apart from that of compiling.
    pub look: bool,
    /// What those cargo commands spent their time on that belong to no combination; none where no such
    /// command ran.
    pub timings: Option<Timings>,
    /// Takes a line for the check's log, with its line end.
    pub log: &'a mut dyn FnMut(&[u8]),
    /// Takes what the check does now, for a progress line: the number of the step, the number of steps, and
    /// a name.
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
        with_variables(command, self.env)
    }

    /// Adds the command to the check's log, as a person would type it to repeat it: cargo by its name, and
    /// without variables.
    pub fn announce(&mut self, command: &Command) {
        let typed = Command { program: "cargo".into(), env: Vec::new(), ..command.clone() };
        self.say(&format!("$ {typed}"));
    }

    /// Adds a line to the check's log.
    pub fn say(&mut self, line: &str) {
        (self.log)(format!("{line}\n").as_bytes());
    }

    /// Runs a command under the check's deadline. All that it writes goes to the log.
    ///
    /// # Errors
    /// Where it cannot be started: exit 3.
    pub fn run(&mut self, command: &Command) -> Result<Ended> {
        let log = &mut *self.log;
        process::supervise(command, self.deadline, &mut |_, line| log(line))
    }

    /// Runs a command under the check's deadline. `on_line` is called with each line. Where it returns
    /// `true` the line goes to the log.
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

    /// Runs cargo under the check's deadline and measures what it spends its time on.
    ///
    /// # Errors
    /// Where it cannot be started: exit 3.
    pub fn run_cargo(
        &mut self,
        command: &Command,
        purpose: Purpose,
        on_line: &mut OnLine<'_>,
    ) -> Result<Ended> {
        let log = &mut *self.log;
        // Both closures use the stopwatch, but never at the same time.
        let watch = RefCell::new(Stopwatch::start(purpose, Instant::now()));
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

/// A command with variables set.
pub fn with_variables(command: Command, variables: &[(String, String)]) -> Command {
    variables.iter().fold(command, |command, (name, value)| command.env(name, value))
}

/// The verdict on a check whose command ended so.
pub fn verdict(ended: Ended) -> Verdict {
    match ended {
        Ended::Exited(0) => Verdict::Passed,
        Ended::Cancelled => Verdict::Cancelled,
        Ended::Exited(_) | Ended::Signaled(_) | Ended::TimedOut => Verdict::Failed,
    }
}

/// The result of a check. An error in place of it means that the check is broken, and its message is the
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
    /// A judgement by how the check's one command ended, with the findings in what it wrote.
    pub fn of_command(ended: Ended, findings: Vec<Finding>) -> Self {
        let reason = (ended == Ended::TimedOut).then(|| "ran over its time limit".to_owned());
        Self { verdict: verdict(ended), reason, findings, ..Self::default() }
    }

    /// A judgement on a check whose question got no answer because the job was cancelled.
    pub fn cancelled() -> Self {
        Self { verdict: Verdict::Cancelled, ..Self::default() }
    }

    /// A judgement by findings alone: the check fails if one of them is an error.
    pub fn by_findings(findings: Vec<Finding>) -> Self {
        let failed = findings.iter().any(|finding| finding.level == rust_vmm_ci_core::report::Level::Error);
        let verdict = if failed { Verdict::Failed } else { Verdict::Passed };
        Self { verdict, findings, ..Self::default() }
    }

    /// A judgement on a check that could not do its work because something of the machine or of the network
    /// is out of order.
    pub fn broken(reason: String) -> Self {
        Self { verdict: Verdict::Broken, reason: Some(reason), ..Self::default() }
    }

    /// A judgement on a check that could not do its work because a tool is missing. The scheduler makes it
    /// broken in CI and under `--strict`, and skipped elsewhere. `remedy` is the command that installs the
    /// tool.
    pub fn missing(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Skipped,
            reason: Some(what.into()),
            remedy: Some(remedy.into()),
            ..Self::default()
        }
    }
}
