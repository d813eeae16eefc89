//! What is kept between jobs: named volumes, and a record of each in the agent user's own cache
//! folder. The record's file is the volume's lock too, so that two jobs never share a target
//! directory; the system lets go of it when a job's process dies, however it does.

use super::job::Job;
use super::{Engine, failure};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::exit;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a volume is kept that no job uses, in seconds: images change every few weeks.
const UNUSED: u64 = 30 * 24 * 3600;
/// How often a lock is tried to be had.
const LOOKS: u32 = 5;
/// How much of a volume's key is in its name, in hexadecimal digits.
const DIGITS: usize = 16;

/// A volume that is kept, as it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Its name.
    pub name: String,
    /// What holds it.
    pub engine: Engine,
    /// What it is: `registry` or `target`.
    pub kind: String,
    /// What it is of: the image, or the repository.
    pub of: String,
    /// When a job last used it, in seconds since 1970.
    pub used: u64,
    /// What it takes, in bytes, where that was measured.
    pub bytes: Option<u64>,
    /// Whether a job uses it now.
    #[serde(skip)]
    pub locked: bool,
}

/// A volume that this job alone may use.
#[derive(Debug)]
pub struct Held {
    /// The volume.
    pub volume: Volume,
    record: File,
}

impl Held {
    /// The job is done with the volume, which takes so many bytes now.
    ///
    /// # Errors
    /// Where the record cannot be written.
    pub fn release(mut self, bytes: Option<u64>) -> Result<()> {
        self.volume.bytes = bytes.or(self.volume.bytes);
        self.volume.used = now();
        write(&mut self.record, &self.volume)
    }
}

/// The volume for cargo's registry: one for each image and user of the agent. Jobs share it, since
/// cargo locks what it writes there.
///
/// # Errors
/// Where its record cannot be written.
pub fn registry(job: &Job, engine: Engine, image: &str, user: u32) -> Result<String> {
    let user = user.to_string();
    let volume = volume(engine, "registry", image, &[engine.program(), image, &user]);
    let name = volume.name.clone();
    // A job that measures or removes it holds the record for a moment, and notes it as used itself.
    if let Some(held) = hold(&job.state, volume)? {
        held.release(None)?;
    }
    Ok(name)
}

/// The volume for a checkout's target directory: one for each repository, agent, checkout and image.
/// None where another job has it.
///
/// # Errors
/// Where its record cannot be written.
pub fn target(job: &Job, engine: Engine, image_id: &str) -> Result<Option<Held>> {
    let checkout = job.checkout.to_string_lossy();
    let repository = job.variable("BUILDKITE_REPO").unwrap_or(&checkout);
    let agent = job.agent.as_deref().unwrap_or_default();
    let key = [engine.program(), repository, agent, &checkout, image_id];
    hold(&job.state, volume(engine, "target", &without_password(repository), &key))
}

/// Every volume that is recorded, oldest first.
pub fn list(state: &Path) -> Vec<Volume> {
    let Ok(entries) = fs::read_dir(state.join("volumes")) else { return Vec::new() };
    let read = |path: &Path| {
        let mut volume: Volume = serde_json::from_str(&fs::read_to_string(path).ok()?).ok()?;
        volume.locked = File::open(path).is_ok_and(|file| file.try_lock().is_err());
        Some(volume)
    };
    let mut all: Vec<_> = entries.filter_map(Result::ok).filter_map(|entry| read(&entry.path())).collect();
    all.sort_by_key(|volume| volume.used);
    all
}

/// Removes every volume that no job uses; gives back those that were removed.
///
/// # Errors
/// Exit 3 where an engine does not remove one, with its words; the others are removed.
pub fn clean(state: &Path) -> Result<Vec<Volume>> {
    remove(state, list(state))
}

/// Removes what was not used for long, and the target directories that were not used for longest,
/// until those that are left take `limit` bytes together.
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
    for volume in volumes {
        let Some(held) = hold(state, volume)? else { continue };
        // Not by `--force`: Podman's takes the containers that use the volume away with it.
        match held.volume.engine.answer(["volume", "rm", &held.volume.name]) {
            // The file stays, empty: a job that waits for it must not hold another than the next one.
            Ok(_) => {
                held.record.set_len(0)?;
                removed.push(held.volume);
            }
            Err(error) if failure::is_no_volume(&error.to_string()) => held.record.set_len(0)?,
            Err(error) if failure::is_volume_in_use(&error.to_string()) => {}
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(removed), Err)
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

/// Locks a volume's record and notes that it is used now; none where another process has it.
fn hold(state: &Path, mut volume: Volume) -> Result<Option<Held>> {
    let folder = state.join("volumes");
    let path = folder.join(format!("{}.json", volume.name));
    let open = || -> Result<File> {
        fs::create_dir_all(&folder)?;
        Ok(File::options().read(true).write(true).create(true).truncate(false).open(&path)?)
    };
    let mut record = open()
        .with_context(|| path.display().to_string())
        .map_err(|error| exit::infrastructure(format!("cannot record a volume: {error:#}")))?;
    if !lock(&record) {
        return Ok(None);
    }
    let mut text = String::new();
    record.read_to_string(&mut text)?;
    if let Ok(known) = serde_json::from_str::<Volume>(&text) {
        volume.bytes = known.bytes;
    }
    write(&mut record, &volume)?;
    Ok(Some(Held { volume, record }))
}

/// Locks a record, where no job has it. Who only looks whether one has, has it for a moment.
fn lock(record: &File) -> bool {
    (0..LOOKS).any(|look| {
        if look > 0 {
            thread::sleep(Duration::from_millis(20));
        }
        record.try_lock().is_ok()
    })
}

fn write(record: &mut File, volume: &Volume) -> Result<()> {
    record.rewind()?;
    record.set_len(0)?;
    record.write_all(&serde_json::to_vec(volume)?)?;
    Ok(())
}

/// A repository's address without what stands before an `@` in its authority.
fn without_password(repository: &str) -> String {
    let Some((scheme, rest)) = repository.split_once("://") else { return repository.to_owned() };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}/{path}")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn job(state: &Path, agent: &str) -> Job {
        let variables = [("BUILDKITE_AGENT_NAME", agent), ("BUILDKITE_REPO", "https://u:p@host/r.git")];
        let variables: BTreeMap<_, _> =
            variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Job { state: state.to_owned(), ..Job::of(Path::new("/checkout"), "/tmp".into(), variables) }
    }

    #[test]
    fn two_jobs_never_share_a_target_directory() {
        let state = tempfile::tempdir().unwrap();
        let job = job(state.path(), "a");
        let first = target(&job, Engine::Docker, "sha256:1").unwrap().unwrap();
        assert!(target(&job, Engine::Docker, "sha256:1").unwrap().is_none());
        assert!(list(state.path())[0].locked);
        drop(first);
        assert!(target(&job, Engine::Docker, "sha256:1").unwrap().is_some());
    }

    #[test]
    fn agents_and_images_have_their_own() {
        let state = tempfile::tempdir().unwrap();
        let name = |agent: &str, image: &str| {
            target(&job(state.path(), agent), Engine::Docker, image).unwrap().unwrap().volume.name
        };
        assert_ne!(name("a", "1"), name("b", "1"));
        assert_ne!(name("a", "1"), name("a", "2"));
        let registry = |image, user| registry(&job(state.path(), "a"), Engine::Docker, image, user).unwrap();
        assert_ne!(registry("i", 1), registry("i", 2));
        assert_ne!(registry("i", 1), registry("j", 1));
    }

    #[test]
    fn a_record_keeps_the_size_and_no_password() {
        let state = tempfile::tempdir().unwrap();
        let job = job(state.path(), "a");
        target(&job, Engine::Docker, "1").unwrap().unwrap().release(Some(7)).unwrap();
        drop(target(&job, Engine::Docker, "1").unwrap());
        let all = list(state.path());
        assert_eq!((all[0].bytes, all[0].of.as_str(), all[0].locked), (Some(7), "https://host/r.git", false));
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
