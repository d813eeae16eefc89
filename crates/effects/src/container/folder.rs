//! A job's private folder on the host.
//!
//! `job.json` says what [`super::clean_up`] needs; it is locked while the job's process lives.
//! `inside/` is mounted into the container, which writes what it has to say there. What stands in it
//! was written by the job's own code, so it is read with care.

use super::Engine;
use super::job::Job;
use super::owner;
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::exit;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where `inside/` is in a container.
pub const MOUNTED: &str = "/rust-vmm-ci/job";
/// The file for the report, within it.
pub const REPORT: &str = "report.json";
/// The file for the command's exit status: that it is there says that the command has ended, and
/// that its files belong to their owner.
pub const STATUS: &str = "status";
/// The file for the size of the target directory in bytes.
pub const TARGET_BYTES: &str = "target-bytes";
/// The beginning of a private folder's name.
const PREFIX: &str = "rust-vmm-ci-job-";
/// The age at which a folder without a word of its job in it is nobody's: its process died while it made
/// it.
const UNBORN: Duration = Duration::from_secs(60);
/// The longest file that is taken from a container: a report is far smaller.
const LONGEST: u64 = 256 << 20;

/// What is known of a job from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What runs its container.
    pub engine: Engine,
    /// The job's id, which its container's label carries.
    pub job: String,
    /// See [`Job::agent`].
    pub agent: Option<String>,
    /// The container's image.
    pub image: String,
    /// The checkout on the host.
    pub checkout: PathBuf,
    /// A folder below the checkout that was made for a volume, and is to go if it is empty.
    pub made: Option<PathBuf>,
}

/// A private folder.
#[derive(Debug)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// What its `job.json` says.
    pub record: Record,
    /// `job.json`, locked.
    _lock: File,
}

impl Folder {
    /// Makes a job's folder.
    ///
    /// # Errors
    /// Exit 3 where it cannot be made, or is there already.
    pub fn create(job: &Job, record: Record) -> Result<Self> {
        let path = path_of(job, &record.job);
        let make = || -> Result<File> {
            owner::create_private_folder(&path)?;
            let mut file = File::create_new(path.join("job.json"))?;
            file.lock()?;
            file.write_all(&serde_json::to_vec(&record)?)?;
            let inside = path.join("inside");
            fs::create_dir(&inside)?;
            // The container's user may be any.
            owner::open_to_everyone(&inside)?;
            Ok(file)
        };
        let lock = make().map_err(|error| {
            exit::infrastructure(format!("cannot make the job's folder {}: {error:#}", path.display()))
        })?;
        Ok(Self { path, record, _lock: lock })
    }

    /// The folder that is mounted into the container.
    pub fn inside(&self) -> PathBuf {
        self.path.join("inside")
    }

    /// What the container wrote under this name; none where that is no plain file, or too long.
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        let file = self.inside().join(name);
        let found = fs::symlink_metadata(&file).ok()?;
        if !found.is_file() || found.len() > LONGEST {
            return None;
        }
        let mut bytes = Vec::new();
        File::open(file).ok()?.take(LONGEST).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The number that the container wrote under this name.
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        String::from_utf8(self.read(name)?).ok()?.trim().parse().ok()
    }

    /// Puts the folder out of a container's reach: one that is about to start fails for want of it.
    /// What then is left to do can be done again: the folder is found under its new name too.
    ///
    /// # Errors
    /// Where the system refuses.
    pub fn withdraw(&mut self) -> Result<()> {
        if self.path.extension().is_none() {
            // A job that was tried again under its id, after a try that could not be cleaned up, has
            // more than one.
            let gone = |number: u32| self.path.with_extension(format!("gone{number}"));
            let free = (0..=u32::MAX).map(gone).find(|path| !path.exists()).context("a free name")?;
            fs::rename(&self.path, &free).context("moving the job's folder")?;
            self.path = free;
        }
        Ok(())
    }

    /// Takes the folder away.
    ///
    /// # Errors
    /// Where the system refuses: the job may have left another user's folders in it.
    pub fn remove(&self) -> Result<()> {
        // `job.json` last: by it the folder is found again.
        let inside = match fs::remove_dir_all(self.inside()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed,
        };
        inside
            .and_then(|()| fs::remove_dir_all(&self.path))
            .with_context(|| format!("removing {}", self.path.display()))
    }
}

/// The folders that a job's end is to take away: its own, and those of earlier jobs of the same agent
/// whose process has died before its time.
pub fn left_behind(job: &Job) -> Vec<Folder> {
    let Ok(entries) = fs::read_dir(&job.temporary) else { return Vec::new() };
    let ours = |name: &str| name.starts_with(PREFIX);
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_str().is_some_and(ours))
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .inspect(|entry| remove_unborn(&entry.path()))
        .filter_map(|entry| open(&entry.path()))
        .filter(|folder| folder.record.job == job.id || folder.record.agent == job.agent)
        .collect()
}

/// The folder at a path, where nobody holds it and it is this user's own: another's may be a trap.
fn open(path: &Path) -> Option<Folder> {
    let mut file = File::open(path.join("job.json")).ok()?;
    if !owner::is_own(&file) {
        return None;
    }
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock | TryLockError::Error(_)) => return None,
    }
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    let record = serde_json::from_str(&text).ok()?;
    Some(Folder { path: path.to_owned(), record, _lock: file })
}

/// Takes away a folder whose process died before it could say what the folder is for.
fn remove_unborn(path: &Path) {
    let old = |found: fs::Metadata| Some(found.modified().ok()?.elapsed().ok()? > UNBORN);
    let empty = fs::metadata(path.join("job.json")).map_or(true, |record| record.len() == 0);
    if empty && fs::metadata(path).ok().and_then(old) == Some(true) {
        // Another user's stays: the system sees to it.
        let _ = fs::remove_dir_all(path);
    }
}

fn path_of(job: &Job, id: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    job.temporary.join(format!("{PREFIX}{}", id.chars().map(plain).collect::<String>()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn job(temporary: &Path, agent: &str, id: &str) -> Job {
        let variables = [("BUILDKITE_JOB_ID", id), ("BUILDKITE_AGENT_NAME", agent)];
        let variables: BTreeMap<_, _> =
            variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Job::of(Path::new("/checkout"), temporary.to_owned(), variables)
    }

    fn create(job: &Job) -> Folder {
        let record = Record {
            engine: Engine::Docker,
            job: job.id.clone(),
            agent: job.agent.clone(),
            image: "i".into(),
            checkout: job.checkout.clone(),
            made: None,
        };
        Folder::create(job, record).unwrap()
    }

    #[test]
    fn a_folder_is_left_behind_when_its_process_is_gone_and_it_is_the_agents() {
        let temporary = tempfile::tempdir().unwrap();
        let (mine, other) = (job(temporary.path(), "a", "1/2"), job(temporary.path(), "b", "3"));
        let held = create(&mine);
        assert!(left_behind(&mine).is_empty(), "its process lives");
        drop(held);
        drop(create(&other));
        let next = job(temporary.path(), "a", "4");
        let found = left_behind(&next);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].record.job, "1/2");
    }

    #[test]
    fn a_withdrawn_folder_is_found_again_and_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let job = job(temporary.path(), "a", "1");
        let mut folder = create(&job);
        folder.withdraw().unwrap();
        drop(folder);
        let mut again = left_behind(&job).pop().unwrap();
        again.withdraw().unwrap();
        again.remove().unwrap();
        assert!(left_behind(&job).is_empty());
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_whose_process_died_while_it_made_it_goes_once_it_is_old() {
        let temporary = tempfile::tempdir().unwrap();
        let job = job(temporary.path(), "a", "1");
        let path = path_of(&job, "0");
        fs::create_dir(&path).unwrap();
        File::create(path.join("job.json")).unwrap();
        assert!(left_behind(&job).is_empty() && path.exists(), "it may be a job that begins");
        let old = std::time::SystemTime::now() - 2 * UNBORN;
        File::open(&path).unwrap().set_modified(old).unwrap();
        assert!(left_behind(&job).is_empty() && !path.exists());
    }

    #[test]
    fn a_second_try_of_a_job_is_withdrawn_beside_the_first() {
        let temporary = tempfile::tempdir().unwrap();
        let job = job(temporary.path(), "a", "1");
        create(&job).withdraw().unwrap();
        create(&job).withdraw().unwrap();
        let found = left_behind(&job);
        assert_eq!(found.len(), 2);
        for folder in found {
            folder.remove().unwrap();
        }
        assert!(left_behind(&job).is_empty());
    }

    #[test]
    fn what_a_container_wrote_is_read_only_where_it_is_a_plain_file() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = create(&job(temporary.path(), "a", "1"));
        let secret = temporary.path().join("secret");
        fs::write(&secret, "1").unwrap();
        std::os::unix::fs::symlink(&secret, folder.inside().join("link")).unwrap();
        fs::write(folder.inside().join("status"), "7\n").unwrap();
        assert_eq!(folder.number("status"), Some(7));
        assert_eq!(folder.read("link"), None);
    }
}
