//! Finds the members of a workspace and their path dependencies.
//!
//! Only manifests are read, because the agent that uploads a pipeline may not have Cargo. The rules are
//! those of Cargo (The Cargo Book, "Workspaces", and `cargo::core::workspace`). These are members:
//!
//! - the package in the root, if there is one;
//! - every folder that `members` names, directly or with a glob;
//! - every path dependency of a member, of any kind, that is below the root.
//!
//! A folder in `exclude` is not a member, unless `members` names it directly.

use super::Files;
use super::files::read_as_cargo;
use super::globs::{Globs, is_glob};
use super::manifest::{Dependency, Manifest};
use super::outside::{self, Outside};
use super::parallel;
use super::path::{file_in, join};
use crate::exit::usage;
use crate::model::shown;
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// A crate of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crate {
    /// The name of its package.
    pub name: String,
    /// Its folder, from the root of the repository. The text is empty for the root itself.
    pub dir: String,
    /// Whether it is a member of the workspace. If not, it is only a path dependency.
    pub member: bool,
    /// The parts of it that are outside its folder: the folder that a link leads to, and source files that
    /// the manifest names elsewhere.
    pub outside: BTreeSet<Outside>,
    /// Its direct path dependencies, as indices into [`Crates::all`].
    depends_on: Vec<usize>,
    /// Its own index.
    index: usize,
}

impl Crate {
    /// Its index in [`Crates::all`].
    pub fn index(&self) -> usize {
        self.index
    }
}

/// The members of a workspace and all crates of the repository on which they depend by path.
#[derive(Clone, Debug, Default)]
pub struct Crates {
    all: Vec<Crate>,
    /// The crates that replace others in the whole workspace (`[patch]`, `[replace]`), as indices.
    replacements: Vec<usize>,
    /// The folders from which Cargo's configuration takes crates of the whole workspace.
    pub configured: BTreeSet<Outside>,
}

impl Crates {
    /// Reads the workspace in the root of the repository.
    ///
    /// # Errors
    /// Exit 2 if a manifest is missing or does not parse, or if two members have the same name. The
    /// error names the manifest that refers to the missing one. Exit 3 if a file cannot be read.
    pub fn read(files: &dyn Files) -> Result<Self> {
        let Some(manifest) = manifest(files, "")? else {
            return Err(usage("Cargo.toml: there is none in the repository's root"));
        };
        let workspace = manifest.workspace.as_ref();
        let joined = |folders: &[String]| folders.iter().filter_map(|folder| join("", folder)).collect();
        let patterns = workspace.map(|workspace| workspace.members.as_slice()).unwrap_or_default();
        let mut walk = Walk {
            files,
            is_workspace: workspace.is_some(),
            members: joined(patterns),
            exclude: joined(workspace.map(|workspace| workspace.exclude.as_slice()).unwrap_or_default()),
            inherited: workspace.map(|workspace| &workspace.dependencies),
            by_dir: HashMap::new(),
            pending: Vec::new(),
            later: Vec::new(),
            all: Vec::new(),
        };
        if manifest.package.is_some() {
            walk.add("", &manifest, true)?;
        }
        let mut globs = Globs::new(files);
        let mut named: Vec<(String, &String)> = Vec::new();
        let mut seen = HashSet::new();
        for pattern in patterns {
            let found = globs.expand(pattern)?.into_iter().filter(|dir| !walk.is_excluded(dir));
            // The root is known already, with a package or without.
            let found = found.filter(|dir| !dir.is_empty() || !is_glob(pattern));
            named.extend(found.filter(|dir| seen.insert(dir.clone())).map(|dir| (dir, pattern)));
        }
        let manifests = parallel::map(&named, files.readers(), |(dir, _)| -> Result<_> {
            let Some(found) = self::manifest(files, dir)? else { return Ok(None) };
            let outside = outside::of_crate(files, dir, &found, true);
            Ok(Some((found, outside)))
        });
        for ((dir, pattern), found) in named.iter().zip(manifests) {
            let path = file_in(dir, "Cargo.toml");
            let Some((found, outside)) = found? else {
                // A glob may match folders that contain no crate.
                if is_glob(pattern) {
                    continue;
                }
                return Err(usage(format!(
                    "Cargo.toml: workspace.members: {}: there is no {path}",
                    shown::value(pattern)
                )));
            };
            if walk.by_dir.contains_key(dir) {
                continue;
            }
            match walk.add_with(dir, &found, true, outside)? {
                Some(index) => walk.pending.push((found, index)),
                None => return Err(usage(format!("{path}: a member of the workspace without [package]"))),
            }
        }
        // The members' dependencies come first: they are members too. Then those of all other crates.
        for (found, index) in std::mem::take(&mut walk.pending) {
            walk.follow(&found, index)?;
        }
        if let Some(root) = walk.by_dir.get("").copied() {
            walk.follow(&manifest, root)?;
        }
        let replacements = walk.replacements(&manifest)?;
        while let Some((found, index)) = walk.later.pop() {
            walk.read_dependencies(&found, index)?;
        }
        let crates = Self { all: walk.all, replacements, configured: outside::configured(files)? };
        crates.refuse_equal_names()?;
        Ok(crates)
    }

    fn refuse_equal_names(&self) -> Result<()> {
        let mut seen: BTreeMap<&str, &str> = BTreeMap::new();
        for member in self.all.iter().filter(|found| found.member) {
            if let Some(first) = seen.insert(&member.name, &member.dir) {
                let (first, second) = (file_in(first, "Cargo.toml"), file_in(&member.dir, "Cargo.toml"));
                return Err(usage(format!("{first} and {second}: two members are named `{}`", member.name)));
            }
        }
        Ok(())
    }

    /// All crates: the members, and those on which they depend by path.
    pub fn all(&self) -> &[Crate] {
        &self.all
    }

    /// The members, sorted by name.
    pub fn members(&self) -> Vec<&Crate> {
        let mut members: Vec<&Crate> = self.all.iter().filter(|found| found.member).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members
    }
}

/// Finds all path dependencies of a crate, direct and indirect. One value can be used for many crates: it
/// reuses its list of visited crates without clearing it.
#[derive(Debug)]
pub struct Reach<'a> {
    crates: &'a Crates,
    /// For each crate, the number of the search that visited it last.
    met_for: Vec<usize>,
    /// The number of the current search.
    count: usize,
}

impl<'a> Reach<'a> {
    /// A value that has done no search yet.
    pub fn new(crates: &'a Crates) -> Self {
        Self { crates, met_for: vec![0; crates.all.len()], count: 0 }
    }

    /// All direct and indirect path dependencies of a crate, without the crate itself. They are in the
    /// order in which the search finds them.
    pub fn dependencies(&mut self, of: &Crate) -> Vec<&'a Crate> {
        self.count += 1;
        let mut found = Vec::new();
        self.met_for[of.index] = self.count;
        let replacements = self.crates.replacements.iter().rev();
        let mut pending: Vec<usize> = replacements.chain(of.depends_on.iter().rev()).copied().collect();
        while let Some(index) = pending.pop() {
            if self.met_for[index] == self.count {
                continue;
            }
            self.met_for[index] = self.count;
            let dependency = &self.crates.all[index];
            found.push(dependency);
            pending.extend(dependency.depends_on.iter().rev());
        }
        found
    }
}

/// The state while the manifests of a workspace are read.
struct Walk<'a> {
    files: &'a dyn Files,
    is_workspace: bool,
    /// The folders that `members` and `exclude` name.
    members: HashSet<String>,
    exclude: HashSet<String>,
    inherited: Option<&'a BTreeMap<String, Dependency>>,
    by_dir: HashMap<String, usize>,
    /// The members whose dependencies are still to be followed.
    pending: Vec<(Manifest, usize)>,
    /// The crates that are no members, whose dependencies are followed at the end.
    later: Vec<(Manifest, usize)>,
    all: Vec<Crate>,
}

/// Whether a folder or one above it is in a set of folders.
fn has_above(folders: &HashSet<String>, dir: &str) -> bool {
    let above = std::iter::successors(Some(dir), |dir| (!dir.is_empty()).then(|| outside::parent(dir)));
    !folders.is_empty() && above.into_iter().any(|dir| folders.contains(dir))
}

impl Walk<'_> {
    fn is_excluded(&self, dir: &str) -> bool {
        has_above(&self.exclude, dir) && !has_above(&self.members, dir)
    }

    fn add(&mut self, dir: &str, manifest: &Manifest, member: bool) -> Result<Option<usize>> {
        self.add_with(dir, manifest, member, outside::of_crate(self.files, dir, manifest, member))
    }

    /// Adds a crate whose parts outside its folder have been looked for.
    fn add_with(
        &mut self,
        dir: &str,
        manifest: &Manifest,
        member: bool,
        outside: Result<BTreeSet<Outside>>,
    ) -> Result<Option<usize>> {
        let Some(package) = &manifest.package else { return Ok(None) };
        let index = self.all.len();
        self.by_dir.insert(dir.to_owned(), index);
        let (name, outside) = (package.name.clone(), outside?);
        self.all.push(Crate { name, dir: dir.to_owned(), member, outside, depends_on: Vec::new(), index });
        Ok(Some(index))
    }

    /// Reads the direct and indirect path dependencies of a member. It does not recurse, because a chain of
    /// dependencies may be long.
    fn follow(&mut self, manifest: &Manifest, index: usize) -> Result<()> {
        self.read_dependencies(manifest, index)?;
        while let Some((manifest, index)) = self.pending.pop() {
            self.read_dependencies(&manifest, index)?;
        }
        Ok(())
    }

    fn read_dependencies(&mut self, manifest: &Manifest, index: usize) -> Result<()> {
        for (name, dependency) in manifest.dependencies() {
            let inherited = || self.inherited?.get(name)?.path.as_deref();
            let (base, path) = match &dependency.path {
                Some(path) => (self.all[index].dir.as_str(), path.as_str()),
                None if dependency.workspace => match inherited() {
                    Some(path) => ("", path),
                    None => continue,
                },
                None => continue,
            };
            // No commit of this repository can change a crate outside it.
            let Some(dir) = join(base, path) else { continue };
            let found = match self.by_dir.get(&dir) {
                Some(found) => Some(*found),
                None => self.read_crate(&dir, Some(index), name)?,
            };
            self.all[index].depends_on.extend(found);
        }
        Ok(())
    }

    /// Reads a crate on which the crate `from` depends, or without `from` one that replaces another.
    fn read_crate(&mut self, dir: &str, from: Option<usize>, name: &str) -> Result<Option<usize>> {
        let Some(manifest) = manifest(self.files, dir)? else {
            let from = from.map_or("", |from| &self.all[from].dir);
            let (from, missing) = (file_in(from, "Cargo.toml"), file_in(dir, "Cargo.toml"));
            return Err(usage(format!("{from}: the path dependency `{name}`: there is no {missing}")));
        };
        // A crate that has its own workspace, or is excluded, is not a member. Others still depend on it.
        let may_be = self.is_workspace && manifest.workspace.is_none() && !self.is_excluded(dir);
        let member = may_be && from.is_some_and(|from| self.all[from].member);
        let found = self.add(dir, &manifest, member)?;
        let queue = if member { &mut self.pending } else { &mut self.later };
        queue.extend(found.map(|found| (manifest, found)));
        Ok(found)
    }

    /// The crates by which the manifest of the workspace replaces others.
    fn replacements(&mut self, manifest: &Manifest) -> Result<Vec<usize>> {
        let mut replacements = Vec::new();
        for (name, dependency) in manifest.replacements() {
            let Some(dir) = dependency.path.as_deref().and_then(|path| join("", path)) else { continue };
            let found = match self.by_dir.get(&dir) {
                Some(found) => Some(*found),
                None => self.read_crate(&dir, None, name)?,
            };
            replacements.extend(found);
        }
        Ok(replacements)
    }
}

/// The manifest of a folder, or `None` if the folder has none.
pub(super) fn manifest(files: &dyn Files, dir: &str) -> Result<Option<Manifest>> {
    let path = file_in(dir, "Cargo.toml");
    let Some(text) = read_as_cargo(files, &path)? else { return Ok(None) };
    match toml::from_str(&text) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(error) => Err(usage(format!("{path}: {}", error.to_string().trim_end()))),
    }
}

#[cfg(test)]
mod tests;
