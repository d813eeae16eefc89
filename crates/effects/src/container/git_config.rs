//! The configurations of git that a container would see, without passwords and tokens. The agent may have cloned
//! with a password in the remote's address, which git writes into the checkout.

use super::job::Job;
use crate::{files, git};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::model::git_config::without_credentials;
use std::fs;
use std::path::{Path, PathBuf};

/// How deep the folders of submodules' repositories are looked through. A submodule's name may have slashes.
const DEPTH: usize = 12;

/// A file that is mounted in the place of another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instead {
    /// The file, in the job's private folder.
    pub file: PathBuf,
    /// What it replaces: a path from the checkout's root, or the path of the git mirror's configuration.
    pub of: PathBuf,
}

/// Writes a clean file into `folder` for each configuration with credentials. A configuration without them stays as
/// it is.
///
/// # Errors
/// Where git cannot read a configuration, or a file cannot be written: the credentials must not go into the
/// container.
pub fn clean(job: &Job, folder: &Path) -> Result<Vec<Instead>> {
    let mut all = Vec::new();
    let mut clean_one = |root: &Path, path: &Path, of: &Path| -> Result<()> {
        let shown = root.join(path);
        let what = || format!("{}: passwords must not go into the container", shown.display());
        let text = match files::open(root, path, files::Links::Refused) {
            Ok(_) => without_credentials(&git::entries_of(&shown).with_context(what)?),
            Err(error) if files::is_absent(&error) => return Ok(()),
            Err(error) => return Err(error).with_context(what),
        };
        if let Some(text) = text {
            let file = folder.join(format!("git-config-{}", all.len()));
            fs::write(&file, text).with_context(what)?;
            all.push(Instead { file, of: of.to_owned() });
        }
        Ok(())
    };
    for path in configurations(&job.checkout) {
        clean_one(&job.checkout, &path, &path)?;
    }
    if let Some(mirror) = job.variable("BUILDKITE_REPO_MIRROR").map(Path::new) {
        clean_one(mirror, Path::new("config"), &mirror.join("config"))?;
    }
    Ok(all)
}

/// The configurations of the checkout's repository and of its submodules' repositories, as paths from the root.
fn configurations(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    look(root, Path::new(".git"), DEPTH, &mut found);
    found
}

fn look(root: &Path, folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    // A link is not followed: what it leads to is outside of the container, or found by its own path.
    let entries = match root.join(folder).symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => fs::read_dir(root.join(folder)),
        _ => return,
    };
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let big = ["objects", "refs", "logs", "hooks", "info", "lfs"].iter().any(|other| name == *other);
        if !is_folder && (name == "config" || name == "config.worktree") {
            found.push(folder.join(name));
        } else if is_folder && !big && depth > 0 {
            look(root, &folder.join(name), depth - 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn each_configuration_that_the_container_sees_is_cleaned_and_stays_as_it_is_on_the_host() {
        let scratch = tempfile::tempdir().unwrap();
        let (checkout, mirror) = (scratch.path().join("checkout"), scratch.path().join("mirror"));
        let with = "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = https://me:t0ken@host/r.git\n";
        let without = "[remote \"origin\"]\n\turl = https://host/r.git\n";
        write(&checkout, ".git/config", with);
        write(&checkout, ".git/modules/a/b/config", with);
        write(&checkout, ".git/modules/plain/config", without);
        write(&checkout, ".git/modules/a/b/objects/config", with);
        write(&checkout, "config", with);
        write(&mirror, "config", with);
        let variables = [("BUILDKITE_REPO_MIRROR".to_owned(), mirror.to_str().unwrap().to_owned())];
        let job = Job::of(&checkout, "/tmp".into(), variables.into());
        let folder = tempfile::tempdir().unwrap();
        let all = clean(&job, folder.path()).unwrap();
        let mut replaced: Vec<_> = all.iter().map(|one| one.of.clone()).collect();
        replaced.sort();
        let mut expected: Vec<PathBuf> =
            vec![".git/config".into(), ".git/modules/a/b/config".into(), mirror.join("config")];
        expected.sort();
        assert_eq!(replaced, expected);
        for one in &all {
            let entries = git::entries_of(&one.file).unwrap();
            assert!(
                entries.contains(&("remote.origin.url".into(), Some("https://host/r.git".into()))),
                "{entries:?}"
            );
        }
        assert_eq!(fs::read_to_string(checkout.join(".git/config")).unwrap(), with);
    }

    #[test]
    fn a_configuration_that_cannot_be_read_does_not_go_into_the_container() {
        let scratch = tempfile::tempdir().unwrap();
        write(scratch.path(), ".git/config", "[remote \"origin\nurl = https://me:t0ken@host\n");
        let job = Job::of(scratch.path(), "/tmp".into(), [].into());
        let error = format!("{:#}", clean(&job, scratch.path()).unwrap_err());
        assert!(
            error.contains("passwords must not go into the container") && !error.contains("t0ken"),
            "{error}"
        );
    }
}
