//! Access to what is below an open folder without following any link: one call of the kernel for each path; and
//! files that have no name yet.

use super::is_absent;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, linkat, openat, openat2};
use std::fs::{File, Metadata};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// An open folder.
#[derive(Debug)]
pub struct Folder(OwnedFd);

/// What stands in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// Anything else.
    Other,
}

impl Folder {
    /// Opens a folder. None if the system refuses.
    pub fn open(path: &Path) -> Option<Self> {
        openat(CWD, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok().map(Self)
    }

    /// Opens a file below the folder to read it. The answer is `None` if this call cannot tell what is there:
    /// a link is on the path, the path leads out of the folder, or the system does not know the call.
    ///
    /// # Errors
    /// One for which [`is_absent`] holds, if nothing is at the path.
    pub fn file(&self, path: &Path) -> Option<io::Result<File>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        self.at(path, flags).map(|opened| opened.map(Into::into))
    }

    /// Whether something is at a path, with no link on the way. If not, nothing is known.
    pub fn has_without_links(&self, path: &Path) -> bool {
        matches!(self.at(path, OFlags::PATH), Some(Ok(_)))
    }

    /// The names in a folder below this one, without order. The answer is `None` as for [`Self::file`], where the
    /// file system does not say what a name is, and where the folder may be listed but not searched.
    ///
    /// # Errors
    /// As [`Self::file`], and if the system refuses to list the folder.
    pub fn entries(&self, path: &Path) -> Option<io::Result<Vec<(String, Kind)>>> {
        // The system looks for the name `.` only in a folder that may be searched.
        let opened = match self.at(&path.join("."), OFlags::RDONLY | OFlags::DIRECTORY)? {
            Ok(opened) => opened,
            Err(error) => return Some(Err(error)),
        };
        let mut entries = Vec::new();
        let dir = match Dir::new(opened) {
            Ok(dir) => dir,
            Err(error) => return Some(Err(error.into())),
        };
        for entry in dir {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return Some(Err(error.into())),
            };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => return None,
                FileType::Directory => Kind::Folder,
                FileType::Symlink => Kind::Link,
                _ => Kind::Other,
            };
            // No manifest and no glob can hold a name that is not valid text.
            entries.extend(name.to_str().ok().map(|name| (name.to_owned(), kind)));
        }
        Some(Ok(entries))
    }

    fn at(&self, path: &Path, flags: OFlags) -> Option<io::Result<OwnedFd>> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        match openat2(&self.0, path, flags | OFlags::CLOEXEC, Mode::empty(), resolve) {
            Ok(opened) => Some(Ok(opened)),
            Err(error) => {
                let error: io::Error = error.into();
                is_absent(&error).then_some(Err(error))
            }
        }
    }
}

/// Whether a file belongs to the user of this process.
pub fn is_of_this_user(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
}

/// A new file in a folder, to write, without a name (`O_TMPFILE` of `open(2)`). None where the file system has no
/// such files.
pub fn unnamed_file(folder: &Path) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::WRONLY | OFlags::CLOEXEC;
    openat(CWD, folder, flags, Mode::from_raw_mode(0o666)).ok().map(Into::into)
}

/// Gives such a file a name.
///
/// # Errors
/// If something has this name, or the system refuses.
pub fn name_file(file: &File, path: &Path) -> io::Result<()> {
    // The way of `open(2)` for a process without further rights.
    let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
    Ok(linkat(CWD, opened, CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

/// A text that is the same for two names of one file, and differs for a file that was made later in its place. None
/// where the file is not there, or the file system does not say when it was made: numbers of removed files are used
/// again.
pub fn identity(file: &str) -> Option<String> {
    let facts = std::fs::metadata(file).ok()?;
    Some(format!("{} {} {} {:?}", facts.dev(), facts.ino(), facts.len(), facts.created().ok()?))
}

/// A text that differs once a file was written again. A program may give a file its old time, but none can set the
/// time of the last change. None where the file is not there.
pub fn state(file: &str) -> Option<String> {
    let facts = std::fs::metadata(file).ok()?;
    Some(format!("{} {} {} {} {}", facts.dev(), facts.ino(), facts.len(), facts.ctime(), facts.ctime_nsec()))
}
