//! What is read of a repository, as a trait that the program implements, so that this crate reads no
//! disk itself.

use std::io;

/// A repository's files. Paths are from its root, with `/`; the root itself is the empty path.
pub trait Files: Sync {
    /// The text of a file; none where there is no such file.
    ///
    /// # Errors
    /// Where it is there and cannot be read as text.
    fn read(&self, path: &str) -> io::Result<Option<String>>;

    /// The names in a folder, sorted, and whether each is a folder; nothing where there is no such
    /// folder.
    ///
    /// # Errors
    /// Where it is there and cannot be listed.
    fn list(&self, path: &str) -> io::Result<Vec<(String, bool)>>;

    /// How many threads may read at once.
    fn readers(&self) -> usize {
        1
    }
}

/// Files in memory, for tests.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(pub std::collections::BTreeMap<String, String>);

impl MemoryFiles {
    /// The files of these paths and texts.
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
