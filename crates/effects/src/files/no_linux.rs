//! Systems that have no call as `linux.rs` needs. Every file is then opened in the other way.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;

/// An open folder: there is none.
#[derive(Debug)]
pub enum Folder {}

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
    /// None.
    pub fn open(_path: &Path) -> Option<Self> {
        None
    }

    /// Never called.
    pub fn file(&self, _path: &Path) -> Option<io::Result<File>> {
        match *self {}
    }

    /// Never called.
    pub fn has_without_links(&self, _path: &Path) -> bool {
        match *self {}
    }

    /// Never called.
    pub fn entries(&self, _path: &Path) -> Option<io::Result<Vec<(String, Kind)>>> {
        match *self {}
    }
}

/// Always: elsewhere a file's owner is not asked.
pub fn is_of_this_user(_found: &Metadata) -> bool {
    true
}

/// None.
pub fn unnamed_file(_folder: &Path) -> Option<File> {
    None
}

/// Never called with success.
///
/// # Errors
/// Always: [`unnamed_file`] gives none.
pub fn name_file(_file: &File, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// None: here two names of one file are not recognised.
pub fn identity(_file: &str) -> Option<String> {
    None
}

/// None, as for [`identity`].
pub fn state(_file: &str) -> Option<String> {
    None
}
