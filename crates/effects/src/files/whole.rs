//! The writer of results that a person or another program asked for: reports, the coverage file, artifacts. A disk
//! can be full, and this process can be killed. A file that is cut looks like a result and is none.

use super::{is_absent, system};
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The most links that are followed. The system follows as many.
const LINKS: usize = 40;

/// Writes a file in one step: afterwards the file is there whole, or what was there before. A link stays, and
/// the file that it leads to is written. A pipe and a device are written directly. So is a file of another user, a
/// file that is mounted, and a file in a folder in which this user may make no other: it is emptied if that fails.
///
/// # Errors
/// The system's own.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let Some(place) = place(path) else { return fs::write(path, bytes) };
    // A file that this user may not write is not replaced either.
    let old = match File::options().write(true).open(&place) {
        Ok(file) => Some(file),
        Err(error) if is_absent(&error) => None,
        Err(error) => return Err(error),
    };
    let found = old.as_ref().map(File::metadata).transpose()?;
    match old {
        // The new file would belong to this user, and its owner might no longer read it.
        Some(old) if found.as_ref().is_some_and(|found| !system::is_of_this_user(found)) => {
            overwrite(old, bytes)
        }
        old => match (replace(&place, bytes, found.map(|found| found.permissions()).as_ref()), old) {
            (Err(error), Some(old)) if is_about_the_place(&error) => overwrite(old, bytes),
            (written, _) => written,
        },
    }
}

/// Whether no other file may take the place of a file, which itself may be written.
fn is_about_the_place(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | ResourceBusy)
}

/// The path of the file itself, behind all links. None where there is another thing than a plain file, and
/// where the file has a name that belongs to an open file (`/dev/stdout`): a new file cannot take its place.
fn place(path: &Path) -> Option<PathBuf> {
    let mut path = std::path::absolute(path).ok()?;
    for _ in 0..LINKS {
        let folder = path.parent()?.to_owned();
        if fs::canonicalize(&folder).is_ok_and(|folder| folder.starts_with("/proc")) {
            return None;
        }
        match path.symlink_metadata() {
            Ok(found) if found.is_symlink() => path = folder.join(fs::read_link(&path).ok()?),
            Ok(found) => return found.is_file().then_some(path),
            Err(error) => return is_absent(&error).then_some(path),
        }
    }
    None
}

/// Puts a new file into the place of the old one. `permissions` are those of the old one.
fn replace(place: &Path, bytes: &[u8], permissions: Option<&Permissions>) -> io::Result<()> {
    let folder = place.parent().unwrap_or(Path::new("."));
    let is_new = permissions.is_none();
    let complete = |new: &mut File| {
        new.write_all(bytes)?;
        permissions.map_or(Ok(()), |permissions| new.set_permissions(permissions.clone()))
    };
    let beside = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".rust-vmm-ci-");
        builder
    };
    // Nothing is left of a file without a name when this process is killed.
    if let Some(mut file) = system::unnamed_file(folder) {
        complete(&mut file)?;
        if is_new && system::name_file(&file, place).is_ok() {
            return Ok(());
        }
        if let Ok(named) = beside().make_in(folder, |path| system::name_file(&file, path)) {
            return named.persist(place).map(drop).map_err(|error| error.error);
        }
    }
    let mut file = beside().make_in(folder, |path| File::create_new(path))?;
    complete(file.as_file_mut())?;
    file.persist(place).map(drop).map_err(|error| error.error)
}

fn overwrite(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(bytes).inspect_err(|_| drop(file.set_len(0)))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};

    #[test]
    fn a_file_is_written_whole_and_keeps_its_permissions_and_the_link_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        write_whole(&file, b"new").unwrap();
        let plain = folder.path().join("plain");
        fs::write(&plain, "").unwrap();
        assert_eq!(file.metadata().unwrap().mode(), plain.metadata().unwrap().mode());
        fs::remove_file(plain).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        let before = file.metadata().unwrap();
        write_whole(&link, b"newer").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"newer");
        let now = file.metadata().unwrap();
        assert_eq!(now.mode() & 0o777, 0o640);
        assert_ne!(now.ino(), before.ino(), "the old file was written over");
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_link_to_nothing_makes_the_file_and_a_circle_of_links_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("file", &link).unwrap();
        write_whole(&link, b"new").unwrap();
        assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"new");
        symlink("circle", folder.path().join("circle")).unwrap();
        assert!(write_whole(&folder.path().join("circle"), b"new").is_err());
        let nowhere = write_whole(&folder.path().join("no/such/file"), b"").unwrap_err();
        assert_eq!(nowhere.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_device_and_an_open_file_are_written_and_not_replaced() {
        write_whole(Path::new("/dev/null"), b"new").unwrap();
        let error = write_whole(Path::new("/dev/full"), b"new").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "old").unwrap();
        let open = File::open(&path).unwrap();
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&open);
        write_whole(Path::new(&format!("/dev/fd/{descriptor}")), b"new").unwrap();
        assert_eq!(io::read_to_string(open).unwrap(), "new");
    }

    #[test]
    fn a_file_of_another_user_is_written_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "an old text").unwrap();
        if std::os::unix::fs::chown(&file, Some(12345), None).is_err() {
            return crate::testing::skip("root, who may give a file away");
        }
        let before = file.metadata().unwrap();
        write_whole(&file, b"new").unwrap();
        let now = file.metadata().unwrap();
        assert_eq!((now.ino(), now.uid(), fs::read(&file).unwrap()), (before.ino(), 12345, b"new".to_vec()));
    }
}
