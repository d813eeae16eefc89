//! Runs one job's share of the tests by cargo-nextest. nextest cannot run doctests: the first job runs all
//! of them.

use super::combine::CargoRun;
use super::stopwatch::Purpose;
use super::words::LastWords;
use super::{Check, RunResult};
use crate::files;
use crate::process::{self, Command, Ended, Stream, TemporaryFolder};
use crate::run::context::{Context, Judgement};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::checks::shard::{self, PROFILE, Shard};

/// nextest's exit status where there was no test to run. A share may be empty.
const NO_TESTS: i32 = 4;

/// The judgement where cargo-nextest is not installed; none where it is.
///
/// # Errors
/// Where cargo cannot be started or gives no answer.
pub(super) fn missing(context: &Context<'_>) -> Result<Option<Judgement>> {
    if process::capture(&context.cargo().args(["nextest", "--version"]))?.status.success() {
        return Ok(None);
    }
    // A nextest that is installed and fails says why when it runs.
    let subcommands = process::answer(&context.cargo().arg("--list"))?.text();
    let missing = !subcommands.lines().any(|line| line.split_whitespace().next() == Some("nextest"));
    Ok(missing.then(|| {
        let remedy = "cargo install --locked cargo-nextest";
        Judgement::missing("cargo-nextest, which divides the tests over jobs, is not installed", remedy)
    }))
}

impl Check<'_, '_> {
    /// Runs a share of the tests, which have been built.
    pub(super) fn test_share(
        &mut self,
        run: &CargoRun,
        shard: Shard,
        built: &RunResult,
    ) -> Result<RunResult> {
        let mut result = self.nextest(run, shard)?;
        let goes_on = matches!(result.ended, Ended::Exited(_) | Ended::Signaled(_));
        if goes_on && shard.is_first() && shard::has_doctests(self.command, self.metadata, &run.dir) {
            let doctests = self.test(run, &["--doc"], built)?;
            result.findings.extend(doctests.findings);
            result.tests.extend(doctests.tests);
            if doctests.ended != Ended::Exited(0) {
                result.ended = doctests.ended;
            }
        }
        Ok(result)
    }

    fn nextest(&mut self, run: &CargoRun, shard: Shard) -> Result<RunResult> {
        let scratch = TemporaryFolder::make().context("a folder for nextest's report")?;
        let (settings, junit) = (scratch.path().join("nextest.toml"), scratch.path().join("junit.xml"));
        std::fs::write(&settings, shard::configuration(&junit)?).context("writing nextest's settings")?;
        let cargo = self.context.cargo().args(["nextest", "run"]);
        let cargo = cargo.args(shard::arguments(self.command, shard));
        let command: Command = self
            .with_variables(cargo)
            .args(&run.flags)
            .arg(format!("--tool-config-file={PROFILE}:{}", settings.display()))
            .dir(&run.dir);
        self.context.announce_with(&command, &self.command.env);
        let mut words = LastWords::default();
        let ended = self.context.run_cargo(&command, Purpose::Run, &mut |stream, line| {
            if stream == Stream::Stderr {
                words.read(line);
            }
            Some(line.into())
        })?;
        let ended = if ended == Ended::Exited(NO_TESTS) { Ended::Exited(0) } else { ended };
        let report = files::open_plain(&junit).and_then(|file| files::bounded(&file, files::LONGEST_REPORT));
        let report = String::from_utf8_lossy(&report.unwrap_or_default()).into_owned();
        let tests = shard::tests(&report);
        if ended == Ended::Exited(0) {
            return Ok(RunResult { tests, ..RunResult::new(ended, Vec::new()) });
        }
        let mut findings = shard::findings(&report, &|file| self.located(file));
        if findings.is_empty() {
            findings.extend(words.finding(ended, &|file| self.located(file)));
        }
        Ok(RunResult { tests, ..RunResult::new(ended, findings) })
    }
}
