//! Runs `cargo fmt`, which knows no features.

use super::words::LastWords;
use crate::process::{Ended, Stream};
use crate::run::context::{Context, Judgement};
use anyhow::Result;
use rust_vmm_ci_core::checks::cargo::CargoCommand;
use rust_vmm_ci_core::checks::style::StyleOutput;
use rust_vmm_ci_core::workspace::path::from_folder;

/// Runs the check.
///
/// # Errors
/// Where cargo cannot be started; exit 2 where it does not take the arguments.
pub(super) fn check(context: &mut Context<'_>, command: &CargoCommand) -> Result<Judgement> {
    let mut cargo = context.cargo().arg("fmt").args(&command.args);
    if !command.trailing.is_empty() {
        cargo = cargo.arg("--").args(&command.trailing);
    }
    if !context.color {
        // rustfmt colours into a pipe as well, unless the variable names a terminal without colours.
        cargo = cargo.env("TERM", "dumb");
    }
    context.announce_with(&cargo, &command.env);
    let (root, directory) = (context.root.to_owned(), context.directory.clone());
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
        words.refuse_mistake()?;
        if let Some(reason) = words.outage() {
            return Ok(Judgement::broken(reason));
        }
        findings.extend(words.finding(ended, &|file| from_folder(&root, &directory, file)));
    }
    Ok(Judgement::of_command(ended, findings))
}
