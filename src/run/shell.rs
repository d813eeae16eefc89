//! Runs a repository's own step by the platform's shell.

use super::context::{Context, Judgement};
use crate::model::Os;
use crate::process::{Command, Ended};
use crate::report::{Finding, Verdict};
use anyhow::Result;

/// The command line that gives `script` to a system's shell: the agent's own on Windows, and on
/// Linux the docker plugin's, which the predecessor's steps ran under.
pub fn command(os: Os, script: &str) -> Command {
    match os {
        Os::Linux => Command::new("/bin/sh").args(["-e", "-c", script]),
        Os::Windows => Command::new("cmd.exe").args(["/S", "/C", script]),
    }
}

/// Runs the step.
///
/// # Errors
/// Where the shell cannot be started: the check is broken.
pub fn run(context: &mut Context<'_>, script: &str) -> Result<Judgement> {
    let mut shell = command(context.os, script).dir(&context.directory);
    for (name, value) in context.env {
        shell = shell.env(name, value);
    }
    context.say(&format!("$ {script}"));
    let ended = context.run(&shell)?;
    let failed = |message: String| Judgement::by_findings(vec![Finding::error(message)]);
    Ok(match ended {
        Ended::Exited(0) => Judgement { verdict: Verdict::Passed, ..Judgement::default() },
        Ended::Exited(status) => failed(format!("the command ended with status {status}")),
        Ended::Signaled(signal) => failed(format!("the command was killed by signal {signal}")),
        Ended::TimedOut => failed("the command ran over its time limit".into()),
        Ended::Cancelled => Judgement { verdict: Verdict::Cancelled, ..Judgement::default() },
    })
}
