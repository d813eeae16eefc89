//! What git says of a change.

use crate::exit::usage;
use anyhow::Result;

/// What a file was in the base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Before {
    /// A file with this text.
    Text(String),
    /// There was none.
    Absent,
    /// Nobody knows: it was no text, or the base is older than the true one.
    Unknown,
}

/// A change: the working tree, compared with its base. Paths start at the root and use `/`.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The base, for people.
    pub base: String,
    /// The paths that differ. A renamed file is two of them.
    pub paths: Vec<String>,
    /// The paths of all tracked files.
    pub tracked: Vec<String>,
    /// The paths of all tracked links.
    pub links: Vec<String>,
    /// The paths of all submodules.
    pub submodules: Vec<String>,
}

/// What the configuration says of the selection.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The files that reach nothing (option `ignore`).
    ignore: Vec<glob::Pattern>,
    /// Whether a crate is reached by what it depends on by path (option `dependents`).
    pub dependents: bool,
    /// The files of the option `tests`.
    pub tests: Vec<String>,
}

impl Rules {
    /// Reads the rules from options.
    ///
    /// # Errors
    /// Exit 2 for a glob that is not valid.
    pub fn new(ignore: &[String], dependents: bool, tests: &[String]) -> Result<Self> {
        let read = |(at, glob): (usize, &String)| {
            glob::Pattern::new(glob).map_err(|error| usage(format!("ignore[{at}]: {error}")))
        };
        let ignore = ignore.iter().enumerate().map(read).collect::<Result<_>>()?;
        Ok(Self { ignore, dependents, tests: tests.to_vec() })
    }

    /// Whether the option `ignore` names a path. `*` matches within a folder, `**` folders too.
    pub fn ignores(&self, path: &str) -> bool {
        let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
        self.ignore.iter().any(|glob| glob.matches_with(path, options))
    }
}
