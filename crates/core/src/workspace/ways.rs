//! Counts the ways in which the globs of `workspace.members` lead Cargo to folders.

use super::Files;
use super::globs::{MOST_VISITS, is_glob, too_many};
use super::members::manifest;
use super::path::{file_in, join};
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};

/// Refuses globs in the `members` of the manifest in the root of `files` with which Cargo would visit too many
/// folders. With several `**`, Cargo visits a folder once for each way in which it matches.
///
/// # Errors
/// Exit 2 for such a glob. What else is wrong with the manifest, Cargo says itself.
pub fn require_few_folders(files: &dyn Files) -> Result<()> {
    let Ok(Some(manifest)) = manifest(files, "") else { return Ok(()) };
    let mut ways = Ways { files, listed: HashMap::new(), left: MOST_VISITS };
    let patterns = manifest.workspace.map(|workspace| workspace.members).unwrap_or_default();
    match patterns.iter().find(|pattern| ways.follow(pattern).is_none()) {
        Some(pattern) => Err(too_many(pattern)),
        None => Ok(()),
    }
}

/// Counts the ways in which globs lead to folders.
struct Ways<'f> {
    files: &'f dyn Files,
    /// The folders and the links in a folder.
    listed: HashMap<String, (Vec<String>, Vec<String>)>,
    /// How many ways may still be found.
    left: usize,
}

impl Ways<'_> {
    /// Counts the ways of a glob. None if there are too many.
    fn follow(&mut self, pattern: &str) -> Option<()> {
        let Some(path) = join("", pattern).filter(|path| is_glob(path)) else { return Some(()) };
        let mut found = BTreeMap::from([(String::new(), 1)]);
        let mut before = "";
        for segment in path
            .split('/')
            .filter(|segment| std::mem::replace(&mut before, segment) != "**" || *segment != "**")
        {
            let Ok(glob) = glob::Pattern::new(segment) else { return Some(()) };
            let mut next = BTreeMap::new();
            for (dir, count) in found {
                let mut pending = vec![dir];
                while let Some(dir) = pending.pop() {
                    let (folders, links) = self.names(&dir);
                    let below = |name: &String| file_in(&dir, name);
                    if segment == "**" {
                        // Links may lead in a circle.
                        pending.extend(folders.iter().map(below));
                        self.add(&mut next, dir, count)?;
                        continue;
                    }
                    let matching = folders.iter().chain(&links).filter(|name| glob.matches(name));
                    for dir in matching.map(below) {
                        // A link that leads up again gives one folder ever more names.
                        self.add(&mut next, self.files.real(&dir).unwrap_or(dir), count)?;
                    }
                }
            }
            found = next;
        }
        Some(())
    }

    fn add(&mut self, found: &mut BTreeMap<String, usize>, dir: String, count: usize) -> Option<()> {
        self.left = self.left.checked_sub(count)?;
        *found.entry(dir).or_default() += count;
        Some(())
    }

    /// The names in a folder; none where it cannot be listed.
    fn names(&mut self, dir: &str) -> (Vec<String>, Vec<String>) {
        if let Some(known) = self.listed.get(dir) {
            return known.clone();
        }
        let is_visited =
            |(name, is_folder): &(String, bool)| *is_folder && name != "target" && name != ".git";
        let folders = self.files.list(dir).unwrap_or_default().into_iter().filter(is_visited);
        let links = self.files.links(dir).unwrap_or_default().into_iter().filter(|link| link.is_folder);
        let names = (folders.map(|(name, _)| name).collect(), links.map(|link| link.name).collect());
        self.listed.entry(dir.to_owned()).or_insert(names).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::globs::tests::tree;
    use super::*;

    #[test]
    fn a_glob_that_cargo_follows_in_too_many_ways_is_refused_and_another_is_not() {
        let refused = |pattern: &str| {
            let mut files = tree(60);
            let manifest = format!("[workspace]\nmembers = [\"{pattern}\"]\n");
            files.0.insert("Cargo.toml".into(), manifest);
            require_few_folders(&files).err().map(|error| error.to_string())
        };
        let nested = refused(&["**/*"; 32].join("/")).unwrap();
        assert!(
            nested.contains("workspace.members") && nested.contains("visits too many folders"),
            "{nested}"
        );
        for pattern in ["**", "**/*", "**/**/**", "d*/d*", "d0", "["] {
            assert_eq!(refused(pattern), None, "{pattern}");
        }
        let every_level = refused(&["d*"; 60].join("/"));
        assert_eq!(every_level, None);
    }
}
