//! The globs of all crates of a workspace. Crates that depend on one another share them, because the lists of
//! a large workspace are long: a thousand crates can have half a million paths.

use super::watch;
use crate::exit::infrastructure;
use crate::workspace::{Crate, Crates, Files, Reach};
use anyhow::Result;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, LazyLock, OnceLock};

/// The globs whose changes make the steps of a crate run. A copy costs nothing.
#[derive(Clone, Debug)]
pub struct Watched {
    globs: Arc<Written>,
    /// Whether what concerns every crate is watched too.
    shared: bool,
}

/// Globs, and their text.
#[derive(Debug)]
struct Written {
    globs: Box<[Arc<str>]>,
    /// The globs in JSON, without brackets. All steps of a crate have the same text, whichever thread writes
    /// the first one.
    text: OnceLock<Vec<u8>>,
}

/// What concerns every crate, in JSON, without brackets.
static SHARED: LazyLock<Vec<u8>> = LazyLock::new(|| json(watch::SHARED.into_iter()));

/// Texts as JSON, with a comma between them.
fn json<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<u8> {
    let mut all = Vec::new();
    for text in texts {
        if !all.is_empty() {
            all.push(b',');
        }
        // Every text can be written, and memory takes it.
        let _ = serde_json::to_writer(&mut all, text);
    }
    all
}

impl Watched {
    /// The globs, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let shared: &[&str] = if self.shared { &watch::SHARED } else { &[] };
        self.globs.globs.iter().map(|glob| &**glob).chain(shared.iter().copied())
    }

    /// Writes the globs as a list in JSON.
    pub fn write(&self, to: &mut Vec<u8>) {
        let own = self.globs.text.get_or_init(|| json(self.globs.globs.iter().map(|glob| &**glob)));
        to.push(b'[');
        to.extend_from_slice(own);
        if self.shared {
            to.extend_from_slice(if own.is_empty() { b"" } else { b"," });
            to.extend_from_slice(&SHARED);
        }
        to.push(b']');
    }

    /// The same globs without those for what concerns every crate.
    #[must_use]
    pub fn of_the_crate_alone(&self) -> Self {
        Self { globs: Arc::clone(&self.globs), shared: false }
    }
}

/// The number of globs up to which each one is written by itself. A longer list is written with alternatives,
/// `crates/{a,b}/**`, which match the same files (Buildkite's documentation, "Using `if_changed`").
const MOST_BY_THEMSELVES: usize = 64;

/// A list of globs, as indices into the globs of a workspace.
pub type List = Vec<u32>;

/// The globs of a workspace, each once.
#[derive(Debug, Default)]
pub struct Globs {
    all: Vec<Glob>,
    index: HashMap<Arc<str>, u32>,
    /// The globs of each crate, by the crate's index.
    of_crates: Vec<List>,
    /// The globs for the folders from which Cargo's configuration takes crates.
    configured: List,
    folders: HashMap<String, u32>,
    /// For each glob, the number of the last list that has it.
    listed_in: Vec<usize>,
    lists: usize,
}

#[derive(Debug)]
struct Glob {
    text: Arc<str>,
    /// For the glob of a folder: the number of the folder above it, and the length of that one's path with
    /// its `/`.
    parent: Option<(u32, usize)>,
}

impl Globs {
    /// The globs of all crates.
    ///
    /// # Errors
    /// Exit 3 if the root cannot be listed.
    pub fn of(files: &dyn Files, crates: &Crates) -> Result<Self> {
        let mut globs = Self::default();
        for found in crates.all() {
            let mut of_crate = List::new();
            if found.dir.is_empty() {
                let listed =
                    files.list("").map_err(|error| infrastructure(format!("the root folder: {error}")))?;
                of_crate.extend(watch::of_root(&listed, crates).into_iter().map(|glob| globs.add(glob)));
            } else {
                of_crate.push(globs.add(watch::of_folder(&found.dir)));
            }
            of_crate.extend(found.outside.iter().map(|outside| globs.add(watch::of_outside(outside))));
            globs.of_crates.push(of_crate);
        }
        globs.configured =
            crates.configured.iter().map(|outside| globs.add(watch::of_outside(outside))).collect();
        globs.listed_in = vec![0; globs.all.len()];
        Ok(globs)
    }

    fn add(&mut self, glob: String) -> u32 {
        let text: Arc<str> = glob.into();
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        match self.index.entry(Arc::clone(&text)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                free.insert(next);
                let parent = plain_folder(&text).map(|(parent, _)| parent);
                let count = u32::try_from(self.folders.len()).unwrap_or(u32::MAX);
                let parent = parent.map(|of| (*self.folders.entry(of.to_owned()).or_insert(count), of.len()));
                self.all.push(Glob { text, parent });
                next
            }
        }
    }

    /// The globs of a member, each once: its own, with `dependents` those of the crates that it depends on,
    /// and what Cargo's configuration names.
    pub fn list(&mut self, member: &Crate, reach: &mut Reach<'_>, dependents: bool) -> List {
        self.lists += 1;
        let mut list = List::new();
        let (count, of_crates, listed_in) = (self.lists, &self.of_crates, &mut self.listed_in);
        let mut take = |globs: &List| {
            for glob in globs {
                let latest = &mut listed_in[*glob as usize];
                if *latest != count {
                    *latest = count;
                    list.push(*glob);
                }
            }
        };
        take(&of_crates[member.index()]);
        if dependents {
            reach.dependencies(member).into_iter().for_each(|on| take(&of_crates[on.index()]));
            take(&self.configured);
        }
        list
    }

    /// The text of a list, as the steps that also watch what concerns every crate have it.
    pub fn watched(&self, list: &List) -> Watched {
        let text = |glob: &u32| Arc::clone(&self.all[*glob as usize].text);
        let globs = if list.len() <= MOST_BY_THEMSELVES {
            list.iter().map(text).collect()
        } else {
            self.with_alternatives(list)
        };
        Watched { globs: Arc::new(Written { globs, text: OnceLock::new() }), shared: true }
    }

    /// A list with one glob for all plain folders of a folder.
    fn with_alternatives(&self, list: &List) -> Box<[Arc<str>]> {
        /// A glob, and how many it stands for.
        struct Joined<'g> {
            parent: &'g str,
            names: String,
            first: u32,
            count: usize,
        }
        let mut all: Vec<Joined<'_>> = Vec::new();
        let mut at: HashMap<u32, usize> = HashMap::new();
        let mut latest = None;
        for index in list {
            let glob = &self.all[*index as usize];
            let Some((parent, length)) = glob.parent else {
                all.push(Joined { parent: "", names: String::new(), first: *index, count: 1 });
                continue;
            };
            let name = glob.text[length..].strip_suffix(BELOW).unwrap_or_default();
            let place = match latest {
                Some((of, place)) if of == parent => place,
                _ => *at.entry(parent).or_insert(all.len()),
            };
            latest = Some((parent, place));
            if let Some(joined) = all.get_mut(place) {
                joined.names.push(',');
                joined.names.push_str(name);
                joined.count += 1;
            } else {
                let parent = &glob.text[..length];
                all.push(Joined { parent, names: name.to_owned(), first: *index, count: 1 });
            }
        }
        let text = |joined: Joined<'_>| match joined.count {
            1 => Arc::clone(&self.all[joined.first as usize].text),
            _ => format!("{}{{{}}}{BELOW}", joined.parent, joined.names).into(),
        };
        all.into_iter().map(text).collect()
    }
}

/// The end of a glob for all that is below a folder.
const BELOW: &str = "/**";

/// The folder above, with its `/`, and the name, of a glob that stands for all that is below a folder. None
/// for other globs, and for names that have a meaning in a glob or among alternatives.
fn plain_folder(glob: &str) -> Option<(&str, &str)> {
    let folder = glob.strip_suffix(BELOW)?;
    let is_plain = !folder.is_empty() && !folder.contains(|c: char| "*?[]{},\\ ".contains(c));
    is_plain.then(|| folder.split_at(folder.rfind('/').map_or(0, |slash| slash + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::MemoryFiles;

    /// What each member of a workspace watches, in which each crate depends on the one before it.
    fn watched(folders: &[String]) -> Vec<Vec<String>> {
        let mut files = MemoryFiles::of(&[]);
        let members: Vec<String> = folders.iter().map(|folder| format!("{folder:?}")).collect();
        files.0.insert("Cargo.toml".into(), format!("[workspace]\nmembers = [{}]", members.join(", ")));
        for (index, folder) in folders.iter().enumerate() {
            let up = "../".repeat(folder.split('/').count());
            let before = index.checked_sub(1).and_then(|before| folders.get(before));
            let on = before.map(|before| format!("[dependencies]\nx = {{ path = \"{up}{before}\" }}\n"));
            let text = format!("[package]\nname = \"c{index:04}\"\n{}", on.unwrap_or_default());
            files.0.insert(format!("{folder}/Cargo.toml"), text);
        }
        let crates = Crates::read(&files).unwrap();
        let mut globs = Globs::of(&files, &crates).unwrap();
        let mut reach = Reach::new(&crates);
        let members = crates.members().into_iter();
        let lists: Vec<List> = members.map(|member| globs.list(member, &mut reach, true)).collect();
        let text = |list: &List| globs.watched(list).of_the_crate_alone().iter().map(str::to_owned).collect();
        lists.iter().map(text).collect()
    }

    #[test]
    fn each_glob_of_a_short_list_is_written_by_itself() {
        let folders: Vec<String> = (0..MOST_BY_THEMSELVES).map(|index| format!("crates/c{index}")).collect();
        let last = watched(&folders).pop().unwrap();
        assert_eq!(last.len(), MOST_BY_THEMSELVES);
        assert_eq!(last[..2], ["crates/c63/**", "crates/c62/**"]);
    }

    #[test]
    fn a_long_list_has_alternatives_that_stand_for_the_same_globs() {
        let special = ["a,b", "a b", "{c}", "far/e", "f", "g/h", "top"];
        let mut folders: Vec<String> = (0..80).map(|index| format!("crates/c{index}")).collect();
        folders.extend(special.map(str::to_owned));
        let lists = watched(&folders);
        let last = lists.last().unwrap();
        assert!(last.len() < 10, "{last:?}");
        assert_eq!(last[..2], ["{top,f}/**", "g/h/**"]);
        let expanded: Vec<String> = last
            .iter()
            .flat_map(|glob| match glob.replace("\\{", "<").split_once('{') {
                Some((before, rest)) => {
                    let (names, after) = rest.split_once('}').unwrap();
                    names.split(',').map(|name| format!("{before}{name}{after}")).collect()
                }
                None => vec![glob.clone()],
            })
            .collect();
        let mut expected: Vec<String> = folders.iter().map(|folder| watch::of_folder(folder)).collect();
        let mut found = expanded;
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_concerns_every_crate_is_at_the_end() {
        let mut globs = Globs::default();
        let list = vec![globs.add("a/**".into())];
        let watched = globs.watched(&list);
        assert_eq!(watched.iter().collect::<Vec<_>>()[..2], ["a/**", "Cargo.toml"]);
        assert_eq!(watched.of_the_crate_alone().iter().collect::<Vec<_>>(), ["a/**"]);
    }

    #[test]
    fn the_text_of_a_list_has_the_same_globs() {
        let mut globs = Globs::default();
        for list in [vec![], vec![globs.add("a\"b\n/**".into())], vec![0, globs.add("ü/**".into())]] {
            let watched = globs.watched(&list);
            for watched in [watched.of_the_crate_alone(), watched] {
                let mut text = Vec::new();
                watched.write(&mut text);
                let read: Vec<String> = serde_json::from_slice(&text).unwrap();
                assert_eq!(read, watched.iter().collect::<Vec<_>>());
            }
        }
    }
}
