//! Reads the facts that a plan needs from the disk and the environment.

use super::machine;
use anyhow::Result;
use rust_vmm_ci_core::checks::times::Times;
use rust_vmm_ci_core::config::Config;
use rust_vmm_ci_core::plan::Facts;
use rust_vmm_ci_core::selection::{self, Before, Change, Rules, Selection};
use rust_vmm_ci_core::workspace::{Files, Link};
use rust_vmm_ci_effects::files;
use std::io;
use std::path::{Path, PathBuf};

/// A repository's files on disk.
struct Disk {
    root: PathBuf,
}

impl Files for Disk {
    fn read(&self, path: &str) -> io::Result<Option<String>> {
        files::text(&self.root, path)
    }

    fn list(&self, path: &str) -> io::Result<Vec<(String, bool)>> {
        let entries = match std::fs::read_dir(self.root.join(path)) {
            Ok(entries) => entries,
            Err(error) if files::is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            // Links are asked for separately: `**` could walk in circles.
            let is_folder = entry.file_type()?.is_dir();
            // No manifest and no glob can hold a name that is not valid text.
            names.extend(entry.file_name().into_string().ok().map(|name| (name, is_folder)));
        }
        names.sort();
        Ok(names)
    }

    fn links(&self, path: &str) -> io::Result<Vec<Link>> {
        let entries = match std::fs::read_dir(self.root.join(path)) {
            Ok(entries) => entries,
            Err(error) if files::is_absent(&error) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut links = Vec::new();
        for entry in entries {
            let entry = entry?;
            if !entry.file_type()?.is_symlink() {
                continue;
            }
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_folder = entry.path().is_dir();
            let to = self.real(&if path.is_empty() { name.clone() } else { format!("{path}/{name}") });
            links.push(Link { name, to, is_folder });
        }
        links.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(links)
    }

    fn real(&self, path: &str) -> Option<String> {
        let whole = self.root.join(path).canonicalize().ok()?;
        let root = self.root.canonicalize().ok()?;
        Some(whole.strip_prefix(root).ok()?.to_str()?.replace('\\', "/"))
    }

    fn readers(&self) -> usize {
        machine::cores()
    }
}

/// Reads the times by which an upload splits a platform's checks over jobs.
///
/// # Errors
/// As [`Times::read`].
pub fn times(root: &Path, config: &Config) -> Result<Times> {
    let times = Times::read(&Disk { root: root.to_owned() }, &config.split.times);
    times.map_err(|error| config.source.named_in(error))
}

/// Reads the facts of a repository. `packages` asks for the workspace's members.
///
/// # Errors
/// As [`Facts::read`].
pub fn read(root: &Path, config: &Config, packages: bool) -> Result<Facts> {
    let variable = |name: &str| std::env::var(name).ok();
    Facts::read(&Disk { root: root.to_owned() }, &variable, config, packages)
}

/// What a change reaches in a repository, by its files on disk.
///
/// # Errors
/// As [`selection::select`].
pub fn select(
    root: &Path,
    change: &Change,
    before: &(dyn Fn(&str) -> Before + Sync),
    rules: &Rules,
) -> Result<Selection> {
    selection::select(change, before, &Disk { root: root.to_owned() }, rules)
}
