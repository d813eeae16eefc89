//! Copies what is kept between jobs into a place of the job's own.

use crate::container::owner;
use anyhow::{Context as _, Result};
use std::fs::{self, File};
use std::path::Path;

/// Copies everything below a folder with its modification times, on which cargo relies. Links are copied as
/// links. `to` is created if it is not there.
///
/// # Errors
/// With the first path that cannot be copied.
pub fn folder(from: &Path, to: &Path) -> Result<()> {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry?;
        let at = to.join(entry.path().strip_prefix(from)?);
        one(&entry, &at).with_context(|| format!("copying {}", entry.path().display()))?;
    }
    Ok(())
}

fn one(entry: &walkdir::DirEntry, at: &Path) -> Result<()> {
    if entry.file_type().is_dir() {
        fs::create_dir_all(at)?;
    } else if entry.file_type().is_file() {
        fs::copy(entry.path(), at)?;
        File::options().write(true).open(at)?.set_modified(entry.metadata()?.modified()?)?;
    } else if entry.path_is_symlink() {
        owner::link(&fs::read_link(entry.path())?, at)?;
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_copy_has_the_times_and_links_of_the_original() {
        let scratch = tempfile::tempdir().unwrap();
        let (from, to) = (scratch.path().join("from"), scratch.path().join("to"));
        fs::create_dir_all(from.join("deep/er")).unwrap();
        fs::write(from.join("deep/er/file"), "text").unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_234_567_890_123_456_789);
        File::options().write(true).open(from.join("deep/er/file")).unwrap().set_modified(old).unwrap();
        std::os::unix::fs::symlink("/nowhere", from.join("link")).unwrap();
        folder(&from, &to).unwrap();
        let copied = to.join("deep/er/file");
        assert_eq!(fs::read_to_string(&copied).unwrap(), "text");
        assert_eq!(fs::metadata(&copied).unwrap().modified().unwrap(), old);
        assert_eq!(fs::read_link(to.join("link")).unwrap(), Path::new("/nowhere"));
    }
}
