//! Expands the globs in `workspace.members`.

use super::Files;
use super::path::{file_in, join};
use crate::exit::{infrastructure, usage};
use anyhow::Result;

/// The folders that a pattern of `members` names. A pattern without wildcards names itself. A glob names
/// every folder that it matches, by Cargo's rules.
///
/// # Errors
/// Exit 2 if the pattern is not valid or leads out of the repository. Exit 3 if a folder cannot be listed.
pub fn expand(files: &dyn Files, pattern: &str) -> Result<Vec<String>> {
    let Some(path) = join("", pattern) else {
        return Err(usage(format!("Cargo.toml: workspace.members: {pattern:?} leads out of the repository")));
    };
    if !is_glob(&path) {
        return Ok(vec![path]);
    }
    let mut found = vec![String::new()];
    for segment in path.split('/') {
        let glob = glob::Pattern::new(segment)
            .map_err(|error| usage(format!("Cargo.toml: workspace.members: {pattern:?}: {error}")))?;
        let mut next = Vec::new();
        for dir in &found {
            if segment == "**" {
                below(files, dir, &mut next)?;
            } else if is_glob(segment) {
                next.extend(
                    folders(files, dir)?
                        .into_iter()
                        .filter(|name| glob.matches(name))
                        .map(|name| file_in(dir, &name)),
                );
            } else {
                next.push(file_in(dir, segment));
            }
        }
        found = next;
    }
    Ok(found)
}

/// Whether a pattern has wildcards, so that it is more than a path.
pub fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '['])
}

/// Adds a folder and all folders below it to `found`, except those in `target` and `.git`.
fn below(files: &dyn Files, dir: &str, found: &mut Vec<String>) -> Result<()> {
    found.push(dir.to_owned());
    for name in folders(files, dir)? {
        if name != "target" && name != ".git" {
            below(files, &file_in(dir, &name), found)?;
        }
    }
    Ok(())
}

fn folders(files: &dyn Files, dir: &str) -> Result<Vec<String>> {
    let listed = files.list(dir).map_err(|error| infrastructure(format!("{dir}: {error}")))?;
    Ok(listed.into_iter().filter(|(_, is_folder)| *is_folder).map(|(name, _)| name).collect())
}
