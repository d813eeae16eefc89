//! Every call of git, by its command line (2.29 or newer).
//!
//! No call changes the person's configuration, branches, index or working tree. The exception is what `migrate`
//! is asked to do, in `git/submodule.rs`. Each call gets its configuration on its command line. A fetch makes
//! refs under `refs/rust-vmm-ci/` and removes them before it returns. To git, names, messages and paths are
//! bytes, and they are read as such here. A revision that a user wrote is never read as an option of git.

mod changes;
mod diff;
mod fetch;
mod outside;
mod submodule;
#[cfg(test)]
pub mod testing;

pub use changes::Tracked;
pub use diff::AddedLines;
pub use fetch::{Depth, Wanted};
pub use outside::CommonFolder;
pub use submodule::{Entry, Kind, Line, Submodule};

use crate::process::{self, Captured, Command, Undo};
use anyhow::{Context, Result};
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::model::git_config;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long git may take to forget a worktree, in a cancelled job too.
const FORGETS_WITHIN: Duration = Duration::from_secs(10);
/// Variables that a git hook sets for its children. With them git would use the hook's repository, index or
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

/// The full hash of the commit that a folder's working tree is of; none where git does not know it. The call
/// runs nothing that the repository's configuration names: no monitor, no hook, and no transport for a commit
/// that is missing.
pub fn commit_of(dir: &Path) -> Option<String> {
    let git = Git { dir: dir.to_owned() };
    let command = git
        .command(["rev-parse", "--quiet", "--verify", "--end-of-options", "HEAD^{commit}"])
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_ALLOW_PROTOCOL", "");
    let asked = process::capture(&command).ok()?;
    let line = asked.text().trim_end_matches(['\r', '\n']).to_owned();
    (asked.status.success() && !line.is_empty()).then_some(line)
}

/// The entries of a file in git's configuration format, without those of files that it includes. Nothing that the
/// file names is started.
///
/// # Errors
/// Exit 3 with what git says, where it cannot read the file.
pub fn entries_of(file: &Path) -> Result<Vec<git_config::Entry>> {
    // In a folder without a repository: no other configuration of the checkout has a say.
    let git = Git { dir: PathBuf::from("/") };
    let command = git.command(["config", "--no-includes", "--null", "--list", "--file"]).arg(file);
    let text = answer(&command)?.text();
    let entries = text.split_terminator('\0').map(|entry| match entry.split_once('\n') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (entry.to_owned(), None),
    });
    Ok(entries.collect())
}

impl Git {
    /// The repository that a folder is in.
    ///
    /// # Errors
    /// Exit 3 with what git says, where there is no git, or git finds no repository.
    pub fn at(dir: &Path) -> Result<Self> {
        let git = Self { dir: dir.to_owned() };
        let asked = process::capture(&git.command(["rev-parse", "--git-dir"]))?;
        if asked.status.success() {
            return Ok(git);
        }
        Err(exit::infrastructure(format!("{} is in no git repository: {}", dir.display(), asked.complaint())))
    }

    /// The topmost folder of the working tree.
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

    /// The branch that a remote's `HEAD` named when it was cloned; none where that is not known.
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

    /// The addresses of the remotes: name and address.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn addresses(&self) -> Result<Vec<(String, String)>> {
        let command = self.command(["config", "--null", "--get-regexp", r"^remote\..*\.url$"]);
        let name = |key: &str| Some(key.strip_prefix("remote.")?.strip_suffix(".url")?.to_owned());
        let entries = found(&command)?;
        let entries = entries.split('\0').filter_map(|entry| entry.split_once('\n'));
        Ok(entries.filter_map(|(key, address)| Some((name(key)?, address.to_owned()))).collect())
    }

    /// The newest common ancestor of two commits; none where there is none. A shallow clone may not have
    /// it.
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

    /// Whether a commit is an ancestor of another, or the same commit.
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

    /// The commit that a ref named before it moved the last `steps` times; none where its reflog does not go
    /// back so far.
    ///
    /// # Errors
    /// Exit 3 where git cannot be started.
    pub fn former_position(&self, name: &str, steps: usize) -> Result<Option<String>> {
        self.resolve(&format!("{name}@{{{steps}}}"))
    }

    /// The commits that are in `head` and not in `base`, newest first, children before parents. Without a
    /// base they are all commits of `head`. Each is in this format (git-log(1), `tformat`), with a NUL at its
    /// end. One process reads all of them.
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

    /// The lines of tracked files that are in the working tree and not in a commit.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn added_lines(&self, base: &str) -> Result<AddedLines> {
        Ok(diff::added(&answer(&self.command(diff::ARGS).args([base, "--"]))?.stdout))
    }

    /// The content of a file in a commit, by its path from the repository's root with `/`; none where the
    /// commit has no such file.
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

    /// Writes a commit's files into a folder. The repository does not change: git uses an index of its own
    /// in the file `index`, which must not exist yet.
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

    /// Makes a worktree of a commit at a path. It first removes what a killed run left there. No hook runs.
    /// If this process is killed while the returned value lives, the worktree is removed.
    ///
    /// # Errors
    /// Exit 3 where git fails, or the path cannot be cleared.
    pub fn worktree_add(&self, path: &Path, commit: &str) -> Result<Undo> {
        self.worktree_remove(path)?;
        let undo = Undo::if_killed(&self.forget_worktree(path));
        let command = self.command(["worktree", "add", "--quiet", "--force", "--detach"]);
        if let Err(error) = answer(&command.arg(path).arg(commit)) {
            // git may have made a part of it, such as before a cancel.
            let _ = self.worktree_remove(path);
            return Err(error);
        }
        Ok(undo)
    }

    /// Removes a worktree that [`Self::worktree_add`] made, whatever its state, in a cancelled job too.
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
        // git must forget the worktree as well. Where it does not know it, it refuses, and that is no error.
        process::capture(&self.forget_worktree(path).despite_cancel().within(FORGETS_WITHIN))?;
        Ok(())
    }

    /// Makes git remove and forget a worktree. `prune` would also forget worktrees of the person's, such as one
    /// on a disk that is not mounted.
    fn forget_worktree(&self, path: &Path) -> Command {
        self.command(["worktree", "remove", "--force", "--force"]).arg(path)
    }

    /// git with the options and variables that hold for every call.
    fn command<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Command {
        let command = Command::new("git")
            .arg("-c")
            .arg(format!("safe.directory={}", trusted(&self.dir)))
            .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor="])
            .args(["-c", "core.quotePath=false"])
            // A path from a file is a path and no pattern, and a commit is what its hash says.
            .args(["--literal-pathspecs", "--no-replace-objects", "--no-pager"])
            .args(args)
            .dir(&self.dir)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_OPTIONAL_LOCKS", "0")
            // On Windows credential managers open windows. ssh asks on the terminal without git.
            .env("GCM_INTERACTIVE", "never")
            .env("SSH_ASKPASS_REQUIRE", "force");
        // In tests only the configuration of the repositories themselves holds.
        let command = if cfg!(test) { command.env("GIT_CONFIG_GLOBAL", "/dev/null") } else { command };
        OF_A_HOOK.into_iter().fold(command, Command::env_remove)
    }

    /// The one line that a command answers.
    fn line<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<String> {
        Ok(answer(&self.command(args))?.text().trim_end_matches(['\r', '\n']).to_owned())
    }

    /// The one line that a command answers; none where it fails.
    fn maybe<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<Option<String>> {
        let asked = process::capture(&self.command(args))?;
        let line = asked.text().trim_end_matches(['\r', '\n']).to_owned();
        Ok((asked.status.success() && !line.is_empty()).then_some(line))
    }
}

/// Runs a call that answers status 1 where it finds nothing, and gives back what it found.
fn found(command: &Command) -> Result<String> {
    found_in(command, Vec::new())
}

/// As [`found`], with text on standard input.
fn found_in(command: &Command, input: Vec<u8>) -> Result<String> {
    let asked = process::capture_with_input(command, input)?;
    match asked.status.code() {
        Some(0 | 1) => Ok(asked.text()),
        _ => Err(failed(command, &asked)),
    }
}

/// Runs a call of git and takes a status other than 0 for an error.
fn answer(command: &Command) -> Result<Captured> {
    let asked = process::capture(command)?;
    if asked.status.success() { Ok(asked) } else { Err(failed(command, &asked)) }
}

/// The path for `safe.directory`, so that git accepts a checkout that another user owns, as in a container.
/// git compares it with the real path, on Windows with `/` too. It is this folder only and not `*`: git
/// still refuses a repository that somebody has put into a folder above.
fn trusted(dir: &Path) -> String {
    let real = dunce::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
    real.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}

/// The error of a call that failed: the call as a person would repeat it, and what git says.
fn failed(command: &Command, said: &Captured) -> anyhow::Error {
    let words: Vec<_> = command.args.iter().skip_while(|arg| *arg != "--no-pager").skip(1).collect();
    let plain = Command::new("git").args(words);
    exit::infrastructure(format!("`{plain}` failed ({}): {}", said.status, said.complaint()))
}

#[cfg(test)]
mod tests;
