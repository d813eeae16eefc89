//! What a check is given to work with, and what it returns.

use super::cargo::dependencies;
use super::cargo::stopwatch::{Purpose, Stopwatch};
use crate::process::{self, Command, Ended, Stream};
use anyhow::Result;
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_core::report::{Artifact, Combination, Finding, Section, Test, Timings, Verdict};
use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Is called with each line that a command writes. What it returns goes to the log.
pub type OnLine<'r> = dyn for<'l> FnMut(Stream, &'l [u8]) -> Option<Cow<'l, [u8]>> + 'r;

/// The part of a check that runs. Without names all of it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The combinations of features, as `rust_vmm_ci_core::report::combination_name` writes them.
    pub combinations: Vec<String>,
    /// The tests, by their whole names.
    pub tests: Vec<String>,
}

impl Part {
    /// Whether all of the check runs.
    pub fn is_whole(&self) -> bool {
        self.combinations.is_empty() && self.tests.is_empty()
    }
}

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
    /// What a person asked to run of the check.
    pub part: &'a Part,
    /// Whether compilers are watched, so that the time of linking is known apart from that of compiling.
    pub look: bool,
    /// What the cargo commands that belong to no combination spent their time on; none if no such command ran.
    pub timings: Option<Timings>,
    /// Takes lines for the check's log, with their line ends.
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

    /// Adds the command to the check's log, as a person would type it in the repository's root to get the
    /// same verdict: cargo by its name, with the check's variables, those of its command (`variables`), and
    /// the folder.
    pub fn announce_with(&mut self, command: &Command, variables: &[(String, String)]) {
        let mut env: Vec<(OsString, Option<OsString>)> = Vec::new();
        for (name, value) in self.env.iter().chain(variables) {
            env.retain(|(known, _)| known != name.as_str());
            env.push((name.into(), Some(value.into())));
        }
        let is_ours = |arg: &OsString| {
            arg.to_string_lossy().starts_with("--message-format=json") || dependencies::is_option(arg)
        };
        let args = command.args.iter().filter(|arg| !is_ours(arg)).cloned().collect();
        let typed = Command { program: "cargo".into(), env, args, ..command.clone() };
        let folder = command.dir.as_deref().unwrap_or(&self.directory).strip_prefix(self.root).ok();
        let folder = folder.map(|folder| folder.to_string_lossy().replace('\\', "/"));
        match folder.filter(|folder| !folder.is_empty()) {
            Some(folder) => self.say(&format!("$ cd {} && {typed}", shell_words::quote(&folder))),
            None => self.say(&format!("$ {typed}")),
        }
    }

    /// The same for a command without variables of its own.
    pub fn announce(&mut self, command: &Command) {
        self.announce_with(command, &[]);
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
        process::supervise(command, self.deadline, &mut |_, lines| log(lines))
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
        let mut shown = Vec::new();
        process::supervise(command, self.deadline, &mut |stream, lines| {
            for line in process::lines(lines).filter(|line| on_line(stream, line)) {
                shown.extend_from_slice(line);
            }
            pass_on(&mut shown, log);
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
        let mut shown = Vec::new();
        let mut lines = |stream: Stream, lines: &[u8]| {
            let now = Instant::now();
            for line in process::lines(lines) {
                watch.borrow_mut().line(stream, line, now);
                let line = dependencies::without_link(line);
                if let Some(text) = on_line(stream, &line) {
                    shown.extend_from_slice(&text);
                }
            }
            pass_on(&mut shown, log);
        };
        let mut look = |leader: u32| {
            if let (true, Some((compilers, linking))) = (self.look, process::compilers(leader)) {
                watch.borrow_mut().look(compilers, linking, Instant::now());
            }
        };
        let ended = process::supervise_watching(command, self.deadline, &mut lines, &mut look)?;
        *self.timings.get_or_insert_default() += watch.into_inner().stop(Instant::now());
        Ok(ended)
    }
}

/// A command with variables set.
pub fn with_variables(command: Command, variables: &[(String, String)]) -> Command {
    variables.iter().fold(command, |command, (name, value)| command.env(name, value))
}

/// Passes a block on with one call, and keeps its memory for the next one.
fn pass_on(block: &mut Vec<u8>, log: &mut dyn FnMut(&[u8])) {
    if !block.is_empty() {
        log(block);
        block.clear();
    }
}

/// The verdict on a check whose command ended in this way.
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
    /// See [`rust_vmm_ci_core::report::Outcome`].
    pub misuse: bool,
    /// Why, where the findings do not say it.
    pub reason: Option<String>,
    /// What to do about it.
    pub remedy: Option<String>,
    /// See [`rust_vmm_ci_core::report::Outcome`].
    pub combinations: Vec<Combination>,
    /// See [`rust_vmm_ci_core::report::Outcome`].
    pub findings: Vec<Finding>,
    /// See [`rust_vmm_ci_core::report::Outcome`].
    pub tests: Vec<Test>,
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
