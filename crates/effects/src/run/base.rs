//! Finds the commit that a change is compared with. `checks::base` in the core crate decides which commit it
//! should be; here git is asked for it.

use super::{Context, Judgement};
use crate::git::{Depth, Git, Wanted};
use crate::process;
use anyhow::Result;
use rust_vmm_ci_core::checks::base::{Base, Choice, Surroundings, choose};
use rust_vmm_ci_core::checks::commit_format::short;
use rust_vmm_ci_core::exit;
use std::time::Instant;

/// By how many commits a shallow clone is deepened, one step after the other, until it reaches the base. The
/// last step fetches the whole history.
const STEPS: [Depth; 3] = [Depth::More(50), Depth::More(1000), Depth::Whole];
/// How many former positions of a branch are looked at to find the one before the push.
const FORMER: usize = 20;

/// The commit that a change is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its full hash. There is none where the change is the repository's first commit.
    pub commit: Option<String>,
    /// Its name for people.
    pub shown: String,
    /// Whether it could not be fetched, so that it may be older than the base.
    pub stale: bool,
}

/// How a base is looked for.
pub struct Search<'a> {
    /// When the search must have ended.
    pub deadline: Option<Instant>,
    /// Takes lines about it, with their line ends.
    pub log: &'a mut dyn FnMut(&[u8]),
}

impl<'a> Search<'a> {
    /// The search of a check.
    pub fn of<'c: 'a>(context: &'a mut Context<'c>) -> Self {
        Self { deadline: context.deadline, log: &mut *context.log }
    }

    fn say(&mut self, line: &str) {
        (self.log)(format!("{line}\n").as_bytes());
    }
}

/// Reads from the environment and from git what decides which commit is the base.
///
/// # Errors
/// Exit 3 where git fails.
pub fn surroundings(git: &Git) -> Result<Surroundings> {
    let known = Surroundings::read(|name| std::env::var(name).ok());
    with_git(known, git)
}

/// Adds what git knows to what the environment says.
///
/// # Errors
/// Exit 3 where git fails.
pub fn with_git(known: Surroundings, git: &Git) -> Result<Surroundings> {
    Ok(Surroundings {
        remotes: git.remotes()?,
        addresses: git.addresses()?,
        origin_head: git.remote_head("origin")?,
        ..known
    })
}

/// Finds the base of a check's change, and fetches all commits between it and `HEAD` where they are not here,
/// as in a shallow clone. `option` is the check's option `base`, and `key` is the key path of that option.
/// The log says what the change is compared with, and why.
///
/// # Errors
/// Exit 3 with what was tried, where there is no base. [`process::Error::Cancelled`] where the job is
/// cancelled.
pub fn find(
    search: &mut Search<'_>,
    git: &Git,
    option: Option<&str>,
    key: &str,
    known: &Surroundings,
) -> Result<Found> {
    if git.resolve("HEAD")?.is_none() {
        return Err(exit::infrastructure("this repository has no commit yet"));
    }
    let choice = choose(option, key, known);
    let mut stale = false;
    let found = match &choice.base {
        Base::Branch { name, remote, local } => {
            let wanted = Wanted::Branch(name);
            let commit = match fetched(search, git, remote.as_deref(), wanted) {
                Ok(commit) => commit,
                Err(error) if process::Error::is_cancel(&error) => return Err(error),
                Err(error) => {
                    let Some((commit, from)) = kept(git, local)? else {
                        return Err(no_base(&choice, error));
                    };
                    search.say(&format!("{error:#}"));
                    search.say(&format!("`{from}` serves as it is here; it may be older than the base"));
                    // Without a remote nothing newer exists.
                    stale = remote.is_some();
                    commit
                }
            };
            let commit = reach(search, git, remote.as_deref(), wanted, commit)?;
            Found { shown: format!("`{name}` ({})", short(&commit)), commit: Some(commit), stale }
        }
        Base::Commit { hash, remote } => {
            let wanted = Wanted::Commit(hash);
            if git.resolve(hash)?.is_none() {
                fetched(search, git, remote.as_deref(), wanted).map_err(|error| no_base(&choice, error))?;
            }
            let commit = reach(search, git, remote.as_deref(), wanted, hash.clone())?;
            Found { shown: format!("`{}`", short(&commit)), commit: Some(commit), stale }
        }
        Base::Pushed { name, remote } => pushed(search, git, name, remote.as_deref())?,
    };
    search.say(&format!("compared with {}, named by {}", found.shown, choice.named_by));
    Ok(found)
}

/// Finds the base as [`find`] does. A repository without a remote has no base, unless one is named or a local
/// branch can be the base. Without a base the check lacks what it needs, as with a tool that is not installed.
///
/// # Errors
/// Those of [`find`].
pub fn find_or_missing(
    context: &mut Context<'_>,
    git: &Git,
    option: Option<&str>,
    key: &str,
    known: &Surroundings,
) -> Result<Result<Found, Judgement>> {
    match find(&mut Search::of(context), git, option, key, known) {
        Err(error)
            if known.remotes.is_empty()
                && option.is_none()
                && !process::Error::is_cancel(&error)
                && git.resolve("HEAD")?.is_some() =>
        {
            Ok(Err(Judgement::missing(
                "this repository has no remote, so there is no base to compare with",
                "git remote add origin URL",
            )))
        }
        found => found.map(Ok),
    }
}

/// Fetches a base.
fn fetched(search: &Search<'_>, git: &Git, remote: Option<&str>, wanted: Wanted<'_>) -> Result<String> {
    let remote = remote.ok_or_else(|| exit::infrastructure("there is no remote to fetch from"))?;
    git.fetch(remote, wanted, Depth::Same, search.deadline)
}

/// The first of these names that names a commit here: the commit's hash, and the name.
fn kept<'a>(git: &Git, names: &'a [String]) -> Result<Option<(String, &'a str)>> {
    for name in names {
        if let Some(commit) = git.resolve(name)? {
            return Ok(Some((commit, name)));
        }
    }
    Ok(None)
}

/// Deepens a shallow clone until all of the change's commits are here.
fn reach(
    search: &mut Search<'_>,
    git: &Git,
    remote: Option<&str>,
    wanted: Wanted<'_>,
    base: String,
) -> Result<String> {
    for depth in STEPS {
        if !git.is_shallow()? || git.is_whole(&base, "HEAD")? {
            break;
        }
        deepen(search, git, remote, wanted, depth)?;
    }
    Ok(base)
}

/// Deepens a shallow clone by one step.
fn deepen(
    search: &mut Search<'_>,
    git: &Git,
    remote: Option<&str>,
    wanted: Wanted<'_>,
    depth: Depth,
) -> Result<()> {
    let cut = |error: anyhow::Error| {
        if process::Error::is_cancel(&error) {
            return error;
        }
        exit::infrastructure(format!(
            "this clone is shallow, its history ends before the base, and it cannot be deepened: {error:#}"
        ))
    };
    search.say("this clone is shallow and its history ends before the base: fetching more of it");
    let remote = remote.ok_or_else(|| cut(exit::infrastructure("there is no remote to fetch from")))?;
    git.fetch(remote, wanted, depth, search.deadline).map_err(cut)?;
    Ok(())
}

/// The commit of a branch before the push that is built now.
///
/// Buildkite does not say which commits a push contained. Where this checkout has seen the branch before, the
/// reflog has its former commit. Otherwise only the last commit is certain to be new, with all that it has
/// merged: the answer is that commit's first parent.
fn pushed(search: &mut Search<'_>, git: &Git, name: &str, remote: Option<&str>) -> Result<Found> {
    let head = git.resolve("HEAD")?;
    let tracked = format!("refs/remotes/origin/{name}");
    for steps in 0..FORMER {
        let Some(former) = git.former_position(&tracked, steps)? else { break };
        if head.as_ref() != Some(&former) && git.is_ancestor(&former, "HEAD")? {
            let commit = reach(search, git, remote, Wanted::Branch(name), former)?;
            let shown = format!("`{name}` as this checkout saw it last ({})", short(&commit));
            return Ok(Found { commit: Some(commit), shown, stale: false });
        }
    }
    if git.is_shallow()? && git.resolve("HEAD^1")?.is_none() {
        deepen(search, git, remote, Wanted::Branch(name), STEPS[0])?;
    }
    let Some(parent) = git.resolve("HEAD^1")? else {
        return Ok(Found {
            commit: None,
            shown: "nothing: this is the first commit".to_owned(),
            stale: false,
        });
    };
    search.say(&format!(
        "this is a push to `{name}`, and this checkout has not seen the branch before: its last commit is \
         looked at, with all that it merged"
    ));
    let commit = reach(search, git, remote, Wanted::Branch(name), parent)?;
    let shown = format!("`{name}` before its last commit ({})", short(&commit));
    Ok(Found { shown, commit: Some(commit), stale: false })
}

/// The error where no base can be found: what was tried, and what could name one.
fn no_base(choice: &Choice, error: anyhow::Error) -> anyhow::Error {
    if process::Error::is_cancel(&error) {
        return error;
    }
    let (name, local) = match &choice.base {
        Base::Branch { name, local, .. } => (name, format!("; nor is one here as {}", local.join(", "))),
        Base::Commit { hash: name, .. } | Base::Pushed { name, .. } => (name, String::new()),
    };
    let silent = match choice.silent.as_slice() {
        [] => String::new(),
        silent => format!("; none is named by {}", silent.join(", ")),
    };
    exit::infrastructure(format!(
        "there is no base to compare with: `{name}`, named by {}, cannot be fetched: {error:#}{local}{silent}",
        choice.named_by
    ))
}
