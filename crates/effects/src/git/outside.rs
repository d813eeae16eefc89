//! Finds the part of a worktree's repository that is not in the worktree's own folder.

use crate::files;
use std::path::{Path, PathBuf};

/// The longest file of git's that is read here, in bytes: a path.
const LONGEST: u64 = 16 << 10;

/// The folder that all worktrees of a repository share (gitrepository-layout(5), `commondir`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommonFolder {
    /// Where it really is.
    pub path: PathBuf,
    /// Where the worktree's file `.git` says that it is. It is a path from the worktree if it is not absolute.
    pub written: PathBuf,
}

impl CommonFolder {
    /// The common folder of a worktree that `git worktree add` made. None for any other folder.
    ///
    /// The code of an earlier job may have written the file `.git`. So a folder counts only if it is outside of
    /// the worktree and names the worktree itself in its file `gitdir`: a job can write that nowhere.
    pub fn of_worktree(root: &Path) -> Option<Self> {
        let link = root.join(".git");
        let written = PathBuf::from(line(&link)?.strip_prefix("gitdir: ")?);
        let root = std::fs::canonicalize(root).ok()?;
        let own = std::fs::canonicalize(root.join(&written)).ok()?;
        if own.starts_with(&root) {
            return None;
        }
        let back = own.join(line(&own.join("gitdir"))?);
        let path = std::fs::canonicalize(own.join(line(&own.join("commondir"))?)).ok()?;
        let is_known = std::fs::canonicalize(back).ok()? == root.join(".git");
        let is_inside = own.parent()? == path.join("worktrees");
        let written = written.parent()?.parent()?.to_owned();
        (is_known && is_inside).then_some(Self { path, written })
    }
}

/// The one line of a plain file.
fn line(path: &Path) -> Option<String> {
    let text = files::open_plain(path).and_then(|file| files::bounded(&file, LONGEST)).ok()?;
    Some(String::from_utf8(text).ok()?.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(all(test, unix))]
mod tests {
    use super::super::Git;
    use super::super::testing::Repository;
    use super::*;

    /// A repository and a worktree of it.
    fn worktree() -> (Repository, PathBuf) {
        let repo = Repository::new();
        repo.git(&["commit", "--quiet", "--allow-empty", "-m", "one"]);
        let tree = repo.root.with_file_name("tree");
        drop(Git::at(&repo.root).unwrap().worktree_add(&tree, "HEAD").unwrap());
        (repo, tree)
    }

    #[test]
    fn a_worktree_names_the_folder_that_it_shares() {
        let (repo, tree) = worktree();
        let found = CommonFolder::of_worktree(&tree).unwrap();
        assert_eq!(found.path, std::fs::canonicalize(repo.root.join(".git")).unwrap());
        assert_eq!(found.written, found.path);
        assert_eq!(CommonFolder::of_worktree(&repo.root), None);
    }

    #[test]
    fn a_file_that_a_job_wrote_opens_no_folder_of_the_machine() {
        let (_repo, tree) = worktree();
        let genuine = std::fs::read_to_string(tree.join(".git")).unwrap();
        // The worktree of another folder, a folder in the checkout, and any folder.
        let checkout = tempfile::tempdir().unwrap();
        let own = checkout.path().join("worktrees/x");
        std::fs::create_dir_all(&own).unwrap();
        std::fs::write(own.join("gitdir"), checkout.path().join(".git").to_str().unwrap()).unwrap();
        std::fs::write(own.join("commondir"), "/etc").unwrap();
        for written in [genuine, format!("gitdir: {}\n", own.display()), "gitdir: /etc/ssl\n".into()] {
            std::fs::write(checkout.path().join(".git"), &written).unwrap();
            assert_eq!(CommonFolder::of_worktree(checkout.path()), None, "{written}");
        }
    }
}
