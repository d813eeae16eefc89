//! What differs between the working tree and a commit, by paths, and files of a commit in one question.

use super::{Git, answer};
use crate::process;
use anyhow::Result;
use std::collections::HashMap;

/// The paths of the index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tracked {
    /// Every path that is no submodule.
    pub paths: Vec<String>,
    /// The links among them.
    pub links: Vec<String>,
    /// The submodules.
    pub submodules: Vec<String>,
}

impl Git {
    /// The paths of tracked files whose content, kind or mode differs between a commit and the working tree. A
    /// file that was renamed is two paths.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn changed(&self, base: &str) -> Result<Vec<String>> {
        let command = self.command([
            "diff",
            "--name-only",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--no-relative",
            "--ignore-submodules=dirty",
            "--end-of-options",
            base,
            "--",
        ]);
        Ok(paths(&answer(&command)?.stdout))
    }

    /// The paths that any commit since `base` has touched, also if a later one took the change back.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn touched(&self, base: &str) -> Result<Vec<String>> {
        let command = self.command([
            "log",
            "-m",
            "--format=",
            "--name-only",
            "-z",
            "--no-renames",
            "--no-ext-diff",
            "--no-show-signature",
            "--end-of-options",
            &format!("{base}..HEAD"),
            "--",
        ]);
        let mut paths = paths(&answer(&command)?.stdout);
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    /// The paths of the index.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn tracked(&self) -> Result<Tracked> {
        let mut tracked = Tracked::default();
        for entry in paths(&answer(&self.command(["ls-files", "--stage", "-z", "--full-name"]))?.stdout) {
            let Some((about, path)) = entry.split_once('\t') else { continue };
            match about.get(..6) {
                Some("160000") => tracked.submodules.push(path.to_owned()),
                Some("120000") => {
                    tracked.links.push(path.to_owned());
                    tracked.paths.push(path.to_owned());
                }
                _ => tracked.paths.push(path.to_owned()),
            }
        }
        Ok(tracked)
    }

    /// Files of a commit. A path has no value where the commit has no such file, and [`None`] for its text
    /// where it is no text. One process answers for all.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn texts(&self, commit: &str, paths: &[&str]) -> Result<HashMap<String, Option<String>>> {
        // A line of the question cannot hold a path with a line end. No file that is asked for has one.
        let asked: Vec<&str> = paths.iter().copied().filter(|path| !path.contains(['\n', '\r'])).collect();
        let input: Vec<u8> =
            asked.iter().flat_map(|path| format!("{commit}:{path}\n").into_bytes()).collect();
        let command = self.command(["cat-file", "--batch"]);
        let answered = process::capture_with_input(&command, input)?;
        if !answered.status.success() {
            return Err(super::failed(&command, &answered));
        }
        let mut rest = answered.stdout.as_slice();
        let mut texts = HashMap::new();
        for path in asked {
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { break };
            let header = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = &rest[end + 1..];
            let mut words = header.rsplitn(3, ' ');
            let (size, kind) = (words.next().and_then(|size| size.parse::<usize>().ok()), words.next());
            let (Some(size), Some("blob" | "tree" | "commit" | "tag")) = (size, kind) else { continue };
            let Some(content) = rest.get(..size) else { break };
            rest = rest.get(size + 1..).unwrap_or_default();
            let text = (kind == Some("blob")).then(|| String::from_utf8(content.to_vec()).ok()).flatten();
            texts.insert(path.to_owned(), text);
        }
        Ok(texts)
    }

    /// Whether the folder is the root of its working tree.
    ///
    /// # Errors
    /// Exit 3 where git cannot be started.
    pub fn is_toplevel(&self) -> Result<bool> {
        Ok(self.maybe(["rev-parse", "--show-prefix"])?.is_none())
    }
}

/// Paths that end with NUL.
fn paths(listed: &[u8]) -> Vec<String> {
    let all = listed.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    // With `-m` git puts a line end before the first path of a further parent.
    all.map(|path| String::from_utf8_lossy(path).trim_start_matches('\n').to_owned()).collect()
}
