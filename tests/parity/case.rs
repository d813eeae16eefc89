//! A small crate with something planted in it, as a file of `tests/cases/parity/` has it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A case. Its name is its file's.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// What is planted, and why the two sides could differ over it.
    pub(crate) why: String,
    /// The checks that are held against each other.
    pub(crate) checks: Vec<String>,
    /// Those that the predecessor fails. It is asked every time; this says what was planted.
    #[serde(default)]
    pub(crate) fails: Vec<String>,
    /// A target triple without which the case means nothing.
    pub(crate) target: Option<String>,
    /// The folder that both work in, from the crate's root.
    #[serde(default)]
    pub(crate) folder: PathBuf,
    /// The files: path, text. A leading newline only makes the case easier to read.
    files: BTreeMap<String, String>,
}

impl Case {
    /// All cases, with their names.
    pub(crate) fn all() -> Vec<(String, Self)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/parity");
        let mut cases: Vec<(String, Self)> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let case = toml::from_str(&fs::read_to_string(&path).unwrap())
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                (path.file_stem().unwrap().to_string_lossy().into_owned(), case)
            })
            .collect();
        cases.sort_by(|a, b| a.0.cmp(&b.0));
        cases
    }

    /// Writes the files below a folder.
    pub(crate) fn write(&self, root: &Path) {
        for (name, text) in &self.files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
}
