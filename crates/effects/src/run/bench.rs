//! Runs benchmarks on this change and on its base.
//!
//! The base is checked out in a git worktree below cargo's target directory: a person's tree, index
//! and branches are not touched. The command is the predecessor's.

use super::JobFacts;
use super::base::{self, Found};
use super::cargo::LastWords;
use super::context::{Context, Judgement};
use super::preamble::in_workspace;
use super::stopwatch;
use crate::files;
use crate::git::Git;
use crate::process::{Ended, Stream, Undo};
use anyhow::{Context as _, Result};
use cargo_metadata::{Metadata, TargetKind};
use rust_vmm_ci_core::checks::bench::{self, BASE, CHANGE, Compared, Measurements, Options};
use rust_vmm_ci_core::checks::{bench_plot, coverage::shown};
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::report::{Artifact, Finding, Section, Verdict};
use rust_vmm_ci_core::workspace::path::from_folder;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The bench target that runs (predecessor's rule).
const TARGET: &str = "main";
/// Where the check keeps what it makes, below cargo's target directory.
const FOLDER: &str = "rust-vmm-ci/bench";

/// Runs the check for the workspace, or for one of its packages.
///
/// # Errors
/// Where there is no base, or its benchmarks do not run: the check is broken.
pub fn run(
    context: &mut Context<'_>,
    package: Option<&str>,
    job: &JobFacts,
    options: &Options,
) -> Result<Judgement> {
    in_workspace(context, job, |context, _, metadata| compare(context, package, metadata, options))
}

/// Compares the change with its base.
fn compare(
    context: &mut Context<'_>,
    package: Option<&str>,
    metadata: &Metadata,
    options: &Options,
) -> Result<Judgement> {
    let variable = || std::env::var("PACKAGE").ok().filter(|name| !name.is_empty());
    let package = package.map(ToOwned::to_owned).or_else(|| options.package.clone()).or_else(variable);
    let benches = benches(metadata, package.as_deref());
    if let Some(name) = &package
        && !metadata.workspace_packages().iter().any(|member| member.name == *name)
    {
        let names = metadata.workspace_packages();
        let hint =
            rust_vmm_ci_core::model::did_you_mean(name, names.iter().map(|member| member.name.as_str()));
        return Err(exit::usage(format!("bench: no package `{name}` in the workspace{hint}")));
    }
    if benches.is_empty() {
        let whose = package.map_or("no package".into(), |name| format!("`{name}`"));
        return Ok(passed(format!("{whose} has no bench target `{TARGET}`: there is nothing to compare")));
    }
    let git = Git::at(context.root)?;
    let folder = metadata.target_directory.as_std_path().join(FOLDER);
    let mut worktree = Worktree { git: &git, path: folder.join("base"), undo: None };
    // A run that was killed leaves its worktree.
    worktree.remove()?;
    let known = base::surroundings(&git)?;
    let key = "checks.bench.base";
    let found = match base::find_or_missing(context, &git, options.base.as_deref(), key, &known)? {
        Ok(found) => found,
        Err(missing) => return Ok(missing),
    };
    let benchmarks = Benchmarks { target: metadata.target_directory.clone().into(), folder, package };
    benchmarks.forget()?;
    (context.progress)(1, 2, "this change");
    let directory = context.directory.clone();
    let ran = benchmarks.measure(context, &directory, &benchmarks.target, CHANGE)?;
    let root = context.root.to_owned();
    let from_root = |file: &str| from_folder(&root, metadata.workspace_root.as_std_path(), file);
    if let Some(judgement) = ran.failure("the benchmarks fail", &from_root) {
        return Ok(judgement);
    }
    let Found { commit: Some(commit), shown: name, .. } = found else {
        return Ok(passed(format!("there is no base to compare with: {}", found.shown)));
    };
    (context.progress)(2, 2, "the base");
    worktree.make(&commit)?;
    let compared = benchmarks.on_base(context, metadata, &git, &worktree.path, &benches)?;
    let judgement = match compared {
        OnBase::Measured => benchmarks.judge(context, options, &name),
        OnBase::Nothing(reason) => Ok(passed(reason)),
        OnBase::Ended(ran) => ran.failure("the base's benchmarks fail", &str::to_owned).map_or_else(
            || Ok(passed(String::new())),
            |failure| {
                if matches!(failure.verdict, Verdict::Cancelled | Verdict::Broken) {
                    return Ok(failure);
                }
                let words = failure.findings.iter().filter_map(|f| f.rendered.as_deref()).collect::<String>();
                let message =
                    format!("the benchmarks of the base ({name}) fail, so there is nothing to compare with");
                Err(exit::infrastructure(format!("{message}: {words}")))
            },
        ),
    };
    worktree.remove()?;
    judgement
}

fn passed(reason: String) -> Judgement {
    Judgement { verdict: Verdict::Passed, reason: Some(reason), ..Judgement::default() }
}

/// The members that have the bench target, of all or of one.
fn benches(metadata: &Metadata, package: Option<&str>) -> BTreeSet<String> {
    let has =
        |target: &cargo_metadata::Target| target.kind.contains(&TargetKind::Bench) && target.name == TARGET;
    let members = metadata.workspace_packages().into_iter();
    let wanted = members.filter(|member| package.is_none_or(|name| member.name == name));
    wanted.filter(|member| member.targets.iter().any(has)).map(|member| member.name.to_string()).collect()
}

/// The base's worktree. It is removed when this value is dropped.
struct Worktree<'a> {
    git: &'a Git,
    path: PathBuf,
    /// Removes it where this process is killed.
    undo: Option<Undo>,
}

impl Worktree<'_> {
    fn make(&mut self, commit: &str) -> Result<()> {
        self.undo = Some(self.git.worktree_add(&self.path, commit)?);
        Ok(())
    }

    fn remove(&self) -> Result<()> {
        if self.path.exists() { self.git.worktree_remove(&self.path) } else { Ok(()) }
    }
}

impl Drop for Worktree<'_> {
    fn drop(&mut self) {
        // A worktree that cannot be removed now is removed at the next start, which reports the error.
        let _ = self.remove();
    }
}

/// Where benchmarks are run and measured.
struct Benchmarks {
    /// cargo's target directory.
    target: PathBuf,
    /// Where the base, its build and what is measured are.
    folder: PathBuf,
    package: Option<String>,
}

/// How a run of benchmarks ended.
struct Ran {
    ended: Ended,
    words: LastWords,
}

impl Ran {
    /// The judgement where it did not end well.
    fn failure(self, what: &str, from_root: &dyn Fn(&str) -> String) -> Option<Judgement> {
        let ended = self.ended;
        if ended == Ended::Exited(0) {
            return None;
        }
        if let Some(reason) = self.words.outage() {
            return Some(Judgement::broken(reason));
        }
        let findings = self
            .words
            .finding(ended, from_root)
            .map(|finding| Finding { message: format!("{what}: {}", finding.message), ..finding });
        Some(Judgement::of_command(ended, findings.into_iter().collect()))
    }
}

/// How the benchmarks of the base ended.
enum OnBase {
    Measured,
    Nothing(String),
    Ended(Ran),
}

impl Benchmarks {
    /// The base's target directory. The change has another one. For cargo the two are the same package at the
    /// same place in its workspace, and cargo compares only the times of files. In a shared directory it could
    /// use the build of one for the other.
    fn base_target(&self) -> PathBuf {
        self.folder.join("target")
    }

    /// The folders that criterion may write to: the one that it is given, and the one of those versions that
    /// ignore it.
    fn homes(&self) -> [PathBuf; 3] {
        [self.folder.clone(), self.target.clone(), self.base_target()].map(|dir| dir.join("criterion"))
    }

    /// Removes what an earlier run measured.
    fn forget(&self) -> Result<()> {
        for home in self.homes() {
            for folder in measured(&home, CHANGE)?.into_iter().chain(measured(&home, BASE)?) {
                std::fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
            }
        }
        Ok(())
    }

    /// Runs the benchmarks in a folder; criterion keeps what it measures under `baseline`.
    fn measure(&self, context: &mut Context<'_>, dir: &Path, target: &Path, baseline: &str) -> Result<Ran> {
        let cargo = context.cargo().args(["bench", "--bench", TARGET]).dir(dir);
        let cargo = match &self.package {
            Some(name) => cargo.arg(format!("--package={name}")),
            None => cargo,
        };
        let command = cargo
            .args(["--all-features", "--", "--noplot", "--save-baseline", baseline])
            .env("CARGO_TARGET_DIR", target)
            .env("CRITERION_HOME", self.folder.join("criterion"));
        context.announce(&command);
        let mut words = LastWords::default();
        let ended = context.run_cargo(&command, stopwatch::Purpose::Run, &mut |stream, line| {
            if stream == Stream::Stderr {
                words.read(line);
            }
            Some(line.into())
        })?;
        Ok(Ran { ended, words })
    }

    /// Runs the base's benchmarks, where it has some of those that the change has.
    fn on_base(
        &self,
        context: &mut Context<'_>,
        metadata: &Metadata,
        git: &Git,
        worktree: &Path,
        benches_here: &BTreeSet<String>,
    ) -> Result<OnBase> {
        let top = git.toplevel()?;
        let below = |path: &Path| {
            let (path, top) = (path.canonicalize().ok()?, top.canonicalize().ok()?);
            path.strip_prefix(top).map(Path::to_owned).ok()
        };
        let dir = worktree.join(below(&context.directory).unwrap_or_default());
        // Where no lock file is kept in the repository, both must resolve to the same dependencies.
        if let Some(root) = below(metadata.workspace_root.as_std_path()) {
            let (from, to) =
                (metadata.workspace_root.join("Cargo.lock"), worktree.join(root).join("Cargo.lock"));
            if from.exists() && !to.exists() {
                let _ = std::fs::copy(from, to);
            }
        }
        if !dir.is_dir() {
            return Ok(OnBase::Nothing("the folder is new: there is nothing to compare with".into()));
        }
        let asked = context.cargo().args(["metadata", "--no-deps", "--format-version=1"]).dir(&dir);
        let answer: Metadata = serde_json::from_slice(&crate::process::answer(&asked)?.stdout)
            .context("reading cargo metadata of the base")?;
        let there = benches(&answer, self.package.as_deref());
        let new: Vec<&str> = benches_here.difference(&there).map(String::as_str).collect();
        if !new.is_empty() {
            context.say(&format!("new benches, with nothing to compare with: {}", new.join(", ")));
        }
        if there.is_empty() {
            let reason =
                format!("the base has no bench of {}: there is nothing to compare with", new.join(", "));
            return Ok(OnBase::Nothing(reason));
        }
        let ran = self.measure(context, &dir, &self.base_target(), BASE)?;
        Ok(if ran.ended == Ended::Exited(0) { OnBase::Measured } else { OnBase::Ended(ran) })
    }

    /// Reads what criterion measured under a baseline.
    fn read(&self, baseline: &str) -> Result<Measurements> {
        let mut all = Measurements::new();
        for home in self.homes() {
            for folder in measured(&home, baseline)? {
                let text = |name: &str| {
                    let path = folder.join(name);
                    let bytes =
                        files::open_plain(&path).and_then(|file| files::bounded(&file, files::LONGEST));
                    let bytes = bytes.with_context(|| format!("reading {}", path.display()))?;
                    String::from_utf8(bytes).with_context(|| format!("reading {}", path.display()))
                };
                let (name, measurement) = bench::read(&text("benchmark.json")?, &text("estimates.json")?)
                    .map_err(|error| exit::infrastructure(format!("{}: {error}", folder.display())))?;
                all.insert(name, measurement);
            }
        }
        Ok(all)
    }

    fn judge(&self, context: &mut Context<'_>, options: &Options, base: &str) -> Result<Judgement> {
        let compared = Compared::of(&self.read(BASE)?, &self.read(CHANGE)?);
        let section = compared.section(base);
        context.say(&section.text);
        for row in &section.rows {
            context.say(&row.join("  "));
        }
        let mut judgement = Judgement::by_findings(compared.findings(options.threshold));
        if compared.both.is_empty() {
            judgement.reason = Some("no benchmark is on both sides: there is nothing to compare".into());
        } else {
            judgement.artifacts.push(self.plot(context.root, &compared)?);
        }
        judgement.sections = Vec::<Section>::from([section]);
        Ok(judgement)
    }

    fn plot(&self, root: &Path, compared: &Compared) -> Result<Artifact> {
        let path = self.folder.join("bench.svg");
        let svg = bench_plot::svg(&compared.both)?;
        files::write_whole(&path, svg.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
        Ok(Artifact { name: "benchmarks".into(), path: shown(&path, root), image: true })
    }
}

/// The folders below criterion's that hold a benchmark's measurements under a baseline.
fn measured(home: &Path, baseline: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut pending = vec![home.to_owned()];
    while let Some(folder) = pending.pop() {
        let listing = match std::fs::read_dir(&folder) {
            Ok(listing) => listing,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("reading {}", folder.display())),
        };
        for entry in listing {
            let entry = entry.with_context(|| format!("reading {}", folder.display()))?;
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry.file_name() == baseline { found.push(entry.path()) } else { pending.push(entry.path()) }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests;
