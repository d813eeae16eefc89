//! `run`: a job of checks, on this machine or in the project's container.

use crate::job::{self, Repository, Request, Selection, job_files};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::config::Purpose;
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::model::shown::line;
use rust_vmm_ci_effects::{process, say};
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
        note_on_the_folder(&first.root);
    }
    job::run(first, repositories.collect(), request)
}

/// Says what the run is about where a person stands in the folder of a member.
fn note_on_the_folder(root: &Path) {
    let here = std::env::current_dir().ok().and_then(|here| dunce::canonicalize(here).ok());
    let Some(here) = here.filter(|here| here != root && here.starts_with(root)) else { return };
    let manifests =
        here.ancestors().take_while(|folder| *folder != root).map(|folder| folder.join("Cargo.toml"));
    let Some(text) = manifests.into_iter().find_map(|path| std::fs::read_to_string(path).ok()) else {
        return;
    };
    let name = toml::from_str::<toml::Table>(&text)
        .ok()
        .and_then(|manifest| manifest.get("package")?.get("name")?.as_str().map(str::to_owned));
    if let Some(name) = name {
        let root = root.display().to_string();
        say::note(format_args!(
            "the checks are those of the whole repository {}; `-p {}` checks only this package",
            line(&root),
            line(&name)
        ));
    }
}
