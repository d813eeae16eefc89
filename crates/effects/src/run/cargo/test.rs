//! Builds and runs tests.

use super::combine::CargoRun;
use super::repeats::{Repeats, Told};
use super::stopwatch::Purpose;
use super::toolchain::Toolchain;
use super::words::LastWords;
use super::{Check, RunResult};
use crate::process::{Command, Ended, Stream};
use crate::run::context::Context;
use anyhow::{Context as _, Result};
use cargo_metadata::Metadata;
use rust_vmm_ci_core::checks::cargo::{CargoCommand, Kind};
use rust_vmm_ci_core::checks::examples::as_documented;
use rust_vmm_ci_core::checks::test_output::{DOC, Packages, TestOutput};
use rust_vmm_ci_core::model::Os;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// The folder in the target directory for compiled examples in documentation. Each command has one of its own.
const EXAMPLES: &str = "rust-vmm-ci/examples";

/// The folder for the compiled examples of a command.
pub(super) fn folder_for_examples(metadata: &Metadata, command: &CargoCommand) -> PathBuf {
    let name = Sha256::digest(command.to_string());
    let name = base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, name);
    metadata.target_directory.as_std_path().join(EXAMPLES).join(name)
}

/// How tests that passed before are left out of a check. None are left out if the command runs no tests, or if
/// it chooses the form of cargo's messages, because then it is not known what is built. Leaving tests out only
/// saves time. So a check goes on without it if it cannot be prepared.
pub(super) fn repeats(
    context: &mut Context<'_>,
    command: &CargoCommand,
    toolchain: &Toolchain,
    triple: &str,
    kept_examples: Option<&Path>,
) -> Option<Repeats> {
    if command.kind() != Kind::Test || context.os != Os::Linux || command.has_message_format() {
        return None;
    }
    let program = std::env::current_exe().context("finding this program's own file");
    let prepared = program.and_then(|program| Repeats::prepare(&program, toolchain, triple, kept_examples));
    prepared.unwrap_or_else(|error| {
        context.say(&format!("note: {error:#}; what passed before is run again"));
        None
    })
}

impl Check<'_, '_> {
    /// Builds tests and then runs them. These are two commands: what tests print stands on the same stream
    /// as cargo's messages, and may look like them.
    pub(super) fn build_and_test(&mut self, run: &CargoRun) -> Result<RunResult> {
        let no_run = self.command.unless_given("--no-run");
        if self.command.has("--doc") || (self.command.has_message_format() && no_run.is_some()) {
            let nothing = RunResult::new(Ended::Exited(0), Vec::new());
            return self.test(run, &[], &nothing);
        }
        let added: Vec<&str> = no_run.into_iter().collect();
        let built = self.compile(run, &added)?;
        if built.ended != Ended::Exited(0) || no_run.is_none() {
            return Ok(built);
        }
        let mut tested = match self.shard {
            Some(shard) => self.test_share(run, shard, &built)?,
            None => self.test(run, &[], &built)?,
        };
        tested.findings.splice(0..0, built.findings);
        Ok(tested)
    }

    /// Runs tests that have been built.
    pub(super) fn test(&mut self, run: &CargoRun, extra: &[&str], built: &RunResult) -> Result<RunResult> {
        let mut trailing = self.command.trailing.clone();
        if !self.context.part.tests.is_empty() {
            trailing.push("--exact".to_owned());
            trailing.extend(self.context.part.tests.iter().cloned());
        }
        let whole =
            |cargo: Command| if trailing.is_empty() { cargo } else { cargo.arg("--").args(&trailing) };
        let added: Vec<&str> = self.command.unless_given("--no-fail-fast").into_iter().collect();
        let cargo = self.cargo(run, &added).args(extra);
        // The log shows what a person would type to repeat it, without what leaves tests out.
        self.context.announce_with(&whole(cargo.clone()), &self.command.env);
        let command = whole(match &self.repeats {
            Some(repeats) => repeats.apply(cargo, &built.beside, &self.views.place(&run.dir))?,
            None => cargo,
        });
        let mut output = TestOutput::default();
        let mut words = LastWords::default();
        let (mut passed_before, mut merged_examples, mut ran) = (Vec::new(), 0, false);
        let mark = self.repeats.as_ref().map(Repeats::mark);
        let ended = self.context.run_cargo(&command, Purpose::Run, &mut |stream, line| {
            let (line, told) = mark.map_or((line, None), |mark| mark.read(line));
            let line = as_documented(line);
            let is_error = stream == Stream::Stderr;
            if !line.is_empty() {
                output.read(&line, is_error);
            }
            if is_error {
                words.read(&line);
            } else {
                ran |= !line.is_empty();
            }
            match told {
                Some(Told::Begins(program)) => output.begins(&program, is_error),
                Some(Told::LeftOut(what)) => passed_before.push(what),
                Some(Told::Merged(count)) => merged_examples += count,
                None => {}
            }
            Some(line)
        })?;
        if let Some(repeats) = &self.repeats
            && ended == Ended::Exited(0)
            && !self.again
        {
            repeats.all_passed()?;
        }
        let announced = output.announced();
        let (mut findings, mut outage) = (Vec::new(), None);
        let packages = self.packages(built);
        let tests = output.tests(&packages);
        if ended != Ended::Exited(0) {
            if !ran {
                words.refuse_mistake()?;
            }
            findings = output.findings(&packages, &|file| self.located(file));
            if findings.is_empty() {
                // What the command builds itself may fail before a test has run.
                outage = words.outage().filter(|_| !ran);
                findings.extend(words.finding(ended, &|file| self.located(file)));
            }
        }
        Ok(RunResult {
            passed_before,
            outage,
            merged_examples,
            announced,
            tests,
            ..RunResult::new(ended, findings)
        })
    }

    /// The packages of test programs and of examples in documentation.
    fn packages(&self, built: &RunResult) -> Packages {
        let mut packages = built.packages.clone();
        packages.extend(packages_of_examples(self.metadata));
        packages
    }
}

/// The packages of the workspace by the names of their examples in the output of `cargo test`.
fn packages_of_examples(metadata: &Metadata) -> Packages {
    let libraries = metadata.workspace_packages().into_iter().flat_map(|package| {
        let doctests = package.targets.iter().filter(|target| target.doctest);
        doctests
            .map(move |target| (format!("{DOC}{}", target.name.replace('-', "_")), package.name.to_string()))
    });
    libraries.collect()
}
