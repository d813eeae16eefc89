//! Builds and runs tests.

use super::combine::CargoRun;
use super::configuration;
use super::repeats::{MERGED, PASSED_BEFORE, Repeats};
use super::stopwatch::Purpose;
use super::toolchain::Toolchain;
use super::words::LastWords;
use super::{Check, RunResult};
use crate::process::{Command, Ended, Stream};
use crate::run::context::Context;
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::checks::cargo::CargoCommand;
use rust_vmm_ci_core::checks::examples::as_documented;
use rust_vmm_ci_core::checks::test_output::TestOutput;
use rust_vmm_ci_core::model::Os;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// How tests that passed before are left out of a check. All run where the command runs no tests, and where
/// the repository or the person has configured what runs them. Leaving them out only saves time, so a
/// check goes on without it where it cannot be prepared.
pub(super) fn repeats(
    context: &mut Context<'_>,
    command: &CargoCommand,
    toolchain: &Toolchain,
    triple: &str,
    runs: &[CargoRun],
    merge_examples: bool,
) -> Option<Repeats> {
    let sets_tools = |run: &CargoRun| configuration::sets_test_tools(&run.dir, triple);
    let configures = |arg: &String| arg.starts_with("--config");
    if command.verb != "test"
        || context.os != Os::Linux
        || command.args.iter().any(configures)
        || runs.iter().any(sets_tools)
    {
        return None;
    }
    let program = std::env::current_exe().context("finding this program's own file");
    let prepared = program.and_then(|program| Repeats::prepare(&program, toolchain, triple, merge_examples));
    prepared.unwrap_or_else(|error| {
        context.say(&format!("note: {error:#}; what passed before is run again"));
        None
    })
}

impl Check<'_, '_> {
    /// Builds tests and then runs them. These are two commands: what tests print stands on the same stream
    /// as cargo's messages, and may look like them.
    pub(super) fn build_and_test(&mut self, run: &CargoRun) -> Result<RunResult> {
        if self.command.has("--doc") {
            return self.test(run, &[], &BTreeSet::new());
        }
        let built = self.compile(run, &["--no-run"])?;
        if built.ended != Ended::Exited(0) {
            return Ok(built);
        }
        let mut tested = match self.shard {
            Some(shard) => self.test_share(run, shard, &built.beside)?,
            None => self.test(run, &[], &built.beside)?,
        };
        tested.findings.splice(0..0, built.findings);
        Ok(tested)
    }

    /// Runs tests that have been built.
    pub(super) fn test(
        &mut self,
        run: &CargoRun,
        extra: &[&str],
        beside: &BTreeSet<PathBuf>,
    ) -> Result<RunResult> {
        let trailing = &self.command.trailing;
        let whole = |cargo: Command| if trailing.is_empty() { cargo } else { cargo.arg("--").args(trailing) };
        let cargo = self.cargo(run, &["--no-fail-fast"]).args(extra);
        // The log shows what a person would type to repeat it, without what leaves tests out.
        self.context.announce(&whole(cargo.clone()));
        let command = whole(match &self.repeats {
            Some(repeats) => repeats.apply(cargo, beside)?,
            None => cargo,
        });
        let mut output = TestOutput::default();
        let mut words = LastWords::default();
        let mut passed_before = Vec::new();
        let mut merged_examples = 0;
        let ended = self.context.run_cargo(&command, Purpose::Run, &mut |stream, line| {
            let line = as_documented(line);
            output.read(&line);
            if stream == Stream::Stderr {
                words.read(&line);
            } else if let Some(what) = line.strip_prefix(PASSED_BEFORE.as_bytes()) {
                passed_before.push(String::from_utf8_lossy(what).trim_end().to_owned());
            } else if let Some(count) = line.strip_prefix(MERGED.as_bytes()) {
                let count = String::from_utf8_lossy(count);
                merged_examples +=
                    count.split(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0_usize);
            }
            Some(line)
        })?;
        if let Some(repeats) = &self.repeats
            && ended == Ended::Exited(0)
            && !self.again
        {
            repeats.all_passed()?;
        }
        let mut findings = if ended == Ended::Exited(0) { Vec::new() } else { output.findings() };
        if ended != Ended::Exited(0) && findings.is_empty() {
            findings.extend(words.finding(ended));
        }
        Ok(RunResult { passed_before, merged_examples, ..RunResult::new(ended, findings) })
    }
}
