//! Runs a check that is a cargo command: once for each distinct set of features, all of them,
//! whatever fails in between.

mod divided;
mod testing;

use super::combine::CargoRun;
use super::context::{Context, Judgement};
use super::job::Job;
use super::repeats::Repeats;
use super::stopwatch;
use crate::process::{Command, Ended, Stream};
use anyhow::Result;
use cargo_metadata::Metadata;
use rust_vmm_ci_core::checks::cargo::CargoCommand;
use rust_vmm_ci_core::checks::messages::Messages;
use rust_vmm_ci_core::checks::shard::Shard;
use rust_vmm_ci_core::checks::style::StyleOutput;
use rust_vmm_ci_core::model::FeatureMode;
use rust_vmm_ci_core::report::{Combination, Finding, Level, Verdict};
use rust_vmm_ci_core::workspace::flags::DOC_CFG;
use rust_vmm_ci_core::workspace::path::from_root;
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Instant;

/// The flags of a description that deny warnings.
const DENY: &str = "-D warnings";
/// How many of cargo's last lines say why it failed, where no message does.
const LAST_WORDS: usize = 30;
/// How much of one such line is kept, in characters.
const LONGEST_WORDS: usize = 1000;

/// Runs the check.
///
/// # Errors
/// Where a tool cannot be started: the check is broken.
pub fn run(
    context: &mut Context<'_>,
    command: &CargoCommand,
    mode: FeatureMode,
    job: &Job,
    shard: Option<Shard>,
) -> Result<Judgement> {
    let toolchain = match job.toolchain() {
        Ok(toolchain) => toolchain,
        Err(reason) => return Ok(Judgement::missing(reason, "install Rust: https://rustup.rs")),
    };
    let component = match command.verb.as_str() {
        "clippy" => Some(("cargo-clippy", "rustup component add clippy")),
        "fmt" => Some(("cargo-fmt", "rustup component add rustfmt")),
        _ => None,
    };
    if let Some((program, remedy)) = component
        && !toolchain.has(program)
    {
        let reason = format!("`{program}` is not installed for {}", toolchain.version);
        return Ok(Judgement::missing(reason, remedy));
    }
    let target = command.value_of("--target");
    if let Some(target) = target
        && !toolchain.has_target(target)
    {
        let reason = format!("the target {target} is not installed for {}", toolchain.version);
        return Ok(Judgement::missing(reason, format!("rustup target add {target}")));
    }
    if shard.is_some()
        && let Some(missing) = divided::missing(context)?
    {
        return Ok(missing);
    }
    if command.verb == "fmt" {
        return format_check(context, command);
    }
    let metadata = job.metadata(&context.cargo(), &context.directory)?;
    let metadata = match metadata.as_ref() {
        Ok(metadata) => metadata,
        Err(words) => {
            context.say(words);
            let first = words.lines().find(|line| line.starts_with("error"));
            let message = first.unwrap_or("cargo cannot read the workspace");
            return Ok(Judgement::by_findings(vec![refusal(message, words)]));
        }
    };
    let runs = match job.runs(command, mode, metadata, &context.directory, &context.cargo())? {
        Ok(runs) => runs,
        Err(reason) => {
            context.say(&reason);
            return Ok(Judgement::by_findings(vec![Finding::error(reason)]));
        }
    };
    // A member's folder may have a configuration of its own.
    let triple = target.unwrap_or(&toolchain.host);
    let mut flags = Flags::of(command, || runs.iter().any(|run| Job::has_flags(&run.dir, triple)));
    if flags.by_message {
        let mentions = job.mentions(metadata);
        if mentions.variable || if flags.deny { mentions.warnings } else { mentions.doc_cfg } {
            flags = Flags::as_described(command);
        }
    }
    let repeats = testing::repeats(context, command, toolchain, triple, metadata, &runs);
    let again = mode == FeatureMode::PowersetAll;
    Check { context, command, flags, metadata, job, shard, repeats, again }.run_all(runs)
}

/// How the flags for rustc that a description asks for are put into effect.
struct Flags {
    /// `RUSTFLAGS` for the command, where it is set.
    rustflags: Option<String>,
    /// Whether the description's flags are followed without the variable.
    by_message: bool,
    /// Whether warnings are denied by reading cargo's messages.
    deny: bool,
}

impl Flags {
    /// The variable, as the description has it.
    fn as_described(command: &CargoCommand) -> Self {
        Self {
            rustflags: command.variable("RUSTFLAGS").map(ToOwned::to_owned),
            by_message: false,
            deny: false,
        }
    }

    /// Without the variable where that gives the same verdict, so that what one check compiles serves
    /// the others: not where other flags are in effect, which the variable would replace, nor where it
    /// says more than is known here.
    fn of(command: &CargoCommand, others_in_effect: impl FnOnce() -> bool) -> Self {
        let Some(described) = command.variable("RUSTFLAGS") else { return Self::as_described(command) };
        let known = described == DENY || described == format!("--cfg {DOC_CFG}");
        if !known || others_in_effect() {
            return Self::as_described(command);
        }
        Self { rustflags: None, by_message: true, deny: described == DENY }
    }
}

/// A check under way.
struct Check<'a, 'c> {
    context: &'a mut Context<'c>,
    command: &'a CargoCommand,
    flags: Flags,
    metadata: &'a Metadata,
    job: &'a Job,
    /// The share of the tests that is to run; none for all of them.
    shard: Option<Shard>,
    /// How test programs that passed before are passed over; none where it is not for us to.
    repeats: Option<Repeats>,
    /// Whether all are run again nevertheless.
    again: bool,
}

/// What one run came to.
struct RunResult {
    ended: Ended,
    findings: Vec<Finding>,
    /// The programs and dynamic libraries that cargo built beside the tests.
    beside: BTreeSet<PathBuf>,
    /// The tests that passed before and were passed over.
    passed_before: Vec<String>,
}

impl RunResult {
    fn new(ended: Ended, findings: Vec<Finding>) -> Self {
        Self { ended, findings, beside: BTreeSet::new(), passed_before: Vec::new() }
    }
}

impl Check<'_, '_> {
    fn run_all(mut self, runs: Vec<CargoRun>) -> Result<Judgement> {
        let mut judgement = Judgement { verdict: Verdict::Passed, ..Judgement::default() };
        let count = runs.len();
        for (index, run) in runs.into_iter().enumerate() {
            (self.context.progress)(index + 1, count, &run.name());
            let begin = Instant::now();
            let started = (begin - self.context.run_started).as_secs_f64();
            let mut result = self.run_one(&run)?;
            if self.command.verb == "doc" && self.flags.by_message && self.blames_a_dependency(&result) {
                self.flags = Flags::as_described(self.command);
                result = self.run_one(&run)?;
            }
            let failed = result.ended != Ended::Exited(0)
                || result.findings.iter().any(|finding| finding.level == Level::Error);
            let verdict = match result.ended {
                Ended::Cancelled => Verdict::Cancelled,
                _ if failed => Verdict::Failed,
                _ => Verdict::Passed,
            };
            for mut finding in result.findings {
                if count > 1 {
                    finding.feature_sets = vec![run.name()];
                }
                finding.merge_into(&mut judgement.findings);
            }
            judgement.combinations.push(Combination {
                package: run.package,
                features: run.features,
                stands_for: run.stands_for,
                passed_before: result.passed_before,
                verdict,
                started,
                seconds: begin.elapsed().as_secs_f64(),
                timings: self.context.timings.take(),
            });
            if verdict != Verdict::Passed {
                judgement.verdict = verdict;
            }
            match result.ended {
                Ended::Cancelled => break,
                Ended::TimedOut => {
                    judgement.reason =
                        Some(format!("ran over its time limit in combination {} of {count}", index + 1));
                    break;
                }
                _ => {}
            }
        }
        Ok(judgement)
    }

    fn run_one(&mut self, run: &CargoRun) -> Result<RunResult> {
        if self.command.verb != "test" {
            return self.compile(run, &[]);
        }
        self.build_and_test(run)
    }

    /// cargo with the check's variables, in the run's folder.
    fn cargo(&self, run: &CargoRun, extra: &[&str]) -> Command {
        let cargo = self.context.cargo().arg(&self.command.verb).args(&self.command.args);
        self.with_variables(cargo).args(&run.flags).args(extra).dir(&run.dir)
    }

    fn with_variables(&self, mut cargo: Command) -> Command {
        for (name, value) in self.command.env.iter().filter(|(name, _)| name != "RUSTFLAGS") {
            cargo = cargo.env(name, value);
        }
        if let Some(rustflags) = &self.flags.rustflags {
            // cargo prefers the encoded variable to the one that the description sets.
            cargo = cargo.env("RUSTFLAGS", rustflags).env_remove("CARGO_ENCODED_RUSTFLAGS");
        }
        cargo
    }

    /// Runs a command whose standard output is cargo's messages alone.
    fn compile(&mut self, run: &CargoRun, extra: &[&str]) -> Result<RunResult> {
        let format = if self.context.color {
            "--message-format=json-diagnostic-rendered-ansi"
        } else {
            "--message-format=json"
        };
        let mut command = self.cargo(run, extra).arg(format);
        if extra.is_empty() && !self.command.trailing.is_empty() {
            command = command.arg("--").args(&self.command.trailing);
        }
        self.announce(&command);
        let target = self.command.value_of("--target");
        let root = &self.job.root;
        let mut messages =
            Messages::new(self.metadata.workspace_root.as_std_path(), root, self.flags.deny, target);
        let mut words = LastWords::default();
        let ended =
            self.context.run_cargo(&command, stopwatch::Job::Build, &mut |stream, line| match stream {
                Stream::Stdout => messages.read(line),
                Stream::Stderr => {
                    words.read(line);
                    Some(line.into())
                }
            })?;
        let beside = messages.take_programs();
        let mut findings = messages.findings();
        if ended != Ended::Exited(0) && !findings.iter().any(|finding| finding.level == Level::Error) {
            findings.extend(words.finding(ended));
        }
        Ok(RunResult { beside, ..RunResult::new(ended, findings) })
    }

    fn announce(&mut self, command: &Command) {
        let typed = Command { program: "cargo".into(), env: Vec::new(), ..command.clone() };
        self.context.say(&format!("$ {typed}"));
    }

    /// Whether documentation failed for a package that is not the repository's: one that may mention
    /// [`DOC_CFG`].
    fn blames_a_dependency(&self, result: &RunResult) -> bool {
        let own = |name: &str| self.metadata.packages.iter().any(|p| p.source.is_none() && p.name == name);
        let errors = result.findings.iter().filter(|finding| finding.level == Level::Error);
        result.ended != Ended::Exited(0)
            && errors.into_iter().any(|f| f.package.as_deref().is_some_and(|name| !own(name)))
    }
}

/// `cargo fmt`, which knows no features.
fn format_check(context: &mut Context<'_>, command: &CargoCommand) -> Result<Judgement> {
    let mut cargo = context.cargo().arg("fmt").args(&command.args);
    if !command.trailing.is_empty() {
        cargo = cargo.arg("--").args(&command.trailing);
    }
    if !context.color {
        // rustfmt asks the terminal's description alone whether it may colour, also into a pipe.
        cargo = cargo.env("TERM", "dumb");
    }
    context.say(&format!("$ {}", Command { program: "cargo".into(), env: Vec::new(), ..cargo.clone() }));
    let root = context.root.to_owned();
    let mut output = StyleOutput::default();
    let mut words = LastWords::default();
    let ended = context.run_reading(&cargo, &mut |stream, line| {
        match stream {
            Stream::Stdout => output.read(line, &root),
            Stream::Stderr => words.read(line),
        }
        true
    })?;
    let mut findings = output.findings();
    if ended != Ended::Exited(0) && findings.is_empty() {
        // rustfmt names files by their whole paths.
        findings.extend(
            words
                .finding(ended)
                .map(|finding| Finding { file: finding.file.map(|file| from_root(&root, &file)), ..finding }),
        );
    }
    let verdict = match ended {
        Ended::Exited(0) => Verdict::Passed,
        Ended::Cancelled => Verdict::Cancelled,
        _ => Verdict::Failed,
    };
    let reason = (ended == Ended::TimedOut).then(|| "ran over its time limit".to_owned());
    Ok(Judgement { verdict, reason, findings, ..Judgement::default() })
}

/// The last lines of a standard error.
#[derive(Default)]
pub(super) struct LastWords(VecDeque<String>);

impl LastWords {
    /// Takes a line.
    pub(super) fn read(&mut self, line: &[u8]) {
        if self.0.len() == LAST_WORDS {
            self.0.pop_front();
        }
        let text = anstream::adapter::strip_str(&String::from_utf8_lossy(line)).to_string();
        let text: String = text.chars().take(LONGEST_WORDS).collect();
        self.0.push_back(text);
    }

    /// A finding with the words, for a failure that nothing else explains.
    pub(super) fn finding(self, ended: Ended) -> Option<Finding> {
        let words: String = self.0.into_iter().collect();
        let first = words.lines().find(|line| line.starts_with("error")).map(ToOwned::to_owned);
        let message = match ended {
            Ended::Exited(status) => first.unwrap_or_else(|| format!("cargo ended with status {status}")),
            Ended::Signaled(signal) => format!("cargo was killed by signal {signal}"),
            Ended::TimedOut | Ended::Cancelled => return None,
        };
        Some(refusal(&message, &words))
    }
}

/// A finding that is a tool's own words.
pub(super) fn refusal(message: &str, words: &str) -> Finding {
    let (file, line, column) = place(words).unwrap_or_default();
    let rendered = Some(words.trim_end().to_owned());
    Finding { file, line, column, rendered, ..Finding::error(message) }
}

/// The first place that a tool points at in its words: ` --> FILE:LINE:COLUMN`.
fn place(words: &str) -> Option<(Option<String>, Option<u32>, Option<u32>)> {
    let place = words.lines().find_map(|line| line.trim_start().strip_prefix("--> "))?;
    let mut parts = place.trim_end().rsplitn(3, ':');
    let (column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    Some((Some(file.replace('\\', "/")), line.parse().ok(), column.parse().ok()))
}
