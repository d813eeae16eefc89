//! What the folders of a checkout contain that were listed. They also say what they do not contain.

use super::system::Kind;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The listed folders, by path. No path leads through a link, and each folder may be searched.
#[derive(Debug, Default)]
pub struct Listed(Mutex<Folders>);

#[derive(Debug, Default)]
struct Folders {
    by_path: HashMap<String, Arc<[(String, Kind)]>>,
    /// The number of folders and of names in them.
    names: usize,
}

/// What the listed folders say about a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Something is there, and no link is on the way.
    Present,
    /// Nothing is there.
    Absent,
    /// The system has to be asked.
    Unknown,
}

/// How many folders and names are kept. A workspace of ten thousand crates has some ten thousands, and a checkout
/// may have any number.
const MOST: usize = 500_000;

/// The most names in a folder that are compared with one that is not among them.
const MOST_COMPARED: usize = 1000;

/// The longest names and paths, in bytes, that every system accepts.
const LONGEST: (usize, usize) = (100, 1000);

impl Listed {
    fn folders(&self) -> MutexGuard<'_, Folders> {
        // No panic leaves a folder behind that is not complete.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the sorted names in a folder.
    pub fn add(&self, path: &str, names: &Arc<[(String, Kind)]>) {
        let mut folders = self.folders();
        folders.names += names.len() + 1;
        if folders.names <= MOST {
            folders.by_path.insert(path.to_owned(), Arc::clone(names));
        }
    }

    /// The sorted names in a folder, if it was listed.
    pub fn names(&self, path: &str) -> Option<Arc<[(String, Kind)]>> {
        self.folders().by_path.get(path).cloned()
    }

    /// What the listed folders say about a path of names with one `/` between them.
    pub fn answer(&self, path: &str) -> Answer {
        let folders = self.folders();
        let mut rest = path;
        // The lowest folder that was listed decides. If the next name is not in it, nothing is below it.
        loop {
            let (above, name) = rest.rsplit_once('/').unwrap_or(("", rest));
            if let Some(names) = folders.by_path.get(above) {
                let found = names.binary_search_by(|(known, _)| known.as_str().cmp(name));
                let kind = found.ok().and_then(|at| names.get(at)).map(|(_, kind)| *kind);
                return match kind {
                    Some(Kind::Folder | Kind::Other) if rest.len() == path.len() => Answer::Present,
                    None if path.len() <= LONGEST.1 && is_surely_absent(name, names) => Answer::Absent,
                    _ => Answer::Unknown,
                };
            }
            if above.is_empty() {
                return Answer::Unknown;
            }
            rest = above;
        }
    }
}

/// Whether no file system would find a name in a folder that lists other names. Some systems find a file by a
/// name with other capital letters, without a dot at its end, or by a short one with `~`. They refuse a name that
/// is too long or has certain characters, and this is not the same as an absent file.
fn is_surely_absent(name: &str, listed: &[(String, Kind)]) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    name.len() <= LONGEST.0
        && name.bytes().all(is_usual)
        && !name.ends_with('.')
        && listed.len() <= MOST_COMPARED
        && listed.iter().all(|(known, _)| known.is_ascii() && !known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(folders: &[(&str, &[(&str, Kind)])]) -> Listed {
        let listed = Listed::default();
        for (path, names) in folders {
            let names: Vec<_> = names.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
            listed.add(path, &names.into());
        }
        listed
    }

    #[test]
    fn the_lowest_folder_that_was_listed_decides() {
        let listed = listed(&[
            ("", &[("a", Kind::Folder), ("file", Kind::Other), ("link", Kind::Link)]),
            ("a/b", &[("c", Kind::Folder)]),
        ]);
        for (path, answer) in [
            ("a", Answer::Present),
            ("file", Answer::Present),
            ("link", Answer::Unknown),
            ("b", Answer::Absent),
            ("b/c/d", Answer::Absent),
            // The folder `a` was not listed, and `a/b` was.
            ("a/c", Answer::Unknown),
            ("a/b", Answer::Unknown),
            ("a/b/c", Answer::Present),
            ("a/b/d", Answer::Absent),
            ("a/b/d/e", Answer::Absent),
            ("a/b/c/d", Answer::Unknown),
            ("link/b", Answer::Unknown),
            ("file/b", Answer::Unknown),
        ] {
            assert_eq!(listed.answer(path), answer, "{path}");
        }
        assert_eq!(Listed::default().answer("a/b"), Answer::Unknown);
    }

    #[test]
    fn a_name_that_a_system_may_find_or_refuse_is_asked_for() {
        let names: &[(&str, Kind)] = &[("Cargo.toml", Kind::Other), ("src", Kind::Folder)];
        let listed = listed(&[("", names), ("odd", &[("\u{212a}", Kind::Other)])]);
        assert_eq!(listed.answer("build.rs"), Answer::Absent);
        let long = "x".repeat(LONGEST.0 + 1);
        let deep = format!("x/{}", "y/".repeat(LONGEST.1));
        // The sign for Kelvin is a capital `k` for a system that folds letters.
        for path in ["cargo.toml", "SRC", "src.", "CARGO~1.TOM", "a\0", "a:b", "ü", "odd/k", &long, &deep] {
            assert_eq!(listed.answer(path), Answer::Unknown, "{path}");
        }
    }

    #[test]
    fn only_so_many_names_are_kept() {
        let listed = Listed::default();
        let names: Arc<[_]> = (0..MOST / 2).map(|_| (String::new(), Kind::Other)).collect();
        for path in ["a", "b", "c"] {
            listed.add(path, &names);
        }
        assert_eq!(["a", "b", "c"].map(|path| listed.names(path).is_some()), [true, false, false]);
    }
}
