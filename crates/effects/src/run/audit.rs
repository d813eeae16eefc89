//! Runs cargo-audit: on the repository's lock file, or on one that is made in a temporary folder.

use super::base::{self, Search, find};
use super::skeleton::{self, LOCK};
use super::{Context, Judgement, preamble};
use crate::files;
use crate::git::Git;
use crate::process::{self, Ended, Stream, TemporaryFolder};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::checks::audit::{self, Audit, BASE, Database, Facts, Options, YANKED_UNKNOWN};
use rust_vmm_ci_core::checks::lock_file::LockFile;
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::model::Os;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The result of one call of cargo-audit.
enum Audited {
    Done(Audit),
    NotInstalled,
    Ended(Ended),
}

/// Judges the lock file by the advisories.
///
/// # Errors
/// Exit 3 where cargo-audit, cargo or git cannot do their work.
pub fn run(context: &mut Context<'_>, options: &Options) -> Result<Judgement> {
    let scratch = TemporaryFolder::make().context("making a temporary folder")?;
    let mut kept = lock_above(&context.directory, context.root);
    if options.new_only && !is_tracked(context, kept.as_deref())? {
        // The base has none then: both sides are resolved today, so that they differ by the change.
        kept = None;
    }
    let lock = if let Some(lock) = &kept {
        lock.clone()
    } else {
        context.say("this repository has no Cargo.lock: one is made in a temporary folder");
        let copy = scratch.path().join("head");
        let folder = if context.os == Os::Windows {
            skeleton::copy(context.root, &copy)?;
            copy.join(context.directory.strip_prefix(context.root).unwrap_or(Path::new("")))
        } else {
            let folder = dunce::canonicalize(&context.directory).context("the check's folder")?;
            let root = workspace_root(context)?.unwrap_or_else(|| folder.clone());
            skeleton::shadow(&folder, &root, &copy)?
        };
        made_lock(context, &folder, &copy)?
    };
    let mut unknown = 0;
    let found = match audited(context, &lock, options, &mut unknown)? {
        Audited::Done(found) => found,
        Audited::NotInstalled => {
            let remedy = "cargo install --locked cargo-audit";
            return Ok(Judgement::missing("cargo-audit is not installed", remedy));
        }
        Audited::Ended(ended) => return cut_short(ended),
    };
    let base = if options.new_only && !found.known().is_empty() {
        match base_knows(context, options, scratch.path())? {
            Ok(known) => Some(known),
            Err(ended) => return cut_short(ended),
        }
    } else {
        None
    };
    let tree = files::open_plain(&lock).and_then(|file| files::bounded(&file, files::LONGEST)).ok();
    let tree = tree.and_then(|bytes| LockFile::parse(std::str::from_utf8(&bytes).ok()?));
    let lock_path = kept.as_deref().and_then(|lock| from_root(context.root, lock));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let facts = Facts {
        lock: tree.as_ref(),
        lock_path: lock_path.as_deref(),
        today: audit::date_of(now)?,
        base: base.as_ref(),
    };
    let findings = audit::judge(&found, options, &facts);
    let reason = (unknown > 0).then(|| {
        format!("whether crates are yanked could not be looked up ({unknown} of them; see the log)")
    });
    Ok(Judgement { reason, ..Judgement::by_findings(findings) })
}

/// The lock file that holds in a folder: its own, or that of a folder above it, up to `root`.
fn lock_above(folder: &Path, root: &Path) -> Option<PathBuf> {
    let folders = folder.ancestors().take_while(|folder| folder.starts_with(root));
    folders.map(|folder| folder.join(LOCK)).find(|lock| lock.is_file())
}

/// Whether a lock file is part of the commit that is checked.
fn is_tracked(context: &Context<'_>, lock: Option<&Path>) -> Result<bool> {
    match lock.and_then(|lock| from_root(context.root, lock)) {
        Some(path) => Ok(Git::at(context.root)?.file("HEAD", &path)?.is_some()),
        None => Ok(false),
    }
}

/// The root of the workspace that the check's folder is in; none where cargo cannot say it.
fn workspace_root(context: &Context<'_>) -> Result<Option<PathBuf>> {
    let question = context.cargo().args(["locate-project", "--workspace", "--message-format=plain"]);
    let answer = process::capture(&question)?;
    let manifest = answer.status.success().then(|| PathBuf::from(answer.text().trim_end_matches('\n')));
    Ok(manifest.as_deref().and_then(Path::parent).and_then(|root| dunce::canonicalize(root).ok()))
}

/// Makes the lock file of a folder, in a copy of what is around it.
fn made_lock(context: &mut Context<'_>, folder: &Path, copy: &Path) -> Result<PathBuf> {
    let mut words = Vec::new();
    let command = context.cargo().arg("generate-lockfile").dir(folder);
    let ended = context.run_reading(&command, &mut |_, line| {
        words.extend_from_slice(line);
        true
    })?;
    if let (Ended::Exited(0), Some(lock)) = (ended, lock_above(folder, copy)) {
        return Ok(lock);
    }
    Err(exit::infrastructure(format!("cargo could not make a Cargo.lock: {}", complaint(&words))))
}

/// Runs cargo-audit on a lock file, in the check's folder, whose `.cargo/audit.toml` it heeds.
fn audited(
    context: &mut Context<'_>,
    lock: &Path,
    options: &Options,
    unknown: &mut usize,
) -> Result<Audited> {
    let mut command = context.cargo().args(["audit", "--json", "--color=never", "--file"]).arg(lock);
    command = match &options.database {
        None => command,
        Some(Database::Path(path)) => command.arg("--no-fetch").arg("--db").arg(context.root.join(path)),
        Some(Database::Mirror(url)) => command.args(["--url", url, "--db"]).arg(mirror_folder(url)?),
    };
    let (mut json, mut words) = (Vec::new(), Vec::new());
    let ended = context.run_reading(&command, &mut |stream, line| {
        match stream {
            Stream::Stdout => json.extend_from_slice(line),
            Stream::Stderr => words.extend_from_slice(line),
        }
        stream == Stream::Stderr
    })?;
    let said = String::from_utf8_lossy(&words);
    match (ended, audit::parse(&json)) {
        (Ended::TimedOut | Ended::Cancelled, _) => Ok(Audited::Ended(ended)),
        (_, Some(found)) => {
            *unknown += said.lines().filter(|line| line.contains(YANKED_UNKNOWN)).count();
            Ok(Audited::Done(found))
        }
        _ if preamble::lacks_subcommand("audit", &words) => Ok(Audited::NotInstalled),
        _ => Err(exit::infrastructure(format!("cargo-audit could not do its work: {}", complaint(&words)))),
    }
}

/// A tool's own words from its first error on: what it warned of before is in the log.
fn complaint(words: &[u8]) -> String {
    let words = String::from_utf8_lossy(words);
    let begin = words.lines().position(|line| line.starts_with("error")).unwrap_or(0);
    words.lines().skip(begin).collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Where a mirror of the database is kept between runs: cargo-audit's own place is for `RustSec`'s.
fn mirror_folder(url: &str) -> Result<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let home = home.ok_or_else(|| exit::infrastructure("there is no home folder to keep advisories in"))?;
    let name: String = url.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    Ok(home.join("advisory-db-mirrors").join(name))
}

/// The advisories that the base has. If a lock file is part of the base, it is used. Otherwise a lock file is
/// made today, so that both sides are resolved in the same way.
fn base_knows(
    context: &mut Context<'_>,
    options: &Options,
    scratch: &Path,
) -> Result<Result<BTreeSet<(String, String)>, Ended>> {
    let git = Git::at(context.root)?;
    let known = base::surroundings(&git)?;
    let found = find(&mut Search::of(context), &git, options.base.as_deref(), BASE, &known)?;
    let Some(tip) = found.commit else { return Ok(Ok(BTreeSet::new())) };
    // If the base has corrected something since the change branched off, the change is not to blame for it.
    let commit = git.merge_base(&tip, "HEAD")?.unwrap_or(tip);
    let tree = scratch.join("base");
    git.export(&commit, &tree, &scratch.join("index"))?;
    let below = context.directory.strip_prefix(context.root).unwrap_or(Path::new(""));
    let folder = tree.join(below);
    let lock = match lock_above(&folder, &tree) {
        Some(lock) => lock,
        None if folder.join("Cargo.toml").is_file() => made_lock(context, &folder, &tree)?,
        // The base has no such crate: all of it is new.
        None => return Ok(Ok(BTreeSet::new())),
    };
    match audited(context, &lock, options, &mut 0)? {
        Audited::Done(audit) => Ok(Ok(audit.known())),
        Audited::Ended(ended) => Ok(Err(ended)),
        Audited::NotInstalled => Err(exit::infrastructure("cargo-audit is gone")),
    }
}

/// The judgement on a check whose tool was stopped.
fn cut_short(ended: Ended) -> Result<Judgement> {
    if ended == Ended::Cancelled {
        return Ok(Judgement::of_command(ended, Vec::new()));
    }
    Err(exit::infrastructure("cargo-audit ran over its time limit"))
}

/// A path from the repository's root, with `/`.
fn from_root(root: &Path, path: &Path) -> Option<String> {
    let below = path.strip_prefix(root).ok()?;
    Some(below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests;
