//! Unit tests, divided among the jobs of a step with Buildkite's `parallelism`. cargo-nextest runs them.
//!
//! Only the name of a test decides its share (`--partition hash:K/N`). So every test is in exactly one share,
//! even if two machines have different tests because a build script found different things. The partitions
//! that count tests (`slice`, `count`) would be different: one additional test on one machine would move all
//! later tests.

use super::cargo::CargoCommand;
use super::check::OwnOption;
use super::own;
use super::test_output::{Excerpt, MOST_OUTPUT, place};
use crate::exit::usage;
use crate::model::shown;
use crate::report::{Finding, Findings, Place, Test, Tests, Verdict};
use anyhow::Result;
use cargo_metadata::{Metadata, Package, TargetKind};
use glob::Pattern;
use quick_junit::{Report, TestCaseStatus};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::Path;

/// The option's name.
pub const OPTION: &str = "parallelism";

/// The options of a check whose tests can be divided.
pub const OPTIONS: &[OwnOption] = &[OwnOption {
    name: OPTION,
    kinds: &["integer", "boolean"],
    doc: "the number of jobs among which the tests are divided, or `false`",
    default: "`false`",
    example: "4",
}];

/// The nextest profile for these runs. No repository has a profile of this name.
pub const PROFILE: &str = "rust-vmm-ci";

/// cargo's options that select targets. With one of them, `cargo test` runs no doctests.
const TARGETS: [&str; 10] = [
    "--lib",
    "--bin",
    "--bins",
    "--test",
    "--tests",
    "--example",
    "--examples",
    "--bench",
    "--benches",
    "--all-targets",
];

/// The options that only such a check has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    /// The number of jobs that the tests are divided among.
    #[serde(deserialize_with = "own::limit")]
    parallelism: Option<usize>,
}

/// Checks the own options of a check whose tests can be divided.
///
/// # Errors
/// Exit 2 with the key path, for a number of jobs below 1 or an unknown option.
pub fn check_options(name: &str, own: &Map<String, Value>) -> Result<()> {
    own::read::<Options>(name, own).map(drop)
}

/// The number of jobs that the tests of a check are divided among, from its own options. None if they are not
/// divided.
pub fn parallelism(own: &Map<String, Value>) -> Option<u64> {
    own.get(OPTION)?.as_u64().filter(|jobs| *jobs > 1)
}

/// Why the tests of a command cannot be divided. None if they can be.
pub fn refusal(command: Option<&CargoCommand>) -> Option<&'static str> {
    match command {
        Some(command) if command.verb != "test" => Some("its command runs no tests"),
        Some(command) if command.has("--doc") => Some("nextest runs no doctests, and its command no others"),
        Some(command) if !command.trailing.is_empty() => {
            Some("nextest does not take the arguments after `--`, which are for libtest")
        }
        Some(_) => None,
        None => Some("its command is no plain cargo command"),
    }
}

/// The number of this job among the jobs of its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The number, from 1.
    index: u64,
    /// The number of jobs, at least 2.
    count: u64,
}

impl Shard {
    /// Reads `BUILDKITE_PARALLEL_JOB`, which counts from 0, and `BUILDKITE_PARALLEL_JOB_COUNT`. None if the
    /// step has one job, or if this is not a job.
    ///
    /// # Errors
    /// Exit 2 if the values are not such numbers. A guessed share could leave tests out.
    pub fn of_job(job: Option<&str>, count: Option<&str>) -> Result<Option<Self>> {
        let (Some(job), Some(count)) = (job, count) else { return Ok(None) };
        let numbers = job.trim().parse::<u64>().ok().zip(count.trim().parse::<u64>().ok());
        match numbers {
            Some((0, 1)) => Ok(None),
            Some((job, count)) if job < count => Ok(Some(Self { index: job + 1, count })),
            _ => Err(usage(format!(
                "BUILDKITE_PARALLEL_JOB, BUILDKITE_PARALLEL_JOB_COUNT: expected a job from 0 and how many \
                 there are, got {} and {}; the agent sets both",
                shown::value(job),
                shown::value(count)
            ))),
        }
    }

    /// Whether it is the first job. The first job also runs what cannot be divided.
    pub fn is_first(self) -> bool {
        self.index == 1
    }

    /// The value of nextest's `--partition`.
    pub fn partition(self) -> String {
        format!("hash:{}/{}", self.index, self.count)
    }
}

/// nextest's configuration for a run. It writes failures to a `JUnit` file. A test that is asked to stop must
/// stop within the time that this program gives to a check's processes. The repository's own nextest settings
/// must not leave a test out or repeat it: the flags of [`arguments`] prevent that.
///
/// # Errors
/// If the path is not valid text.
pub fn configuration(junit: &Path) -> Result<String> {
    let path = junit.to_str().ok_or_else(|| anyhow::anyhow!("{} is no text", junit.display()))?;
    let configuration = serde_json::json!({"profile": {PROFILE: {
        "slow-timeout": {"period": "60s", "grace-period": "1s"},
        "junit": {"path": path},
    }}});
    Ok(toml::to_string(&configuration)?)
}

/// The arguments of `cargo nextest run` that correspond to those of a `cargo test`. They are the same, except
/// where nextest gives a name another meaning.
pub fn arguments(command: &CargoCommand, shard: Shard) -> Vec<String> {
    let mut arguments: Vec<String> = Vec::new();
    for arg in &command.args {
        let (name, value) =
            arg.split_once('=').map_or((arg.as_str(), None), |(name, value)| (name, Some(value)));
        let known = match name {
            "--jobs" | "-j" => Some("--build-jobs"),
            "--profile" => Some("--cargo-profile"),
            "--quiet" | "-q" => Some("--cargo-quiet"),
            "--verbose" | "-v" | "-vv" => Some("--cargo-verbose"),
            // It is added below. nextest refuses a flag that is given twice.
            "--no-fail-fast" => continue,
            _ => None,
        };
        arguments.push(match (known, value) {
            (None, _) => arg.clone(),
            (Some(known), None) => known.to_owned(),
            (Some(known), Some(value)) => format!("{known}={value}"),
        });
    }
    let flags = ["--no-fail-fast", "--no-tests=pass", "--ignore-default-filter", "--retries=0"];
    arguments.extend(flags.map(str::to_owned));
    arguments.push(format!("--profile={PROFILE}"));
    arguments.push(format!("--partition={}", shard.partition()));
    arguments
}

/// Whether `cargo test` would run doctests in a folder. The question is needed because cargo refuses `--doc`
/// if no selected package has a library.
pub fn has_doctests(command: &CargoCommand, metadata: &Metadata, dir: &Path) -> bool {
    let chooses = |arg: &String| TARGETS.contains(&arg.split('=').next().unwrap_or_default());
    if command.args.iter().any(chooses) {
        return false;
    }
    let (packages, excluded) = (values(command, &["--package", "-p"]), values(command, &["--exclude"]));
    let named = |patterns: &[Pattern], package: &Package| {
        patterns.iter().any(|pattern| pattern.matches(package.name.as_str()))
    };
    let own = |package: &Package| package.manifest_path.parent().is_some_and(|folder| folder == dir);
    let members = metadata.workspace_packages();
    let whole =
        command.has("--workspace") || command.has("--all") || !members.iter().any(|package| own(package));
    let library = |package: &Package| {
        let kinds = [TargetKind::Lib, TargetKind::RLib, TargetKind::ProcMacro];
        package
            .targets
            .iter()
            .any(|target| target.doctest && target.kind.iter().any(|kind| kinds.contains(kind)))
    };
    members.into_iter().any(|package| {
        let selected = if packages.is_empty() { whole || own(package) } else { named(&packages, package) };
        selected && !named(&excluded, package) && library(package)
    })
}

/// The values of an option that may be repeated, as patterns for names of packages.
fn values(command: &CargoCommand, options: &[&str]) -> Vec<Pattern> {
    let mut values = Vec::new();
    let mut args = command.args.iter();
    while let Some(arg) = args.next() {
        let value = if options.contains(&arg.as_str()) {
            args.next().map(String::as_str)
        } else {
            arg.split_once('=').filter(|(name, _)| options.contains(name)).map(|(_, value)| value)
        };
        // Here the name in `name@version` and `name:version` is enough to select a package.
        let name = value.map(|value| value.split(['@', ':']).next().unwrap_or_default());
        values.extend(name.and_then(|name| Pattern::new(name).ok()));
    }
    values
}

/// The tests that failed, from nextest's `JUnit` report. Empty if the text is not such a report. `from_root`
/// turns a path in the output into a path from the repository's root.
pub fn findings(junit: &str, from_root: &dyn Fn(&str) -> String) -> Vec<Finding> {
    let Ok(report) = Report::deserialize_from_str(junit) else { return Vec::new() };
    let cases =
        report.test_suites.iter().flat_map(|suite| suite.test_cases.iter().map(move |case| (suite, case)));
    let failed = cases.filter_map(|(suite, case)| {
        let TestCaseStatus::NonSuccess { message, description, .. } = &case.status else { return None };
        let output = [&case.system_out, &case.system_err].into_iter().flatten();
        let words = description.as_ref().or(message.as_ref()).map(|words| words.as_str().trim());
        let words = words.unwrap_or_default();
        let name = case.name.as_str();
        let place =
            place(name, words).or_else(|| output.into_iter().find_map(|text| place(name, text.as_str())));
        let mut excerpt = Excerpt::new(MOST_OUTPUT);
        excerpt.push(words.as_bytes());
        // The suite is `PACKAGE`, or `PACKAGE::TARGET`.
        let package = suite.name.as_str().split("::").next().unwrap_or_default().to_owned();
        let killed = message
            .as_ref()
            .map(quick_junit::XmlString::as_str)
            .filter(|words| words.starts_with("process aborted with signal "));
        let killed = killed.map_or_else(String::new, |words| format!(": {words}"));
        let finding = Finding {
            lint: Some("test".into()),
            package: Some(package),
            rendered: Some(excerpt.text()).filter(|text| !text.is_empty()),
            ..Finding::error(format!("test {name} failed{killed}"))
        };
        Some(match place {
            Some(place) => finding.at(Place { file: from_root(&place.file), ..place }),
            None => finding,
        })
    });
    let mut findings = Findings::default();
    findings.extend(failed);
    findings.into_vec()
}

/// All tests, from nextest's `JUnit` report, with their times. Empty if the text is not such a report.
pub fn tests(junit: &str) -> Vec<Test> {
    let Ok(report) = Report::deserialize_from_str(junit) else { return Vec::new() };
    let mut all = Tests::default();
    for suite in &report.test_suites {
        // The suite is `PACKAGE`, or `PACKAGE::TARGET`.
        let (package, target) = suite.name.as_str().split_once("::").unwrap_or((suite.name.as_str(), ""));
        for case in &suite.test_cases {
            all.add(Test {
                name: case.name.as_str().to_owned(),
                package: Some(package.to_owned()),
                target: Some(target.to_owned()).filter(|target| !target.is_empty()),
                verdict: match case.status {
                    TestCaseStatus::Success { .. } => Verdict::Passed,
                    TestCaseStatus::NonSuccess { .. } => Verdict::Failed,
                    TestCaseStatus::Skipped { .. } => Verdict::Skipped,
                },
                seconds: case.time.map(|time| time.as_secs_f64()),
            });
        }
    }
    all.into_vec()
}

#[cfg(test)]
mod tests;
