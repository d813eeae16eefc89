//! Fetches that leave nothing in the repository except objects.

use super::Git;
use crate::process::{self, Command, Ended, Stream};
use anyhow::Result;
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::model::address;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The time limit of a fetch, unless the check's own limit comes first. ssh may wait for an answer on a
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

/// The user and the password of an address, which git gets by variables.
struct Password {
    /// The beginning of the address: scheme and host. Other addresses do not get the user and the password.
    host: String,
    user: String,
    secret: String,
}

impl Password {
    fn of(address: &str) -> Option<Self> {
        let (user, password) = address::user_and_password(address)?;
        let plain = address::without_password(address);
        let (scheme, rest) = plain.split_once("://")?;
        let host = format!("{scheme}://{}", rest.split(['/', '?', '#']).next()?);
        Some(Self { host, user: decoded(user), secret: decoded(password) })
    }

    /// git with a helper that answers with this user and password, and with no other helper.
    fn given_to(&self, git: Command) -> Command {
        let helper = format!(
            "credential.{}.helper=!f() {{ test \"$1\" != get || printf 'username=%s\\npassword=%s\\n' \
             \"$RUST_VMM_CI_GIT_USER\" \"$RUST_VMM_CI_GIT_PASSWORD\"; }}; f",
            self.host
        );
        git.args(["-c", "credential.helper=", "-c", &helper])
            .env("RUST_VMM_CI_GIT_USER", &self.user)
            .env("RUST_VMM_CI_GIT_PASSWORD", &self.secret)
    }
}

/// A part of an address without its percent signs (RFC 3986, section 2.1).
fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let byte = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &after[2..] } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
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
        // Other users of the machine see the command line of a process, but not its variables.
        let password = Password::of(remote);
        let remote = &*address::without_password(remote);
        let mut command = self.command(["-c", "fetch.writeCommitGraph=false"]);
        if let Some(password) = &password {
            command = password.given_to(command);
        }
        command = command.args([
            "fetch",
            "--quiet",
            "--no-tags",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_of_an_address_is_on_no_command_line() {
        let password = Password::of("https://x%40y:p%3Aw@host:1/r.git").unwrap();
        let command = password.given_to(Command::new("git"));
        assert!(command.args.iter().all(|arg| !arg.to_string_lossy().contains("p:w")));
        assert!(!command.to_string().contains("p:w"), "{command}");
        assert_eq!((password.user.as_str(), password.secret.as_str()), ("x@y", "p:w"));
        assert_eq!(password.host, "https://host:1");
        for address in ["origin", "ssh://git@host/r", "git@host:r", "https://host/r"] {
            assert!(Password::of(address).is_none(), "{address}");
        }
    }

    #[test]
    fn git_gets_the_password_from_the_helper_for_this_host_alone() {
        let folder = tempfile::tempdir().unwrap();
        let ask = |host: &str| {
            let git = Command::new("git").dir(folder.path()).env("GIT_CONFIG_GLOBAL", "/dev/null");
            let git = git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ASKPASS", "true");
            let git = Password::of("https://me:s3cr3t@host/r.git").unwrap().given_to(git);
            let asked = format!("protocol=https\nhost={host}\n\n").into_bytes();
            process::capture_with_input(&git.args(["credential", "fill"]), asked).unwrap().text()
        };
        assert!(ask("host").contains("username=me\npassword=s3cr3t\n"), "{}", ask("host"));
        assert!(!ask("other").contains("s3cr3t"));
    }
}
