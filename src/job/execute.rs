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
use rust_vmm_ci_core::model::shown;
use rust_vmm_ci_core::plan::Plan;
use rust_vmm_ci_core::report::{Report, VERSION};
use rust_vmm_ci_effects::container::{self, Job};
use rust_vmm_ci_effects::files::{self, Links};
use rust_vmm_ci_effects::process::{self, Ended, Stream};
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
    let failed = |label: &str| promise.failed(label);
    let ran = start(gathered, contained, &mut |_, _| {}, &failed)?;
    let exit = agreed(exit_of(ran.ended, task), ran.report.as_ref(), task);
    // What was checked, and where, is known here. The report of a container may say anything.
    let report = ran.report.map(|report| Report {
        commit: ran.commit,
        container: Some(ran.image),
        digest: ran.digest,
        options: gathered.config().mattering(),
        variables: ran.variables,
        ..report
    });
    Ok(Done { exit, report, summary: false })
}

/// Runs a script of plain commands, or a step's own command, in an emulator. The report is made from the
/// output.
fn in_emulator(gathered: &Gathered, contained: &Contained, task: &Task) -> Result<Done> {
    let Contained { container, script, .. } = contained;
    let mut watch = Watch::new(script);
    let ran = start(gathered, contained, &mut |stream, line| watch.read(stream, line), &|_| {})?;
    // This program is not in the emulated machine, so a report from there cannot be trusted.
    let (report, summary) = watch.report(gathered, &container.image, ran.ended, ran.commit);
    let report = report.map(|report| Report {
        digest: ran.digest,
        options: gathered.config().mattering(),
        variables: ran.variables,
        ..report
    });
    let exit = match (task, ran.ended) {
        (Task::Checks(_), Ended::Exited(status)) => match report.as_ref().map(Report::exit) {
            Some(Exit::Passed) if status != 0 => of_run(status),
            exit => exit.unwrap_or(Exit::Infrastructure),
        },
        (_, ended) => exit_of(ended, task),
    };
    Ok(Done { exit, report, summary })
}

/// The result of a run in a container. The run has passed only if its report is there and says so too. The
/// container left both the status and the report, and code in it could forge only one of them.
fn agreed(exit: Exit, report: Option<&Report>, task: &Task) -> Exit {
    if exit != Exit::Passed || matches!(task, Task::OwnCommand(_)) {
        return exit;
    }
    let why = match report.map(Report::exit) {
        Some(Exit::Passed) => return exit,
        Some(_) => "its report says something else",
        None => "it left no report",
    };
    say::error(format_args!("the run in the container says that it passed, but {why}: there is no verdict"));
    Exit::Infrastructure
}

/// How the command in a container ended, and the report that it left.
struct Ran {
    ended: Ended,
    report: Option<Report>,
    /// The commit of the checkout, as git knew it before the container ran.
    commit: Option<String>,
    /// The name of the image.
    image: String,
    /// The image by its digest.
    digest: Option<String>,
    /// The names of the variables that the container got and that can change what a check finds.
    variables: Vec<String>,
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
    // Afterwards git is not asked: code in the container can change how git works in this checkout.
    let commit = git::commit_of(gathered.root());
    let mut on_lines = |stream: Stream, lines: &[u8]| {
        process::lines(lines).for_each(|line| see(stream, line));
        match stream {
            Stream::Stdout => say::pass_on_out(lines),
            Stream::Stderr => say::pass_on_error(lines),
        }
    };
    let ran = container::run(container, script, &job, &mut on_lines, failed)?;
    let report = ran.report.as_deref().and_then(|text| match serde_json::from_slice(text) {
        Ok(report) => Some(without_foreign_artifacts(gathered.root(), report)),
        Err(error) => {
            say::error(format_args!("the report of the container cannot be read: {error}; see the log"));
            None
        }
    });
    let container::Ran { ended, image, digest, variables, .. } = ran;
    Ok(Ran { ended, report, commit, image, digest, variables })
}

/// The report without the artifacts that are no plain files of the checkout. A report from a container cannot
/// be trusted, and the host uploads the files that it names.
fn without_foreign_artifacts(root: &Path, mut report: Report) -> Report {
    for artifact in report.outcomes.iter_mut().map(|outcome| &mut outcome.artifacts) {
        artifact.retain(|artifact| {
            let opened = files::open(root, Path::new(&artifact.path), Links::Refused);
            match opened {
                Ok(_) => true,
                // A file in a target directory that is kept is not here.
                Err(error) if files::is_absent(&error) => false,
                Err(error) => {
                    let path = shown::value(&artifact.path);
                    say::note(format_args!("the artifact {path} is not uploaded: {error}"));
                    false
                }
            }
        });
    }
    report
}

/// How the program ends after a command in a container has ended.
fn exit_of(ended: Ended, task: &Task) -> Exit {
    match (ended, task) {
        (Ended::Exited(status), Task::OwnCommand(_)) => Exit::Command(status),
        (Ended::Exited(status), Task::Checks(_)) => of_run(status),
        _ => Exit::Infrastructure,
    }
}

/// The result of `rust-vmm-ci run` in a container. A status that it never ends with means that it was ended
/// early: a shell gives 137 for a killed program.
fn of_run(status: i32) -> Exit {
    match status {
        0 => Exit::Passed,
        1 => Exit::Failed,
        2 => Exit::Usage,
        _ => Exit::Infrastructure,
    }
}

/// A report without outcomes for a run that began at `begin` and ends now.
pub fn report_without_outcomes(commit: Option<String>, target: Target, begin: Instant) -> Report {
    let elapsed = begin.elapsed();
    let started = SystemTime::now().checked_sub(elapsed);
    Report {
        version: VERSION,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        platform: target.platform.to_string(),
        os: target.os.to_string(),
        commit,
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
    fn a_run_in_a_container_passed_only_if_its_report_says_so() {
        use rust_vmm_ci_core::report::{Outcome, Verdict};
        let report = |verdict| Report {
            outcomes: vec![Outcome { verdict, ..Outcome::default() }],
            ..Report::default()
        };
        let checks = Task::Checks(RunOptions::default());
        let (passed, failed) = (report(Verdict::Passed), report(Verdict::Failed));
        assert_eq!(agreed(Exit::Passed, Some(&passed), &checks).code(), 0);
        assert_eq!(agreed(Exit::Passed, Some(&failed), &checks).code(), 3);
        assert_eq!(agreed(Exit::Passed, None, &checks).code(), 3);
        assert_eq!(agreed(Exit::Failed, Some(&passed), &checks).code(), 1);
        assert_eq!(agreed(Exit::Command(0), None, &Task::OwnCommand("true".into())).code(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_report_of_a_container_names_artifacts_of_the_checkout_only() {
        use rust_vmm_ci_core::report::{Artifact, Outcome};
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("checkout");
        std::fs::create_dir_all(root.join("target")).unwrap();
        std::fs::write(root.join("target/lcov.info"), "").unwrap();
        std::fs::write(scratch.path().join("secret"), "").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
        std::os::unix::fs::symlink("..", root.join("above")).unwrap();
        let absolute = scratch.path().join("secret").to_string_lossy().into_owned();
        let paths = ["target/lcov.info", "link", "above/secret", "../secret", "target", "gone", &absolute];
        let artifact = |path: &str| Artifact { path: path.to_owned(), ..Artifact::default() };
        let outcome = Outcome { artifacts: paths.map(artifact).to_vec(), ..Outcome::default() };
        let report = Report { outcomes: vec![outcome], ..Report::default() };
        let left = without_foreign_artifacts(&root, report).outcomes.remove(0).artifacts;
        assert_eq!(left, [artifact("target/lcov.info")]);
    }

    #[test]
    fn the_command_of_a_step_keeps_its_status_and_a_cancelled_one_has_none() {
        let own = Task::OwnCommand("true".into());
        assert_eq!(exit_of(Ended::Exited(42), &own).code(), 42);
        assert_eq!(exit_of(Ended::Exited(42), &Task::Checks(RunOptions::default())).code(), 3);
        assert_eq!(exit_of(Ended::Cancelled, &own).code(), 3);
    }
}
