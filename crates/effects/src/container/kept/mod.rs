//! What is kept between jobs, and what is removed after a job.
//!
//! `volumes` keeps cargo's registry and target directories. [`job_folder`] is the private folder of a
//! job, on the host too. [`clean_up`](mod@clean_up) removes what a job has left. This file decides what
//! is kept for one job.

pub mod clean_up;
pub mod job_folder;
pub mod volumes;

use super::engine::{Cause, Failure};
use super::job::Job;
use super::run::pause;
use super::{Container, User, owner};
use crate::process::{self, Stream};
use crate::say;
use anyhow::Result;
use rust_vmm_ci_core::config::Cache;
use std::path::{Path, PathBuf};
use volumes::Held;

/// The volumes of one job.
#[derive(Debug, Default)]
pub struct Kept {
    /// The name of the volume for cargo's registry.
    pub registry: Option<String>,
    /// The volume for the target directory.
    pub target: Option<Held>,
    /// The folder `target` of the checkout, if it was created as the mount point of the volume.
    pub made: Option<PathBuf>,
}

impl Kept {
    /// The volumes for a job. If one is not available, a note says why and the job runs without it.
    ///
    /// # Errors
    /// Exit 3 if the engine fails, or the checkout cannot be read.
    pub fn of(
        container: &Container,
        job: &Job,
        image: &str,
        on_line: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Self> {
        let mut kept = Self::default();
        // Only our wrapper in the container knows how to use what is kept.
        if !container.is_wrapped() || container.cache == Cache::None {
            return Ok(kept);
        }
        let Some(state) = &job.state else {
            say::note("nothing is kept between jobs: this user has no home folder to record it in");
            return Ok(kept);
        };
        let (user, _) = owner::of(&job.checkout)?;
        match volumes::registry(state, container.engine, image, user) {
            Ok(name) => kept.registry = Some(name),
            Err(error) => {
                say::note(format_args!("nothing is kept between jobs: {error:#}"));
                return Ok(kept);
            }
        }
        if container.cache != Cache::Target {
            return Ok(kept);
        }
        // The engine is asked before the volume is locked.
        let id = image_id(container, image, on_line)?;
        let images_user = match container.user {
            User::Image => container.engine.image_user(image)?,
            User::Agent | User::Named(_) => String::new(),
        };
        if !is_root(&container.user, &images_user, user) {
            say::note("the container's user is not root, so `target` is not kept between jobs");
            return Ok(kept);
        }
        let folder = job.checkout.join("target");
        // A job that only reads gets a copy in the folder, which the wrapper creates.
        if !container.read_only {
            kept.made = make_mount_point(&folder);
        }
        if folder.is_symlink() || (folder.exists() || !container.read_only) && !folder.is_dir() {
            say::note("`target` is not a folder in this checkout, so it is not kept between jobs");
            return Ok(kept);
        }
        kept.target = volumes::target(state, job, container.engine, &id)?;
        if kept.target.is_none() {
            say::note("another job uses the kept target directory; this job has one of its own");
        }
        Ok(kept)
    }

    /// Releases the volume for the target directory, whose size is now `bytes`. Then removes volumes, so
    /// that all target directories together take no more than `limit` bytes.
    ///
    /// # Errors
    /// If a record cannot be written, or the engine fails.
    pub fn release(&mut self, job: &Job, bytes: Option<u64>, limit: u64) -> Result<()> {
        let (Some(held), Some(state)) = (self.target.take(), &job.state) else { return Ok(()) };
        held.release(bytes)?;
        // A cancelled job has no time left. The next job removes them.
        if !process::cancelled() {
            volumes::evict(state, limit)?;
        }
        Ok(())
    }
}

/// The digest of the image, which is pulled if it is not on this machine.
fn image_id(
    container: &Container,
    image: &str,
    on_line: &mut dyn FnMut(Stream, &[u8]),
) -> Result<String, Failure> {
    match container.engine.image_id(image) {
        Err(failure) if failure.cause == Cause::NoImage => {
            container.engine.pull(image, &container.platform, container.pull, &pause, on_line)?;
            container.engine.image_id(image)
        }
        id => id,
    }
}

/// Whether the user in the container is root. A new volume belongs to root.
fn is_root(user: &User, images_user: &str, agent: u32) -> bool {
    let agent = agent.to_string();
    let user = match user {
        User::Agent => &agent,
        User::Named(name) => name.as_str(),
        User::Image => images_user,
    };
    ["", "0", "root"].contains(&user.split(':').next().unwrap_or_default())
}

/// Creates the folder on which a volume is mounted. Docker would create it as root. Returns the folder if
/// it did not exist.
fn make_mount_point(folder: &Path) -> Option<PathBuf> {
    std::fs::create_dir(folder).is_ok().then(|| folder.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_root_by_name_or_by_number() {
        let named = |name: &str| is_root(&User::Named(name.into()), "ci", 1000);
        assert!(named("root") && named("0") && named("0:5"));
        assert!(!named("ci") && !named("1000"));
        assert!(is_root(&User::Image, "", 1000) && !is_root(&User::Image, "ci:ci", 0));
        assert!(is_root(&User::Agent, "ci", 0) && !is_root(&User::Agent, "", 1000));
    }

    #[test]
    fn a_mount_point_that_exists_is_not_ours_to_remove() {
        let checkout = tempfile::tempdir().unwrap();
        let target = checkout.path().join("target");
        assert_eq!(make_mount_point(&target), Some(target.clone()));
        assert_eq!(make_mount_point(&target), None);
    }
}
