//! What several checks ask and answer in the same way: whether the tools are there, what cargo says of
//! the workspace, and what the end of a command means.

use super::cargo::refusal;
use super::context::{Context, Judgement};
use super::job::Job;
use super::toolchain::Toolchain;
use crate::process::{Command, Ended};
use anyhow::Result;
use cargo_metadata::Metadata;
use rust_vmm_ci_core::report::{Finding, Verdict};

/// Runs a check's work with the toolchain and the workspace of its folder. Without a toolchain the check
/// is missing a tool; where cargo cannot read the workspace, it fails with cargo's words.
///
/// # Errors
/// Where cargo cannot be started, and what the work says.
pub fn in_workspace(
    context: &mut Context<'_>,
    job: &Job,
    work: impl FnOnce(&mut Context<'_>, &Toolchain, &Metadata) -> Result<Judgement>,
) -> Result<Judgement> {
    let toolchain = match job.toolchain() {
        Ok(toolchain) => toolchain,
        Err(reason) => return Ok(without_rust(reason)),
    };
    let metadata = job.metadata(&context.cargo(), &context.directory)?;
    match metadata.as_ref() {
        Ok(metadata) => work(context, toolchain, metadata),
        Err(words) => {
            context.say(words);
            Ok(Judgement::by_findings(vec![refusal("cargo cannot read the workspace", words)]))
        }
    }
}

/// The judgement where there is no Rust toolchain, and why.
pub fn without_rust(reason: &str) -> Judgement {
    Judgement::missing(reason, "install Rust: https://rustup.rs")
}

/// Whether cargo said that it has no such subcommand, in its older or newer words.
pub fn lacks_subcommand(name: &str, said: &[u8]) -> bool {
    let said = String::from_utf8_lossy(said);
    ["command", "subcommand"].iter().any(|word| said.contains(&format!("no such {word}: `{name}`")))
}

impl Judgement {
    /// The judgement of a command by how it ended: passed with status 0, cancelled with the job, else
    /// failed.
    pub fn of_command(ended: Ended, findings: Vec<Finding>) -> Self {
        let verdict = match ended {
            Ended::Exited(0) => Verdict::Passed,
            Ended::Cancelled => Verdict::Cancelled,
            Ended::Exited(_) | Ended::Signaled(_) | Ended::TimedOut => Verdict::Failed,
        };
        let reason = (ended == Ended::TimedOut).then(|| "ran over its time limit".to_owned());
        Self { verdict, reason, findings, ..Self::default() }
    }
}

impl Context<'_> {
    /// Adds a cargo command to the log as a person would type it: cargo by its name, and without
    /// variables.
    pub fn announce(&mut self, command: &Command) {
        let typed = Command { program: "cargo".into(), env: Vec::new(), ..command.clone() };
        self.say(&format!("$ {typed}"));
    }
}
