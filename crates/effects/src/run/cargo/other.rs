//! Runs a subcommand that this program does not know: another program such as cargo-deny, or an alias. It runs
//! as a person would run it, without additions.

use super::words::LastWords;
use crate::process::{Ended, Stream};
use crate::run::context::{Context, Judgement};
use crate::run::preamble::lacks_subcommand;
use anyhow::Result;
use rust_vmm_ci_core::checks::cargo::CargoCommand;
use rust_vmm_ci_core::workspace::path::from_folder;

/// Runs the command.
///
/// # Errors
/// Where cargo cannot be started.
pub(super) fn run(context: &mut Context<'_>, command: &CargoCommand) -> Result<Judgement> {
    let mut cargo = context.cargo();
    if command.all_features {
        cargo = cargo.arg("all-features");
    }
    cargo = cargo.arg(&command.verb).args(&command.args);
    if !command.trailing.is_empty() {
        cargo = cargo.arg("--").args(&command.trailing);
    }
    for (name, value) in &command.env {
        cargo = cargo.env(name, value);
    }
    context.announce_with(&cargo, &command.env);
    let (mut words, mut said) = (LastWords::default(), Vec::new());
    let ended = context.run_reading(&cargo, &mut |stream, line| {
        if stream == Stream::Stderr {
            words.read(line);
            said.extend_from_slice(line);
            said.truncate(MOST_SAID);
        }
        true
    })?;
    if ended == Ended::Exited(0) {
        return Ok(Judgement::of_command(ended, Vec::new()));
    }
    let name = if command.all_features { "all-features" } else { &command.verb };
    if lacks_subcommand(name, &said) {
        let install = format!("cargo install --locked cargo-{name}");
        return Ok(Judgement::missing(format!("cargo has no subcommand `{name}`"), install));
    }
    if let Some(reason) = words.outage() {
        return Ok(Judgement::broken(reason));
    }
    let (root, directory) = (context.root, &context.directory);
    let findings = words.finding(ended, &|file| from_folder(root, directory, file)).into_iter().collect();
    Ok(Judgement::of_command(ended, findings))
}

/// How much of standard error is searched for cargo's refusal of the subcommand, in bytes. It is the first
/// that cargo says.
const MOST_SAID: usize = 4096;
