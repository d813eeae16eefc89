//! The container of a job: whether there is one, the command in it, and what it reported.

use super::emulated::Watch;
use super::environment::variable;
use super::{facts, reporting};
use crate::cli::{Common, InsideArgs, RunArgs};
use anyhow::Result;
use rust_vmm_ci_core::config::{Config, DockerChoice, Found, Mode};
use rust_vmm_ci_core::exit::{Exit, usage};
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_core::plan::{self, Asked, PlannedCheck};
use rust_vmm_ci_core::report::Report;
use rust_vmm_ci_effects::container::{self, Container, Inside, Job, Policy, Shell, Venue, Wanted};
use rust_vmm_ci_effects::process::{Ended, Stream};
use serde_json::Value;
use std::io::{self, Write as _};
use std::path::Path;

/// What a job runs.
#[derive(Clone, Copy, Debug)]
pub enum Task<'a> {
    /// The step's own command.
    Own(&'a str),
    /// The checks, as `run` is asked for them.
    Checks(&'a RunArgs),
}

/// A job's work with the container that it is done in.
#[derive(Debug)]
pub struct Placed {
    container: Container,
    /// What runs in it, for a shell.
    script: String,
    /// Whether that is ours, and no command of a person's.
    is_ours: bool,
}

/// The container that a job's work is done in; none for the host.
///
/// # Errors
/// Exit 2 for what the configuration asks for, exit 3 for the agent's policy.
pub fn of_job(common: &Common, root: &Path, found: &Found, task: Task<'_>) -> Result<Option<Placed>> {
    let config = &found.config;
    let nested = variable(container::IN_CONTAINER).is_some();
    let platform = platform(common, config);
    let os = common.os.or(config.os).or_else(Os::of_this_machine).unwrap_or(Os::Linux);
    let mut wanted = Wanted { os, platform, privileged: false, cache: config.cache, nested };
    let mut script = String::new();
    match task {
        Task::Own(command) => command.clone_into(&mut script),
        Task::Checks(_) if nested => {}
        Task::Checks(args) => {
            let plan = planned(root, config, platform, os, args)?;
            note_containers_of_checks(config, &plan);
            wanted.privileged = plan.iter().any(is_privileged);
            script =
                if platform.is_emulated() { PlannedCheck::script(&plan) } else { run_again(common, args) };
        }
    }
    let choice = container_for(platform, config);
    match container::resolve(&choice, wanted, &policy()?)? {
        Venue::Host if platform.is_emulated() && !nested => {
            Err(usage(format!("docker: {platform} is emulated in a container; take `docker: false` away")))
        }
        Venue::Host => Ok(None),
        Venue::Container(mut container) => {
            if let (Task::Checks(_), Shell::None, false) = (task, &container.shell, platform.is_emulated()) {
                // Ours needs none: without it an entrypoint gets words, as it expects them.
                container.shell = Shell::Split;
            }
            let is_ours = matches!(task, Task::Checks(_));
            Ok(Some(Placed { container: *container, script, is_ours }))
        }
    }
}

/// The options of a platform's container. In those of an upload the image is the native platforms':
/// only another has the emulator.
fn container_for(platform: Platform, config: &Config) -> DockerChoice {
    let mut choice = config.docker.clone();
    if let (DockerChoice::Options(options), true, Mode::Upload) =
        (&mut choice, platform.is_emulated(), config.mode)
    {
        options.shift_remove("image");
    }
    choice
}

/// The platform that a job is for: this machine's where it is one of those that are configured.
fn platform(common: &Common, config: &Config) -> Platform {
    let here = Platform::of_this_machine().unwrap_or(Platform::X86_64);
    let configured = config.platforms.as_deref().unwrap_or_default();
    let other = || (!configured.contains(&here)).then(|| configured.first().copied())?;
    common.platform.or_else(other).unwrap_or(here)
}

/// The checks that a container is for.
///
/// # Errors
/// As [`plan::for_run`]; exit 2 where none of them can run on the emulated platform.
fn planned(
    root: &Path,
    config: &Config,
    platform: Platform,
    os: Os,
    args: &RunArgs,
) -> Result<Vec<PlannedCheck>> {
    let facts = facts::read(root, config, !args.package.is_empty())?;
    let asked = Asked { names: args.names.clone(), packages: args.package.clone() };
    let mut checks = plan::for_run(config, &facts, platform, os, asked)?.checks;
    if platform.is_emulated() {
        // As in an upload: what is for no particular platform runs on another's machine.
        checks.retain(|check| check.platform == Some(platform));
        if checks.is_empty() {
            return Err(usage(format!(
                "there is no check of {platform} to run; `rust-vmm-ci list` shows them"
            )));
        }
    }
    Ok(checks)
}

/// Says which checks ask for another container than the job's, which is one for all of them.
fn note_containers_of_checks(config: &Config, plan: &[PlannedCheck]) {
    for check in plan {
        let asked = config.checks.get(check.name.as_str()).map(|options| &options.docker);
        if asked.is_some_and(|docker| *docker != DockerChoice::Unset) {
            eprintln!(
                "rust-vmm-ci: note: checks.{}.docker: this job has one container for all its checks; with \
                 `mode: upload` the check has a step, and so a container, of its own",
                check.name
            );
        }
    }
}

fn is_privileged(check: &PlannedCheck) -> bool {
    let docker = check.step.docker.as_ref();
    docker.and_then(|docker| docker.get("privileged")).is_some_and(|set| set.value == Value::Bool(true))
}

/// `rust-vmm-ci run`, as it was called here, for the shell in the container.
fn run_again(common: &Common, args: &RunArgs) -> String {
    let mut words = vec!["rust-vmm-ci".to_owned(), "run".into()];
    words.extend(common.platform.map(|platform| format!("--platform={platform}")));
    words.extend(args.package.iter().map(|package| format!("--package={package}")));
    words.extend(args.jobs.map(|jobs| format!("--jobs={jobs}")));
    let flags = [
        (args.fail_fast, "--fail-fast"),
        (args.strict, "--strict"),
        (args.timings, "--timings"),
        (args.update, "--update"),
    ];
    words.extend(flags.iter().filter(|(set, _)| *set).map(|(_, flag)| (*flag).to_owned()));
    words.extend(args.names.iter().cloned());
    shell_words::join(words)
}

/// `run --docker`: the checks in the project's container, on a person's machine.
///
/// # Errors
/// As [`of_job`] and [`run`]; exit 2 where there is no container to be had.
pub fn run_checks(common: &Common, args: &RunArgs, root: &Path, mut found: Found) -> Result<Exit> {
    if variable(container::IN_CONTAINER).is_some() {
        return Err(usage("--docker: this is a container of rust-vmm-ci's already; leave it out"));
    }
    if let Some(file) = &common.config {
        return Err(usage(format!(
            "--config {}: a container has only the repository: leave `--docker` out, or give the \
             configuration in the variable BUILDKITE_PLUGIN_CONFIGURATION",
            file.display()
        )));
    }
    if found.config.docker == DockerChoice::Off {
        // Asked for by hand, a container is the project's own.
        found.config.docker = DockerChoice::Unset;
    }
    let Some(placed) = of_job(common, root, &found, Task::Checks(args))? else {
        return Err(usage("--docker: there is no container for Windows, or the agent's policy has none"));
    };
    let (exit, report) = work(&placed, root)?;
    if let Some(report) = report {
        reporting::write_files(root, &report, args);
    }
    Ok(exit)
}

/// The policy of this machine.
///
/// # Errors
/// Exit 3 where it is wrong, or is named and not there.
pub fn policy() -> Result<Policy> {
    container::read_policy(variable(container::POLICY_VARIABLE).as_deref().map(Path::new))
}

/// Does a job's work in its container and tells the build what it reported.
///
/// # Errors
/// Exit 3 where the engine fails.
pub fn run(placed: &Placed, root: &Path, annotate: bool) -> Result<Exit> {
    let (exit, report) = work(placed, root)?;
    if let Some(report) = report {
        reporting::tell_buildkite(root, &report, annotate);
    }
    Ok(exit)
}

fn work(placed: &Placed, root: &Path) -> Result<(Exit, Option<Report>)> {
    let Placed { container, script, is_ours } = placed;
    println!("--- :docker: {}", container.image);
    let job = Job::here(root);
    let mut watch = container.emulated.then(|| Watch::new(script));
    let ran = container::run(container, script, &job, &mut |stream, line| {
        if let Some(watch) = &mut watch {
            watch.read(stream, line);
        }
        // Whoever reads the log may be gone; the job goes on.
        let _ = match stream {
            Stream::Stdout => io::stdout().lock().write_all(line),
            Stream::Stderr => io::stderr().lock().write_all(line),
        };
    })?;
    let report = match (ran.report.as_deref().map(serde_json::from_slice), watch) {
        (Some(Ok(report)), _) => Some(report),
        (Some(Err(error)), _) => {
            eprintln!("rust-vmm-ci: the report of the container: {error}; there is none but the log");
            None
        }
        (None, Some(watch)) => watch.report(root, &container.image, ran.ended),
        (None, None) => None,
    };
    let exit = match ran.ended {
        Ended::Exited(status) if !is_ours => Exit::Command(status),
        Ended::Exited(_) if container.emulated => report.as_ref().map_or(Exit::Infrastructure, Report::exit),
        Ended::Exited(status) => of_run(status),
        _ => Exit::Infrastructure,
    };
    Ok((exit, report))
}

/// What `rust-vmm-ci run` in the container came to. A status that is none of its own is that of its end
/// before its time, such as a shell's 137 for one that was killed.
fn of_run(status: i32) -> Exit {
    match status {
        0 => Exit::Passed,
        1 => Exit::Failed,
        2 => Exit::Usage,
        _ => Exit::Infrastructure,
    }
}

/// Takes away what the job has left.
pub fn clean_up() {
    // The checkout is not asked for: what was left says itself where it was.
    container::clean_up(&Job::here(Path::new(".")));
}

/// Our side within a container.
///
/// # Errors
/// Exit 3 where the command cannot be started.
pub fn inside(args: &InsideArgs) -> Result<Exit> {
    container::inside(&Inside {
        checkout: args.checkout.clone(),
        target: args.target,
        command: args.command.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    #[test]
    fn a_run_that_was_killed_in_the_container_gave_no_verdict() {
        let codes = [0, 1, 2, 3, 101, 137, 255].map(|status| of_run(status).code());
        assert_eq!(codes, [0, 1, 2, 3, 3, 3, 3]);
    }

    #[test]
    fn a_run_is_called_in_the_container_as_it_was_here() {
        let words = "rust-vmm-ci run --platform=x86_64 --package=a --jobs=2 --fail-fast --strict --timings \
                     --update coverage 'a label'";
        let words = shell_words::split(words).unwrap();
        let cli = Cli::parse_from(&words);
        let Command::Run(args) = cli.command else { panic!("{words:?} is a run") };
        assert_eq!(shell_words::split(&run_again(&cli.common, &args)).unwrap(), words);
    }
}
