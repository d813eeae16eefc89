//! `run`: a job of checks, on this machine or in the project's container.

use crate::job::{self, PlaceRule, Repository, Request, Selection, job_files};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::config::Purpose;
use rust_vmm_ci_core::exit::{self, Exit};
use rust_vmm_ci_core::model::Platform;
use rust_vmm_ci_core::model::shown::line;
use rust_vmm_ci_core::report::merge;
use rust_vmm_ci_effects::{files, process, say};
use std::collections::BTreeSet;
use std::path::Path;

/// Runs checks and reports.
///
/// # Errors
/// As [`job::run`].
pub fn run(selection: &Selection, request: &Request) -> Result<Exit> {
    process::heed_signals()?;
    job_files::keep_temporary_files_together();
    let repositories = Repository::all(selection, Purpose::Run)?;
    if request.place == PlaceRule::Container && selection.platform.is_none() {
        let configured = repositories.iter().flat_map(|one| one.config().platforms.iter().flatten().copied());
        let platforms: BTreeSet<Platform> = configured.collect();
        if platforms.len() > 1 {
            return one_after_the_other(selection, request, &platforms);
        }
    }
    let mut repositories = repositories.into_iter();
    let first = repositories.next().context("there is no configuration")?;
    let narrowed = request.options().is_some_and(|options| !options.packages.is_empty());
    if selection.dir.is_none() && !narrowed {
        note_on_the_folder(&first);
    }
    job::run(first, repositories.collect(), request)
}

/// Does a job for each of these platforms. All are decided before the first begins. Files get one report of
/// all.
///
/// # Errors
/// As [`job::run`], for what is known before a job begins.
fn one_after_the_other(
    selection: &Selection,
    request: &Request,
    platforms: &BTreeSet<Platform>,
) -> Result<Exit> {
    let requests: Vec<(Platform, Request)> =
        platforms.iter().map(|platform| (*platform, request.for_platform(*platform))).collect();
    let (mut ready, mut refused) = (Vec::new(), Vec::new());
    for (platform, request) in &requests {
        let selection = Selection { platform: Some(*platform), ..selection.clone() };
        let mut repositories = Repository::all(&selection, Purpose::Run)?.into_iter();
        let first = repositories.next().context("there is no configuration")?;
        let root = first.root.clone();
        match job::Ready::of(first, repositories.collect(), request) {
            Ok(job) => ready.push((*platform, root, job)),
            // A check that is named need not be one of every platform.
            Err(error) if exit::of(&error) == Exit::Usage => refused.push((*platform, error)),
            Err(error) => {
                let all = platforms.iter().map(|platform| platform.as_str()).collect::<Vec<_>>().join(", ");
                let what = format!("this run is for {all}; `--platform NAME` chooses one of them");
                return Err(error.context(what));
            }
        }
    }
    if ready.is_empty()
        && let Some((_, error)) = refused.pop()
    {
        return Err(error);
    }
    for (platform, error) in &refused {
        say::note(format_args!("nothing runs for {platform}: {error:#}"));
    }
    let (mut exits, mut reports, mut root) = (Vec::new(), Vec::new(), None);
    for (platform, at, job) in ready {
        if process::cancelled() {
            exits.push(Exit::Infrastructure);
            break;
        }
        say::progress(format_args!("--- {platform}"));
        match job.run(false) {
            Ok((exit, report)) => {
                exits.push(exit);
                reports.extend(report);
            }
            Err(error) => {
                say::error(format_args!("{platform}: {error:#}"));
                exits.push(exit::of(&error));
            }
        }
        root = Some(at);
    }
    if let (Some(root), Some(options), false) = (root, request.options(), reports.is_empty())
        && !job::write_files(&root, &merge(reports), &options.files)
    {
        exits.push(Exit::Infrastructure);
    }
    let exit = worst(&exits);
    process::status_is_known(exit.code());
    Ok(exit)
}

/// How a run of several jobs ends. A check that failed counts before something that is broken.
fn worst(exits: &[Exit]) -> Exit {
    let not_passed = [Exit::Failed, Exit::Usage, Exit::Infrastructure];
    not_passed.into_iter().find(|exit| exits.contains(exit)).unwrap_or(Exit::Passed)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_on_one_platform_counts_before_what_is_broken_on_another() {
        assert_eq!(worst(&[Exit::Passed, Exit::Passed]), Exit::Passed);
        assert_eq!(worst(&[Exit::Infrastructure, Exit::Failed]), Exit::Failed);
        assert_eq!(worst(&[Exit::Passed, Exit::Infrastructure]), Exit::Infrastructure);
    }
}
