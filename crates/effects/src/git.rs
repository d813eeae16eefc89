//! Every call of git, by its command line (2.29 or newer).
//!
//! Nothing here changes what is a person's: no configuration, no branch, no index, no file of the
//! working tree; but for what `migrate` is asked to do, in `git/submodule.rs`. What a call needs is given on its command line; refs that a fetch makes are under
//! `refs/rust-vmm-ci/` and are gone when it returns. Names, messages and paths are bytes to git and
//! are taken as such; revisions that users wrote can never be read as options.

mod diff;
mod fetch;
mod submodule;
#[cfg(test)]
pub mod testing;

pub use diff::AddedLines;
pub use fetch::{Depth, Wanted};
pub use submodule::{Mention, Submodule};

use crate::process::{self, Captured, Command};
use anyhow::{Context, Result};
use rust_vmm_ci_core::exit;
use std::path::{Path, PathBuf};

/// Variables that a git hook sets for its children; they would send us to its repository, index or
/// objects (githooks(5), git(1)).
const OF_A_HOOK: [&str; 6] =
    ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE"];
/// A repository, or a worktree or submodule, and git's command line for it.
#[derive(Clone, Debug)]
pub struct Git {
    dir: PathBuf,
}

/// Whether there is a git on PATH.
pub fn is_there() -> bool {
    which::which("git").is_ok()
}

impl Git {
    /// The repository that a folder is in.
    ///
    /// # Errors
    /// Exit 3, with git's words, where there is no git, or no repository that git takes as one.
    pub fn at(dir: &Path) -> Result<Self> {
        let git = Self { dir: dir.to_owned() };
        let asked = process::capture(&git.command(["rev-parse", "--git-dir"]))?;
        if asked.status.success() {
            return Ok(git);
        }
        Err(exit::infrastructure(format!("{} is in no git repository: {}", dir.display(), asked.complaint())))
    }

    /// The folder that the working tree begins in.
    ///
    /// # Errors
    /// Exit 3 where there is no working tree.
    pub fn toplevel(&self) -> Result<PathBuf> {
        self.line(["rev-parse", "--show-toplevel"]).map(PathBuf::from)
    }

    /// The full hash of the commit that a revision names; none where it names none.
    ///
    /// # Errors
    /// Exit 3 where git cannot be started.
    pub fn resolve(&self, revision: &str) -> Result<Option<String>> {
        let commit = format!("{revision}^{{commit}}");
        self.maybe(["rev-parse", "--quiet", "--verify", "--end-of-options", &commit])
    }

    /// The branch that a remote's `HEAD` stood for when it was cloned; none where that is not known.
    ///
    /// # Errors
    /// Exit 3 where git cannot be started.
    pub fn remote_head(&self, remote: &str) -> Result<Option<String>> {
        let prefix = format!("refs/remotes/{remote}/");
        let head = self.maybe(["symbolic-ref", "--quiet", &format!("{prefix}HEAD")])?;
        Ok(head.and_then(|head| head.strip_prefix(&prefix).map(str::to_owned)))
    }

    /// The names of the remotes.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn remotes(&self) -> Result<Vec<String>> {
        Ok(answer(&self.command(["remote"]))?.text().lines().map(str::to_owned).collect())
    }

    /// The newest commit that two have in common; none where they have none (in a shallow clone it
    /// may be beyond what is here).
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn merge_base(&self, one: &str, other: &str) -> Result<Option<String>> {
        let command = self.command(["merge-base", "--end-of-options", one, other]);
        let asked = process::capture(&command)?;
        match asked.status.code() {
            Some(0) => Ok(asked.text().lines().next().map(str::to_owned)),
            Some(1) => Ok(None),
            _ => Err(failed(&command, &asked)),
        }
    }

    /// Whether one commit is another's ancestor, or the same.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn is_ancestor(&self, ancestor: &str, of: &str) -> Result<bool> {
        let command = self.command(["merge-base", "--is-ancestor", "--end-of-options", ancestor, of]);
        let asked = process::capture(&command)?;
        match asked.status.code() {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(failed(&command, &asked)),
        }
    }

    /// Where a ref stood before its last `steps` moves, as its reflog knows; none where it knows not.
    ///
    /// # Errors
    /// Exit 3 where git cannot be started.
    pub fn former_position(&self, name: &str, steps: usize) -> Result<Option<String>> {
        self.resolve(&format!("{name}@{{{steps}}}"))
    }

    /// The commits that `head` has and `base` (where there is one) has not, newest first, children before parents: each
    /// in this format (git-log(1), `tformat`), with a NUL at its end. One process for any number.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn log(&self, base: Option<&str>, head: &str, format: &str) -> Result<Vec<u8>> {
        let range = base.map_or_else(|| head.to_owned(), |base| format!("{base}..{head}"));
        let command = self.command([
            "log",
            "-z",
            "--topo-order",
            "--no-show-signature",
            "--no-color",
            "--encoding=UTF-8",
            &format!("--format=tformat:{format}"),
            "--end-of-options",
            &range,
            "--",
        ]);
        Ok(answer(&command)?.stdout)
    }

    /// The lines that the working tree has and a commit has not, of files that git tracks.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn added_lines(&self, base: &str) -> Result<AddedLines> {
        Ok(diff::added(&answer(&self.command(diff::ARGS).args([base, "--"]))?.stdout))
    }

    /// A file of a commit, by its path from the repository's root with `/`; none where it has none.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn file(&self, commit: &str, path: &str) -> Result<Option<Vec<u8>>> {
        let command = self.command(["ls-tree", "-z", "--full-tree", "--end-of-options", commit, "--", path]);
        let listed = answer(&command)?.text();
        let mut entry = listed.split(['\t', ' ']);
        match (entry.next(), entry.next(), entry.next()) {
            (Some("100644" | "100755"), Some("blob"), Some(hash)) => {
                Ok(Some(answer(&self.command(["cat-file", "blob", hash]))?.stdout))
            }
            _ => Ok(None),
        }
    }

    /// Writes a commit's files into a folder. The repository learns nothing of it: the index is one
    /// of its own, in `index`, a file that is not there yet.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn export(&self, commit: &str, into: &Path, index: &Path) -> Result<()> {
        let with_index = |command: Command| command.env("GIT_INDEX_FILE", index);
        answer(&with_index(self.command(["read-tree", "--end-of-options", commit])))?;
        let mut prefix = std::ffi::OsString::from("--prefix=");
        prefix.push(into);
        prefix.push("/");
        answer(&with_index(self.command(["checkout-index", "--all"]).arg(prefix)))?;
        Ok(())
    }

    /// Makes a worktree of a commit at a path, in place of what a killed run left there. No hook
    /// runs.
    ///
    /// # Errors
    /// Exit 3 where git fails, or the path cannot be cleared.
    pub fn worktree_add(&self, path: &Path, commit: &str) -> Result<()> {
        self.worktree_remove(path)?;
        let command = self.command(["worktree", "add", "--quiet", "--force", "--detach"]);
        answer(&command.arg(path).arg(commit))?;
        Ok(())
    }

    /// Removes a worktree that [`Self::worktree_add`] made, whatever state it is in.
    ///
    /// # Errors
    /// Exit 3 where git fails, or the folder cannot be removed.
    pub fn worktree_remove(&self, path: &Path) -> Result<()> {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", path.display()));
            }
            _ => {}
        }
        // What git then still knows of it goes too; it refuses where it knows nothing. `prune` would
        // forget worktrees of the person's as well, such as one on a disk that is not there now.
        process::capture(&self.command(["worktree", "remove", "--force", "--force"]).arg(path))?;
        Ok(())
    }

    /// git with what holds for every call.
    fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let command = Command::new("git")
            .arg("-c")
            .arg(format!("safe.directory={}", trusted(&self.dir)))
            .args(["-c", "core.hooksPath=/dev/null", "-c", "core.quotePath=false", "--no-pager"])
            .args(args)
            .dir(&self.dir)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            // Credential managers on Windows open windows, ssh asks the terminal itself.
            .env("GCM_INTERACTIVE", "never")
            .env("SSH_ASKPASS_REQUIRE", "force");
        // Tests know no configuration but their repositories' own.
        let command = if cfg!(test) { command.env("GIT_CONFIG_GLOBAL", "/dev/null") } else { command };
        OF_A_HOOK.into_iter().fold(command, Command::env_remove)
    }

    /// The one line that a command answers with.
    fn line<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<String> {
        Ok(answer(&self.command(args))?.text().trim_end_matches(['\r', '\n']).to_owned())
    }

    /// The one line that a command answers with; none where it fails.
    fn maybe<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<Option<String>> {
        let asked = process::capture(&self.command(args))?;
        let line = asked.text().trim_end_matches(['\r', '\n']).to_owned();
        Ok((asked.status.success() && !line.is_empty()).then_some(line))
    }
}

/// Runs a call of git's; a status other than 0 is an error.
fn answer(command: &Command) -> Result<Captured> {
    let asked = process::capture(command)?;
    if asked.status.success() { Ok(asked) } else { Err(failed(command, &asked)) }
}

/// The path that `safe.directory` must name so that git takes a checkout that another user owns, as
/// in a container: git compares it with the real path, with `/` on Windows too. Only this folder,
/// not `*`: a repository that somebody planted in a folder above is still refused.
fn trusted(dir: &Path) -> String {
    let real = dunce::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    real.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}

/// The error of a call that failed: the call as a person would repeat it, and git's own words.
fn failed(command: &Command, said: &Captured) -> anyhow::Error {
    let words: Vec<_> = command.args.iter().skip_while(|arg| *arg != "--no-pager").skip(1).collect();
    let plain = Command::new("git").args(words);
    exit::infrastructure(format!("`{plain}` failed ({}): {}", said.status, said.complaint()))
}

#[cfg(test)]
mod tests;
