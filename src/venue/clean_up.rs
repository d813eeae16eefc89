//! What is left of a job that did not end in order, taken away: after a cancel, a kill of this
//! program or of docker, a crash of the daemon. Done twice it does nothing the second time.

use super::arguments::LABEL;
use super::folder::{Folder, Record, left_behind};
use super::job::Job;
use super::owner;
use anyhow::{Context as _, Result};
use std::fs;
use std::time::{Duration, Instant};

/// What a clean-up may take. The hook `pre-exit` shares the ten seconds that the agent gives a
/// cancelled job.
const LIMIT: Duration = Duration::from_millis(4500);
/// Where the checkout is in the container that gives files to their owner.
const CHECKOUT: &str = "/rust-vmm-ci/checkout";

/// When a clean-up that begins now must have ended.
pub fn deadline() -> Instant {
    Instant::now() + LIMIT
}

/// Takes away what this job, and earlier ones of the same agent, left behind. It never fails: what
/// could not be done is said, and tried again at the agent's next job.
pub fn clean_up(job: &Job) {
    let deadline = deadline();
    for folder in left_behind(job) {
        let id = folder.record.job.clone();
        if let Err(error) = settle(folder, deadline) {
            eprintln!("rust-vmm-ci: cleaning up after job {id}: {error:#}");
        }
    }
}

/// Takes away a job's container, gives its files to their owner, and takes away its folder.
///
/// # Errors
/// With the first thing that could not be done; the folder then stays, so that it is tried again.
pub fn settle(mut folder: Folder, deadline: Instant) -> Result<()> {
    // First: a container that the killed client is about to start finds nothing to mount.
    folder.withdraw()?;
    folder.record.engine.remove_containers(&folder.record.job, deadline)?;
    for path in [&folder.record.checkout, &folder.path] {
        give_back(path, &folder.record, deadline)?;
    }
    finish(folder)
}

/// Takes away the folder of a job that has ended in order.
///
/// # Errors
/// Where the system refuses.
pub fn finish(folder: Folder) -> Result<()> {
    if let Some(made) = &folder.record.made {
        // Not where something is in it: it is not ours to remove.
        let _ = fs::remove_dir(made);
    }
    folder.remove()
}

/// Gives all below a folder to its owner: from here, or, where that takes a root, by our own binary in
/// a container of the job's own image.
fn give_back(folder: &std::path::Path, record: &Record, deadline: Instant) -> Result<()> {
    if !folder.is_dir() || owner::foreign(folder, &[])?.is_empty() || owner::restore(folder, &[]).is_ok() {
        return Ok(());
    }
    let binary = std::env::current_exe().context("where this program is")?;
    let label = format!("--label={LABEL}={}", record.job);
    let program =
        format!("--mount=type=bind,source={},target=/rust-vmm-ci/program,readonly", binary.display());
    let mount = format!("--mount=type=bind,source={},target={CHECKOUT}", folder.display());
    let checkout = format!("--checkout={CHECKOUT}");
    let words = [
        "run",
        "--rm",
        "--pull=never",
        "--network=none",
        "--user=0:0",
        &label,
        &program,
        &mount,
        "--entrypoint=/rust-vmm-ci/program",
        &record.image,
        "hook",
        "inside",
        &checkout,
    ];
    record.engine.answer_by(&words, deadline).map(drop)
}
