//! The parts of a crate that are not in its folder. A change to them changes the crate too, but git shows it
//! at another path.

use super::Files;
use super::files::read_as_cargo;
use super::manifest::Manifest;
use super::members::manifest;
use super::path::{file_in, is_within, join};
use crate::exit::infrastructure;
use anyhow::Result;
use std::collections::BTreeSet;
use toml::{Table, Value};

/// Something outside the folder of a crate. Paths start at the repository's root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outside {
    /// A folder with all that is below it.
    Folder(String),
    /// The files in a folder, without those in folders below it.
    FilesIn(String),
    /// A file, or a link: git shows a link as a file.
    File(String),
}

/// The folders of a package in which Cargo finds targets by itself, and the package's own folder.
const OWN: [&str; 5] = ["", "src", "tests", "benches", "examples"];

/// The configuration files of Cargo in the root.
const CONFIGURATION: [&str; 2] = [".cargo/config.toml", ".cargo/config"];

/// The folder that a path is in.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The parts of a crate in the folder `dir` that are outside that folder.
///
/// # Errors
/// Exit 3 if a folder or a file cannot be read; exit 2 if a manifest does not parse.
pub fn of_crate(
    files: &dyn Files,
    dir: &str,
    manifest: &Manifest,
    member: bool,
) -> Result<BTreeSet<Outside>> {
    let mut outside = BTreeSet::new();
    for path in manifest.sources().filter_map(|source| join(dir, source)) {
        add_source(&mut outside, dir, path);
    }
    if let Some(real) = files.real(dir).filter(|real| real != dir) {
        // The link itself may change too. It is the first folder on the way that is elsewhere.
        let above = std::iter::successors(Some(dir), |dir| (!dir.is_empty()).then(|| parent(dir)));
        let links = above.filter(|folder| files.real(folder).is_none_or(|real| real != *folder));
        outside.extend(links.last().map(|link| Outside::File(link.to_owned())));
        outside.insert(Outside::Folder(real));
    }
    for own in OWN {
        let folder = if own.is_empty() { dir.to_owned() } else { file_in(dir, own) };
        let links = files.links(&folder).map_err(|error| infrastructure(format!("{folder}: {error}")))?;
        for link in links {
            let Some(to) = link.to.filter(|to| !is_within(to, dir)) else { continue };
            // The root may have links of any kind. Links in the folder of another crate are a part of that
            // crate.
            if dir.is_empty()
                && own.is_empty()
                && link.name != "Cargo.toml"
                && !OWN.contains(&link.name.as_str())
            {
                continue;
            }
            outside.insert(if link.is_folder { Outside::Folder(to) } else { Outside::File(to) });
        }
    }
    if !member && let Some(workspace) = workspace_above(files, dir, manifest)? {
        outside.insert(Outside::File(workspace));
    }
    Ok(outside)
}

/// Adds a source file. The modules of a target are beside its file.
fn add_source(outside: &mut BTreeSet<Outside>, dir: &str, path: String) {
    if is_within(&path, dir) {
        return;
    }
    let folder = parent(&path);
    let beside = if is_within(dir, folder) { Outside::FilesIn } else { Outside::Folder };
    outside.insert(beside(folder.to_owned()));
    outside.insert(Outside::File(path));
}

/// The manifest of the workspace that a crate belongs to, if the crate is not a member of the root's
/// workspace. The crate may inherit from that manifest.
fn workspace_above(files: &dyn Files, dir: &str, own: &Manifest) -> Result<Option<String>> {
    if own.workspace.is_some() || dir.is_empty() {
        return Ok(None);
    }
    if let Some(named) = own.package.as_ref().and_then(|package| package.workspace.as_deref()) {
        return Ok(join(dir, named).map(|folder| file_in(&folder, "Cargo.toml")));
    }
    // The manifest in the root concerns every crate anyway.
    let mut folder = parent(dir);
    while !folder.is_empty() {
        if manifest(files, folder)?.is_some_and(|found| found.workspace.is_some()) {
            return Ok(Some(file_in(folder, "Cargo.toml")));
        }
        folder = parent(folder);
    }
    Ok(None)
}

/// The folders from which Cargo's configuration takes crates: `paths`, `[patch]`, and the folders that
/// replace registries.
///
/// # Errors
/// Exit 2 or 3 if a file cannot be read. A file that does not parse counts as empty, because Cargo itself will
/// report it.
pub fn configured(files: &dyn Files) -> Result<BTreeSet<Outside>> {
    let mut folders = BTreeSet::new();
    for path in CONFIGURATION {
        let text = read_as_cargo(files, path)?;
        let Some(table) = text.and_then(|text| text.parse::<Table>().ok()) else { continue };
        let tables = |key: &str| table.get(key).and_then(Value::as_table).into_iter().flat_map(Table::values);
        let paths = table.get("paths").and_then(Value::as_array).into_iter().flatten();
        let patched = tables("patch").filter_map(Value::as_table).flat_map(Table::values);
        let patched = patched.filter_map(|dependency| dependency.get("path"));
        let sources = tables("source")
            .flat_map(|source| [source.get("directory"), source.get("local-registry")])
            .flatten();
        let named = paths.chain(patched).chain(sources).filter_map(Value::as_str);
        folders.extend(named.filter_map(|folder| join("", folder)).map(Outside::Folder));
    }
    Ok(folders)
}

#[cfg(test)]
mod tests;
