//! What is left of a job that did not end in order, taken away: after a cancel, a kill of this
//! program or of docker, a crash of the daemon. Done twice it does nothing the second time.

use super::arguments::{LABEL, bind};
use super::folder::{Folder, Record, left_behind};
use super::job::Job;
use super::owner;
use crate::process;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a clean-up may take. The hook `pre-exit` shares the ten seconds that the agent gives a
/// cancelled job.
const LIMIT: Duration = Duration::from_millis(4500);
/// What it may take in the hook of a cancelled job: `pre-exit` follows, and does what is left.
const SHORT: Duration = Duration::from_millis(1500);
/// Where the folder is in the container that gives its files to their owner.
const FOLDER: &str = "/rust-vmm-ci/folder";
/// Where our binary is in it.
const PROGRAM: &str = "/rust-vmm-ci/program";

/// When a clean-up that begins now must have ended.
pub fn deadline() -> Instant {
    Instant::now() + if process::cancelled() { SHORT } else { LIMIT }
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
    give_back(&folder.record.checkout, &folder.record, deadline)?;
    finish(&folder, deadline)
}

/// Takes away the folder of a job whose container is gone and whose files are their owner's.
///
/// # Errors
/// Where the system refuses; the folder then stays, so that it is tried again.
pub fn finish(folder: &Folder, deadline: Instant) -> Result<()> {
    if let Some(made) = &folder.record.made {
        // Not where something is in it: it is not ours to remove.
        let _ = fs::remove_dir(made);
    }
    // What another user wrote there goes with it, but for what stands in folders of that user's.
    folder.remove().or_else(|_| {
        give_back(&folder.path, &folder.record, deadline)?;
        folder.remove()
    })
}

/// Gives all below a folder to its owner: from here, or, where that takes a root, by our own binary in
/// a container of the job's own image.
fn give_back(folder: &Path, record: &Record, deadline: Instant) -> Result<()> {
    if !folder.is_dir() || owner::foreign(folder, &[])?.is_empty() || owner::restore(folder, &[]).is_ok() {
        return Ok(());
    }
    let binary = std::env::current_exe().context("where this program is")?;
    let label = format!("--label={LABEL}={}", record.job);
    let words = [
        "run",
        "--rm",
        "--pull=never",
        "--network=none",
        "--user=0:0",
        // Where the daemon maps users its root is not the host's (docker plugin's rule for `chown`).
        "--userns=host",
        &label,
        &bind(&binary, PROGRAM, true)?,
        &bind(folder, FOLDER, false)?,
        "--entrypoint",
        PROGRAM,
        &record.image,
        "hook",
        "inside",
        "--checkout",
        FOLDER,
    ];
    record.engine.answer_by(&words, deadline).map(drop)
}
