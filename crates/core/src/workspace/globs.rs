//! Expands the globs in `workspace.members`.

use super::Files;
use super::path::{file_in, is_within, join};
use crate::exit::{infrastructure, usage};
use crate::model::shown::value;
use anyhow::Result;
use std::collections::HashSet;

/// The number of folders that all globs of a workspace may visit together. A workspace of a thousand crates
/// needs some thousands.
pub(super) const MOST_VISITS: usize = 500_000;

/// Expands globs, within bounds.
pub struct Globs<'f> {
    files: &'f dyn Files,
    visits: usize,
}

impl<'f> Globs<'f> {
    /// An expansion that has visited nothing yet.
    pub fn new(files: &'f dyn Files) -> Self {
        Self { files, visits: 0 }
    }

    /// The folders that a pattern of `members` names, each once. A pattern without wildcards names itself. A
    /// glob names every folder that it matches, by Cargo's rules: it follows links to folders.
    ///
    /// # Errors
    /// Exit 2 if the pattern is not valid, leads out of the repository, or would visit too many folders.
    /// Exit 3 if a folder cannot be listed.
    pub fn expand(&mut self, pattern: &str) -> Result<Vec<String>> {
        let refused =
            |what: String| usage(format!("Cargo.toml: workspace.members: {}{what}", value(pattern)));
        let Some(path) = join("", pattern) else {
            return Err(refused(" leads out of the repository".into()));
        };
        if !is_glob(&path) {
            return Ok(vec![path]);
        }
        let mut found = vec![String::new()];
        let mut before = "";
        for segment in path.split('/') {
            // `**/**` is the same as `**`.
            if segment == "**" && before == "**" {
                continue;
            }
            before = segment;
            let glob = glob::Pattern::new(segment).map_err(|error| refused(format!(": {error}")))?;
            let mut next = Vec::new();
            let mut seen = HashSet::new();
            for dir in &found {
                if segment == "**" {
                    self.below(dir, &mut next, &mut seen)?;
                } else if is_glob(segment) {
                    let matching = self.folders(dir)?.into_iter().filter(|name| glob.matches(name));
                    next.extend(
                        matching.map(|name| file_in(dir, &name)).filter(|dir| seen.insert(dir.clone())),
                    );
                } else {
                    next.push(file_in(dir, segment));
                }
                if self.visits > MOST_VISITS {
                    return Err(too_many(pattern));
                }
            }
            found = next;
        }
        Ok(found)
    }

    /// Adds a folder and all folders below it to `found`, except those in `target` and `.git`, and those that
    /// are in `seen` already.
    fn below(&mut self, dir: &str, found: &mut Vec<String>, seen: &mut HashSet<String>) -> Result<()> {
        let mut pending = vec![dir.to_owned()];
        while let Some(dir) = pending.pop() {
            if !seen.insert(dir.clone()) || self.visits > MOST_VISITS {
                continue;
            }
            let below = self.folders(&dir)?;
            let below = below.into_iter().rev().filter(|name| name != "target" && name != ".git");
            pending.extend(below.map(|name| file_in(&dir, &name)));
            found.push(dir);
        }
        Ok(())
    }

    /// The names of the folders in a folder, and of the links to folders that do not lead back up.
    fn folders(&mut self, dir: &str) -> Result<Vec<String>> {
        self.visits += 1;
        let failed = |error| infrastructure(format!("{dir}: {error}"));
        let listed = self.files.list(dir).map_err(failed)?;
        let mut names: Vec<String> =
            listed.into_iter().filter(|(_, is_folder)| *is_folder).map(|(name, _)| name).collect();
        let links = self.files.links(dir).map_err(failed)?;
        if !links.is_empty() {
            let here = self.files.real(dir).unwrap_or_else(|| dir.to_owned());
            let goes_down = |to: &Option<String>| to.as_ref().is_none_or(|to| !is_within(&here, to));
            let links = links.into_iter().filter(|link| link.is_folder && goes_down(&link.to));
            names.extend(links.map(|link| link.name));
            names.sort();
        }
        Ok(names)
    }
}

/// The error for a glob that leads to too many folders.
pub(super) fn too_many(pattern: &str) -> anyhow::Error {
    usage(format!(
        "Cargo.toml: workspace.members: {} visits too many folders; name the members' folders",
        value(pattern)
    ))
}

/// Whether a pattern has wildcards, so that it is more than a path.
pub fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::workspace::MemoryFiles;

    pub(in super::super) fn tree(depth: usize) -> MemoryFiles {
        let mut files = MemoryFiles::default();
        let mut dir = String::new();
        for level in 0..depth {
            dir = file_in(&dir, &format!("d{level}"));
            files.0.insert(file_in(&dir, "Cargo.toml"), String::new());
        }
        files
    }

    #[test]
    fn nested_globs_name_each_folder_once_in_little_time() {
        let files = tree(60);
        for pattern in ["**", "**/**/**", "**/*/**", "**/*/**/*/**/*/**"] {
            let mut globs = Globs::new(&files);
            let found = globs.expand(pattern).unwrap();
            assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len(), "{pattern}");
            assert!(
                found.len() >= 57 && globs.visits <= 60 * 8,
                "{pattern}: {}, {}",
                found.len(),
                globs.visits
            );
        }
    }

    #[test]
    fn a_glob_that_visits_too_many_folders_is_refused() {
        let files = tree(60);
        let mut globs = Globs { files: &files, visits: MOST_VISITS - 10 };
        let error = globs.expand("**").unwrap_err().to_string();
        assert!(error.ends_with("\"**\" visits too many folders; name the members' folders"), "{error}");
    }
}
