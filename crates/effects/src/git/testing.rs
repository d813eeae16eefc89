//! Real repositories for tests.

#![allow(clippy::unwrap_used, reason = "a repository that cannot be made fails its test")]

use crate::process::{self, Command};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tempfile::TempDir;

/// A repository in a folder of its own. Only its own configuration holds for its git.
pub struct Repository {
    home: Rc<TempDir>,
    /// Its working tree.
    pub root: PathBuf,
}

impl Repository {
    /// An empty repository whose first branch is `main`.
    pub(crate) fn new() -> Self {
        let made = Self::nowhere();
        made.git(&["init", "--quiet", "--initial-branch=main", "."]);
        made
    }

    /// A folder without a repository.
    pub(crate) fn nowhere() -> Self {
        let home = Rc::new(tempfile::tempdir().unwrap());
        let root = dunce::canonicalize(home.path()).unwrap().join("work");
        std::fs::create_dir(&root).unwrap();
        Self { home, root }
    }

    /// A clone of `origin` with further arguments. It is cloned by a URL, because git ignores `--depth` for a
    /// path.
    pub(crate) fn clone_of(origin: &Self, args: &[&str]) -> Self {
        let made = Self::nowhere();
        let mut all = vec!["clone", "--quiet"];
        all.extend(args);
        let url = origin.url();
        all.extend([url.as_str(), "."]);
        made.git(&all);
        made
    }

    /// A repository in a folder of another repository.
    pub(crate) fn within(outer: &Self, folder: &str) -> Self {
        Self { home: Rc::clone(&outer.home), root: outer.root.join(folder) }
    }

    /// The address for fetching from it.
    pub(crate) fn url(&self) -> String {
        let path = self.root.to_str().unwrap().replace(std::path::MAIN_SEPARATOR, "/");
        // On Windows the path begins with a drive.
        format!("file:///{}", path.trim_start_matches('/'))
    }

    /// Runs git here and returns its output without the last line end.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let said = process::capture(&self.command("git").args(args.iter().copied())).unwrap();
        assert!(said.status.success(), "git {args:?}: {}", said.complaint());
        said.text().trim_end().to_owned()
    }

    /// A program in this repository, apart from the machine's own configuration.
    pub(crate) fn command(&self, program: &str) -> Command {
        Command::new(program)
            .dir(&self.root)
            .env("HOME", self.home.path())
            .env("XDG_CONFIG_HOME", self.home.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.org")
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@example.org")
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "protocol.file.allow")
            .env("GIT_CONFIG_VALUE_0", "always")
    }

    /// Writes a file, and makes its folders.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Commits all files with a message, which may be any bytes, and returns the commit's hash.
    pub(crate) fn commit(&self, message: impl AsRef<[u8]>) -> String {
        self.commit_as("Ada <ada@example.org>", message)
    }

    /// Does what [`Self::commit`] does, with another author.
    pub(crate) fn commit_as(&self, author: &str, message: impl AsRef<[u8]>) -> String {
        self.git(&["add", "--all"]);
        let author = format!("--author={author}");
        let args = ["commit", "--quiet", "--allow-empty", "--allow-empty-message", "--cleanup=verbatim"];
        let command = self.command("git").args(args).args([author.as_str(), "--file=-"]);
        let said = process::capture_with_input(&command, message.as_ref().to_vec()).unwrap();
        assert!(said.status.success(), "commit: {}", said.complaint());
        self.git(&["rev-parse", "HEAD"])
    }

    /// Adds a commit to the branch whose message git itself would not write, because it is in no encoding.
    pub(crate) fn commit_raw(&self, message: &[u8]) -> String {
        let (tree, parent) = (self.git(&["rev-parse", "HEAD^{tree}"]), self.git(&["rev-parse", "HEAD"]));
        let who = "Ada <ada@example.org> 1700000000 +0000";
        let head = format!("tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n");
        let command = self.command("git").args(["hash-object", "-t", "commit", "-w", "--stdin"]);
        let object = [head.as_bytes(), message].concat();
        let hash = process::capture_with_input(&command, object).unwrap().text().trim().to_owned();
        self.git(&["reset", "--quiet", "--soft", &hash]);
        hash
    }

    /// Everything that a run must not change: configuration, refs, index and working tree.
    pub(crate) fn state(&self) -> String {
        let config = std::fs::read_to_string(self.root.join(".git/config")).unwrap();
        let index = std::fs::read(self.root.join(".git/index")).unwrap_or_default().len();
        let listed: Vec<String> = ["status --porcelain", "for-each-ref", "worktree list", "stash list"]
            .iter()
            .map(|args| self.git(&args.split(' ').collect::<Vec<_>>()))
            .collect();
        format!("{config}\n{index}\n{}\n{}", listed.join("\n"), self.home_files())
    }

    fn home_files(&self) -> String {
        let names = std::fs::read_dir(self.home.path()).unwrap();
        names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }
}
