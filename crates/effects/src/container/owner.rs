//! The owners of files, and files that other users may have written.

#[cfg(unix)]
mod tree;

#[cfg(unix)]
use anyhow::Context as _;
use anyhow::Result;
use std::fs::{self, File};
use std::path::Path;

/// Creates a folder that only this user may look into.
///
/// # Errors
/// If it exists, or the system refuses.
pub fn create_private_folder(path: &Path) -> Result<()> {
    #[allow(unused_mut, reason = "there is no mode on Windows")]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    Ok(())
}

/// Whether a path is a folder that [`create_private_folder`] of this user can have created: a folder and
/// not a link, which belongs to this user and which no other user may look into. Anybody may create
/// something of any name among the temporary files.
pub fn is_private_folder(path: &Path) -> bool {
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    #[cfg(unix)]
    let is_own = {
        use std::os::unix::fs::MetadataExt;
        found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o777 == 0o700
    };
    // On Windows the temporary folder belongs to one user.
    #[cfg(not(unix))]
    let is_own = true;
    found.is_dir() && is_own
}

/// Creates the folder `folder`, which is `top` or below it, for this user alone. `top` is created too, and so
/// are the folders above it.
///
/// # Errors
/// If the system refuses, or if something of these names is there that belongs to another user, that another
/// user may write to, or that is no folder.
pub fn create_own_folders(top: &Path, folder: &Path) -> Result<()> {
    #[allow(unused_mut, reason = "there is no mode on Windows")]
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    for made in folder.ancestors().take_while(|made| made.starts_with(top)) {
        let found = fs::symlink_metadata(made)?;
        anyhow::ensure!(
            found.is_dir() && is_own(&found),
            "{}: it belongs to another user, or another user may write to it; remove it",
            made.display()
        );
    }
    Ok(())
}

/// Opens a file of this user's to read and write, and creates it if it is not there. A link is not followed.
///
/// # Errors
/// If it is no plain file, if it belongs to another user, or if the system refuses.
pub fn open_own_record(path: &Path) -> Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
        options.custom_flags(flags.cast_signed()).mode(0o600);
    }
    let file = options.open(path)?;
    let found = file.metadata()?;
    anyhow::ensure!(found.is_file() && is_own(&found), "{} is not a file of this user's", path.display());
    Ok(file)
}

/// Whether something belongs to this user and no other user may write to it.
#[cfg(unix)]
fn is_own(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0
}

/// On Windows the folders belong to one user.
#[cfg(not(unix))]
fn is_own(_: &fs::Metadata) -> bool {
    true
}

/// Removes a folder of this user's with everything in it, whatever others have made there.
///
/// # Errors
/// If the system refuses.
pub fn remove(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    if fs::remove_dir_all(folder).is_err() && folder.is_dir() {
        tree::empty(folder).map_err(std::io::Error::other)?;
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Creates a symbolic link. On Windows, where there are no containers, there is none.
///
/// # Errors
/// If the system refuses.
pub fn link(to: &Path, at: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::symlink(to, at);
    #[cfg(not(unix))]
    Err(std::io::Error::other(format!("no link from {} to {}", at.display(), to.display())))
}

/// Lets every user write to a folder.
///
/// # Errors
/// If the system refuses.
#[cfg_attr(not(unix), allow(unused_variables, clippy::unnecessary_wraps, reason = "no modes there"))]
pub fn open_to_everyone(folder: &Path) -> Result<()> {
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o777))?;
    Ok(())
}

/// Lets this user execute a file.
///
/// # Errors
/// If the system refuses.
#[cfg_attr(not(unix), allow(unused_variables, clippy::unnecessary_wraps, reason = "no modes there"))]
pub fn make_executable(file: &Path) -> Result<()> {
    #[cfg(unix)]
    fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

/// The user and the group of a file or folder, as numbers. Links are not followed.
///
/// # Errors
/// If the system refuses.
#[cfg(unix)]
pub fn of(path: &Path) -> Result<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::symlink_metadata(path).with_context(|| path.display().to_string())?;
    Ok((found.uid(), found.gid()))
}

/// Gives everything below a folder, except for the folders `without`, to the owner of the folder. In a
/// container whose users are mapped this is the agent's user too. Links are not followed.
///
/// # Errors
/// With the first path, if the system refuses to change an owner.
#[cfg(unix)]
pub fn restore(folder: &Path, without: &[&Path]) -> Result<()> {
    let (user, _) = of(folder)?;
    if user == UNKNOWN && fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| maps_users(&map)) {
        anyhow::bail!(
            "{}: its owner has no number in this container, because users are mapped",
            folder.display()
        );
    }
    tree::give_to_owner(folder, without)
}

/// The number that stands for every user who has none in this container
/// (`/proc/sys/kernel/overflowuid`).
#[cfg(unix)]
const UNKNOWN: u32 = 65_534;

/// Whether the numbers of users are mapped, by the text of a `/proc/…/uid_map`. Each of its lines is a
/// range: its first number inside, its first number outside, and its length (`user_namespaces(7)`).
#[cfg(unix)]
fn maps_users(map: &str) -> bool {
    map.split_whitespace().collect::<Vec<_>>() != ["0", "0", "4294967295"]
}

/// Whether something below a folder belongs to another user than the folder itself. What cannot be looked at
/// counts as another user's.
#[cfg(unix)]
pub fn has_foreign(folder: &Path) -> bool {
    tree::has_foreign(folder)
}

/// On Windows files have no such owners, and there are no containers.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as on Unix, where each may fail")]
mod other {
    use super::{Path, Result};

    /// Always the same.
    pub fn of(_: &Path) -> Result<(u32, u32)> {
        Ok((0, 0))
    }

    /// Does nothing.
    pub fn restore(_: &Path, _: &[&Path]) -> Result<()> {
        Ok(())
    }

    /// No.
    pub fn has_foreign(_: &Path) -> bool {
        false
    }
}
#[cfg(not(unix))]
pub use other::{has_foreign, of, restore};

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{lchown, symlink};

    #[test]
    fn a_folder_is_private_only_if_it_is_ours_closed_to_others_and_no_link() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        create_private_folder(&at("own")).unwrap();
        assert!(is_private_folder(&at("own")));
        assert!(create_private_folder(&at("own")).is_err(), "it exists");
        symlink(at("own"), at("link")).unwrap();
        fs::write(at("file"), "").unwrap();
        fs::create_dir(at("open")).unwrap();
        fs::set_permissions(at("open"), fs::Permissions::from_mode(0o750)).unwrap();
        for name in ["link", "file", "open", "absent"] {
            assert!(!is_private_folder(&at(name)), "{name}");
        }
        if lchown(at("own"), Some(1234), Some(1234)).is_ok() {
            assert!(!is_private_folder(&at("own")), "it is another user's");
        }
    }

    #[test]
    fn records_are_kept_in_folders_of_ones_own_and_through_no_link() {
        use std::os::unix::fs::PermissionsExt as _;
        let scratch = tempfile::tempdir().unwrap();
        let (top, folder) = (scratch.path().join("a/top"), scratch.path().join("a/top/volumes"));
        create_own_folders(&top, &folder).unwrap();
        create_own_folders(&top, &folder).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&top), mode(&folder)), (0o700, 0o700));
        open_own_record(&folder.join("record")).unwrap();
        let precious = scratch.path().join("precious");
        fs::write(&precious, "text").unwrap();
        symlink(&precious, folder.join("link")).unwrap();
        symlink(scratch.path().join("new"), folder.join("dangling")).unwrap();
        for name in ["link", "dangling"] {
            assert!(open_own_record(&folder.join(name)).is_err(), "{name}");
        }
        assert!(!scratch.path().join("new").exists());
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        assert!(create_own_folders(&top, &folder).is_err(), "another user may write to it");
        fs::remove_dir_all(&folder).unwrap();
        symlink(scratch.path(), &folder).unwrap();
        assert!(create_own_folders(&top, &folder).is_err(), "it is a link");
    }

    #[test]
    fn a_container_whose_users_are_mapped_is_known_by_its_map() {
        assert!(!maps_users("         0          0 4294967295\n"));
        assert!(maps_users("         0     100000      65536\n"), "of dockerd --userns-remap");
        assert!(maps_users("0 1000 1\n1 100000 65536\n"), "of Podman without root");
    }
}
