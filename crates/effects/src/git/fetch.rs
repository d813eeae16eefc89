//! Fetching without leaving anything but objects.

use super::Git;
use crate::process::{self, Ended, Stream};
use anyhow::Result;
use rust_vmm_ci_core::exit;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a fetch may take where the check's own limit is not nearer: ssh may ask a terminal that
/// it does not get, and a server may accept and say nothing.
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
    /// As far as it does.
    Same,
    /// By so many commits.
    More(u32),
    /// To its beginning.
    Whole,
}

impl Git {
    /// Fetches a branch or commit from a remote (a name or a URL) and returns its hash. Neither
    /// `FETCH_HEAD` nor a remote-tracking branch moves, no tag comes along, no hook runs.
    ///
    /// With a [`Depth`] other than [`Depth::Same`], every history is deepened whose cut the remote has
    /// a ref for, that of `HEAD` too (`--deepen` and `--unshallow` in git-fetch(1)).
    ///
    /// # Errors
    /// Exit 3, with git's words, where the remote does not answer in time or has no such thing.
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
            Ended::TimedOut => Err(exit::infrastructure(format!("`git fetch {remote}` did not end in time"))),
            Ended::Cancelled => Err(exit::infrastructure("the job was cancelled while git was fetching")),
            Ended::Exited(_) | Ended::Signaled(_) => {
                let complaint = String::from_utf8_lossy(&stderr);
                Err(exit::infrastructure(format!(
                    "`git fetch {remote} {source}` failed: {}",
                    complaint.trim()
                )))
            }
        }
    }

    /// Whether the history here is cut off.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn is_shallow(&self) -> Result<bool> {
        Ok(self.line(["rev-parse", "--is-shallow-repository"])? == "true")
    }

    /// Whether the commits that `head` has and `base` has not are all here: in a shallow clone, where
    /// one of them has no parents, its history was cut before it met the base's.
    ///
    /// # Errors
    /// Exit 3 where git fails.
    pub fn is_whole(&self, base: &str, head: &str) -> Result<bool> {
        let range = format!("{base}..{head}");
        let args = ["rev-list", "--max-parents=0", "--max-count=1", "--end-of-options", &range, "--"];
        Ok(self.line(args)?.is_empty())
    }
}
