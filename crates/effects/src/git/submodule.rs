//! Submodules and links, for `migrate`. Only the calls here change a person's index and working tree, because
//! `migrate` is asked to. They commit nothing, and git refuses where work would be lost.

use super::{Git, answer, found, found_in};
use crate::files;
use anyhow::Result;
use std::collections::BTreeMap;

/// A submodule as `.gitmodules` describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submodule {
    /// Its name in `.gitmodules`; empty where that file does not have it.
    pub name: String,
    /// Its folder, from the repository's root.
    pub path: String,
    /// The address that it is cloned from.
    pub url: String,
}

/// A line of a file that git tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file, from the repository's root.
    pub file: String,
    /// The line's number, from 1.
    pub line: u32,
    /// The line.
    pub text: String,
}

/// What kind of entry the index has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A symbolic link.
    Link,
    /// The commit of a submodule.
    Submodule,
}

/// An entry of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its path, from the repository's root.
    pub path: String,
    /// Its object.
    hash: String,
}

/// The file that describes the submodules of a repository.
const GITMODULES: &str = ".gitmodules";

impl Git {
    /// The submodules in `.gitmodules`.
    ///
    /// # Errors
    /// Exit 2 where [`files`] refuses `.gitmodules`: git itself would wait for a pipe, and read a file of any
    /// length. Exit 3 where git cannot read its text.
    pub fn submodules(&self) -> Result<Vec<Submodule>> {
        let Some(text) = files::required(&self.dir, GITMODULES)? else { return Ok(Vec::new()) };
        let command =
            self.command(["config", "--file", "-", "--null", "--get-regexp", r"^submodule\..*\.(path|url)$"]);
        let answer = found_in(&command, text.into_bytes())?;
        let mut by_name: BTreeMap<&str, Submodule> = BTreeMap::new();
        for entry in answer.split('\0') {
            let Some((key, value)) = entry.split_once('\n') else { continue };
            let Some((name, key)) = key.rsplit_once('.') else { continue };
            let submodule = by_name.entry(name).or_default();
            name.strip_prefix("submodule.").unwrap_or(name).clone_into(&mut submodule.name);
            if key == "path" {
                value.clone_into(&mut submodule.path);
            } else {
                value.clone_into(&mut submodule.url);
            }
        }
        Ok(by_name.into_values().filter(|submodule| !submodule.path.is_empty()).collect())
    }

    /// The entries of the index, in the order of their paths. Paths that are no text are left out.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn index(&self) -> Result<Vec<Entry>> {
        let listed = answer(&self.command(["ls-files", "--stage", "-z"]))?.stdout;
        let read = |entry: &[u8]| {
            let entry = std::str::from_utf8(entry).ok()?;
            let (head, path) = entry.split_once('\t')?;
            let mut head = head.split(' ');
            let kind = match head.next()? {
                "120000" => Kind::Link,
                "160000" => Kind::Submodule,
                _ => Kind::File,
            };
            Some(Entry { kind, path: path.to_owned(), hash: head.next()?.to_owned() })
        };
        Ok(listed.split(|byte| *byte == 0).filter_map(read).collect())
    }

    /// Where a link of the index leads, as it is written in the link.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn target_of(&self, link: &Entry) -> Result<String> {
        Ok(answer(&self.command(["cat-file", "blob", &link.hash]))?.text())
    }

    /// Whether the working tree differs from the index at a path. In a submodule, changed files, new files
    /// and another commit count.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn is_changed(&self, path: &str) -> Result<bool> {
        let args = ["status", "--porcelain", "-z", "--ignore-submodules=none", "--untracked-files=all"];
        let said = answer(&self.command(args.into_iter().chain(["--", path])))?.stdout;
        // Two letters stand before a path: for the index, and for the working tree.
        Ok(said.split(|byte| *byte == 0).any(|entry| entry.get(1).is_some_and(|state| *state != b' ')))
    }

    /// Removes a submodule from the working tree, the index and `.gitmodules`. Where that file is then
    /// empty, it is removed too. `in_index` says whether the index has a commit at its path; nothing else is
    /// removed there.
    ///
    /// # Errors
    /// Exit 3 with what git says where it refuses: because of work in the submodule, or changes of
    /// `.gitmodules`.
    pub fn remove_submodule(&self, submodule: &Submodule, in_index: bool) -> Result<()> {
        let path = submodule.path.as_str();
        if in_index {
            if !submodule.name.is_empty() {
                answer(&self.command(["submodule", "--quiet", "deinit", "--", path]))?;
            }
            answer(&self.command(["rm", "--quiet", "--", path]))?;
        } else {
            let section = format!("submodule.{}", submodule.name);
            answer(&self.command(["config", "--file", GITMODULES, "--remove-section", &section]))?;
            self.stage(GITMODULES)?;
        }
        if self.submodules()?.is_empty() {
            answer(&self.command(["rm", "--quiet", "--force", "--ignore-unmatch", "--", GITMODULES]))?;
        }
        Ok(())
    }

    /// Removes links from the working tree and the index.
    ///
    /// # Errors
    /// Exit 3 where git refuses.
    pub fn remove_links(&self, paths: &[String]) -> Result<()> {
        if paths.is_empty() {
            return Ok(());
        }
        let paths = paths.iter().map(String::as_str);
        answer(&self.command(["rm", "--quiet", "--force", "--"].into_iter().chain(paths))).map(drop)
    }

    /// Adds a file to the index.
    ///
    /// # Errors
    /// Exit 3 where git refuses.
    pub fn stage(&self, path: &str) -> Result<()> {
        answer(&self.command(["add", "--", path])).map(drop)
    }

    /// The lines of tracked files that contain one of the texts.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn lines_with<'t>(&self, texts: impl Iterator<Item = &'t str>) -> Result<Vec<Line>> {
        let patterns: Vec<&str> = texts.flat_map(|text| ["-e", text]).collect();
        let command = self.command(["grep", "-nIzF", "--no-color"].into_iter().chain(patterns));
        let answer = found(&command)?;
        let read = |line: &str| {
            let mut parts = line.splitn(3, '\0');
            let (file, number, text) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Line { file: file.to_owned(), line: number.parse().ok()?, text: text.trim().to_owned() })
        };
        Ok(answer.lines().filter_map(read).collect())
    }
}
