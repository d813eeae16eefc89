//! `rust-vmm-ci hook inside`: our wrapper around the job's command, in the container.
//!
//! Before the command it makes what is kept between jobs usable; after it, it gives what was written
//! to its owner. Last of all it says how the command ended: a container without that word was killed.

use super::folder::{MOUNTED, STATUS, TARGET_BYTES};
use super::sources::{self, Source, Sources};
use super::{arguments, owner};
use crate::process::{self, Command, Ended};
use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use rust_vmm_ci_core::exit::Exit;
use sha2::{Digest as _, Sha256};
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Where the volume for cargo's registry is in a container.
pub const CARGO_HOME: &str = "/rust-vmm-ci/cargo";
/// The file that says that the wrapper has begun.
pub const STARTED: &str = "started";
/// The file that says that the wrapper could not give all files to their owner, not being root: the
/// host must.
pub const FOREIGN: &str = "foreign";
/// What the command is given to end in: longer than its own children are, and not as long as the host
/// waits for this process ([`super::start`]).
const GRACE: Duration = Duration::from_secs(3);
/// Where shells look for programs without a `PATH`.
const FALLBACK_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What of cargo's home is kept in the volume; the rest is the image's.
const KEPT: [&str; 6] =
    ["registry", "git", "advisory-db", "advisory-dbs", ".package-cache", ".package-cache-mutate"];
/// The list of sources, in the target directory.
const SOURCES: &str = ".rust-vmm-ci-sources.json";

/// What the wrapper is told.
#[derive(Clone, Debug)]
pub struct Inside {
    /// The checkout's folder here.
    pub checkout: PathBuf,
    /// Whether the target directory is a volume that is kept.
    pub target: bool,
    /// The command; without one, files are given to their owner and that is all.
    pub command: Vec<OsString>,
}

/// Runs the command as this process's own outputs' writer.
///
/// # Errors
/// Exit 3 where the command cannot be started.
pub fn inside(told: &Inside) -> Result<Exit> {
    process::heed_signals()?;
    let job = Path::new(MOUNTED);
    let target = told.checkout.join("target");
    let without: &[&Path] = if told.target { &[&target] } else { &[] };
    let Some((program, args)) = told.command.split_first() else {
        owner::restore(&told.checkout, without)?;
        return Ok(Exit::Passed);
    };
    // Where the folder cannot be written to, the host knows by what is not in it.
    let _ = fs::write(job.join(STARTED), "");
    let mut command = Command::new(program).args(args.iter().cloned()).grace(GRACE);
    command = command.env("PATH", path_with(arguments::PROGRAMS, std::env::var_os("PATH"))?);
    match cargo_home(Path::new(CARGO_HOME)) {
        Ok(true) => command = command.env("CARGO_HOME", CARGO_HOME),
        Ok(false) => {}
        Err(error) => eprintln!("rust-vmm-ci: cargo's registry is not kept: {error:#}"),
    }
    if told.target
        && let Err(error) = trust_no_times(&told.checkout, &target)
    {
        eprintln!("rust-vmm-ci: the kept target directory is emptied: {error:#}");
        empty(&target)?;
    }
    let ended = process::supervise_inheriting(&command, None);
    if let Err(error) = owner::restore(&told.checkout, without)
        && fs::write(job.join(FOREIGN), "").is_err()
    {
        eprintln!("rust-vmm-ci: {error:#}");
    }
    // What is left of another's here the host removes all the same.
    let _ = owner::restore(job, &[]);
    if told.target {
        let _ = fs::write(job.join(TARGET_BYTES), size(&target).to_string());
    }
    let status = match ended? {
        Ended::Exited(status) => u8::try_from(status).unwrap_or(u8::MAX),
        // As a shell says it.
        Ended::Signaled(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        // The host knows that it cancelled; how this ended is not the command's own word.
        Ended::Cancelled | Ended::TimedOut => return Ok(Exit::Infrastructure),
    };
    let whole = job.join("status.new");
    fs::write(&whole, status.to_string()).and_then(|()| fs::rename(&whole, job.join(STATUS))).with_context(
        || format!("{MOUNTED} cannot be written to: user {:?}", owner::of(&told.checkout).ok()),
    )?;
    Ok(Exit::Command(status.into()))
}

/// `PATH` with the folder that our binary is in: not every image has it there.
fn path_with(folder: &str, path: Option<OsString>) -> Result<OsString> {
    let path = path.unwrap_or_else(|| FALLBACK_PATH.into());
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if !folders.iter().any(|known| known == Path::new(folder)) {
        folders.push(folder.into());
    }
    std::env::join_paths(folders).context("PATH")
}

/// Makes the volume into a cargo home that has all that the image's own has, but for [`KEPT`]. Says
/// whether there is one.
fn cargo_home(volume: &Path) -> Result<bool> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    if !volume.is_dir() {
        return Ok(false);
    }
    tempfile::tempfile_in(volume).context("the volume cannot be written to by the container's user")?;
    let Some(Ok(entries)) = home.map(fs::read_dir) else { return Ok(true) };
    for entry in entries {
        let entry = entry?;
        if KEPT.iter().any(|kept| entry.file_name() == *kept) {
            continue;
        }
        link(&entry.path(), &volume.join(entry.file_name()))?;
    }
    Ok(true)
}

/// A symbolic link where there is nothing, or another link.
fn link(to: &Path, at: &Path) -> Result<()> {
    if fs::read_link(at).is_ok_and(|there| there == to) {
        return Ok(());
    }
    if at.is_symlink() {
        fs::remove_file(at)?;
    }
    #[cfg(unix)]
    let made = std::os::unix::fs::symlink(to, at);
    #[cfg(not(unix))]
    let made = Err(std::io::Error::other(format!("no link from {} to {}", at.display(), to.display())));
    match made {
        // Another job of the same image was quicker.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.with_context(|| format!("linking {}", at.display())),
    }
}

/// Gives every source the modification time that cargo can go by; see [`sources`].
fn trust_no_times(checkout: &Path, target: &Path) -> Result<()> {
    let list = target.join(SOURCES);
    let known: Option<Sources> = match fs::read(&list) {
        Ok(text) => Some(serde_json::from_slice(&text).context("its list of sources cannot be read")?),
        Err(_) if fs::read_dir(target)?.next().is_none() => None,
        Err(error) => return Err(anyhow::Error::from(error).context("it has no list of sources")),
    };
    let found = files(checkout, target)?;
    let now = sources::nanoseconds(SystemTime::now());
    let fresh = sources::refresh(known.as_ref(), now, found.clone()).map_err(anyhow::Error::msg)?;
    // The list first: with it, times that were not all set are set at the next job.
    let whole = list.with_extension("new");
    fs::write(&whole, serde_json::to_vec(&fresh)?)?;
    fs::rename(&whole, &list)?;
    for (path, source) in &fresh.files {
        if found.files.get(path).is_some_and(|found| found.modified != source.modified) {
            let file = checkout.join(path);
            File::open(&file)
                .and_then(|file| file.set_modified(sources::time(source.modified)))
                .with_context(|| format!("setting the time of {}", file.display()))?;
        }
    }
    Ok(())
}

/// The files of a checkout, but for git's and what was built.
fn files(checkout: &Path, target: &Path) -> Result<Sources> {
    let mut found = Sources::default();
    let git = checkout.join(".git");
    let walk = walkdir::WalkDir::new(checkout).into_iter();
    for entry in walk.filter_entry(|entry| entry.path() != target && entry.path() != git) {
        let entry = entry?;
        let path = entry.path().strip_prefix(checkout)?.to_string_lossy().into_owned();
        if entry.path_is_symlink() {
            found.links.insert(path, fs::read_link(entry.path())?.to_string_lossy().into_owned());
        } else if entry.file_type().is_file() {
            let modified = sources::nanoseconds(entry.metadata()?.modified()?);
            let content = Sha256::digest(fs::read(entry.path())?);
            let content = BASE64_STANDARD_NO_PAD.encode(content);
            found.files.insert(path, Source { content, modified });
        }
    }
    Ok(found)
}

/// Removes all that is in a folder, which is a mount and stays.
fn empty(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// What the files below a folder take, in bytes.
fn size(folder: &Path) -> u64 {
    let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    files
        .filter_map(|entry| entry.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|found| found.len())
        .sum()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn checkout() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let scratch = tempfile::tempdir().unwrap();
        let (root, target) = (scratch.path().join("c"), scratch.path().join("c/target"));
        fs::create_dir_all(root.join(".git")).unwrap();
        fs::create_dir(&target).unwrap();
        fs::write(root.join("lib.rs"), "old").unwrap();
        (scratch, root, target)
    }

    fn modified(file: &Path) -> SystemTime {
        fs::metadata(file).unwrap().modified().unwrap()
    }

    #[test]
    fn a_source_with_other_content_and_an_old_time_becomes_new() {
        let (_scratch, root, target) = checkout();
        trust_no_times(&root, &target).unwrap();
        let old = sources::time(1);
        fs::write(root.join("lib.rs"), "new").unwrap();
        File::open(root.join("lib.rs")).unwrap().set_modified(old).unwrap();
        let before = SystemTime::now();
        trust_no_times(&root, &target).unwrap();
        assert!(modified(&root.join("lib.rs")) >= before);
    }

    #[test]
    fn a_source_that_was_checked_out_again_keeps_its_time() {
        let (_scratch, root, target) = checkout();
        trust_no_times(&root, &target).unwrap();
        let before = modified(&root.join("lib.rs"));
        fs::remove_file(root.join("lib.rs")).unwrap();
        std::thread::sleep(Duration::from_millis(5));
        fs::write(root.join("lib.rs"), "old").unwrap();
        trust_no_times(&root, &target).unwrap();
        assert_eq!(modified(&root.join("lib.rs")), before);
    }

    #[test]
    fn a_link_to_another_old_source_is_not_trusted() {
        let (_scratch, root, target) = checkout();
        std::os::unix::fs::symlink("lib.rs", root.join("main.rs")).unwrap();
        fs::write(root.join("other.rs"), "other").unwrap();
        trust_no_times(&root, &target).unwrap();
        trust_no_times(&root, &target).unwrap();
        fs::remove_file(root.join("main.rs")).unwrap();
        std::os::unix::fs::symlink("other.rs", root.join("main.rs")).unwrap();
        assert!(trust_no_times(&root, &target).is_err());
    }

    #[test]
    fn a_target_directory_without_a_list_is_not_trusted() {
        let (_scratch, root, target) = checkout();
        fs::write(target.join("something"), "").unwrap();
        assert!(trust_no_times(&root, &target).is_err());
        empty(&target).unwrap();
        trust_no_times(&root, &target).unwrap();
    }

    #[test]
    fn our_binary_is_on_every_path() {
        let path = |old: Option<&str>| path_with("/own/bin", old.map(OsString::from)).unwrap();
        assert_eq!(path(Some("/a:/b")), "/a:/b:/own/bin");
        assert_eq!(path(Some("/a:/own/bin:/b")), "/a:/own/bin:/b");
        assert!(path(None).to_string_lossy().ends_with("/bin:/own/bin"));
    }

    #[test]
    fn a_link_is_made_anew_where_it_leads_elsewhere() {
        let scratch = tempfile::tempdir().unwrap();
        let at = scratch.path().join("bin");
        for to in ["/a", "/b", "/b"] {
            link(Path::new(to), &at).unwrap();
            assert_eq!(fs::read_link(&at).unwrap(), Path::new(to));
        }
    }
}
