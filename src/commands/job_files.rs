//! The one folder that a job of ours has outside the checkout: the report that the job's command
//! leaves, a link to this program, and whatever else this program makes for a while. Named after the
//! job, so that `pre-exit` finds it whatever became of the process that made it; and locked by that
//! process, so that where `pre-exit` did not run either, the next job's knows that nobody needs it.

use super::environment::variable;
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::exit::infrastructure;
use rust_vmm_ci_effects::container::create_private_folder;
use rust_vmm_ci_effects::run::instrument::link;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The beginning of a folder's name.
const PREFIX: &str = "rust-vmm-ci-";
/// The file in the folder that is locked while the job's process lives.
const LOCK: &str = "lock";
/// How often a folder is tried to be removed, a tenth of a second apart: on Windows what a process
/// has open stays until it has ended, and a scanner may look into what is new.
const TRIES: u32 = 10;

/// The job's folder. Dropping it removes it.
#[derive(Debug)]
pub struct JobFiles {
    path: PathBuf,
    lock: Option<File>,
}

impl JobFiles {
    /// Makes the folder, empty, for this user alone, and has this program's temporary files in it.
    ///
    /// # Errors
    /// Exit 3 where it cannot be made: somebody else's of that name is never used.
    pub fn make() -> Result<Self> {
        let path = path_of(job().unwrap_or_else(|| format!("pid-{}", std::process::id())));
        remove(&path);
        let make = || -> Result<File> {
            create_private_folder(&path)?;
            let lock = File::create_new(path.join(LOCK))?;
            lock.lock()?;
            Ok(lock)
        };
        let lock =
            make().map_err(|error| infrastructure(format!("cannot make {}: {error:#}", path.display())))?;
        keep_temporary_files_in(&path);
        Ok(Self { path, lock: Some(lock) })
    }

    /// Where the job's command leaves its report.
    pub fn report(&self) -> PathBuf {
        self.path.join("report.json")
    }

    /// `PATH` with a folder before it in which this program has the name that people type.
    ///
    /// # Errors
    /// Where this program cannot be found or linked.
    pub fn path_with_this_program(&self) -> Result<OsString> {
        let program = std::env::current_exe().context("finding this program")?;
        let name = format!("rust-vmm-ci{}", std::env::consts::EXE_SUFFIX);
        let folder = if program.file_name().is_some_and(|file| file == name.as_str()) {
            program.parent().map(Path::to_owned).unwrap_or_default()
        } else {
            let folder = self.path.join("bin");
            fs::create_dir(&folder).context("making a folder for this program")?;
            link(&program, &folder.join(name)).context("linking this program")?;
            folder
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::join_paths(std::iter::once(folder).chain(std::env::split_paths(&path))).context("PATH")
    }
}

impl Drop for JobFiles {
    fn drop(&mut self) {
        // Windows removes no folder with an open file in it.
        self.lock = None;
        remove(&self.path);
    }
}

/// Has this program's temporary files in the folder that the job's hook made, where this is a part of
/// a job.
pub fn keep_temporary_files_together() {
    if let Some(path) = job().map(path_of).filter(|path| path.is_dir()) {
        keep_temporary_files_in(&path);
    }
}

fn keep_temporary_files_in(folder: &Path) {
    // A second time in one process it is the same folder.
    let _ = tempfile::env::override_temp_dir(folder);
}

/// Takes away the folder of this job, and of those that ended without a word: their processes are gone.
pub fn clean_up() {
    if let Some(job) = job() {
        remove(&path_of(job));
    }
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().filter_map(Result::ok) {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) && is_left_behind(&entry.path()) {
            remove(&entry.path());
        }
    }
}

/// Whether a folder's process is gone. One that is just being made has no lock yet, or a new one.
fn is_left_behind(folder: &Path) -> bool {
    let Ok(lock) = File::options().read(true).write(true).open(folder.join(LOCK)) else { return false };
    let age = lock.metadata().and_then(|lock| lock.modified()).ok().and_then(|made| made.elapsed().ok());
    age.is_some_and(|age| age > Duration::from_secs(5)) && lock.try_lock().is_ok()
}

/// This job's id, in signs that a file's name may have.
fn job() -> Option<String> {
    let job = variable("BUILDKITE_JOB_ID")?;
    Some(job.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect())
}

fn path_of(job: impl AsRef<str>) -> PathBuf {
    std::env::temp_dir().join(format!("{PREFIX}{}", job.as_ref()))
}

/// Takes a folder away, where it is.
fn remove(folder: &Path) {
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(Duration::from_millis(100));
        }
        if fs::remove_dir_all(folder).is_ok() || fs::symlink_metadata(folder).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_left_behind_when_its_process_is_gone() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        assert!(!is_left_behind(folder), "it is being made, or is not ours");
        let lock = File::create_new(folder.join(LOCK)).unwrap();
        lock.lock().unwrap();
        assert!(!is_left_behind(folder), "its process is there");
        lock.set_modified(std::time::SystemTime::now() - Duration::from_secs(60)).unwrap();
        assert!(!is_left_behind(folder), "its process is there still");
        drop(lock);
        assert!(is_left_behind(folder));
        let lock = File::options().write(true).open(folder.join(LOCK)).unwrap();
        lock.set_modified(std::time::SystemTime::now()).unwrap();
        assert!(!is_left_behind(folder), "somebody is about to lock it");
    }
}
