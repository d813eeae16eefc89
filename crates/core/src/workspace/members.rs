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

use super::globs::{expand, is_glob};
use super::manifest::{Dependency, Manifest};
use super::parallel;
use super::path::{file_in, is_within, join};
use super::{Files, unreadable};
use crate::exit::usage;
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};

/// A crate of the repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crate {
    /// The name of its package.
    pub name: String,
    /// Its folder, from the root of the repository. The text is empty for the root itself.
    pub dir: String,
    /// Whether it is a member of the workspace. If not, it is only a path dependency.
    pub member: bool,
    /// Its direct path dependencies, as indices into [`Crates::all`].
    depends_on: Vec<usize>,
}

/// The members of a workspace and all crates of the repository on which they depend by path.
#[derive(Clone, Debug, Default)]
pub struct Crates {
    all: Vec<Crate>,
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
        let mut walk = Walk {
            files,
            is_workspace: workspace.is_some(),
            members: workspace.map(|workspace| workspace.members.as_slice()).unwrap_or_default(),
            exclude: workspace.map(|workspace| workspace.exclude.as_slice()).unwrap_or_default(),
            inherited: workspace.map(|workspace| &workspace.dependencies),
            by_dir: HashMap::new(),
            pending: Vec::new(),
            all: Vec::new(),
        };
        if manifest.package.is_some() {
            walk.add("", &manifest, true);
        }
        let mut named: Vec<(String, &String)> = Vec::new();
        for pattern in walk.members {
            let found = expand(files, pattern)?;
            named.extend(found.into_iter().filter(|dir| !walk.is_excluded(dir)).map(|dir| (dir, pattern)));
        }
        let manifests = parallel::map(&named, files.readers(), |(dir, _)| self::manifest(files, dir));
        for ((dir, pattern), found) in named.iter().zip(manifests) {
            let path = file_in(dir, "Cargo.toml");
            let Some(found) = found? else {
                // A glob may match folders that contain no crate.
                if is_glob(pattern) {
                    continue;
                }
                return Err(usage(format!("Cargo.toml: workspace.members: {pattern:?}: there is no {path}")));
            };
            if walk.by_dir.contains_key(dir) {
                continue;
            }
            if walk.add(dir, &found, true).is_none() {
                return Err(usage(format!("{path}: a member of the workspace without [package]")));
            }
            walk.pending.push((found, dir.clone()));
        }
        for (found, dir) in std::mem::take(&mut walk.pending) {
            walk.follow(&found, &dir)?;
        }
        walk.follow(&manifest, "")?;
        let crates = Self { all: walk.all };
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

    /// The members, sorted by name.
    pub fn members(&self) -> Vec<&Crate> {
        let mut members: Vec<&Crate> = self.all.iter().filter(|found| found.member).collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        members
    }
}

/// Finds all path dependencies of a crate, direct and indirect. Use one value for many crates: it reuses
/// its list of visited crates without clearing it.
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
    pub fn dependencies(&mut self, of: &'a Crate) -> Vec<&'a Crate> {
        self.count += 1;
        let mut found = Vec::new();
        let mut pending: Vec<usize> = of.depends_on.iter().rev().copied().collect();
        while let Some(index) = pending.pop() {
            let dependency = &self.crates.all[index];
            if self.met_for[index] == self.count || dependency.dir == of.dir {
                continue;
            }
            self.met_for[index] = self.count;
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
    members: &'a [String],
    exclude: &'a [String],
    inherited: Option<&'a BTreeMap<String, Dependency>>,
    by_dir: HashMap<String, usize>,
    /// The members that `members` names. Their dependencies are followed after all of them are known.
    pending: Vec<(Manifest, String)>,
    all: Vec<Crate>,
}

impl Walk<'_> {
    fn is_excluded(&self, dir: &str) -> bool {
        let within = |folder: &String| join("", folder).is_some_and(|folder| is_within(dir, &folder));
        self.exclude.iter().any(within) && !self.members.iter().any(within)
    }

    fn add(&mut self, dir: &str, manifest: &Manifest, member: bool) -> Option<usize> {
        let name = manifest.package.as_ref()?.name.clone();
        let index = self.all.len();
        self.by_dir.insert(dir.to_owned(), index);
        self.all.push(Crate { name, dir: dir.to_owned(), member, depends_on: Vec::new() });
        Some(index)
    }

    /// Reads the direct and indirect path dependencies of a manifest. It does not recurse, because a
    /// chain of dependencies may be long.
    fn follow(&mut self, manifest: &Manifest, dir: &str) -> Result<()> {
        let Some(&index) = self.by_dir.get(dir) else { return Ok(()) };
        let mut pending = Vec::new();
        self.read_dependencies(manifest, index, &mut pending)?;
        while let Some((manifest, index)) = pending.pop() {
            self.read_dependencies(&manifest, index, &mut pending)?;
        }
        Ok(())
    }

    fn read_dependencies(
        &mut self,
        manifest: &Manifest,
        index: usize,
        pending: &mut Vec<(Manifest, usize)>,
    ) -> Result<()> {
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
                None => self.read_crate(&dir, index, name, pending)?,
            };
            self.all[index].depends_on.extend(found);
        }
        Ok(())
    }

    fn read_crate(
        &mut self,
        dir: &str,
        from: usize,
        name: &str,
        pending: &mut Vec<(Manifest, usize)>,
    ) -> Result<Option<usize>> {
        let Some(manifest) = manifest(self.files, dir)? else {
            let from = file_in(&self.all[from].dir, "Cargo.toml");
            let missing = file_in(dir, "Cargo.toml");
            return Err(usage(format!("{from}: the path dependency `{name}`: there is no {missing}")));
        };
        // A crate that has its own workspace, or is excluded, is not a member. Others still depend on it.
        let member = self.is_workspace && manifest.workspace.is_none() && !self.is_excluded(dir);
        let found = self.add(dir, &manifest, member);
        pending.extend(found.map(|found| (manifest, found)));
        Ok(found)
    }
}

/// The manifest of a folder, or `None` if the folder has none.
fn manifest(files: &dyn Files, dir: &str) -> Result<Option<Manifest>> {
    let path = file_in(dir, "Cargo.toml");
    let Some(text) = files.read(&path).map_err(|error| unreadable(&path, &error))? else {
        return Ok(None);
    };
    match toml::from_str(&text) {
        Ok(manifest) => Ok(Some(manifest)),
        Err(error) => Err(usage(format!("{path}: {}", error.to_string().trim_end()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::MemoryFiles;

    fn package(name: &str, rest: &str) -> String {
        format!("[package]\nname = {name:?}\n{rest}")
    }

    /// A line for each member: its name, its folder and the folders of its path dependencies.
    fn members(files: &[(&str, &str)]) -> Vec<String> {
        let crates = Crates::read(&MemoryFiles::of(files)).unwrap();
        let told = |member: &Crate| {
            let on: Vec<&str> =
                Reach::new(&crates).dependencies(member).into_iter().map(|on| on.dir.as_str()).collect();
            format!("{} {:?} {}", member.name, member.dir, on.join(",")).trim_end().to_owned()
        };
        crates.members().into_iter().map(told).collect()
    }

    fn refusal(files: &[(&str, &str)]) -> String {
        let error = Crates::read(&MemoryFiles::of(files)).unwrap_err();
        assert_eq!(crate::exit::of(&error), crate::exit::Exit::Usage);
        error.to_string()
    }

    #[test]
    fn manifests_that_were_written_on_windows_are_read_as_any_other() {
        let root = "\u{feff}[workspace]\r\nmembers = ['crates\\a', \"crates/b\"]\r\n";
        let a = "\u{feff}[package]\r\nname = \"a\"\r\n[dependencies]\r\nb = { path = '..\\b' }\r\n";
        let files =
            [("Cargo.toml", root), ("crates/a/Cargo.toml", a), ("crates/b/Cargo.toml", &package("b", ""))];
        assert_eq!(members(&files), [r#"a "crates/a" crates/b"#, r#"b "crates/b""#]);
    }

    #[test]
    fn globs_exclusions_the_root_and_implicit_members_are_cargos() {
        let root = package(
            "root",
            "[dependencies]\nfar = { path = \"far\" }\nout = { path = \"../out\" }\n[workspace]\nmembers = [\"crates/*\", \"z/\", \"./y/.\"]\nexclude = [\"crates/no\", \"far/ex\", \"y\"]",
        );
        let files = [
            ("Cargo.toml", root.as_str()),
            ("crates/b/Cargo.toml", &package("b", "")),
            ("crates/a/Cargo.toml", &package("a", "")),
            ("crates/no/Cargo.toml", "not even toml"),
            ("crates/docs/readme", ""),
            (
                "far/Cargo.toml",
                &package(
                    "far",
                    "[dev-dependencies]\nex.path = \"ex\"\n[build-dependencies]\nown.path = \"../own\"",
                ),
            ),
            ("far/ex/Cargo.toml", &package("ex", "")),
            ("own/Cargo.toml", &package("own", "[workspace]")),
            ("y/Cargo.toml", &package("y", "")),
            ("z/Cargo.toml", &package("z", "")),
        ];
        assert_eq!(
            members(&files),
            [
                r#"a "crates/a""#,
                r#"b "crates/b""#,
                r#"far "far" far/ex,own"#,
                r#"root "" far,far/ex,own"#,
                r#"y "y""#,
                r#"z "z""#
            ]
        );
    }

    #[test]
    fn dependencies_of_every_kind_are_followed_through_cycles() {
        let files = [
            (
                "Cargo.toml",
                "[workspace]\nmembers = [\"a\", \"**/deep\"]\n[workspace.dependencies]\nc = { path = \"c\" }\nlibc = \"1\"",
            ),
            (
                "a/Cargo.toml",
                &package(
                    "a",
                    "[dependencies]\nb = { path = \"../b\", optional = true }\nlibc.workspace = true\n[target.'cfg(unix)'.dev-dependencies.c]\nworkspace = true",
                ),
            ),
            ("b/Cargo.toml", &package("b", "[dev-dependencies]\na = { path = \"../a\" }")),
            ("c/Cargo.toml", &package("c", "[build-dependencies]\nd = { path = \"../x/y/deep\" }")),
            ("x/y/deep/Cargo.toml", &package("d", "")),
        ];
        assert_eq!(
            members(&files),
            [r#"a "a" b,c,x/y/deep"#, r#"b "b" a,c,x/y/deep"#, r#"c "c" x/y/deep"#, r#"d "x/y/deep""#]
        );
    }

    #[test]
    fn a_single_crate_is_its_own_workspace() {
        let root = package("root", "[dependencies]\na.path = \"a\"");
        assert_eq!(members(&[("Cargo.toml", &root), ("a/Cargo.toml", &package("a", ""))]), [r#"root "" a"#]);
    }

    #[test]
    fn manifests_that_are_missing_or_wrong_are_errors_with_their_file() {
        let of = |members: &str| format!("[workspace]\nmembers = [{members}]");
        assert_eq!(refusal(&[]), "Cargo.toml: there is none in the repository's root");
        let root = of("\"a\"");
        assert_eq!(
            refusal(&[("Cargo.toml", &root)]),
            "Cargo.toml: workspace.members: \"a\": there is no a/Cargo.toml"
        );
        assert!(
            refusal(&[("Cargo.toml", &root), ("a/Cargo.toml", "[package\n")])
                .starts_with("a/Cargo.toml: TOML parse error at line 1")
        );
        assert!(
            refusal(&[("Cargo.toml", &root), ("a/Cargo.toml", "")])
                .starts_with("a/Cargo.toml: a member of the workspace without")
        );
        let a = package("a", "[dependencies]\nb.path = \"../b\"");
        assert_eq!(
            refusal(&[("Cargo.toml", &root), ("a/Cargo.toml", &a)]),
            "a/Cargo.toml: the path dependency `b`: there is no b/Cargo.toml"
        );
        let both = of("\"a\", \"b\"");
        let same = package("a", "");
        assert_eq!(
            refusal(&[("Cargo.toml", &both), ("a/Cargo.toml", &same), ("b/Cargo.toml", &same)]),
            "a/Cargo.toml and b/Cargo.toml: two members are named `a`"
        );
        let out = of("\"../a\"");
        assert!(refusal(&[("Cargo.toml", &out)]).contains("leads out of the repository"));
    }

    #[test]
    fn a_chain_of_ten_thousand_crates_is_no_recursion() {
        let mut files = MemoryFiles::of(&[("Cargo.toml", "[workspace]\nmembers = [\"c0\"]")]);
        for index in 0..10_000 {
            let on = format!("[dependencies]\nc.path = \"../c{}\"", (index + 1) % 10_000);
            files.0.insert(format!("c{index}/Cargo.toml"), package(&format!("c{index}"), &on));
        }
        let crates = Crates::read(&files).unwrap();
        assert_eq!(Reach::new(&crates).dependencies(crates.members()[5]).len(), 9_999);
    }
}
