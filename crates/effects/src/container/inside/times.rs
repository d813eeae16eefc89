//! The files of a kept target directory, and the modification times of the sources that it was built
//! from; see [`sources`].

use super::sources::{self, Source, Sources};
use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::fs::{self, File};
use std::path::Path;
use std::time::SystemTime;

/// The list of sources, in the target directory.
const SOURCES: &str = ".rust-vmm-ci-sources.json";

/// Gives every source a modification time that cargo can rely on.
///
/// # Errors
/// If the target directory cannot be trusted. It must be emptied then.
pub fn trust_no_times(checkout: &Path, target: &Path) -> Result<()> {
    let list = target.join(SOURCES);
    let known: Option<Sources> = match fs::read(&list) {
        Ok(text) => Some(serde_json::from_slice(&text).context("its list of sources cannot be read")?),
        Err(_) if fs::read_dir(target)?.next().is_none() => None,
        Err(error) => return Err(anyhow::Error::from(error).context("it has no list of sources")),
    };
    let found = files(checkout, target)?;
    let now = sources::nanoseconds(SystemTime::now());
    let fresh = sources::refresh(known.as_ref(), now, found.clone()).map_err(anyhow::Error::msg)?;
    // The list is written first. If setting the times fails, the next job finds the list and sets the
    // times that are still wrong.
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

/// The files of a checkout without the folder `.git` and the target directory.
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

/// Removes everything in a folder. The folder itself is a mount point and stays.
///
/// # Errors
/// If the system refuses.
pub fn empty(folder: &Path) -> Result<()> {
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

/// The size of all files below a folder, in bytes.
pub fn size(folder: &Path) -> u64 {
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
    use std::path::PathBuf;

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
        fs::write(root.join("lib.rs"), "old").unwrap();
        let later = before + std::time::Duration::from_secs(1);
        File::options().write(true).open(root.join("lib.rs")).unwrap().set_modified(later).unwrap();
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
}
