//! Submodules, for `migrate`. Only the calls here change a person's index and working tree, because
//! `migrate` is asked to. They commit nothing, and git refuses where work would be lost.

use super::{Git, answer, found};
use anyhow::Result;
use std::collections::BTreeMap;

/// A submodule as `.gitmodules` describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submodule {
    /// Its folder, from the repository's root.
    pub path: String,
    /// The address that it is cloned from.
    pub url: String,
}

/// A line of a file that git tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The file, from the repository's root.
    pub file: String,
    /// The line's number, from 1.
    pub line: u32,
    /// The line.
    pub text: String,
}

/// The file that describes the submodules of a repository.
const GITMODULES: &str = ".gitmodules";

impl Git {
    /// The submodules.
    ///
    /// # Errors
    /// Exit 3 where git fails, as it does where `.gitmodules` cannot be read.
    pub fn submodules(&self) -> Result<Vec<Submodule>> {
        let command = self.command([
            "config",
            "--file",
            GITMODULES,
            "--null",
            "--get-regexp",
            r"^submodule\..*\.(path|url)$",
        ]);
        let answer = found(&command)?;
        let mut by_name: BTreeMap<&str, Submodule> = BTreeMap::new();
        for entry in answer.split('\0') {
            let Some((key, value)) = entry.split_once('\n') else { continue };
            let Some((name, key)) = key.rsplit_once('.') else { continue };
            let submodule = by_name.entry(name).or_default();
            if key == "path" {
                value.clone_into(&mut submodule.path);
            } else {
                value.clone_into(&mut submodule.url);
            }
        }
        Ok(by_name.into_values().filter(|submodule| !submodule.path.is_empty()).collect())
    }

    /// Removes a submodule from the working tree, the index and `.gitmodules`. Where that file is then
    /// empty, it is removed too.
    ///
    /// # Errors
    /// Exit 3 with what git says where it refuses: because of work in the submodule, or changes of
    /// `.gitmodules`.
    pub fn remove_submodule(&self, path: &str) -> Result<()> {
        answer(&self.command(["submodule", "--quiet", "deinit", "--", path]))?;
        answer(&self.command(["rm", "--quiet", "--", path]))?;
        if self.submodules()?.is_empty() {
            answer(&self.command(["rm", "--quiet", "--force", "--ignore-unmatch", "--", GITMODULES]))?;
        }
        Ok(())
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
    pub fn mentions(&self, texts: &[&str]) -> Result<Vec<Mention>> {
        let patterns = texts.iter().flat_map(|text| ["-e", *text]);
        let command = self.command(["grep", "-nIzF", "--no-color"].into_iter().chain(patterns));
        let answer = found(&command)?;
        let read = |line: &str| {
            let mut parts = line.splitn(3, '\0');
            let (file, number, text) = (parts.next()?, parts.next()?, parts.next()?);
            Some(Mention { file: file.to_owned(), line: number.parse().ok()?, text: text.trim().to_owned() })
        };
        Ok(answer.lines().filter_map(read).collect())
    }
}
