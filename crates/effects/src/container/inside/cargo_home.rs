//! Cargo's home in a container, and what is kept of it between jobs.
//!
//! A volume keeps the index of each registry, and the crates that were downloaded. Nothing else is kept,
//! because everything in cargo's home can change what other jobs do: a configuration names wrappers and flags,
//! and unpacked sources are compiled as they are. Cargo checks a crate when it downloads it, and never again.
//! So a crate goes into the volume, and comes out of it, only if its hash stands in the lock file of the
//! commit. A repository without a lock file uses no kept crates and keeps none.

use crate::container::owner;
use crate::files;
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::checks::lock_file::LockFile;
use sha2::{Digest as _, Sha256};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// The folders of the volume, and of cargo's home, that are kept.
const INDEX: &str = "registry/index";
const CRATES: &str = "registry/cache";
/// Entries of the image's cargo home to which the job's own cargo home has no link: what is kept, and cargo's
/// locks.
const NOT_LINKED: [&str; 3] = ["registry", ".package-cache", ".package-cache-mutate"];
/// The longest crate that is kept, in bytes. crates.io accepts 10 MB unless somebody asks for more.
const LONGEST_CRATE: u64 = 256 << 20;

/// The registry that a job uses.
#[derive(Debug)]
pub struct Registry {
    kept: PathBuf,
    home: PathBuf,
    /// The crates of the lock file as it was before the job's command: file name, and SHA-256 as hexadecimal
    /// digits.
    locked: HashSet<(OsString, String)>,
    /// The crates that came from the volume: paths below [`CRATES`].
    taken: HashSet<PathBuf>,
}

impl Registry {
    /// Makes cargo's home with links to all that the image's own has, and with what is kept. Returns none if
    /// there is no volume.
    ///
    /// # Errors
    /// If the home cannot be written to by the container's user.
    pub fn prepare(kept: &Path, home: &Path, checkout: &Path) -> Result<Option<Self>> {
        if !kept.is_dir() {
            return Ok(None);
        }
        fs::create_dir_all(home).context("the container's user cannot create a folder for cargo")?;
        let image = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
        for entry in image.map(fs::read_dir).into_iter().flatten().flatten() {
            let entry = entry?;
            if NOT_LINKED.iter().all(|name| entry.file_name() != *name) {
                owner::link(&entry.path(), &home.join(entry.file_name()))?;
            }
        }
        // If the lock file cannot be read, cargo reports the error.
        let lock = files::text(checkout, "Cargo.lock").ok().flatten();
        let lock = lock.as_deref().and_then(LockFile::parse).unwrap_or_default();
        let locked = lock.crates().map(|(file, checksum)| (file.into(), checksum.to_owned())).collect();
        let mut registry =
            Self { kept: kept.to_owned(), home: home.to_owned(), locked, taken: HashSet::new() };
        if !registry.locked.is_empty() {
            for file in plain_files(&kept.join(INDEX)) {
                store(&read(&kept.join(INDEX).join(&file))?, &home.join(INDEX).join(file))?;
            }
            for file in plain_files(&kept.join(CRATES)) {
                if let Some(bytes) = registry.verified(&kept.join(CRATES).join(&file)) {
                    store(&bytes, &home.join(CRATES).join(&file))?;
                    registry.taken.insert(file);
                }
            }
        }
        Ok(Some(registry))
    }

    /// Puts what was downloaded into the volume, and takes everything else out of it.
    ///
    /// # Errors
    /// If the volume cannot be written to.
    pub fn keep(&self) -> Result<()> {
        only(&self.kept, &["registry"])?;
        only(&self.kept.join("registry"), &["index", "cache"])?;
        for file in plain_files(&self.home.join(INDEX)) {
            let (fresh, at) = (read(&self.home.join(INDEX).join(&file))?, self.kept.join(INDEX).join(&file));
            if read(&at).is_ok_and(|kept| kept == fresh) {
                continue;
            }
            store(&fresh, &at)?;
        }
        let downloaded = plain_files(&self.home.join(CRATES));
        for file in downloaded.into_iter().filter(|file| !self.taken.contains(file)) {
            if let Some(bytes) = self.verified(&self.home.join(CRATES).join(&file)) {
                store(&bytes, &self.kept.join(CRATES).join(file))?;
            }
        }
        Ok(())
    }

    /// The bytes of a crate, if the lock file has it with this hash.
    fn verified(&self, path: &Path) -> Option<Vec<u8>> {
        let name = path.file_name()?;
        if !self.locked.iter().any(|(file, _)| file == name) {
            return None;
        }
        let bytes = read(path).ok()?;
        self.locked.contains(&(name.to_owned(), hash(&bytes))).then_some(bytes)
    }
}

/// The SHA-256 of bytes as hexadecimal digits, as lock files have it.
fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// Removes everything from a folder that is not a folder of one of these names.
fn only(folder: &Path, names: &[&str]) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        if !is_folder {
            fs::remove_file(entry.path())?;
        } else if names.iter().all(|name| entry.file_name() != *name) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// The plain files below a folder, by their paths in it. The index of an old registry is a repository of git,
/// whose configuration could name programs: it is left out.
fn plain_files(folder: &Path) -> Vec<PathBuf> {
    walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_entry(|entry| entry.file_name() != OsStr::new(".git"))
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .filter_map(|entry| entry.path().strip_prefix(folder).ok().map(Path::to_owned))
        .collect()
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    files::bounded(&files::open_plain(path)?, LONGEST_CRATE)
}

/// Writes a file in one step, because another job may read it at any time.
fn store(bytes: &[u8], at: &Path) -> Result<()> {
    let folder = at.parent().context("a file is in a folder")?;
    let write = || -> Result<()> {
        fs::create_dir_all(folder)?;
        let mut whole = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut whole, bytes)?;
        whole.persist(at)?;
        Ok(())
    };
    write().with_context(|| format!("writing {}", at.display()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// A volume, a checkout whose lock file has one crate, and that crate.
    struct Scene {
        scratch: tempfile::TempDir,
        job: u32,
    }

    const CRATE: &str = "registry/cache/here/small-1.0.0.crate";
    const OTHER: &str = "registry/cache/here/other-1.0.0.crate";

    impl Scene {
        fn new(has_lock: bool) -> Self {
            let scene = Self { scratch: tempfile::tempdir().unwrap(), job: 0 };
            fs::create_dir(scene.at("kept")).unwrap();
            fs::create_dir(scene.at("checkout")).unwrap();
            let hash = hash(b"small");
            let lock = format!(
                "version = 4\n[[package]]\nname = \"small\"\nversion = \"1.0.0\"\nsource = \"registry+x\"\n\
                 checksum = \"{hash}\"\n"
            );
            if has_lock {
                fs::write(scene.at("checkout/Cargo.lock"), lock).unwrap();
            }
            scene
        }

        fn at(&self, path: &str) -> PathBuf {
            self.scratch.path().join(path)
        }

        /// A job with a new home.
        fn job(&mut self) -> Registry {
            self.job += 1;
            let home = self.at(&format!("home{}", self.job));
            Registry::prepare(&self.at("kept"), &home, &self.at("checkout")).unwrap().unwrap()
        }

        fn kept(&self) -> Vec<String> {
            let mut all: Vec<String> =
                plain_files(&self.at("kept")).iter().map(|path| path.to_string_lossy().into()).collect();
            all.sort();
            all
        }
    }

    fn write(home: &Path, path: &str, text: &str) {
        store(text.as_bytes(), &home.join(path)).unwrap();
    }

    #[test]
    fn crates_of_the_lock_file_and_the_index_are_kept_and_nothing_else() {
        let mut scene = Scene::new(true);
        let first = scene.job();
        for (path, text) in [
            (CRATE, "small"),
            (OTHER, "other"),
            ("registry/index/here/.cache/sm/al/small", "entry"),
            ("registry/index/old/.git/config", "[core]"),
            ("registry/src/here/small-1.0.0/lib.rs", ""),
            ("config.toml", "[build]"),
        ] {
            write(&first.home, path, text);
        }
        first.keep().unwrap();
        assert_eq!(scene.kept(), [CRATE, "registry/index/here/.cache/sm/al/small"]);
        let second = scene.job();
        assert_eq!(fs::read_to_string(second.home.join(CRATE)).unwrap(), "small");
        assert!(second.home.join("registry/index/here/.cache/sm/al/small").exists());
        assert!(!second.home.join("config.toml").exists());
    }

    #[test]
    fn a_crate_that_was_changed_is_neither_used_nor_kept() {
        let mut scene = Scene::new(true);
        write(&scene.at("kept"), CRATE, "evil");
        write(&scene.at("kept"), "config.toml", "[build]");
        std::os::unix::fs::symlink("/etc", scene.at("kept/bin")).unwrap();
        let job = scene.job();
        assert!(!job.home.join(CRATE).exists());
        assert!(
            !job.home.join("bin").is_symlink()
                || fs::read_link(job.home.join("bin")).unwrap() != Path::new("/etc")
        );
        write(&job.home, CRATE, "evil too");
        job.keep().unwrap();
        assert_eq!(scene.kept(), [CRATE], "what is no crate and no index is taken out");
        write(&scene.at("checkout"), "Cargo.lock", "changed by the job");
        write(&job.home, CRATE, "small");
        job.keep().unwrap();
        assert_eq!(fs::read_to_string(scene.at("kept").join(CRATE)).unwrap(), "small", "mended");
    }

    #[test]
    fn without_a_lock_file_nothing_can_be_checked_and_no_crate_is_used() {
        let mut scene = Scene::new(false);
        write(&scene.at("kept"), CRATE, "small");
        let job = scene.job();
        assert!(!job.home.join("registry").exists());
        write(&job.home, OTHER, "other");
        job.keep().unwrap();
        assert_eq!(scene.kept(), [CRATE]);
    }
}
