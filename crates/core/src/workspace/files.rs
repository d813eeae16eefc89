//! Access to the files of a repository. This crate must not read the disk, so the program implements
//! this trait.

use crate::exit;
use std::io::{self, ErrorKind};

/// The files of a repository. Paths start at the root of the repository and use `/`. The empty path is
/// the root itself.
pub trait Files: Sync {
    /// The text of a file, or `None` if the file does not exist.
    ///
    /// # Errors
    /// The file exists and cannot be read as text. [`ErrorKind::NotFound`]: it is a link that leads to nothing.
    fn read(&self, path: &str) -> io::Result<Option<String>>;

    /// The sorted names in a folder, each with whether it is a folder. The list is empty if the folder
    /// does not exist.
    ///
    /// # Errors
    /// The folder exists and cannot be listed.
    fn list(&self, path: &str) -> io::Result<Vec<(String, bool)>>;

    /// The symbolic links in a folder. The list is empty if the folder does not exist.
    ///
    /// # Errors
    /// The folder exists and cannot be listed.
    fn links(&self, _path: &str) -> io::Result<Vec<Link>> {
        Ok(Vec::new())
    }

    /// Where a folder is when all links on the way are followed. `None` if that is outside the repository,
    /// or if there is no such folder.
    fn real(&self, path: &str) -> Option<String> {
        Some(path.to_owned())
    }

    /// The number of threads that may read at the same time.
    fn readers(&self) -> usize {
        1
    }
}

/// The text of a file that Cargo reads. For Cargo a link that leads to nothing is no file.
///
/// # Errors
/// Those of [`unreadable`].
pub(super) fn read_as_cargo(files: &dyn Files, path: &str) -> anyhow::Result<Option<String>> {
    match files.read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read.map_err(|error| unreadable(path, &error)),
    }
}

/// The error for a file that cannot be read. Exit 2 if the file itself is at fault: it is not text, not a
/// plain file, too long, or it leads to nothing or out of the repository. Exit 3 if the system does not allow
/// reading it.
pub fn unreadable(path: &str, error: &io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::NotFound => exit::usage(format!(
            "{path}: {error}; this file must be a plain text file in the repository, and not longer than 4 MB"
        )),
        _ => exit::infrastructure(format!("{path}: {error}")),
    }
}

/// A symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its name in its folder.
    pub name: String,
    /// Where it leads when all links on the way are followed; `None` if that is outside the repository.
    pub to: Option<String>,
    /// Whether it leads to a folder.
    pub is_folder: bool,
}

/// Files in memory, for tests.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(pub std::collections::BTreeMap<String, String>);

impl MemoryFiles {
    /// Makes files from pairs of path and text.
    pub fn of(files: &[(&str, &str)]) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &str) -> io::Result<Option<String>> {
        Ok(self.0.get(path).cloned())
    }

    fn list(&self, path: &str) -> io::Result<Vec<(String, bool)>> {
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        let mut names: Vec<(String, bool)> = self
            .0
            .keys()
            .filter_map(|file| file.strip_prefix(&prefix))
            .map(|rest| {
                rest.split_once('/').map_or((rest.to_owned(), false), |(name, _)| (name.to_owned(), true))
            })
            .collect();
        names.dedup();
        Ok(names)
    }
}
