//! Walks through everything below a folder, whatever strangers have made there.
//!
//! A path of more than 4096 bytes cannot be given to the system (`PATH_MAX`), and code in a container can
//! make one. So the walk goes from folder to folder by open descriptors, of which it has two at a time. It
//! follows no link. On its way up it checks that the folder is the one that it came from.

use anyhow::{Context as _, Result, bail};
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat, chownat, fstat, openat, renameat, statat, unlinkat,
};
use std::ffi::{CStr, CString};
use std::path::Path;

/// What is done with one entry of a folder: the open folder, the entry's name and the entry.
type Visit<'v> = &'v mut dyn FnMut(&OwnedFd, &CStr, &Stat) -> Result<()>;

/// A folder that the walk is in.
struct Level {
    /// The device and the number of the folder.
    is: (u64, u64),
    /// The folders in it that are still to be walked through.
    folders: Vec<CString>,
}

/// Gives everything below a folder that belongs to another user to the folder's own user and group, except
/// for the folders `without` at its top. The owner may look into every folder then, and change it: root in a
/// container needs no rights to make a folder that nobody else can remove.
///
/// # Errors
/// With the first thing that could not be read or given. All others are given nevertheless.
pub fn give_to_owner(folder: &Path, without: &[&Path]) -> Result<()> {
    let owner = rustix::fs::lstat(folder).with_context(|| folder.display().to_string())?;
    let (user, group) = (rustix::fs::Uid::from_raw(owner.st_uid), rustix::fs::Gid::from_raw(owner.st_gid));
    walk(folder, without, &mut |parent, name, found| {
        if found.st_uid != owner.st_uid {
            chownat(parent, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)
                .with_context(|| format!("changing the owner of {}", name.to_string_lossy()))?;
        }
        open_to_owner(parent, name, found)
    })
}

/// Gives the owner of a folder all rights to it.
fn open_to_owner(parent: &OwnedFd, name: &CStr, found: &Stat) -> Result<()> {
    if is_closed(found) {
        let mode = Mode::from_raw_mode(found.st_mode) | Mode::RWXU;
        rustix::fs::chmodat(parent, name, mode, AtFlags::empty())
            .with_context(|| format!("changing the mode of {}", name.to_string_lossy()))?;
    }
    Ok(())
}

/// Whether something is a folder that its owner may not look into or change.
fn is_closed(found: &Stat) -> bool {
    FileType::from_raw_mode(found.st_mode) == FileType::Directory
        && !Mode::from_raw_mode(found.st_mode).contains(Mode::RWXU)
}

/// Removes everything below a folder that belongs to this user, at any depth. A folder's folders are first
/// moved to the top: a path of any length becomes a short one.
///
/// # Errors
/// With the first thing that cannot be removed.
pub fn empty(folder: &Path) -> Result<()> {
    let top = open(None, folder.as_os_str().as_encoded_bytes())?;
    let mut moved = 0_u64;
    loop {
        let mut pending = Vec::new();
        let level =
            enter(&top, &[], &mut |parent, name, found| open_to_owner(parent, name, found), &mut |_| {})?;
        for name in level.folders {
            let below = open(Some(&top), name.as_bytes())?;
            let mut failed = None;
            let inner = enter(
                &below,
                &[],
                &mut |parent, name, found| {
                    open_to_owner(parent, name, found)?;
                    match FileType::from_raw_mode(found.st_mode) {
                        FileType::Directory => Ok(()),
                        _ => Ok(unlinkat(parent, name, AtFlags::empty())?),
                    }
                },
                &mut |error| failed = Some(error),
            )?;
            if let Some(error) = failed {
                return Err(error);
            }
            for folder in inner.folders {
                let free = loop {
                    moved += 1;
                    let name = format!("rust-vmm-ci-{moved}");
                    if statat(&top, &name, AtFlags::SYMLINK_NOFOLLOW).is_err() {
                        break name;
                    }
                };
                renameat(&below, &folder, &top, &free)?;
                pending.push(free);
            }
            unlinkat(&top, &name, AtFlags::REMOVEDIR)?;
        }
        if pending.is_empty() {
            break;
        }
    }
    let mut failed = None;
    enter(&top, &[], &mut |parent, name, _| Ok(unlinkat(parent, name, AtFlags::empty())?), &mut |error| {
        failed = Some(error);
    })?;
    failed.map_or(Ok(()), Err)
}

/// Whether something below a folder belongs to another user than the folder itself, or its owner cannot look at
/// it.
pub fn has_foreign(folder: &Path) -> bool {
    let Ok(owner) = rustix::fs::lstat(folder) else { return true };
    let looked = walk(folder, &[], &mut |_, name, found| {
        if found.st_uid == owner.st_uid && !is_closed(found) {
            Ok(())
        } else {
            bail!("{} is foreign", name.to_string_lossy())
        }
    });
    looked.is_err()
}

/// Visits everything below a folder. A folder is visited before what is in it.
///
/// # Errors
/// With the first error, after everything else was visited.
fn walk(folder: &Path, without: &[&Path], visit: Visit<'_>) -> Result<()> {
    let mut first = None;
    let mut note = |error: anyhow::Error| {
        first.get_or_insert(error);
    };
    let mut here =
        open(None, folder.as_os_str().as_encoded_bytes()).with_context(|| folder.display().to_string())?;
    let skipped: Vec<&[u8]> = without
        .iter()
        .filter(|path| path.parent() == Some(folder))
        .filter_map(|path| path.file_name().map(std::ffi::OsStr::as_encoded_bytes))
        .collect();
    let mut levels = vec![enter(&here, &skipped, visit, &mut note)?];
    while let Some(level) = levels.last_mut() {
        if let Some(name) = level.folders.pop() {
            // A folder without the right to look into it is an error, and the walk goes on beside it.
            match open(Some(&here), name.as_bytes()) {
                Ok(below) => {
                    levels.push(enter(&below, &[], visit, &mut note)?);
                    here = below;
                }
                Err(error) => note(error.context(name.to_string_lossy().into_owned())),
            }
            continue;
        }
        levels.pop();
        if let Some(above) = levels.last() {
            here = open(Some(&here), b"..").context("going back up")?;
            if identity(&fstat(&here)?) != above.is {
                bail!("a folder was moved while this program went through it");
            }
        }
    }
    first.map_or(Ok(()), Err)
}

/// Visits the entries of an open folder.
fn enter(
    folder: &OwnedFd,
    skipped: &[&[u8]],
    visit: Visit<'_>,
    note: &mut dyn FnMut(anyhow::Error),
) -> Result<Level> {
    let mut folders = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = match entry {
            Ok(entry) => entry.file_name().to_owned(),
            Err(error) => {
                note(error.into());
                break;
            }
        };
        if [b".".as_slice(), b".."].contains(&name.as_bytes()) || skipped.contains(&name.as_bytes()) {
            continue;
        }
        match statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => {
                if let Err(error) = visit(folder, &name, &found) {
                    note(error);
                }
                if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
                    folders.push(name);
                }
            }
            // It was removed meanwhile.
            Err(rustix::io::Errno::NOENT) => {}
            Err(error) => note(error.into()),
        }
    }
    Ok(Level { is: identity(&fstat(folder)?), folders })
}

/// Opens a folder, which may not be a link.
fn open(parent: Option<&OwnedFd>, name: &[u8]) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(match parent {
        Some(parent) => openat(parent, name, flags, Mode::empty())?,
        None => openat(CWD, name, flags, Mode::empty())?,
    })
}

#[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "the types differ between systems")]
fn identity(found: &Stat) -> (u64, u64) {
    (found.st_dev as u64, found.st_ino as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, lchown, symlink};

    /// Makes folders, one in the other, whose path is far longer than the system takes. The last has a file.
    fn deep(top: &Path) {
        let name = CString::new("d".repeat(90)).unwrap();
        let mut here = open(None, top.as_os_str().as_encoded_bytes()).unwrap();
        for _ in 0..60 {
            rustix::fs::mkdirat(&here, &name, Mode::RWXU).unwrap();
            here = open(Some(&here), name.as_bytes()).unwrap();
        }
        openat(&here, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
    }

    #[test]
    fn what_is_below_a_path_of_any_length_is_visited_and_errors_are_told() {
        let scratch = tempfile::tempdir().unwrap();
        deep(scratch.path());
        fs::create_dir(scratch.path().join("beside")).unwrap();
        fs::write(scratch.path().join("beside/last"), "").unwrap();
        let mut seen = Vec::new();
        walk(scratch.path(), &[], &mut |_, name, _| {
            seen.push(name.to_str().unwrap().to_owned());
            Ok(())
        })
        .unwrap();
        assert_eq!(seen.len(), 63);
        assert!(["file", "last", "beside"].iter().all(|name| seen.iter().any(|found| found == name)));
        let told = walk(scratch.path(), &[], &mut |_, _, _| bail!("no")).unwrap_err();
        assert_eq!(told.to_string(), "no");
    }

    #[test]
    fn a_folder_that_nobody_may_look_into_is_opened_to_its_owner() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = tempfile::tempdir().unwrap();
        let closed = scratch.path().join("closed");
        fs::create_dir_all(closed.join("below")).unwrap();
        for folder in [closed.join("below"), closed.clone()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o000)).unwrap();
        }
        assert!(has_foreign(scratch.path()));
        give_to_owner(scratch.path(), &[]).unwrap();
        assert!(!has_foreign(scratch.path()));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&closed), mode(&closed.join("below"))), (0o700, 0o700));
    }

    #[test]
    fn a_folder_is_emptied_at_any_depth_and_nothing_outside_is_touched() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("folder");
        let outside = scratch.path().join("outside");
        fs::create_dir_all(folder.join("wide/er/deep")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "").unwrap();
        deep(&folder.join("wide"));
        symlink(&outside, folder.join("wide/link")).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        empty(&folder).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        assert!(outside.join("file").exists());
    }

    #[test]
    fn deep_folders_are_given_to_the_owner_and_links_are_not_followed() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("checkout");
        fs::create_dir(&folder).unwrap();
        deep(&folder);
        fs::create_dir(folder.join("target")).unwrap();
        let outside = scratch.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "").unwrap();
        symlink(&outside, folder.join("link")).unwrap();
        if lchown(&folder, Some(1234), Some(1235)).is_err() {
            return crate::testing::skip("only root can give files away");
        }
        assert!(has_foreign(&folder));
        give_to_owner(&folder, &[&folder.join("target")]).unwrap();
        assert!(has_foreign(&folder), "the folder that was left out");
        let owner = |path: &Path| fs::symlink_metadata(path).unwrap().uid();
        assert_eq!((owner(&folder.join("target")), owner(&outside.join("file"))), (0, 0));
        assert_eq!(owner(&folder.join("link")), 1234);
        fs::remove_dir(folder.join("target")).unwrap();
        assert!(!has_foreign(&folder), "the file at the end of the long path too");
    }
}
