//! Runs a check that is a cargo command, and holds what else concerns cargo.
//!
//! The command runs once for each distinct set of features. All of them run, even after one has failed.

mod combine;
pub mod configuration;
pub mod debug;
pub mod dependencies;
mod divided;
pub mod facts;
mod flags;
mod format;
pub mod instrument;
mod once_map;
mod other;
pub mod repeats;
pub mod stopwatch;
mod test;
pub mod toolchain;
mod views;
pub mod words;

use super::context::{Context, Judgement, verdict};
use super::preamble::{self, Stop};
use crate::process::{Command, Ended, Stream};
use anyhow::Result;
use cargo_metadata::Metadata;
use combine::{Asking, CargoRun};
use facts::JobFacts;
use flags::Flags;
use repeats::Repeats;
use rust_vmm_ci_core::checks::cargo::{CargoCommand, Kind};
use rust_vmm_ci_core::checks::messages::Messages;
use rust_vmm_ci_core::checks::outage;
use rust_vmm_ci_core::checks::shard::Shard;
use rust_vmm_ci_core::checks::test_output::Packages;
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::model::FeatureMode;
use rust_vmm_ci_core::report::{Combination, Finding, Findings, Level, Test, Tests, Verdict};
use rust_vmm_ci_core::workspace::path::from_folder;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;
use stopwatch::Purpose;
use toolchain::Toolchain;
use views::Views;
pub use words::LastWords;

/// Runs the check.
///
/// # Errors
/// Where a tool cannot be started or gives no answer: the check is broken.
pub fn run(
    context: &mut Context<'_>,
    command: &CargoCommand,
    mode: FeatureMode,
    facts: &JobFacts,
    shard: Option<Shard>,
    merge_examples: bool,
) -> Result<Judgement> {
    Stop::settle(run_or_stop(context, command, mode, facts, shard, merge_examples))
}

fn run_or_stop(
    context: &mut Context<'_>,
    command: &CargoCommand,
    mode: FeatureMode,
    facts: &JobFacts,
    shard: Option<Shard>,
    merge_examples: bool,
) -> Result<Judgement, Stop> {
    let toolchain = preamble::toolchain(context, facts)?;
    if let Some(missing) = missing_component(command, &toolchain) {
        return Ok(missing);
    }
    if shard.is_some()
        && let Some(missing) = divided::missing(context)?
    {
        return Ok(missing);
    }
    match command.kind() {
        Kind::Format => return Ok(format::check(context, command)?),
        Kind::Other => return Ok(other::run(context, command)?),
        Kind::Compile | Kind::Test | Kind::Run => preamble::require_platform(context, &toolchain)?,
    }
    let metadata = preamble::workspace(context, facts, command.lock_flags())?;
    let views = Views::new(context, command);
    let asking = Asking { cargo: context.cargo(), place: &|dir| views.place(dir) };
    let runs = facts
        .runs(command, mode, &metadata, &context.directory, &asking)
        .map_err(|error| preamble::unknown(context, error))?;
    let count = runs.len();
    let runs = part_of(runs, &context.part.combinations)?;
    let triples = command.values_of("--target");
    let triple = triples.first().copied().unwrap_or(&toolchain.host);
    // The folder of a member may have a configuration of its own.
    let others_in_effect =
        || triples.len() > 1 || runs.iter().any(|run| views.of(&run.dir).has_flags(triple));
    let mut flags = if command.kind() == Kind::Run || command.has_message_format() {
        Flags::as_described(command)
    } else {
        Flags::of(command, others_in_effect)
    };
    if flags.by_message && flags.are_noticed(facts.mentions(&metadata)) {
        flags = Flags::as_described(command);
    }
    let own_tools = runs.iter().any(|run| views.of(&run.dir).sets_test_tools(triple));
    let kept = merge_examples.then(|| test::folder_for_examples(&metadata, command));
    let repeats =
        if own_tools { None } else { test::repeats(context, command, &toolchain, triple, kept.as_deref()) };
    let again = mode == FeatureMode::PowersetAll;
    let check = Check { context, command, flags, metadata: &metadata, facts, views, shard, repeats, again };
    Ok(check.run_all(runs, count)?)
}

/// The runs with these names, and the runs that stand for a run with such a name. Without names, all runs.
///
/// # Errors
/// Exit 2 if no run has this name.
fn part_of(runs: Vec<CargoRun>, names: &[String]) -> Result<Vec<CargoRun>> {
    if names.is_empty() {
        return Ok(runs);
    }
    let is_named = |run: &CargoRun| {
        names.contains(&run.name()) || run.stands_for.iter().any(|name| names.contains(name))
    };
    let all: Vec<String> = runs.iter().map(CargoRun::name).collect();
    let part: Vec<CargoRun> = runs.into_iter().filter(is_named).collect();
    if part.is_empty() {
        return Err(exit::usage(format!(
            "--combination: there is none called {}; there are: {}",
            names.join(", "),
            all.join("; ")
        )));
    }
    Ok(part)
}

/// The judgement where the toolchain lacks what the command needs.
fn missing_component(command: &CargoCommand, toolchain: &Toolchain) -> Option<Judgement> {
    let component = match command.verb.as_str() {
        "clippy" => Some(("cargo-clippy", "component add clippy")),
        "fmt" => Some(("cargo-fmt", "component add rustfmt")),
        _ => None,
    };
    if let Some((program, remedy)) = component
        && !toolchain.has(program)
    {
        let reason = format!("`{program}` is not installed for {}", toolchain.version);
        return Some(Judgement::missing(reason, toolchain.remedy(remedy, &format!("`{program}`"))));
    }
    // A target can also be a file that describes it.
    let mut targets = command.values_of("--target").into_iter().filter(|target| !target.ends_with(".json"));
    let target = targets.find(|target| !toolchain.has_target(target))?;
    let reason = format!("the target {target} is not installed for {}", toolchain.version);
    let what = format!("the standard library of {target}");
    Some(Judgement::missing(reason, toolchain.remedy(&format!("target add {target}"), &what)))
}

/// A check under way.
struct Check<'a, 'c> {
    context: &'a mut Context<'c>,
    command: &'a CargoCommand,
    flags: Flags,
    metadata: &'a Metadata,
    facts: &'a JobFacts,
    views: Views,
    /// The share of the tests that runs here; without one all of them run.
    shard: Option<Shard>,
    /// How test programs that passed before are left out; none where all must run.
    repeats: Option<Repeats>,
    /// Whether all run again nevertheless.
    again: bool,
}

/// The result of one run.
struct RunResult {
    ended: Ended,
    findings: Vec<Finding>,
    /// The programs and dynamic libraries that cargo built beside the tests.
    beside: BTreeSet<PathBuf>,
    /// The packages of the test programs that cargo built.
    packages: Packages,
    /// The tests that passed before and were left out.
    passed_before: Vec<String>,
    /// Why a failure is no verdict on the commit; none if it is one.
    outage: Option<String>,
    /// How many examples in documentation were compiled together with others.
    merged_examples: usize,
    /// How many tests ran; none if the harness does not say it.
    announced: Option<u64>,
    /// The tests that ran.
    tests: Vec<Test>,
}

impl RunResult {
    fn new(ended: Ended, findings: Vec<Finding>) -> Self {
        Self {
            ended,
            findings,
            beside: BTreeSet::new(),
            packages: Packages::new(),
            passed_before: Vec::new(),
            outage: None,
            merged_examples: 0,
            announced: None,
            tests: Vec::new(),
        }
    }
}

impl Check<'_, '_> {
    /// Does the runs, which are some of `count`.
    fn run_all(mut self, runs: Vec<CargoRun>, count: usize) -> Result<Judgement> {
        let mut judgement = Judgement { verdict: Verdict::Passed, ..Judgement::default() };
        let mut findings = Findings::default();
        let mut announced: Option<u64> = None;
        let mut tests = Tests::default();
        for (index, run) in runs.into_iter().enumerate() {
            (self.context.progress)(index + 1, count, &run.name());
            let begin = Instant::now();
            let started = (begin - self.context.run_started).as_secs_f64();
            let mut result = self.run_one(&run)?;
            if self.command.verb == "doc" && self.flags.by_message && self.blames_a_dependency(&result) {
                self.flags = Flags::as_described(self.command);
                result = self.run_one(&run)?;
            }
            let verdict = match verdict(result.ended) {
                Verdict::Passed if has_error(&result.findings) => Verdict::Failed,
                Verdict::Failed if result.outage.is_some() => Verdict::Broken,
                verdict => verdict,
            };
            judgement.reason = judgement.reason.or(result.outage);
            announced = announced.into_iter().chain(result.announced).reduce(u64::saturating_add);
            result.tests.into_iter().for_each(|test| tests.add(test));
            for mut finding in result.findings {
                if count > 1 {
                    finding.feature_sets = vec![run.name()];
                }
                findings.add(finding);
            }
            judgement.combinations.push(Combination {
                package: run.package,
                features: run.features,
                stands_for: run.stands_for,
                passed_before: result.passed_before,
                merged_examples: result.merged_examples,
                verdict,
                started,
                seconds: begin.elapsed().as_secs_f64(),
                timings: self.context.timings.take(),
            });
            // If one run has failed, the check has failed, however the others end.
            if verdict != Verdict::Passed && judgement.verdict != Verdict::Failed {
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
        if let Some(repeats) = &self.repeats
            && judgement.verdict == Verdict::Passed
            && self.shard.is_none()
            && self.context.part.is_whole()
        {
            repeats.remove_unused();
        }
        let asked = &self.context.part.tests;
        if judgement.verdict == Verdict::Passed && !asked.is_empty() && announced == Some(0) {
            return Err(exit::usage(format!(
                "--test: no test is called {}, so none ran; a name is whole, such as `tests::adds`",
                asked.join(", ")
            )));
        }
        judgement.findings = findings.into_vec();
        judgement.tests = tests.into_vec();
        Ok(judgement)
    }

    /// Turns a path that rustc, cargo or a test names into a path from the repository's root.
    fn located(&self, file: &str) -> String {
        from_folder(&self.facts.root, self.metadata.workspace_root.as_std_path(), file)
    }

    fn run_one(&mut self, run: &CargoRun) -> Result<RunResult> {
        match self.command.kind() {
            Kind::Test => self.build_and_test(run),
            Kind::Run => self.run_program(run),
            _ => self.compile(run, &[]),
        }
    }

    /// cargo with the check's variables, in the run's folder.
    fn cargo(&self, run: &CargoRun, extra: &[&str]) -> Command {
        let cargo = self.context.cargo();
        let cargo = dependencies::again(cargo.arg(&self.command.verb).args(&self.command.args));
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
        let mut command = self.cargo(run, extra);
        if !self.command.has_message_format() {
            command = command.arg(format);
        }
        if extra.is_empty() && !self.command.trailing.is_empty() {
            command = command.arg("--").args(&self.command.trailing);
        }
        self.context.announce_with(&command, &self.command.env);
        let target = self.command.value_of("--target");
        let root = &self.facts.root;
        let mut messages =
            Messages::new(self.metadata.workspace_root.as_std_path(), root, self.flags.deny, target);
        let mut words = LastWords::default();
        let ended = self.context.run_cargo(&command, Purpose::Build, &mut |stream, line| match stream {
            Stream::Stdout => messages.read(line),
            Stream::Stderr => {
                words.read(line);
                Some(line.into())
            }
        })?;
        let (beside, packages) = (messages.take_programs(), messages.take_packages());
        let mut findings = messages.findings();
        let mut outage = None;
        if ended != Ended::Exited(0) {
            words.refuse_mistake()?;
            outage = if has_error(&findings) { outage::of_findings(&findings) } else { words.outage() };
            if !has_error(&findings) {
                findings.extend(words.finding(ended, &|file| self.located(file)));
            }
        }
        Ok(RunResult { beside, packages, outage, ..RunResult::new(ended, findings) })
    }

    /// Runs a command that prints what a program of the repository prints.
    fn run_program(&mut self, run: &CargoRun) -> Result<RunResult> {
        let trailing = &self.command.trailing;
        let cargo = self.cargo(run, &[]);
        let command = if trailing.is_empty() { cargo } else { cargo.arg("--").args(trailing) };
        self.context.announce_with(&command, &self.command.env);
        let mut words = LastWords::default();
        let ended = self.context.run_cargo(&command, Purpose::Run, &mut |stream, line| {
            if stream == Stream::Stderr {
                words.read(line);
            }
            Some(line.into())
        })?;
        let finding =
            if ended == Ended::Exited(0) { None } else { words.finding(ended, &|file| self.located(file)) };
        Ok(RunResult::new(ended, finding.into_iter().collect()))
    }

    /// Whether documentation failed for a package that is not the repository's. Such a package may mention
    /// the `cfg` that the command's flags set.
    fn blames_a_dependency(&self, result: &RunResult) -> bool {
        let own = |name: &str| self.metadata.packages.iter().any(|p| p.source.is_none() && p.name == name);
        let errors = result.findings.iter().filter(|finding| finding.level == Level::Error);
        result.ended != Ended::Exited(0)
            && errors.into_iter().any(|f| f.package.as_deref().is_some_and(|name| !own(name)))
    }
}

fn has_error(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.level == Level::Error)
}
