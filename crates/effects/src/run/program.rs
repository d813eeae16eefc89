//! Runs a check that is one program, and has the core read its answer.

use super::JobFacts;
use super::context::{Context, Judgement};
use super::preamble::{self, Stop};
use crate::process::{Command, Ended, Stream};
use anyhow::Result;
use rust_vmm_ci_core::checks::{Answer, Program, Tool};
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::workspace::path::from_root;

/// Runs the check.
///
/// # Errors
/// Exit 3 where the program cannot be started, is ended by a signal, runs over its time limit, or could
/// not do its work: the check is broken.
pub fn run(context: &mut Context<'_>, program: &Program, job: &JobFacts) -> Result<Judgement> {
    let name = program.tool.program();
    let missing = || Judgement::missing(format!("{name} is not installed"), program.install);
    let command = match program.tool {
        Tool::CargoSubcommand(subcommand) => {
            if let Err(stop) = preamble::toolchain(context, job) {
                return Stop::settle(Err(stop));
            }
            let command = context.cargo().arg(subcommand).args(&program.args);
            context.announce(&command);
            command
        }
        Tool::OnPath(file) => {
            let command = context.command(file).args(&program.args);
            context.say(&format!("$ {}", Command { env: Vec::new(), ..command.clone() }));
            if which::which(file).is_err() {
                return Ok(missing());
            }
            command
        }
    };
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let ended = {
        let log = &mut *context.log;
        crate::process::supervise(&command, context.deadline, &mut |stream, lines| {
            match stream {
                Stream::Stdout => stdout.extend_from_slice(lines),
                Stream::Stderr => stderr.extend_from_slice(lines),
            }
            for text in crate::process::lines(lines).filter_map(program.show) {
                log(format!("{text}\n").as_bytes());
            }
        })?
    };
    let status = match ended {
        Ended::Exited(status) => status,
        Ended::Cancelled => return Ok(Judgement::of_command(ended, Vec::new())),
        Ended::TimedOut => return Err(exit::infrastructure(format!("{name} ran over its time limit"))),
        Ended::Signaled(signal) => {
            return Err(exit::infrastructure(format!("{name} was killed by signal {signal}")));
        }
    };
    if let Tool::CargoSubcommand(subcommand) = program.tool
        && status != 0
        && preamble::lacks_subcommand(subcommand, &stderr)
    {
        return Ok(missing());
    }
    let folder = from_root(context.root, &context.directory.to_string_lossy());
    let folder = if context.directory == context.root { String::new() } else { folder };
    let root = context.root;
    let is_file = |path: &str| root.join(path).is_file();
    let answer = Answer { status, stdout: &stdout, stderr: &stderr, folder: &folder, is_file: &is_file };
    Ok(Judgement::by_findings((program.read)(&answer)?))
}

#[cfg(all(test, unix))]
mod tests;
