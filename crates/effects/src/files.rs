//! The one opener of files that somebody else may have written: the files of the checkout, and what a
//! container leaves. And the one writer of files that are asked for ([`write_whole`]).
//!
//! The author of a pull request decides what kind of file each path is. A link could lead to the agent's
//! secrets, a pipe could block for ever, a device could fill the memory. So a file is opened here only if it is
//! a plain file of bounded size whose place, with all links resolved, is inside the checkout. It is opened
//! once, and the open file is checked. A file that a person names on the command line is not read here.

mod checkout;
mod listed;
mod locked;
#[cfg(target_os = "linux")]
#[path = "files/linux.rs"]
mod system;
#[cfg(not(target_os = "linux"))]
#[path = "files/no_linux.rs"]
mod system;
mod whole;

pub use checkout::Checkout;
pub use locked::Locked;
pub use system::{identity, state};
pub use whole::write_whole;

use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Component, Path, PathBuf};

/// The longest file of a checkout that is read, in bytes. A pipeline, a manifest or a lock file is far
/// smaller.
pub const LONGEST: u64 = 4 << 20;
/// The longest report of a container that is read, in bytes.
pub const LONGEST_REPORT: u64 = 20 << 20;

/// Whether a link may stand on the way to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// It may, if it leads to a place inside the checkout.
    Inside,
    /// It may not.
    Refused,
}

/// The text of a file of the checkout; none where nothing is at this path. `path` starts at `root`, which
/// is the checkout or a folder in it.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] or [`ErrorKind::InvalidData`] for a file that is refused, with the reason, and
/// [`ErrorKind::NotFound`] for a link that leads to nothing:
/// [`rust_vmm_ci_core::workspace::unreadable`] makes exit 2 of them. The system's own error otherwise.
pub fn text(root: &Path, path: impl AsRef<Path>) -> io::Result<Option<String>> {
    let path = path.as_ref();
    let Some(bytes) = bytes(root, path)? else {
        let is_link = root.join(path).symlink_metadata().is_ok_and(|found| found.is_symlink());
        let nowhere = || io::Error::new(ErrorKind::NotFound, "it is a link that leads to nothing");
        return if is_link { Err(nowhere()) } else { Ok(None) };
    };
    as_text(bytes).map(Some)
}

/// The bytes of a file as text.
fn as_text(bytes: Vec<u8>) -> io::Result<String> {
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        Ok(_) => Err(io::Error::new(ErrorKind::InvalidData, "it contains a NUL, so it is no text")),
        Err(_) => Err(io::Error::new(ErrorKind::InvalidData, "it is not UTF-8, so it is no text")),
    }
}

/// The text of a file of the checkout as [`text`] reads it, with the error that a person sees.
///
/// # Errors
/// Exit 2 with the path for a file that is refused, exit 3 where the system does not let it be read.
pub fn required(root: &Path, path: &str) -> anyhow::Result<Option<String>> {
    text(root, path).map_err(|error| rust_vmm_ci_core::workspace::unreadable(path, &error))
}

/// The bytes of a file of the checkout; none where nothing is at this path.
///
/// # Errors
/// As [`text`].
pub fn bytes(root: &Path, path: impl AsRef<Path>) -> io::Result<Option<Vec<u8>>> {
    match open(root, path.as_ref(), Links::Inside) {
        Ok(file) => bounded(&file, LONGEST).map(Some),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(of_the_path(error)),
    }
}

/// The error as a refusal, where the path itself is at fault and no system would open it.
fn of_the_path(error: io::Error) -> io::Error {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) {
        return refused("its links lead in a circle");
    }
    match error.kind() {
        ErrorKind::InvalidFilename => refused("its path or a name in it is longer than the system allows"),
        _ => error,
    }
}

/// All bytes of an open file.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] where it is longer than `longest` bytes.
pub fn bounded(file: &File, longest: u64) -> io::Result<Vec<u8>> {
    bytes_of(file, file.metadata()?.len(), longest)
}

/// As [`bounded`], where the file may be anything.
fn plain_bytes(file: &File, longest: u64) -> io::Result<Vec<u8>> {
    let found = file.metadata()?;
    if found.is_file() { bytes_of(file, found.len(), longest) } else { Err(not_plain()) }
}

/// All bytes of an open file of this length.
fn bytes_of(file: &File, length: u64, longest: u64) -> io::Result<Vec<u8>> {
    let too_long = || refused(format!("it is longer than {} MB", longest >> 20));
    if length > longest {
        return Err(too_long());
    }
    // One more byte, so that the end is found without another piece of memory.
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1);
    file.take(longest + 1).read_to_end(&mut bytes)?;
    // A file can grow while it is read.
    if bytes.len() as u64 > longest { Err(too_long()) } else { Ok(bytes) }
}

/// Opens a file of the checkout to read it.
///
/// # Errors
/// As [`text`]; an error for which [`is_absent`] holds where nothing is at this path.
pub fn open(root: &Path, path: &Path, links: Links) -> io::Result<File> {
    let top = boundary(root)?;
    let root = dunce::canonicalize(root)?;
    let file = match links {
        Links::Inside => {
            // Only the place where a link ends counts, whatever it passes on its way.
            let real = dunce::canonicalize(root.join(path))?;
            let Ok(below) = real.strip_prefix(&top) else {
                return Err(refused("it leads out of the checkout"));
            };
            open_below(&top, below)?
        }
        Links::Refused => {
            if !path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
                return Err(refused("it leads out of the checkout"));
            }
            open_below(&root, path)?
        }
    };
    plain(file)
}

/// The open file, if it is a plain file.
fn plain(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_plain()) }
}

fn not_plain() -> io::Error {
    refused("it is not a plain file")
}

/// Whether an error means that nothing is at a path: the file does not exist, or a file stands where its
/// folder should be.
pub fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// Opens a plain file outside the checkout that another program may have replaced. A link is refused, and so
/// is anything else that is not a plain file.
///
/// # Errors
/// If the path is not a plain file, or the system refuses.
pub fn open_plain(path: &Path) -> io::Result<File> {
    plain(reading().open(path)?)
}

/// The folder that no file may lead out of: the working tree of git that `root` is in, or `root` itself.
fn boundary(root: &Path) -> io::Result<PathBuf> {
    let root = dunce::canonicalize(root)?;
    let top = root.ancestors().find(|folder| folder.join(".git").symlink_metadata().is_ok());
    Ok(top.map_or_else(|| root.clone(), Path::to_owned))
}

/// Opens a file below a folder. No part of the path may be a link.
#[cfg(target_os = "linux")]
fn open_below(folder: &Path, path: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
    let directory = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let plain = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let folder_file = openat(CWD, folder, directory, Mode::empty())?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    match openat2(&folder_file, path, plain, Mode::empty(), resolve) {
        Ok(file) => Ok(file.into()),
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::XDEV) => Err(refused("a link is on its path")),
        // Linux 5.5 and older, and sandboxes that do not know the call.
        Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => open_checked(folder, path),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_below(folder: &Path, path: &Path) -> io::Result<File> {
    open_checked(folder, path)
}

/// As [`open_below`], where the system has no call that does it.
fn open_checked(folder: &Path, path: &Path) -> io::Result<File> {
    let path = folder.join(path);
    if dunce::canonicalize(&path)? != path {
        return Err(refused("a link is on its path"));
    }
    // A pipe must not be waited for, and Windows opens no folder.
    if !path.symlink_metadata()?.is_file() {
        return Err(not_plain());
    }
    reading().open(path)
}

/// How a file is opened that may not be a link, and that may turn out to be a pipe.
fn reading() -> std::fs::OpenOptions {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits();
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags.cast_signed());
    }
    options
}

fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why.into())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A checkout with a folder and a file beside it.
    fn checkout() -> (tempfile::TempDir, PathBuf) {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("checkout");
        fs::create_dir_all(root.join("folder")).unwrap();
        fs::write(root.join("file"), "text").unwrap();
        fs::write(scratch.path().join("secret"), "s3cr3t").unwrap();
        (scratch, root)
    }

    fn refusal(root: &Path, path: &str) -> String {
        let error = text(root, path).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::InvalidData),
            "{path}: {error:?}"
        );
        error.to_string()
    }

    #[test]
    fn a_plain_file_is_read_and_a_link_that_stays_inside_is_followed() {
        let (_scratch, root) = checkout();
        symlink("../file", root.join("folder/link")).unwrap();
        symlink("folder", root.join("other")).unwrap();
        symlink(root.join("file"), root.join("absolute")).unwrap();
        for path in ["file", "folder/link", "other/link", "absolute", "folder/../file"] {
            assert_eq!(text(&root, path).unwrap().as_deref(), Some("text"), "{path}");
        }
        for path in ["absent", "file/below", "absent/below"] {
            assert_eq!(text(&root, path).unwrap(), None, "{path}");
        }
    }

    #[test]
    fn what_leads_out_of_the_checkout_is_refused() {
        let (scratch, root) = checkout();
        let secret = scratch.path().join("secret");
        symlink(&secret, root.join("absolute")).unwrap();
        symlink("../secret", root.join("relative")).unwrap();
        symlink("..", root.join("above")).unwrap();
        symlink("/proc/self/environ", root.join("environ")).unwrap();
        let absolute = secret.to_str().unwrap();
        for path in ["absolute", "relative", "above/secret", "environ", "../secret", absolute] {
            assert!(refusal(&root, path).contains("out of the checkout"), "{path}");
        }
    }

    #[test]
    fn what_is_no_plain_file_is_refused_without_waiting() {
        let (_scratch, root) = checkout();
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, root.join("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        symlink("pipe", root.join("link")).unwrap();
        symlink("/dev/zero", root.join("zero")).unwrap();
        for path in ["pipe", "link", "folder"] {
            assert_eq!(refusal(&root, path), "it is not a plain file", "{path}");
        }
        assert!(refusal(&root, "zero").contains("out of the checkout"));
    }

    #[test]
    fn a_file_that_is_too_long_or_no_text_is_refused() {
        let (_scratch, root) = checkout();
        File::create(root.join("long")).unwrap().set_len(LONGEST + 1).unwrap();
        File::create(root.join("longest")).unwrap().set_len(LONGEST).unwrap();
        fs::write(root.join("bytes"), b"\xff").unwrap();
        assert_eq!(refusal(&root, "long"), "it is longer than 4 MB");
        assert_eq!(bytes(&root, "longest").unwrap().unwrap().len() as u64, LONGEST);
        assert!(refusal(&root, "longest").contains("NUL"));
        assert!(refusal(&root, "bytes").contains("UTF-8"));
    }

    #[test]
    fn a_link_to_nothing_is_not_an_absent_file_and_a_circle_or_a_long_path_is_refused() {
        let (_scratch, root) = checkout();
        symlink("gone", root.join("dangling")).unwrap();
        symlink("circle", root.join("circle")).unwrap();
        let error = text(&root, "dangling").unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::NotFound, "it is a link that leads to nothing")
        );
        assert_eq!(bytes(&root, "dangling").unwrap(), None);
        assert!(refusal(&root, "circle").contains("in a circle"));
        for path in ["x".repeat(256), format!("folder/{}", "x".repeat(256))] {
            assert!(refusal(&root, &path).contains("longer than the system allows"), "{path}");
        }
    }

    #[test]
    fn a_path_without_links_is_opened_only_if_it_has_none() {
        let (_scratch, root) = checkout();
        symlink("file", root.join("link")).unwrap();
        symlink("folder", root.join("other")).unwrap();
        fs::write(root.join("folder/inner"), "").unwrap();
        let opens = |path: &str| open(&root, Path::new(path), Links::Refused).is_ok();
        assert!(opens("file") && opens("folder/inner") && opens("./file"));
        for path in ["link", "other/inner", "folder/../file", "../checkout/file", "folder"] {
            assert!(!opens(path), "{path}");
        }
    }

    #[test]
    fn the_way_for_older_systems_refuses_links_too() {
        let (scratch, root) = checkout();
        let root = dunce::canonicalize(root).unwrap();
        symlink(scratch.path().join("secret"), root.join("link")).unwrap();
        symlink("/dev/zero", root.join("zero")).unwrap();
        assert!(open_checked(&root, Path::new("file")).is_ok());
        for path in ["link", "zero", "folder"] {
            assert!(open_checked(&root, Path::new(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn a_folder_of_a_working_tree_may_use_the_whole_tree() {
        let (_scratch, root) = checkout();
        symlink("../file", root.join("folder/link")).unwrap();
        assert!(text(&root.join("folder"), "link").is_err());
        fs::create_dir(root.join(".git")).unwrap();
        assert_eq!(text(&root.join("folder"), "link").unwrap().as_deref(), Some("text"));
    }
}
