//! Asks git what a change is, so that the core can say what it reaches.

use super::facts;
use anyhow::Result;
use rust_vmm_ci_core::checks::base::{Base, Surroundings, choose};
use rust_vmm_ci_core::config::Config;
use rust_vmm_ci_core::selection::{Before, Change, Rules, Selection};
use rust_vmm_ci_effects::git::{self, Git};
use rust_vmm_ci_effects::run::base::{self, Search};
use rust_vmm_ci_effects::{process, say};
use std::collections::{HashMap, HashSet};
use std::path::Path;

/// The key path of the option that could name a base, if there were one.
const KEY: &str = "select";

/// What the change reaches in a repository. Where git cannot tell what the change is, that is everything, and
/// the selection says why.
///
/// # Errors
/// Exit 2 for what is wrong in the repository's files. [`process::Error::Cancelled`] where the job is
/// cancelled.
pub fn read(root: &Path, config: &Config) -> Result<Selection> {
    let rules = Rules::new(&config.ignore, config.dependents, &config.tests)
        .map_err(|error| config.source.named_in(error))?;
    match change(root, &config.tests) {
        Ok(Ok(known)) => {
            let before = |path: &str| known.before(path);
            facts::select(root, &known.change, &before, &rules)
        }
        Ok(Err(why)) => Ok(Selection::of_everything(why)),
        Err(error) if process::Error::is_cancel(&error) => Err(error),
        Err(error) => Ok(Selection::of_everything(format!("{error:#}"))),
    }
}

/// A change, with the texts of some files in the base.
struct Known {
    change: Change,
    /// The texts that were asked for; none if the base is not certain.
    texts: Option<HashMap<String, Option<String>>>,
}

impl Known {
    fn before(&self, path: &str) -> Before {
        // A path that did not change is not asked for. One with a line end cannot be.
        if path.contains(['\n', '\r']) {
            return Before::Unknown;
        }
        match self.texts.as_ref().map(|texts| texts.get(path)) {
            Some(Some(Some(text))) => Before::Text(text.clone()),
            Some(None) => Before::Absent,
            Some(Some(None)) | None => Before::Unknown,
        }
    }
}

/// The change, or why nobody knows it.
///
/// # Errors
/// Exit 3 where git fails.
fn change(root: &Path, tests: &[String]) -> Result<Result<Known, String>> {
    let unknown = |why: &str| Ok(Err(why.to_owned()));
    if !git::is_there() {
        return unknown("git is not installed");
    }
    let git = Git::at(root)?;
    if !git.is_toplevel()? {
        return unknown("the checkout is a folder of another repository");
    }
    let known: Surroundings = base::surroundings(&git)?;
    if let Base::Pushed { name, .. } = choose(None, KEY, &known).base {
        return Ok(Err(format!("this is a build of the base branch `{name}`")));
    }
    let mut log = |line: &[u8]| say::note(String::from_utf8_lossy(line).trim_end());
    let found = base::find(&mut Search { deadline: None, log: &mut log }, &git, None, KEY, &known)?;
    let tip = found.commit.as_deref().unwrap_or_default();
    let Some(base) = git.merge_base(tip, "HEAD")? else {
        return Ok(Err(format!("HEAD has no commit in common with {}", found.shown)));
    };
    let mut paths = git.changed(&base)?;
    if found.stale {
        // The true base is newer, and what this change takes back since then must not be overlooked.
        paths.extend(git.touched(&base)?);
        paths.sort();
        paths.dedup();
    }
    if paths.is_empty() {
        return Ok(Err(format!("nothing differs from {}", found.shown)));
    }
    let tracked = git.tracked()?;
    let whole: HashSet<&str> = tests.iter().chain(&tracked.links).map(String::as_str).collect();
    let is_read = |path: &&str| {
        whole.contains(path) || matches!(path.rsplit('/').next(), Some("Cargo.toml" | "Cargo.lock"))
    };
    let mut wanted: Vec<&str> = paths.iter().map(String::as_str).filter(is_read).collect();
    // `[patch]` is compared with the lock file also where only one of the two differs.
    wanted
        .extend(["Cargo.toml", "Cargo.lock"].iter().filter(|path| !paths.iter().any(|known| known == *path)));
    let before = if found.stale { None } else { Some(git.texts(&base, &wanted)?) };
    let submodules = tracked.submodules;
    let change =
        Change { base: found.shown, paths, tracked: tracked.paths, links: tracked.links, submodules };
    Ok(Ok(Known { change, texts: before }))
}
