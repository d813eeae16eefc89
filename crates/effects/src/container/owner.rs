//! Whose files are.

#[cfg(unix)]
use anyhow::Context as _;
use anyhow::Result;
use std::fs::{self, File};
use std::path::Path;

/// Makes a folder that only this user may look into.
///
/// # Errors
/// Where it is there already, or the system refuses.
pub fn create_private_folder(path: &Path) -> Result<()> {
    #[allow(unused_mut, reason = "there is no mode on Windows")]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    Ok(())
}

/// Lets every user write into a folder.
///
/// # Errors
/// Where the system refuses.
#[cfg_attr(not(unix), allow(unused_variables, clippy::unnecessary_wraps, reason = "no modes there"))]
pub fn open_to_everyone(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
    Ok(())
}

/// The user and the group of a file or folder, by number.
#[cfg(unix)]
pub fn of(path: &Path) -> Result<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::symlink_metadata(path).with_context(|| path.display().to_string())?;
    Ok((found.uid(), found.gid()))
}

/// Whether a file is this process's user's.
#[cfg(unix)]
pub fn is_own(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(own) = tempfile::tempfile().and_then(|file| file.metadata()) else { return false };
    file.metadata().is_ok_and(|found| found.uid() == own.uid())
}

/// Gives all below a folder, but for the folders `without`, to the folder's own owner, as it is seen
/// from here: in a container whose users are mapped that is the agent's user as well. Links are not
/// followed.
///
/// # Errors
/// Where the system refuses, with the first path.
#[cfg(unix)]
pub fn restore(folder: &Path, without: &[&Path]) -> Result<()> {
    let (user, group) = of(folder)?;
    if user == UNKNOWN && fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| maps_users(&map)) {
        anyhow::bail!(
            "{}: its owner has no number in this container, whose users are mapped",
            folder.display()
        );
    }
    let mut first = None;
    for entry in foreign(folder, without)? {
        if let Err(error) = std::os::unix::fs::lchown(&entry, Some(user), Some(group)) {
            first.get_or_insert_with(|| {
                anyhow::Error::from(error).context(format!("changing the owner of {}", entry.display()))
            });
        }
    }
    first.map_or(Ok(()), Err)
}

/// The number of whoever has none where users are mapped (`/proc/sys/kernel/overflowuid`).
#[cfg(unix)]
const UNKNOWN: u32 = 65_534;

/// Whether a `/proc/…/uid_map` is of a process whose users are other users outside, or nobody
/// (`user_namespaces(7)`: a line for each range, with its first number here, there, and its length).
#[cfg(unix)]
fn maps_users(map: &str) -> bool {
    map.split_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"]
}

/// What below a folder belongs to another user than the folder itself.
///
/// # Errors
/// Where the folder cannot be read.
#[cfg(unix)]
pub fn foreign(folder: &Path, without: &[&Path]) -> Result<Vec<std::path::PathBuf>> {
    use std::os::unix::fs::MetadataExt;
    let (user, _) = of(folder)?;
    Ok(walkdir::WalkDir::new(folder)
        .into_iter()
        .filter_entry(|entry| !without.contains(&entry.path()))
        .filter_map(Result::ok)
        .filter(|entry| entry.metadata().is_ok_and(|found| found.uid() != user))
        .map(walkdir::DirEntry::into_path)
        .collect())
}

/// Files have no such owners here, and there are no containers.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix, where each may fail")]
mod other {
    use super::{File, Path, Result};

    /// Nobody's.
    pub fn of(_: &Path) -> Result<(u32, u32)> {
        Ok((0, 0))
    }

    /// Always.
    pub fn is_own(_: &File) -> bool {
        true
    }

    /// Nothing to do.
    pub fn restore(_: &Path, _: &[&Path]) -> Result<()> {
        Ok(())
    }

    /// None.
    pub fn foreign(_: &Path, _: &[&Path]) -> Result<Vec<std::path::PathBuf>> {
        Ok(Vec::new())
    }
}
#[cfg(not(unix))]
pub use other::{foreign, is_own, of, restore};

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{lchown, symlink};

    #[test]
    fn a_container_whose_users_are_mapped_is_known_by_its_map() {
        assert!(!maps_users("         0          0 4294967295\n"));
        assert!(maps_users("         0     100000      65536\n"), "of dockerd --userns-remap");
        assert!(maps_users("0 1000 1\n1 100000 65536\n"), "of Podman without root");
    }

    #[test]
    fn what_others_wrote_goes_to_the_folders_owner_and_links_are_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let (folder, outside) = (scratch.path().join("checkout"), scratch.path().join("outside"));
        fs::create_dir_all(folder.join("deep/er")).unwrap();
        fs::create_dir(folder.join("target")).unwrap();
        fs::write(folder.join("deep/er/file"), "").unwrap();
        fs::write(&outside, "").unwrap();
        symlink(&outside, folder.join("link")).unwrap();
        if lchown(&folder, Some(1234), Some(1235)).is_err() {
            return crate::testing::skip("only root can give files away");
        }
        let target = folder.join("target");
        restore(&folder, &[&target]).unwrap();
        assert!(foreign(&folder, &[&target]).unwrap().is_empty());
        assert_eq!(of(&folder.join("deep/er/file")).unwrap(), (1234, 1235));
        assert_eq!(of(&folder.join("link")).unwrap(), (1234, 1235));
        assert_eq!(of(&outside).unwrap(), (0, 0));
        assert_eq!(of(&target).unwrap(), (0, 0));
    }
}
