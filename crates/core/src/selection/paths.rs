//! What the path of a changed file says about it.

use crate::workspace::path::is_within;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Files in the root that only checks of the whole workspace read: cargo-deny's and cargo-audit's.
const OF_WHOLE: [&str; 5] =
    ["deny.toml", ".deny.toml", ".cargo/deny.toml", ".cargo/audit.toml", ".gitmodules"];

/// The submodule that this plugin replaces. Of what is in it, no crate of a workspace is built.
const PREDECESSOR: &str = "rust-vmm-ci";

/// The beginnings of the names of files that are for people or for git alone.
const FOR_PEOPLE: [&str; 6] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS", "CODEOWNERS"];

/// What GitHub reads.
const GITHUB: &str = ".github";

/// Whether no program reads a file, unless a source names it: Markdown, licences, what GitHub reads.
pub fn is_for_people(path: &str, owners: &Owners<'_>) -> bool {
    let name = name(path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    is_for_github(path, owners)
        // A repository that was merged left it in the folder of its crate. Git reads the one in the root only.
        || (name == ".gitmodules" && path.contains('/') && owners.is_crate(parent(path)))
        || extension.eq_ignore_ascii_case("md")
        || (FOR_PEOPLE.iter().any(|start| name.starts_with(start)) && !is_source(extension))
        || matches!(name, ".gitignore" | ".editorconfig" | ".mailmap")
}

/// Whether a file is in the `.github` of the root, or in one that a merged repository left in the folder of its
/// crate. Any other folder of this name may be a test's, and one that has a crate may be the crate's.
fn is_for_github(path: &str, owners: &Owners<'_>) -> bool {
    let is_githubs = |folder: &str| {
        let base = parent(folder);
        name(folder) == GITHUB
            && (base.is_empty() || owners.is_crate(base))
            && !owners.has_crates_in_github(folder)
    };
    path.contains(GITHUB) && above(path).any(is_githubs)
}

fn is_source(extension: &str) -> bool {
    matches!(extension, "rs" | "toml" | "json" | "sh" | "py" | "c" | "h")
}

/// Whether a path of a submodule is the predecessor's.
pub fn is_predecessor(path: &str) -> bool {
    name(path) == PREDECESSOR
}

/// Whether a file has the score of a platform's coverage, for the root or for a crate.
pub fn is_coverage_file(path: &str) -> bool {
    name(path).starts_with("coverage_config_") && path.ends_with(".json")
}

/// Whether only steps of the whole workspace read a file: one of [`OF_WHOLE`], or a description that this
/// upload does not read, because the option `tests` does not name it.
pub fn is_of_whole(path: &str) -> bool {
    OF_WHOLE.contains(&path) || parent(path) == ".buildkite" && path.ends_with(".json")
}

/// The file name at the end of a path.
pub fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The folder that a path is in.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The folders above a path, from the nearest, with the root at the end.
pub fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(parent(path)), |dir| (!dir.is_empty()).then(|| parent(dir)))
}

/// The changed paths, for questions about folders.
#[derive(Debug)]
pub struct Changed<'a>(Vec<&'a str>);

impl<'a> Changed<'a> {
    /// The paths.
    pub fn new(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let sorted: BTreeSet<&str> = paths.into_iter().collect();
        Self(sorted.into_iter().collect())
    }

    /// The first changed path that is this path or below it.
    pub fn within(&self, path: &str) -> Option<&'a str> {
        if path.is_empty() {
            return self.0.first().copied();
        }
        // Paths such as `a-b` sort between `a` and what is in the folder `a`.
        let first = |from: &str| self.0.get(self.0.partition_point(|known| *known < from)).copied();
        let found = first(path).filter(|found| is_within(found, path));
        found.or_else(|| first(&format!("{path}/")).filter(|found| is_within(found, path)))
    }

    /// The first changed path that is this path, below it, or a submodule above it.
    pub fn at(&self, path: &str) -> Option<&'a str> {
        let above = || above(path).find_map(|dir| self.0.binary_search(&dir).ok());
        self.within(path).or_else(|| above().map(|at| self.0[at]))
    }

    /// The first changed path that is directly in this folder.
    pub fn directly_in(&self, folder: &str) -> Option<&'a str> {
        self.0.iter().copied().find(|path| parent(path) == folder)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.0.iter().copied()
    }
}

/// Finds the crate whose folder has a path: the nearest folder above it.
#[derive(Debug)]
pub struct Owners<'a> {
    by_dir: HashMap<&'a str, usize>,
    /// The folders `.github` that have a crate.
    github: HashSet<&'a str>,
}

impl<'a> Owners<'a> {
    /// The crates' folders, in the order of their indices.
    pub fn new(dirs: impl IntoIterator<Item = &'a str>) -> Self {
        let by_dir: HashMap<&str, usize> =
            dirs.into_iter().enumerate().map(|(index, dir)| (dir, index)).collect();
        let folders = by_dir.keys().flat_map(|dir| std::iter::once(*dir).chain(above(dir)));
        let github = folders.filter(|folder| name(folder) == GITHUB).collect();
        Self { by_dir, github }
    }

    fn has_crates_in_github(&self, folder: &str) -> bool {
        self.github.contains(folder)
    }

    /// The index of the crate that has a path in its folder.
    pub fn of(&self, path: &str) -> Option<usize> {
        above(path).find_map(|dir| self.by_dir.get(dir).copied())
    }

    /// Whether a folder is that of a crate.
    pub fn is_crate(&self, dir: &str) -> bool {
        self.by_dir.contains_key(dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_for_people_are_known_by_their_names() {
        let owners = Owners::new(["", "a", "tools/.github/checker", "b", "b/.github/c"]);
        for path in [
            "README.md",
            "a/x.MD",
            "LICENSE-MIT",
            "a/LICENSE",
            ".github/x.yml",
            "a/.github/w/x.yml",
            "CODEOWNERS",
            "a/.gitmodules",
            "tools/.github/checker/.github/x.yml",
        ] {
            assert!(is_for_people(path, &owners), "{path}");
        }
        for path in [
            "src/lib.rs",
            "LICENSE.rs",
            "md",
            "a/.github2/x",
            ".github",
            ".gitmodules",
            "AUTHORS.toml",
            ".gitattributes",
            "tools/.github/x.yml",
            "tools/.github/checker/src/lib.rs",
            "a/tests/fixtures/.github/workflows/ci.yml",
            "a/tests/fixtures/.gitmodules",
            "b/.github/x.yml",
            "b/.github/c/src/lib.rs",
            "a.github/x",
        ] {
            assert!(!is_for_people(path, &owners), "{path}");
        }
        assert!(!is_for_people(".github/x.yml", &Owners::new([".github"])));
    }

    #[test]
    fn a_folder_has_what_is_below_it_and_no_other() {
        let changed = Changed::new(["a-b/x", "a/b/c", "a.b"]);
        assert_eq!(changed.within("a"), Some("a/b/c"));
        assert_eq!(changed.within("a.b"), Some("a.b"));
        assert_eq!(changed.within("a/b/c/d"), None);
        assert_eq!(changed.directly_in("a/b"), Some("a/b/c"));
        assert_eq!(changed.directly_in("a"), None);
    }
}
