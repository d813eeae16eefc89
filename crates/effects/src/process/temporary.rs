//! What this program makes outside of a repository and must not leave: temporary folders, and git's record of
//! a worktree. On Linux nothing of it is left, however this process ends: a *cleaner* (`clean.rs`) removes it
//! after a SIGKILL. Elsewhere only a SIGKILL leaves it.

use super::{Command, keeper};
use std::io;
use std::path::{Path, PathBuf};

/// A folder for this user alone, under a name that nobody can foresee. It is removed when this value is
/// dropped, and when this process is killed.
#[derive(Debug)]
pub struct TemporaryFolder(Made);

#[derive(Debug)]
enum Made {
    /// By a cleaner, which removes it when this process is killed.
    Kept(PathBuf, keeper::Cleaner),
    /// By this process, where there are no cleaners.
    Plain(tempfile::TempDir),
}

impl TemporaryFolder {
    /// Makes a folder among this program's temporary files. Its name begins with `rust-vmm-ci-`.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn make() -> io::Result<Self> {
        Self::make_in(&tempfile::env::temp_dir(), "rust-vmm-ci-")
    }

    /// Makes a folder in another one. Its name begins with `prefix`.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn make_in(parent: &Path, prefix: &str) -> io::Result<Self> {
        let parent = std::path::absolute(parent)?;
        if let Some((path, cleaner)) = keeper::keep_folder(&parent, prefix) {
            return Ok(Self(Made::Kept(path, cleaner)));
        }
        // Where a cleaner could not make it, this call says why.
        tempfile::Builder::new().prefix(prefix).tempdir_in(parent).map(|made| Self(Made::Plain(made)))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match &self.0 {
            Made::Kept(path, _) => path,
            Made::Plain(folder) => folder.path(),
        }
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let Made::Kept(path, cleaner) = &mut self.0 else { return };
        let removed = std::fs::remove_dir_all(path);
        // What cannot be removed now is left to the cleaner, which tries again.
        if removed.is_ok() || removed.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            cleaner.is_done();
        }
    }
}

/// A command that runs if this process is killed before this value is dropped.
#[derive(Debug)]
pub struct Undo(Option<keeper::Cleaner>);

impl Undo {
    /// Has a command run when this process is killed: it starts less than a second after, and may take ten
    /// seconds. Nothing runs where there are no cleaners.
    pub fn if_killed(command: &Command) -> Self {
        Self(keeper::undo(command))
    }
}

impl Drop for Undo {
    fn drop(&mut self) {
        if let Some(cleaner) = &mut self.0 {
            cleaner.is_done();
        }
    }
}
