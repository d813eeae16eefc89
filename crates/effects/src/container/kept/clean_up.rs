//! The clean-up after jobs that did not end normally: after a cancel, after this program or docker was killed,
//! or after the daemon crashed. Running it again does no harm.

use super::super::engine::{LABEL, bind};
use super::super::job::Job;
use super::super::owner;
use super::job_folder::{ContainerRecord, JobFolder, left_behind};
use crate::{process, say};
use anyhow::{Context as _, Result};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The longest that a clean-up may take. The agent gives a cancelled job ten seconds, and the hook
/// `pre-exit` has only a part of them.
const LIMIT: Duration = Duration::from_millis(4500);
/// The longest that a clean-up may take in the command hook of a cancelled job. `pre-exit` follows and
/// does what is left.
const SHORT: Duration = Duration::from_millis(1500);
/// How often to look for a container that the engine creates after its program was ended: about a second.
const LOOKS: u32 = 6;
/// The folder whose files are given to their owner, in the container that does so.
const FOLDER: &str = "/rust-vmm-ci/folder";
/// Our program in that container.
const PROGRAM: &str = "/rust-vmm-ci/program";

/// The time by which a clean-up that begins now must have ended.
pub fn deadline() -> Instant {
    Instant::now() + if process::cancelled() { SHORT } else { LIMIT }
}

/// Removes what this job and earlier jobs left behind, on the host and in containers. It never fails: an
/// error is reported, and the next job tries again.
pub fn clean_up(job: &Job) {
    let deadline = deadline();
    for folder in left_behind(job) {
        let id = folder.record().job.clone();
        // What an earlier job began to create is there by now.
        let looks = if id == job.id { LOOKS } else { 1 };
        if let Err(error) = settle_looking(looks, folder, deadline) {
            say::error(format_args!("cleaning up after job {id}: {error:#}"));
        }
    }
}

/// Removes a job's container, gives its files to their owner, and removes its folder.
///
/// # Errors
/// With the first step that failed. The folder then stays, so that the next job tries again.
pub fn settle(folder: JobFolder, deadline: Instant) -> Result<()> {
    settle_looking(LOOKS, folder, deadline)
}

/// Does what [`settle`] does, and looks so many times for a container.
fn settle_looking(looks: u32, mut folder: JobFolder, deadline: Instant) -> Result<()> {
    let Some(container) = folder.record().container.clone() else { return folder.remove_by(deadline) };
    // This comes first, because the engine may be about to start the container.
    folder.withdraw()?;
    let label = format!("{LABEL}={}", folder.record().job);
    container.engine.remove_containers(&label, looks, deadline)?;
    give_back(&container.checkout, &folder.record().job, &container, deadline)?;
    finish(folder, deadline)
}

/// Removes the folder of a container that is gone and whose files have been given to their owner.
///
/// # Errors
/// If the system refuses. The folder then stays, so that the next job tries again.
pub fn finish(mut folder: JobFolder, deadline: Instant) -> Result<()> {
    let Some(container) = folder.record().container.clone() else { return folder.remove_by(deadline) };
    if let Some(made) = &container.made {
        // This fails if the folder is not empty. Then its content is not ours to remove.
        let _ = fs::remove_dir(made);
    }
    if folder.remove().is_ok() {
        return Ok(());
    }
    // The container's user created folders in it.
    give_back(folder.path(), &folder.record().job, &container, deadline)?;
    folder.remove()
}

/// Gives everything below a folder to its owner. If this user may not do so, our own program does it as
/// root in a container of the job's image.
fn give_back(folder: &Path, job: &str, container: &ContainerRecord, deadline: Instant) -> Result<()> {
    if !folder.is_dir() || !owner::has_foreign(folder) || owner::restore(folder, &[]).is_ok() {
        return Ok(());
    }
    let program = std::env::current_exe().context("finding this program")?;
    let words = words_to_give_back(&program, folder, job, container)?;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    container.engine.ask_by(&words, deadline)?;
    Ok(())
}

/// The words after `docker` for a container that gives the files of a folder to their owner.
fn words_to_give_back(
    program: &Path,
    folder: &Path,
    job: &str,
    container: &ContainerRecord,
) -> Result<Vec<String>> {
    let platform = container.platform.iter().map(|platform| format!("--platform={platform}"));
    let flags = [
        "run".to_owned(),
        "--rm".into(),
        "--pull=never".into(),
        "--network=none".into(),
        "--user=0:0".into(),
        // If the daemon maps users, root in the container is not root on the host (docker plugin's rule
        // for `chown`).
        "--userns=host".into(),
        format!("--label={LABEL}={job}"),
        bind(program, PROGRAM, true)?,
        bind(folder, FOLDER, false)?,
        format!("--entrypoint={PROGRAM}"),
    ];
    let command = [&container.image, "hook", "inside", "--checkout", FOLDER].map(str::to_owned);
    Ok(flags.into_iter().chain(platform).chain(command).collect())
}

#[cfg(test)]
mod tests {
    use super::super::super::Engine;
    use super::*;

    #[test]
    fn files_are_given_back_by_root_without_network_in_the_jobs_image() {
        let container = ContainerRecord {
            engine: Engine::Docker,
            image: "i:1".into(),
            platform: Some("linux/arm64".into()),
            checkout: "/builds/a,b".into(),
            made: None,
        };
        let words =
            words_to_give_back(Path::new("/opt/x"), Path::new("/builds/a,b"), "j", &container).unwrap();
        let expected = [
            "run",
            "--rm",
            "--pull=never",
            "--network=none",
            "--user=0:0",
            "--userns=host",
            "--label=com.github.rust-vmm.ci.job-id=j",
            "--mount=type=bind,source=/opt/x,target=/rust-vmm-ci/program,readonly",
            "--mount=type=bind,\"source=/builds/a,b\",target=/rust-vmm-ci/folder",
            "--entrypoint=/rust-vmm-ci/program",
            "--platform=linux/arm64",
            "i:1",
            "hook",
            "inside",
            "--checkout",
            "/rust-vmm-ci/folder",
        ];
        assert_eq!(words, expected);
    }

    #[test]
    #[cfg(unix)]
    fn a_job_on_the_host_and_one_that_ended_in_order_are_cleaned_up_without_an_engine() {
        let temporary = tempfile::tempdir().unwrap();
        let job = Job::of(Path::new("/checkout"), temporary.path().to_owned(), [].into());
        drop(JobFolder::create(&job, None).unwrap());
        clean_up(&job);
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
        let made = temporary.path().join("target");
        fs::create_dir(&made).unwrap();
        let container = ContainerRecord {
            engine: Engine::Docker,
            image: "i".into(),
            platform: None,
            checkout: temporary.path().to_owned(),
            made: Some(made),
        };
        let folder = JobFolder::create(&job, Some(container)).unwrap();
        finish(folder, deadline()).unwrap();
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0, "the mount point is removed too");
    }
}
