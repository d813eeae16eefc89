//! The private folder of a job, among the temporary files. A job on the host has one, and so has every
//! container.
//!
//! The folder is named after the job, so that the hook `pre-exit` finds it. Its `job.json` says what the
//! clean-up needs to know. The process of the job holds a lock on that file for as long as it lives. When
//! the lock is free, the process is gone and the folder can be removed.
//!
//! Anybody may create a folder of such a name. So a folder is used and removed only if it passes
//! `owner::is_private_folder`.

use super::super::Engine;
use super::super::job::Job;
use super::super::owner;
use crate::files::{self, Locked};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::exit;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// The beginning of the name of every private folder.
const PREFIX: &str = "rust-vmm-ci-job-";
/// The ending of the name of a container's folder. A command on the host can start a container of the
/// same job, and then both folders exist.
const CONTAINER: &str = "-container";
/// The file that says what the folder is for, and that is locked.
const RECORD: &str = "job.json";
/// The age at which a folder without a record is removed. Its process died while it created the folder.
const UNFINISHED: Duration = Duration::from_secs(60);
/// The pause between two tries to remove a folder.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is tried to remove a folder. On Windows a file stays while a process has it open, and a
/// virus scanner may have new files open for a moment.
const TRIES: u32 = 10;

/// What the clean-up needs to know about a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The id of the job. The label of its container has it too.
    pub job: String,
    /// See [`Job::agent`].
    pub agent: Option<String>,
    /// The container of the job, if it has one.
    #[serde(flatten)]
    pub container: Option<ContainerRecord>,
}

/// What the clean-up needs to know about a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerRecord {
    /// The program that runs it.
    pub engine: Engine,
    /// Its image.
    pub image: String,
    /// The platform of the image, as the engine was told.
    #[serde(default)]
    pub platform: Option<String>,
    /// The checkout on the host.
    pub checkout: PathBuf,
    /// A folder in the checkout that was created for a volume. It is removed if it is empty.
    pub made: Option<PathBuf>,
}

/// The private folder of a job, with the lock on its record.
#[derive(Debug)]
pub struct JobFolder {
    path: PathBuf,
    record: Record,
    lock: Option<Locked>,
}

impl JobFolder {
    /// Creates the folder of a job on the host, or of a container.
    ///
    /// # Errors
    /// Exit 3 if it exists and cannot be removed, or cannot be created.
    pub fn create(job: &Job, container: Option<ContainerRecord>) -> Result<Self> {
        let path = path_of(&job.temporary, &job.id, container.is_some());
        remove_earlier(&path);
        let record = Record { job: job.id.clone(), agent: job.agent.clone(), container };
        let make = || -> Result<Locked> {
            owner::create_private_folder(&path)?;
            let mut file = Locked::wait_for(File::create_new(path.join(RECORD))?)?;
            file.write_all(&serde_json::to_vec(&record)?)?;
            Ok(file)
        };
        let lock = make().map_err(|error| {
            // Before `make` there was something that `remove_earlier` may not remove.
            let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
            let hint = if kind == Some(ErrorKind::AlreadyExists) {
                "; another process of this job uses it, or another user created it. To mend it: remove it, or \
                 set TMPDIR to a folder that only the agent's user can write to"
            } else {
                ""
            };
            exit::infrastructure(format!("cannot create the job's folder {}: {error:#}{hint}", path.display()))
        })?;
        Ok(Self { path, record, lock: Some(lock) })
    }

    /// Where the folder is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the clean-up needs to know.
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// Renames the folder, so that a container that is about to start does not find it and fails. The
    /// clean-up finds the folder under its new name too.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn withdraw(&mut self) -> Result<()> {
        if self.path.extension().is_none() {
            // The same job can have been tried before, and its clean-up can have failed.
            let gone = |number: u32| self.path.with_extension(format!("gone{number}"));
            let free = (0..=u32::MAX).map(gone).find(|path| !path.exists()).context("no free name")?;
            fs::rename(&self.path, &free).context("renaming the job's folder")?;
            self.path = free;
        }
        Ok(())
    }

    /// Removes the folder.
    ///
    /// # Errors
    /// If the system refuses. This happens if the job left folders of another user in it.
    pub fn remove(&mut self) -> Result<()> {
        self.try_remove().with_context(|| format!("removing {}", self.path.display()))
    }

    /// As [`JobFolder::remove`], but tries again until the deadline, up to one second.
    ///
    /// # Errors
    /// As [`JobFolder::remove`].
    pub fn remove_by(&mut self, deadline: Instant) -> Result<()> {
        let mut tries = 1;
        while let Err(error) = self.remove() {
            if tries == TRIES || Instant::now() + PAUSE >= deadline {
                return Err(error);
            }
            thread::sleep(PAUSE);
            tries += 1;
        }
        Ok(())
    }

    fn try_remove(&mut self) -> std::io::Result<()> {
        // The record is removed last, because the clean-up finds the folder by it.
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_name() == RECORD {
                continue;
            }
            if entry.file_type()?.is_dir() {
                owner::remove(&entry.path())?;
            } else {
                fs::remove_file(entry.path())?;
            }
        }
        // Windows does not remove a file that is open.
        self.lock = None;
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}

/// The folder of the job on the host, if its hook has created one.
pub fn of_host(job: &Job) -> Option<PathBuf> {
    Some(path_of(&job.temporary, &job.id, false)).filter(|path| owner::is_private_folder(path))
}

/// The folders whose processes are gone and which the end of this job removes: all folders of jobs on
/// the host, and those of this agent's containers. A container of another agent may be one of another
/// engine, so its own agent removes it. Folders of jobs on the host come first, because removing them
/// needs no engine, which may not answer.
pub fn left_behind(job: &Job) -> Vec<JobFolder> {
    let Ok(entries) = fs::read_dir(&job.temporary) else { return Vec::new() };
    let mut folders: Vec<JobFolder> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)))
        .map(|entry| entry.path())
        .inspect(|path| remove_unfinished(path))
        .filter_map(|path| claim(&path))
        .filter(|folder| {
            let Record { job: id, agent, container } = &folder.record;
            container.is_none() || *id == job.id || *agent == job.agent
        })
        .collect();
    folders.sort_by_key(|folder| folder.record.container.is_some());
    folders
}

/// The folder at a path with its lock, if it is ours and no process holds the lock.
fn claim(path: &Path) -> Option<JobFolder> {
    if !owner::is_private_folder(path) {
        return None;
    }
    let mut lock = Locked::take(files::open_plain(&path.join(RECORD)).ok()?).ok()?;
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    let record = serde_json::from_str(&text).ok()?;
    Some(JobFolder { path: path.to_owned(), record, lock: Some(lock) })
}

/// Whether a folder is ours and has no record.
fn is_unfinished(path: &Path) -> bool {
    let has_no_record = || fs::metadata(path.join(RECORD)).map_or(true, |record| record.len() == 0);
    owner::is_private_folder(path) && has_no_record()
}

/// Removes a folder whose process died before it could write the record.
fn remove_unfinished(path: &Path) {
    let age = || fs::metadata(path).ok()?.modified().ok()?.elapsed().ok();
    if is_unfinished(path) && age().is_some_and(|age| age > UNFINISHED) {
        // If this fails, the next job tries it again.
        let _ = fs::remove_dir_all(path);
    }
}

/// Removes what an earlier try of the same job left at the path of its folder. The folder of a container
/// stays: the container must be removed first.
fn remove_earlier(path: &Path) {
    // If this fails, the new folder cannot be created, and that error is reported.
    if let Some(mut earlier) = claim(path) {
        if earlier.record.container.is_none() {
            let _ = earlier.remove();
        }
    } else if is_unfinished(path) {
        let _ = fs::remove_dir_all(path);
    }
}

fn path_of(temporary: &Path, id: &str, is_container: bool) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let id: String = id.chars().map(plain).collect();
    temporary.join(format!("{PREFIX}{id}{}", if is_container { CONTAINER } else { "" }))
}

#[cfg(test)]
mod tests;
