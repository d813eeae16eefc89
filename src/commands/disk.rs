//! The repository's files, as they are on disk.

use crate::workspace::Files;
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// A repository's folder.
pub struct Disk(pub PathBuf);

impl Files for Disk {
    fn read(&self, path: &str) -> io::Result<Option<String>> {
        absent(std::fs::read_to_string(self.0.join(path)).map(Some), None)
    }

    fn list(&self, path: &str) -> io::Result<Vec<(String, bool)>> {
        let listed = std::fs::read_dir(self.0.join(path)).and_then(|entries| {
            entries
                .map(|entry| {
                    let path = entry?.path();
                    // A link to a folder is a folder, for cargo too.
                    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                    Ok((name.unwrap_or_default(), path.is_dir()))
                })
                .collect::<io::Result<Vec<_>>>()
        });
        let mut listed = absent(listed, Vec::new())?;
        listed.sort();
        Ok(listed)
    }
}

/// `none` where the answer is that there is nothing there.
fn absent<T>(answer: io::Result<T>, none: T) -> io::Result<T> {
    match answer {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(none),
        answer => answer,
    }
}
