//! The container of a job: whether there is one, the command in it, and what it reported.

use super::environment::variable;
use super::{facts, reporting};
use crate::cli::{Common, InsideArgs};
use crate::config::{DockerChoice, Found};
use crate::exit::{Exit, usage};
use crate::model::{Os, Platform};
use crate::plan::{self, Asked};
use crate::process::Ended;
use crate::venue::{self, Container, Inside, Job, Policy, Venue, Wanted};
use anyhow::Result;
use serde_json::Value;
use std::io::{self, Write as _};
use std::path::Path;

/// The container that a job's command runs in; none for the host. `checks` says that the command is
/// that of the plan, whose needs decide where nobody else does.
///
/// # Errors
/// Exit 2 for what the configuration asks for, exit 3 for the agent's policy.
pub fn of_job(common: &Common, root: &Path, found: &Found, checks: bool) -> Result<Option<Container>> {
    let config = &found.config;
    let nested = variable(venue::IN_CONTAINER).is_some();
    let here = Platform::of_this_machine().unwrap_or(Platform::X86_64);
    let configured = config.platforms.as_deref().unwrap_or_default();
    let platform =
        common.platform.or_else(|| (!configured.contains(&here)).then(|| configured.first().copied())?);
    let platform = platform.unwrap_or(here);
    let os = common.os.or(config.os).or_else(Os::of_this_machine).unwrap_or(Os::Linux);
    let mut wanted = Wanted { os, platform, privileged: false, cache: config.cache, nested };
    if checks && !nested && config.docker != DockerChoice::Off {
        let facts = facts::read(root, config, false)?;
        let plan = plan::for_run(config, &facts, platform, os, Asked::default())?;
        wanted.privileged = plan.checks.iter().any(|check| {
            let docker = check.step.docker.as_ref();
            docker
                .and_then(|docker| docker.get("privileged"))
                .is_some_and(|set| set.value == Value::Bool(true))
        });
    }
    let policy = policy()?;
    match venue::resolve(&config.docker, wanted, &policy)? {
        Venue::Host if platform.is_emulated() && !nested => {
            Err(usage(format!("docker: {platform} is emulated in a container; take `docker: false` away")))
        }
        Venue::Host => Ok(None),
        Venue::Container(container) => Ok(Some(*container)),
    }
}

/// The policy of this machine.
///
/// # Errors
/// Exit 3 where it is wrong, or is named and not there.
pub fn policy() -> Result<Policy> {
    Policy::read(variable(venue::POLICY_VARIABLE).as_deref().map(Path::new))
}

/// Runs a job's command in its container and tells the build what it reported.
///
/// # Errors
/// Exit 3 where the engine fails.
pub fn run(container: &Container, root: &Path, script: &str, annotate: bool) -> Result<Exit> {
    println!("--- :docker: {}", container.image);
    let job = Job::here(root);
    let ran = venue::run(container, script, &job, &mut |stream, line| {
        // Whoever reads the log may be gone; the job goes on.
        let _ = match stream {
            crate::process::Stream::Stdout => io::stdout().lock().write_all(line),
            crate::process::Stream::Stderr => io::stderr().lock().write_all(line),
        };
    })?;
    match ran.report.as_deref().map(serde_json::from_slice) {
        Some(Ok(report)) => reporting::tell_buildkite(root, &report, annotate),
        Some(Err(error)) => {
            eprintln!(
                "rust-vmm-ci: the report of the container: {error}; the build has no annotation for it"
            );
        }
        None => {}
    }
    Ok(match ran.ended {
        Ended::Exited(status) => Exit::Command(status),
        _ => Exit::Infrastructure,
    })
}

/// Takes away what the job has left.
pub fn clean_up() {
    if let Ok(checkout) = std::env::current_dir() {
        venue::clean_up(&Job::here(&checkout));
    }
}

/// Our side within a container.
///
/// # Errors
/// Exit 3 where the command cannot be started.
pub fn inside(args: &InsideArgs) -> Result<Exit> {
    venue::inside(&Inside {
        checkout: args.checkout.clone(),
        target: args.target,
        command: args.command.clone(),
    })
}
