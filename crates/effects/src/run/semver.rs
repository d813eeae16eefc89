//! Runs the check semver: cargo-semver-checks, once for each package with an API.
//!
//! One run for all packages would end at the first one that has no release yet.

use super::JobFacts;
use super::base;
use super::context::{Context, Judgement};
use super::preamble;
use crate::git::Git;
use crate::process::{self, Ended, Stream};
use anyhow::Result;
use cargo_metadata::{Metadata, Package};
use rust_vmm_ci_core::checks::Answer;
use rust_vmm_ci_core::checks::semver::{self, Baseline, Compared, Options};
use rust_vmm_ci_core::report::{Finding, Verdict};

/// The tool.
const TOOL: &str = "cargo-semver-checks";

/// Runs the check for the workspace, or for one of its packages.
///
/// # Errors
/// Exit 3 where the tool cannot be started, or git fails.
pub fn run(
    context: &mut Context<'_>,
    package: Option<&str>,
    job: &JobFacts,
    options: &Options,
) -> Result<Judgement> {
    preamble::in_workspace(context, job, |context, _, metadata| check(context, package, metadata, options))
}

fn check(
    context: &mut Context<'_>,
    package: Option<&str>,
    metadata: &Metadata,
    options: &Options,
) -> Result<Judgement> {
    let members = semver::members(metadata, package);
    for (name, reason) in &members.left_out {
        context.say(&format!("left out: {name} ({reason})"));
    }
    if members.compared.is_empty() {
        return Ok(passed("no package that is published has a library"));
    }
    if let Some(missing) = missing(context)? {
        return Ok(missing);
    }
    let base = match options.baseline {
        Baseline::Registry => None,
        Baseline::Base => match merge_base(context, options)? {
            Ok(commit) => Some(commit),
            Err(judgement) => return Ok(judgement),
        },
    };
    let mut all = All::default();
    let count = members.compared.len();
    for (index, member) in members.compared.into_iter().enumerate() {
        (context.progress)(index + 1, count, &member.name);
        match compare(context, member, base.as_deref())? {
            Ok(compared) => all.add(context, &member.name, compared),
            Err(ended) => {
                return Ok(Judgement { findings: all.findings, ..Judgement::of_command(ended, Vec::new()) });
            }
        }
    }
    Ok(all.judgement())
}

fn passed(reason: &str) -> Judgement {
    Judgement { reason: Some(reason.to_owned()), ..Judgement::by_findings(Vec::new()) }
}

/// The judgement where the tool is not installed. A version other than the expected one is said.
fn missing(context: &mut Context<'_>) -> Result<Option<Judgement>> {
    let said = process::capture(&context.cargo().args(["semver-checks", "--version"]))?;
    if !said.status.success() && preamble::lacks_subcommand("semver-checks", &said.stderr) {
        return Ok(Some(Judgement::missing(format!("{TOOL} is not installed"), semver::install())));
    }
    let text = said.text();
    if said.status.success() && !text.split_whitespace().any(|word| word == semver::VERSION) {
        let found = text.lines().next().unwrap_or_default().trim();
        let expected = semver::VERSION;
        context.say(&format!("`{found}` is installed, and its output is read as that of {TOOL} {expected}"));
    }
    Ok(None)
}

/// The commit to compare with, or the judgement where there is none.
fn merge_base(context: &mut Context<'_>, options: &Options) -> Result<Result<String, Judgement>> {
    let git = Git::at(context.root)?;
    let known = base::surroundings(&git)?;
    let key = "checks.semver.base";
    let found = match base::find_or_missing(context, &git, options.base.as_deref(), key, &known)? {
        Ok(found) => found,
        Err(missing) => return Ok(Err(missing)),
    };
    let Some(commit) = found.commit else {
        return Ok(Err(passed(&format!("there is no base to compare with: {}", found.shown))));
    };
    Ok(Ok(git.merge_base(&commit, "HEAD")?.unwrap_or(commit)))
}

/// Compares one package. The error is how the tool ended where it gave no answer.
fn compare(
    context: &mut Context<'_>,
    member: &Package,
    base: Option<&str>,
) -> Result<Result<Compared, Ended>> {
    let command = context.cargo().args(semver::args(&member.name, base));
    context.announce(&command);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let ended = context.run_reading(&command, &mut |stream, line| {
        match stream {
            Stream::Stdout => stdout.extend_from_slice(line),
            Stream::Stderr => stderr.extend_from_slice(line),
        }
        true
    })?;
    let status = match ended {
        Ended::Exited(status) => status,
        Ended::Signaled(signal) => {
            return Ok(Ok(Compared::Broken(format!("{TOOL} was killed by signal {signal}"))));
        }
        Ended::TimedOut => return Ok(Ok(Compared::Broken(format!("{TOOL} ran over its time limit")))),
        Ended::Cancelled => return Ok(Err(ended)),
    };
    let root = context.root;
    let folder = semver::folder(member, root);
    let is_file = |path: &str| root.join(path).is_file();
    let answer = Answer { status, stdout: &stdout, stderr: &stderr, folder: &folder, is_file: &is_file };
    Ok(Ok(semver::read(&member.name, &answer)))
}

/// The answers for all packages.
#[derive(Default)]
struct All {
    findings: Vec<Finding>,
    /// Whether a package was compared.
    compared: bool,
    /// What is said of packages with findings, without a baseline, and of those for which the tool failed.
    summaries: Vec<String>,
    alone: Vec<String>,
    broken: Vec<String>,
}

impl All {
    fn add(&mut self, context: &mut Context<'_>, name: &str, compared: Compared) {
        match compared {
            Compared::Done { findings, summary } => {
                self.compared = true;
                if !findings.is_empty() {
                    self.summaries.extend(summary.map(|summary| format!("{name}: {summary}")));
                }
                self.findings.extend(findings);
            }
            Compared::NoBaseline(reason) => {
                context.say(&format!("left out: {name} ({reason})"));
                self.alone.push(format!("{name} ({reason})"));
            }
            Compared::Broken(reason) => self.broken.push(format!("{name}: {reason}")),
        }
    }

    fn judgement(self) -> Judgement {
        let judgement = Judgement::by_findings(self.findings);
        if judgement.verdict != Verdict::Failed && !self.broken.is_empty() {
            return Judgement { findings: judgement.findings, ..Judgement::broken(self.broken.join("; ")) };
        }
        let said: Vec<String> = self.summaries.into_iter().chain(self.broken).collect();
        let reason = if !said.is_empty() {
            Some(said.join("; "))
        } else if self.compared {
            None
        } else {
            Some(format!("there is nothing to compare with: {}", self.alone.join(", ")))
        };
        Judgement { reason, ..judgement }
    }
}

#[cfg(all(test, unix))]
mod tests;
