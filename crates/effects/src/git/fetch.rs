//! Fetches that leave nothing in the repository except objects.

use super::Git;
use crate::process::{self, Ended, Stream};
use anyhow::Result;
use rust_vmm_ci_core::exit;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a fetch may take where the check's own limit is not nearer. ssh may wait for an answer on a
/// terminal that it does not have, and a server may accept a connection and then send nothing.
const PATIENCE: Duration = Duration::from_secs(180);

/// What is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// A branch of the remote, by its name.
    Branch(&'a str),
    /// A commit, by its full hash.
    Commit(&'a str),
}

/// How much further a shallow clone's history is to reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// As far as it reaches now.
    Same,
    /// By so many further commits.
    More(u32),
    /// To the first commit.
    Whole,
}

impl Git {
    /// Fetches a branch or commit from a remote (a name or a URL) and returns its hash. `FETCH_HEAD` and the
    /// remote-tracking branches stay as they are, no tag is fetched, and no hook runs.
    ///
    /// A [`Depth`] other than [`Depth::Same`] deepens every shallow history that the remote has a ref for,
    /// that of `HEAD` too (`--deepen` and `--unshallow` in git-fetch(1)).
    ///
    /// # Errors
    /// Exit 3 with what git says, where the remote does not answer in time or has no such branch or commit.
    /// [`process::Error::Cancelled`] where the job is cancelled.
    pub fn fetch(
        &self,
        remote: &str,
        wanted: Wanted<'_>,
        depth: Depth,
        deadline: Option<Instant>,
    ) -> Result<String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let private = format!("refs/rust-vmm-ci/{}-{number}", std::process::id());
        let source = match wanted {
            Wanted::Branch(name) => format!("refs/heads/{name}"),
            Wanted::Commit(hash) => hash.to_owned(),
        };
        let mut command =
            self.command(["-c", "fetch.writeCommitGraph=false", "fetch", "--quiet", "--no-tags"]);
        command = command.args([
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--no-prune",
            "--no-auto-gc",
            "--refmap=",
        ]);
        command = match depth {
            Depth::Same => command,
            Depth::More(commits) => command.arg(format!("--deepen={commits}")),
            Depth::Whole => command.arg("--unshallow"),
        };
        command = command.args(["--", remote, &format!("+{source}:{private}")]);
        let limit = Instant::now() + PATIENCE;
        let limit = deadline.map_or(limit, |deadline| deadline.min(limit));
        let mut stderr = Vec::new();
        let ended = process::supervise(&command, Some(limit), &mut |stream, line| {
            if stream == Stream::Stderr {
                stderr.extend_from_slice(line);
            }
        })?;
        match ended {
            Ended::Exited(0) => {
                let fetched = self.resolve(&private);
                super::answer(&self.command(["update-ref", "-d", &private]))?;
                fetched?.ok_or_else(|| exit::infrastructure(format!("{source} of {remote} is no commit")))
            }
            Ended::TimedOut => Err(exit::infrastructure(format!(
                "`git fetch {remote} {source}` did not end in time{}",
                process::Said::of(&stderr)
            ))),
            Ended::Cancelled => Err(process::Error::Cancelled {
                command: format!("git fetch {remote} {source}"),
                said: process::Said::of(&stderr),
            }
            .into()),
            Ended::Exited(_) | Ended::Signaled(_) => Err(exit::infrastructure(format!(
                "`git fetch {remote} {source}` failed{}",
                process::Said::of(&stderr)
            ))),
        }
    }

    /// Whether the repository is a shallow clone.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn is_shallow(&self) -> Result<bool> {
        Ok(self.line(["rev-parse", "--is-shallow-repository"])? == "true")
    }

    /// Whether all commits are here that are in `head` and not in `base`. In a shallow clone one of them may
    /// have no parents: then the history was cut off before it reached the base's.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn is_whole(&self, base: &str, head: &str) -> Result<bool> {
        let range = format!("{base}..{head}");
        let args = ["rev-list", "--max-parents=0", "--max-count=1", "--end-of-options", &range, "--"];
        Ok(self.line(args)?.is_empty())
    }
}
