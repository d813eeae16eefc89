//! The fourth step: the job runs in its place.

use super::emulated::Watch;
use super::gather::{Gathered, Target};
use super::host;
use super::job_files::JobFiles;
use super::place::{Contained, Place};
use super::promise::Promise;
use super::request::{Request, Task};
use anyhow::Result;
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::plan::Plan;
use rust_vmm_ci_core::report::{Report, VERSION};
use rust_vmm_ci_effects::container::{self, Job};
use rust_vmm_ci_effects::process::{Ended, Stream};
use rust_vmm_ci_effects::{git, say};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What became of a job.
#[derive(Debug)]
pub struct Done {
    /// How the program ends.
    pub exit: Exit,
    /// The report, where there is one.
    pub report: Option<Report>,
    /// Whether the summary is still to be shown: a run in a container has shown its own.
    pub summary: bool,
}

impl Done {
    /// A job whose report decides how the program ends, and is not shown yet.
    pub fn by_report(report: Report) -> Self {
        Self { exit: report.exit(), report: Some(report), summary: true }
    }
}

/// Runs a job in its place. `files` is the job's folder, which the command of a step needs on this machine.
///
/// # Errors
/// Exit 2 where there is no package for a check; exit 3 where the container engine or a program fails.
pub fn execute(
    gathered: &Gathered,
    request: &Request,
    plan: &Plan,
    place: Place,
    files: Option<&JobFiles>,
    promise: &Promise,
) -> Result<Done> {
    match (place, &request.task) {
        (Place::Host, Task::Checks(options)) => {
            host::checks(gathered, options, plan, promise).map(Done::by_report)
        }
        (Place::Host, Task::OwnCommand(script)) => host::own_command(gathered, script, files, promise),
        (Place::Container(contained), task) => in_container(gathered, &contained, task, promise),
        (Place::Emulator(contained), task) => in_emulator(gathered, &contained, task),
    }
}

/// Runs this program again, or a step's own command, in a container.
fn in_container(gathered: &Gathered, contained: &Contained, task: &Task, promise: &Promise) -> Result<Done> {
    let ran = start(gathered, contained, &mut |_, _| {}, &|label| promise.failed(label))?;
    Ok(Done { exit: exit_of(ran.ended, task), report: ran.report, summary: false })
}

/// Runs a script of plain commands, or a step's own command, in an emulator. The report is made from the
/// output.
fn in_emulator(gathered: &Gathered, contained: &Contained, task: &Task) -> Result<Done> {
    let Contained { container, script, .. } = contained;
    let mut watch = Watch::new(script);
    let ran = start(gathered, contained, &mut |stream, line| watch.read(stream, line), &|_| {})?;
    // A step's own command can leave a report of its own.
    let (report, summary) = match ran.report {
        Some(report) => (Some(report), false),
        None => watch.report(gathered, &container.image, ran.ended),
    };
    let exit = match (task, ran.ended) {
        (Task::Checks(_), Ended::Exited(_)) => report.as_ref().map_or(Exit::Infrastructure, Report::exit),
        (_, ended) => exit_of(ended, task),
    };
    Ok(Done { exit, report, summary })
}

/// How the command in a container ended, and the report that it left.
struct Ran {
    ended: Ended,
    report: Option<Report>,
}

/// Runs a script in a container. The output goes on to this process's outputs; `see` reads it too.
fn start(
    gathered: &Gathered,
    contained: &Contained,
    see: &mut dyn FnMut(Stream, &[u8]),
    failed: &(dyn Fn(&str) + Sync),
) -> Result<Ran> {
    let Contained { container, script, notes } = contained;
    notes.iter().for_each(say::note);
    say::progress(format_args!("--- :docker: {}", container.image));
    let job = Job::here(gathered.root());
    let ran = container::run(
        container,
        script,
        &job,
        &mut |stream, line| {
            see(stream, line);
            match stream {
                Stream::Stdout => say::pass_on_out(line),
                Stream::Stderr => say::pass_on_error(line),
            }
        },
        failed,
    )?;
    let report = ran.report.as_deref().and_then(|text| match serde_json::from_slice(text) {
        Ok(report) => Some(report),
        Err(error) => {
            say::error(format_args!("the report of the container cannot be read: {error}; see the log"));
            None
        }
    });
    Ok(Ran { ended: ran.ended, report })
}

/// How the program ends for what ended in a container.
fn exit_of(ended: Ended, task: &Task) -> Exit {
    match (ended, task) {
        (Ended::Exited(status), Task::OwnCommand(_)) => Exit::Command(status),
        (Ended::Exited(status), Task::Checks(_)) => of_run(status),
        _ => Exit::Infrastructure,
    }
}

/// What `rust-vmm-ci run` in a container came to. A status that it never ends with means that it was
/// ended early: a shell gives 137 for a killed program.
fn of_run(status: i32) -> Exit {
    match status {
        0 => Exit::Passed,
        1 => Exit::Failed,
        2 => Exit::Usage,
        _ => Exit::Infrastructure,
    }
}

/// A report without outcomes for a run that began at `begin` and ends now.
pub fn report_without_outcomes(root: &Path, target: Target, begin: Instant) -> Report {
    let elapsed = begin.elapsed();
    let started = SystemTime::now().checked_sub(elapsed);
    Report {
        version: VERSION,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        platform: target.platform.to_string(),
        os: target.os.to_string(),
        commit: git::Git::at(root).ok().and_then(|git| git.resolve("HEAD").ok().flatten()),
        started: started.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |at| at.as_secs()),
        seconds: elapsed.as_secs_f64(),
        ..Report::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::RunOptions;

    #[test]
    fn a_run_that_was_killed_in_the_container_gave_no_verdict() {
        let codes = [0, 1, 2, 3, 101, 137, 255].map(|status| of_run(status).code());
        assert_eq!(codes, [0, 1, 2, 3, 3, 3, 3]);
    }

    #[test]
    fn the_command_of_a_step_keeps_its_status_and_a_cancelled_one_has_none() {
        let own = Task::OwnCommand("true".into());
        assert_eq!(exit_of(Ended::Exited(42), &own).code(), 42);
        assert_eq!(exit_of(Ended::Exited(42), &Task::Checks(RunOptions::default())).code(), 3);
        assert_eq!(exit_of(Ended::Cancelled, &own).code(), 3);
    }
}
