//! A job's command in its container, from the pull of the image to the verdict.

use super::end::{End, Seen, judge};
use super::engine::{Cause, Host, Said, arguments, env_file, image, names_passed};
use super::git_config::{self, Instead};
use super::job::Job;
use super::kept::Kept;
use super::kept::clean_up::{clean_up, deadline, finish, settle};
use super::kept::job_folder::{ContainerRecord, JobFolder};
use super::mailbox::Mailbox;
use super::names::{FOREIGN, NOT_STARTED, REPORT, STARTED, STATUS, TARGET_BYTES};
use super::word::{ENDING, watching_for_failure};
use super::{Container, owner};
use crate::git::CommonFolder;
use crate::process::{self, Ended, Stream};
use crate::say;
use anyhow::Result;
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::model::secrets::Redactor;
use rust_vmm_ci_core::model::{address, image_by_digest, variable_matters};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The time that the engine's program has to end in after a cancel. The agent kills a hook after nine or
/// ten seconds, and the clean-up comes before that.
const GRACE: Duration = Duration::from_secs(4);

/// How a job in a container ended.
#[derive(Debug)]
pub struct Ran {
    /// How the command ended: with its own status, or by a cancel.
    pub ended: Ended,
    /// The report that the command wrote to [`super::REPORT`], if it did.
    pub report: Option<Vec<u8>>,
    /// The name of the image.
    pub image: String,
    /// The image by its digest, as the engine knows it; none for an image that was built here.
    pub digest: Option<String>,
    /// The names of the variables that the container got and that can change what a check finds.
    pub variables: Vec<String>,
}

/// Runs a command in a container and removes the container. `on_line` gets each line that the command and
/// the engine write, with its line end. `failed` gets the label of the first check that has failed, as a run
/// in the container says it while it goes on.
///
/// # Errors
/// Exit 2 if an option needs something that the job does not have. Exit 3 if the engine fails, with what
/// it wrote and, if it is known, the remedy.
pub fn run(
    container: &Container,
    command: &str,
    job: &Job,
    on_line: &mut dyn FnMut(Stream, &[u8]),
    failed: &(dyn Fn(&str) + Sync),
) -> Result<Ran> {
    clean_up(job);
    for note in &container.settings.notes {
        say::note(note);
    }
    let image = image(container, job)?;
    if container.pull.always {
        container.engine.pull(&image, &container.platform, container.pull, &pause, on_line)?;
    }
    if let Some(network) = &container.network {
        container.engine.make_network(network)?;
    }
    let mut kept = Kept::of(container, job, &image, on_line)?;
    let record = ContainerRecord {
        engine: container.engine,
        image: image.clone(),
        platform: Some(container.platform.clone()),
        checkout: job.checkout.clone(),
        made: kept.made.clone(),
    };
    let folder = JobFolder::create(job, Some(record))?;
    let mailbox = Mailbox::create(folder.path())
        .map_err(|error| exit::infrastructure(format!("cannot create the container's mailbox: {error:#}")))?;
    let git_configs =
        git_config::clean(job, folder.path()).map_err(|error| exit::infrastructure(format!("{error:#}")))?;
    let word = format!("{REPORT}{ENDING}");
    // Asked before the job: code in a container may be able to talk to the engine.
    let mut digest = image_by_digest(&image, &container.engine.image_digests(&image));
    let end = watching_for_failure(&|| mailbox.read(&word), failed, || {
        match attempt(container, command, job, (&mailbox, &git_configs), &kept, on_line) {
            Ok(End::NoImage(missing)) => {
                if missing.cause == Cause::OtherVariant {
                    say::note(&missing);
                }
                match container.engine.pull(&image, &container.platform, container.pull, &pause, on_line) {
                    Ok(()) => {
                        digest = image_by_digest(&image, &container.engine.image_digests(&image));
                        attempt(container, command, job, (&mailbox, &git_configs), &kept, on_line)
                    }
                    Err(failure) => Err(failure.into()),
                }
            }
            end => end,
        }
    });
    let report = mailbox.read_or_refuse(REPORT).unwrap_or_else(|error| {
        say::error(format_args!("the report of the container is not read: {error}"));
        None
    });
    let bytes = mailbox.number(TARGET_BYTES);
    let is_in_order = matches!(end, Ok(End::InOrder(_))) && !mailbox.has(FOREIGN);
    let deadline = deadline();
    let cleaned = if is_in_order { finish(folder, deadline) } else { settle(folder, deadline) };
    if let Err(error) = cleaned {
        say::error(format_args!("cleaning up: {error:#}"));
    }
    if let Err(error) = kept.release(job, bytes, container.target_bytes) {
        say::error(format_args!("updating what is kept between jobs: {error:#}"));
    }
    let variables = names_passed(&container.settings, job, env_file(job).as_deref())?;
    let variables = variables.into_iter().filter(|name| variable_matters(name)).collect();
    match end? {
        End::InOrder(ended) | End::Otherwise(ended) => Ok(Ran { ended, report, image, digest, variables }),
        End::NoImage(failure) => Err(failure.into()),
    }
}

/// Runs the command in a container once.
fn attempt(
    container: &Container,
    command: &str,
    job: &Job,
    (mailbox, git_configs): (&Mailbox, &[Instead]),
    kept: &Kept,
    on_line: &mut dyn FnMut(Stream, &[u8]),
) -> Result<End> {
    let env_file = env_file(job);
    let known_hosts = job.variable("HOME").map(|home| Path::new(home).join(".ssh/known_hosts"));
    let git = CommonFolder::of_worktree(&job.checkout);
    let host = Host {
        binary: &this_program()?,
        mailbox: mailbox.path(),
        owner: owner::of(mailbox.path())?,
        env_file: env_file.as_deref(),
        known_hosts: known_hosts.as_deref().filter(|file| file.is_file()),
        registry: kept.registry.as_deref(),
        target: kept.target.as_ref().map(|held| held.volume.name.as_str()),
        git_configs,
        git: git.as_ref(),
    };
    let words = arguments(container, job, command, &host)?;
    let call = container.engine.call(words.iter().map(String::as_str)).grace(GRACE);
    // The container gets variables by their names, with the values that the engine's program has.
    let call = without_passwords(job).into_iter().fold(call, |call, (name, value)| call.env(name, value));
    if container.settings.flag("debug") {
        on_line(Stream::Stderr, format!("$ {call}\n").as_bytes());
    }
    let mut said = Said::default();
    let ended = process::supervise(&call, None, &mut |stream, line| {
        if stream == Stream::Stderr {
            said.add(line);
        }
        on_line(stream, line);
    })
    .map_err(|error| container.engine.no_result(&error))?;
    let not_started = mailbox.read(NOT_STARTED).map(|why| String::from_utf8_lossy(&why).trim().to_owned());
    let end = judge(Seen {
        engine: container.engine,
        wrapped: container.is_wrapped(),
        ended,
        said: said.as_str(),
        started: mailbox.has(STARTED),
        not_started: not_started.as_deref(),
        status: mailbox.number(STATUS),
    })?;
    Ok(end)
}

/// The variables of the job that have passwords in addresses, without them.
fn without_passwords(job: &Job) -> Vec<(&'static str, String)> {
    let redactor = Redactor::default();
    let addresses = ["BUILDKITE_REPO", "BUILDKITE_PULL_REQUEST_REPO"].map(|name| {
        let value = job.variable(name)?;
        Some((name, value, address::without_password(value)))
    });
    let plugins = job.variable("BUILDKITE_PLUGINS");
    let plugins = plugins.map(|value| ("BUILDKITE_PLUGINS", value, redactor.text(value)));
    let all = addresses.into_iter().flatten().chain(plugins);
    all.filter(|(_, value, without)| value != without)
        .map(|(name, _, without)| (name, without.into()))
        .collect()
}

/// Our own program, which is mounted into the container.
fn this_program() -> Result<PathBuf> {
    let path = std::env::current_exe()
        .map_err(|error| exit::infrastructure(format!("cannot find this program: {error}")))?;
    if !path.is_file() {
        // The kernel's name for a program that was replaced ends in " (deleted)".
        return Err(exit::infrastructure(format!(
            "{}: this program was replaced while it ran; retry the job",
            path.display()
        )));
    }
    Ok(path)
}

/// Waits, but not longer than until the job is cancelled.
pub fn pause(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end && !process::cancelled() {
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_of_an_address_goes_into_a_container() {
        let job = |repository: &str| {
            let plugins = r#"[{"https://x:p4ssw0rd@host/plugin#v1":{}}]"#;
            let variables = [("BUILDKITE_REPO", repository), ("BUILDKITE_PLUGINS", plugins)];
            let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            without_passwords(&Job::of(Path::new("/checkout"), "/tmp".into(), variables))
        };
        let plugins = ("BUILDKITE_PLUGINS", r#"[{"https://x:[redacted]@host/plugin#v1":{}}]"#.to_owned());
        let repository = ("BUILDKITE_REPO", "https://host/r.git".to_owned());
        assert_eq!(job("https://x:t0ken@host/r.git"), [repository, plugins.clone()]);
        assert_eq!(job("git@host:r.git"), [plugins]);
    }
}
