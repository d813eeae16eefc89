//! The volumes that are kept between jobs, with a record of each in the cache folder of the agent's user.
//!
//! The file of a record is also the lock of its volume, so that two jobs never share a target directory.
//! The system releases a lock when its process dies. No engine is asked while this file holds a lock.

use super::super::Engine;
use super::super::engine::{Cause, Failure};
use super::super::job::Job;
use super::super::owner;
use crate::files::{self, Locked};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::model::address::without_password;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time after which a volume that no job used is removed, in seconds. Images change every few weeks.
const UNUSED: u64 = 30 * 24 * 3600;
/// How often it is tried to get a lock.
const LOOKS: u32 = 25;
/// What a volume for the registry contains. If this changes, another volume is used.
const FORM: &str = "crates and index";
/// How many hexadecimal digits of the hash of its key the name of a volume has.
const DIGITS: usize = 16;

/// The record of a volume that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// The name of the volume.
    pub name: String,
    /// The engine that has the volume.
    pub engine: Engine,
    /// What the volume is for: `registry` or `target`.
    pub kind: String,
    /// The image of a registry, or the repository of a target directory.
    pub of: String,
    /// When a job last used the volume, in seconds since 1970.
    pub used: u64,
    /// The size in bytes, if it was measured.
    pub bytes: Option<u64>,
    /// Whether a job uses the volume now.
    #[serde(skip)]
    pub locked: bool,
}

/// A volume that only this job may use.
#[derive(Debug)]
pub struct Held {
    /// The volume.
    pub volume: Volume,
    record: Locked,
}

impl Held {
    /// Ends the use of the volume, whose size in bytes is now this.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn release(mut self, bytes: Option<u64>) -> Result<()> {
        self.volume.bytes = bytes.or(self.volume.bytes);
        self.volume.used = now();
        write(&mut self.record, &self.volume)
    }
}

/// The name of the volume for cargo's registry. There is one for each image and user of an agent. Jobs
/// share it, because cargo locks what it writes there.
///
/// # Errors
/// Exit 3 if the record cannot be written.
pub fn registry(state: &Path, engine: Engine, image: &str, user: u32) -> Result<String> {
    let user = user.to_string();
    let volume = volume(engine, "registry", image, &[engine.program(), image, &user, FORM]);
    let name = volume.name.clone();
    // If another job holds the record at this moment, that job records the use.
    if let Some(held) = hold(state, volume)? {
        held.release(None)?;
    }
    Ok(name)
}

/// The volume for a target directory. There is one for each repository, agent, checkout and image. Returns
/// none if another job uses it.
///
/// # Errors
/// Exit 3 if the record cannot be written.
pub fn target(state: &Path, job: &Job, engine: Engine, image_id: &str) -> Result<Option<Held>> {
    let checkout = job.checkout.to_string_lossy();
    let repository = job.variable("BUILDKITE_REPO").unwrap_or(&checkout);
    let agent = job.agent.as_deref().unwrap_or_default();
    let key = [engine.program(), repository, agent, &checkout, image_id];
    hold(state, volume(engine, "target", &without_password(repository), &key))
}

/// All recorded volumes. The one that was not used for the longest time comes first.
pub fn list(state: &Path) -> Vec<Volume> {
    let Ok(entries) = fs::read_dir(state.join("volumes")) else { return Vec::new() };
    let read = |path: &Path| {
        let text = files::bounded(&files::open_plain(path).ok()?, files::LONGEST).ok()?;
        let mut volume: Volume = serde_json::from_slice(&text).ok()?;
        volume.locked = files::open_plain(path).is_ok_and(|file| Locked::take(file).is_err());
        Some(volume)
    };
    let mut all: Vec<_> = entries.filter_map(Result::ok).filter_map(|entry| read(&entry.path())).collect();
    all.sort_by_key(|volume| volume.used);
    all
}

/// Removes every volume that no job uses, and returns the removed ones.
///
/// # Errors
/// Exit 3 with the engine's message if a volume cannot be removed. All others are removed nevertheless.
pub fn clean(state: &Path) -> Result<Vec<Volume>> {
    remove(state, list(state))
}

/// Removes volumes that no job used for a long time. Also removes target directories, the one first that
/// was not used for the longest time, until the others together take at most `limit` bytes.
///
/// # Errors
/// As [`clean`].
pub fn evict(state: &Path, limit: u64) -> Result<Vec<Volume>> {
    remove(state, to_evict(list(state), limit, now()))
}

fn to_evict(oldest_first: Vec<Volume>, limit: u64, now: u64) -> Vec<Volume> {
    let of_target = |volume: &&Volume| volume.kind == "target";
    let mut total: u64 = oldest_first.iter().filter(of_target).filter_map(|volume| volume.bytes).sum();
    let mut out = Vec::new();
    for volume in oldest_first {
        let too_old = volume.used.saturating_add(UNUSED) < now;
        let too_much = volume.kind == "target" && total > limit;
        if !volume.locked && (too_old || too_much) {
            if volume.kind == "target" {
                total -= volume.bytes.unwrap_or(0);
            }
            out.push(volume);
        }
    }
    out
}

fn remove(state: &Path, volumes: Vec<Volume>) -> Result<Vec<Volume>> {
    let mut removed = Vec::new();
    let mut failed = None;
    for volume in volumes.into_iter().filter(|volume| !volume.locked) {
        // The engine itself refuses to remove a volume that a container uses.
        let answer = volume.engine.remove_volume(&volume.name);
        match after_removal(&answer) {
            After::Forget { was_there } => {
                forget(state, &volume)?;
                if was_there {
                    removed.push(volume);
                }
            }
            After::Keep => {}
            After::Fail => failed = answer.err(),
        }
    }
    failed.map_or(Ok(removed), |failure| Err(failure.into()))
}

/// What follows from the engine's answer to the removal of a volume.
#[derive(Debug, PartialEq, Eq)]
enum After {
    /// The volume does not exist any more, and its record is emptied.
    Forget {
        /// Whether the volume existed before.
        was_there: bool,
    },
    /// A container uses the volume.
    Keep,
    /// The volume could not be removed.
    Fail,
}

fn after_removal(answer: &Result<(), Failure>) -> After {
    match answer.as_ref().map_err(|failure| failure.cause) {
        Ok(()) => After::Forget { was_there: true },
        Err(Cause::NoVolume) => After::Forget { was_there: false },
        Err(Cause::VolumeInUse) => After::Keep,
        Err(_) => After::Fail,
    }
}

/// Empties the record of a volume that does not exist any more. The file stays, because another job may
/// wait for its lock. If a job has begun to use the volume in the meantime, the engine created it again,
/// and the record stays too.
fn forget(state: &Path, volume: &Volume) -> Result<()> {
    let path = state.join("volumes").join(format!("{}.json", volume.name));
    let Some(mut record) = lock(owner::open_own_record(&path)?) else { return Ok(()) };
    let mut text = String::new();
    record.read_to_string(&mut text)?;
    if serde_json::from_str::<Volume>(&text).is_ok_and(|now| now == *volume) {
        record.set_len(0)?;
    }
    Ok(())
}

fn volume(engine: Engine, kind: &str, of: &str, key: &[&str]) -> Volume {
    let digest = Sha256::digest(key.join("\0"));
    let digits: String = digest.iter().map(|byte| format!("{byte:02x}")).take(DIGITS / 2).collect();
    Volume {
        name: format!("rust-vmm-ci-{kind}-{digits}"),
        engine,
        kind: kind.to_owned(),
        of: of.to_owned(),
        used: now(),
        bytes: None,
        locked: false,
    }
}

/// Locks the record of a volume and records that it is used now. Returns none if another process holds the
/// lock.
fn hold(state: &Path, mut volume: Volume) -> Result<Option<Held>> {
    let folder = state.join("volumes");
    let path = folder.join(format!("{}.json", volume.name));
    let open = || -> Result<File> {
        owner::create_own_folders(state, &folder)?;
        owner::open_own_record(&path)
    };
    let record = open()
        .with_context(|| path.display().to_string())
        .map_err(|error| exit::infrastructure(format!("cannot record a volume: {error:#}")))?;
    let Some(mut record) = lock(record) else { return Ok(None) };
    let mut text = String::new();
    record.read_to_string(&mut text)?;
    if let Ok(known) = serde_json::from_str::<Volume>(&text) {
        volume.bytes = known.bytes;
    }
    write(&mut record, &volume)?;
    Ok(Some(Held { volume, record }))
}

/// Locks a record, if no job holds the lock. [`list`] holds a lock for a moment, so it is tried a few
/// times.
fn lock(mut record: File) -> Option<Locked> {
    for look in 0..LOOKS {
        if look > 0 {
            thread::sleep(Duration::from_millis(20));
        }
        match Locked::take(record) {
            Ok(locked) => return Some(locked),
            Err(file) => record = file,
        }
    }
    None
}

fn write(record: &mut File, volume: &Volume) -> Result<()> {
    record.rewind()?;
    record.set_len(0)?;
    record.write_all(&serde_json::to_vec(volume)?)?;
    Ok(())
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn job(agent: &str) -> Job {
        let variables = [("BUILDKITE_AGENT_NAME", agent), ("BUILDKITE_REPO", "https://u:p@host/r.git")];
        let variables: BTreeMap<_, _> =
            variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Job::of(Path::new("/checkout"), "/tmp".into(), variables)
    }

    #[test]
    fn two_jobs_never_share_a_target_directory() {
        let state = tempfile::tempdir().unwrap();
        let job = job("a");
        let first = target(state.path(), &job, Engine::Docker, "sha256:1").unwrap().unwrap();
        assert!(target(state.path(), &job, Engine::Docker, "sha256:1").unwrap().is_none());
        assert!(list(state.path())[0].locked);
        drop(first);
        assert!(target(state.path(), &job, Engine::Docker, "sha256:1").unwrap().is_some());
    }

    #[test]
    fn agents_and_images_have_their_own() {
        let state = tempfile::tempdir().unwrap();
        let name = |agent: &str, image: &str| {
            target(state.path(), &job(agent), Engine::Docker, image).unwrap().unwrap().volume.name
        };
        assert_ne!(name("a", "1"), name("b", "1"));
        assert_ne!(name("a", "1"), name("a", "2"));
        let registry = |image, user| registry(state.path(), Engine::Docker, image, user).unwrap();
        assert_ne!(registry("i", 1), registry("i", 2));
        assert_ne!(registry("i", 1), registry("j", 1));
    }

    #[test]
    fn a_record_keeps_the_size_and_no_password() {
        let state = tempfile::tempdir().unwrap();
        let job = job("a");
        target(state.path(), &job, Engine::Docker, "1").unwrap().unwrap().release(Some(7)).unwrap();
        drop(target(state.path(), &job, Engine::Docker, "1").unwrap());
        let all = list(state.path());
        assert_eq!((all[0].bytes, all[0].of.as_str(), all[0].locked), (Some(7), "https://host/r.git", false));
    }

    #[test]
    fn a_volume_that_does_not_exist_any_more_is_forgotten_unless_a_job_uses_it_again() {
        let state = tempfile::tempdir().unwrap();
        let job = job("a");
        target(state.path(), &job, Engine::Docker, "1").unwrap().unwrap().release(Some(7)).unwrap();
        let listed = list(state.path()).remove(0);
        let held = target(state.path(), &job, Engine::Docker, "1").unwrap().unwrap();
        forget(state.path(), &listed).unwrap();
        assert_eq!(list(state.path()).len(), 1, "a job uses it");
        held.release(Some(8)).unwrap();
        forget(state.path(), &listed).unwrap();
        assert_eq!(list(state.path()).len(), 1, "a job has used it since");
        let listed = list(state.path()).remove(0);
        forget(state.path(), &listed).unwrap();
        assert!(list(state.path()).is_empty());
        assert!(
            target(state.path(), &job, Engine::Docker, "1").unwrap().is_some(),
            "its record can be used again"
        );
    }

    #[test]
    fn the_engines_answer_decides_what_becomes_of_a_record() {
        use crate::process::Ended;
        let failed = |said: &str| Err(Failure::of("tried", Ended::Exited(1), said));
        assert_eq!(after_removal(&Ok(())), After::Forget { was_there: true });
        assert_eq!(after_removal(&failed("Error: no such volume a")), After::Forget { was_there: false });
        assert_eq!(after_removal(&failed("remove a: volume is in use - [1]")), After::Keep);
        assert_eq!(after_removal(&failed("Cannot connect to the Docker daemon")), After::Fail);
        assert_eq!(after_removal(&Err(Failure::of("tried", Ended::Cancelled, ""))), After::Fail);
    }

    #[test]
    fn the_oldest_go_first_and_no_more_than_need() {
        let volume = |name: &str, kind: &str, used, bytes, locked| Volume {
            name: name.into(),
            engine: Engine::Docker,
            kind: kind.into(),
            of: String::new(),
            used,
            bytes,
            locked,
        };
        let now = UNUSED + 100;
        let all = vec![
            volume("long unused", "registry", 5, None, false),
            volume("in use", "target", 100, Some(50), true),
            volume("oldest", "target", 101, Some(30), false),
            volume("registry", "registry", 102, Some(500), false),
            volume("newest", "target", 103, Some(20), false),
        ];
        let out =
            |limit| -> Vec<_> { to_evict(all.clone(), limit, now).into_iter().map(|v| v.name).collect() };
        assert_eq!(out(100), ["long unused"]);
        assert_eq!(out(99), ["long unused", "oldest"]);
        assert_eq!(out(60), ["long unused", "oldest", "newest"]);
    }
}
