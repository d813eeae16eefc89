//! `run`: a job of checks, on this machine or in the project's container.

use crate::job::{self, Repository, Request, Selection, job_files};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::config::Purpose;
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::model::shown::line;
use rust_vmm_ci_effects::{files, process, say};
use std::path::Path;

/// Runs checks and reports.
///
/// # Errors
/// As [`job::run`].
pub fn run(selection: &Selection, request: &Request) -> Result<Exit> {
    process::heed_signals()?;
    job_files::keep_temporary_files_together();
    let mut repositories = Repository::all(selection, Purpose::Run)?.into_iter();
    let first = repositories.next().context("there is no configuration")?;
    let narrowed = request.options().is_some_and(|options| !options.packages.is_empty());
    if selection.dir.is_none() && !narrowed {
        note_on_the_folder(&first);
    }
    job::run(first, repositories.collect(), request)
}

/// Says what the run is about where a person stands in the folder of a member.
fn note_on_the_folder(repository: &Repository) {
    let root = repository.root.as_path();
    let here = std::env::current_dir().ok().and_then(|here| dunce::canonicalize(here).ok());
    let Some(here) = here.filter(|here| here != root && here.starts_with(root)) else { return };
    let below = here.strip_prefix(root).unwrap_or(&here);
    let folders = below.ancestors().take_while(|folder| !folder.as_os_str().is_empty());
    let manifest = |folder: &Path| files::text(root, folder.join("Cargo.toml")).ok().flatten();
    let Some(text) = folders.into_iter().find_map(manifest) else { return };
    let name = toml::from_str::<toml::Table>(&text)
        .ok()
        .and_then(|manifest| manifest.get("package")?.get("name")?.as_str().map(str::to_owned));
    if let Some(name) = name {
        let members = repository.facts(true).ok().and_then(|facts| facts.crates).unwrap_or_default();
        let how = if members.iter().any(|member| member.name == name) {
            format!("`-p {}` checks only this package", line(&name))
        } else {
            format!("{} is no member of its workspace, and `-C .` in its folder checks it", line(&name))
        };
        let root = root.display().to_string();
        say::note(format_args!("the checks are those of the whole repository {}; {how}", line(&root)));
    }
}
