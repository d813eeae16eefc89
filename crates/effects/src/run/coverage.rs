//! Measures line coverage: builds the tests with the workspace's members instrumented, runs them, and
//! asks LLVM's tools what ran.
//!
//! The method and the figure are those of `cargo llvm-cov test`. But the target directory is cargo's own, so
//! that the dependencies which other checks compiled are used (see [`super::instrument`]).

mod scope;
#[cfg(test)]
mod tests;

use super::JobFacts;
use super::base;
use super::cargo::{LastWords, configuration};
use super::context::{Context, Judgement};
use super::instrument::Instrumentation;
use super::llvm::{Llvm, Report};
use super::preamble::in_workspace;
use super::stopwatch;
use super::toolchain::Toolchain;
use crate::files;
use crate::git::Git;
use crate::process::{Command, Ended, Stream};
use anyhow::{Context as _, Result};
use cargo_metadata::{Message, Metadata, TargetKind};
use rust_vmm_ci_core::checks::coverage::{self, AddedLines, FileCoverage, Sources};
use rust_vmm_ci_core::checks::messages::Messages;
use rust_vmm_ci_core::checks::outage;
use rust_vmm_ci_core::checks::test_output::{Packages, TestOutput};
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::predecessor::coverage_file::{self, CrateFeatures};
use rust_vmm_ci_core::report::{Artifact, Finding, Level, Verdict};
use rust_vmm_ci_core::workspace::path::from_folder;
use scope::{Found, Held, Scope};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where the check keeps what it makes, below cargo's target directory.
const FOLDER: &str = "rust-vmm-ci/coverage";

/// Runs the check for the workspace, or for one of its packages. With `update` it writes the score that
/// it measures to the coverage file, and makes the file where there is none.
///
/// # Errors
/// Where a tool cannot be started or does not answer: the check is broken.
pub fn run(
    context: &mut Context<'_>,
    package: Option<&str>,
    job: &JobFacts,
    update: bool,
) -> Result<Judgement> {
    let program = std::env::current_exe().context("finding this program's own file")?;
    run_as(context, package, job, update, &program)
}

/// As [`run`], with the program that can take rustc's place.
fn run_as(
    context: &mut Context<'_>,
    package: Option<&str>,
    job: &JobFacts,
    update: bool,
    program: &Path,
) -> Result<Judgement> {
    in_workspace(context, job, |context, toolchain, metadata| {
        measure(context, package, toolchain, metadata, update, program)
    })
}

/// Measures and judges.
fn measure(
    context: &mut Context<'_>,
    package: Option<&str>,
    toolchain: &Toolchain,
    metadata: &Metadata,
    update: bool,
    program: &Path,
) -> Result<Judgement> {
    let scope = Scope::of(package, metadata, &context.directory)?;
    let held = match Held::find(&scope, metadata, context.platform)? {
        Found::Read(held) => Some(held),
        Found::Wrong(path, reason) => {
            let file = coverage::shown(&path, context.root);
            context.say(&format!("{file}: {reason}"));
            let finding = Finding { file: Some(file.clone()), ..Finding::error(format!("{file}: {reason}")) };
            return Ok(Judgement::by_findings(vec![finding]));
        }
        Found::Nothing if update => None,
        Found::Nothing => return Ok(scope::no_file(context.platform, &scope, context.root)),
    };
    let Some(llvm) = Llvm::find(toolchain, context.env) else {
        return Ok(Llvm::missing(toolchain));
    };
    let folder = metadata.target_directory.as_std_path().join(FOLDER);
    let instrumentation = Instrumentation::prepare(program, &folder, toolchain.version.contains("nightly"))?;
    let features = held.as_ref().map_or(&CrateFeatures::All, |held| &held.file.features);
    let mut measurement = Measurement { context, metadata, scope, folder, instrumentation };
    let objects = match measurement.test(features)? {
        Ok(objects) => objects,
        Err(judgement) => return Ok(judgement),
    };
    let sources =
        scope::sources(metadata, &measurement.scope, held.as_ref().and_then(|held| held.exclude.clone()));
    let measured = match measurement.read(&llvm, &objects, &sources)? {
        Ok(measured) => measured,
        Err(judgement) => return Ok(judgement),
    };
    measurement.judge(measured, held.as_ref(), update)
}

/// A measurement under way.
struct Measurement<'a, 'c> {
    context: &'a mut Context<'c>,
    metadata: &'a Metadata,
    scope: Scope,
    folder: PathBuf,
    instrumentation: Instrumentation,
}

/// What was measured.
struct Measured {
    files: Vec<FileCoverage>,
    artifacts: Vec<Artifact>,
}

/// The files of the tests that LLVM's tools read.
#[derive(Default)]
struct Objects {
    /// Programs and dynamic libraries of the members.
    files: BTreeSet<PathBuf>,
    /// Their crates' names.
    crates: BTreeSet<String>,
}

impl Measurement<'_, '_> {
    fn profiles(&self) -> PathBuf {
        self.folder.join("profiles")
    }

    /// Builds and runs the tests; a judgement where one of the two fails.
    fn test(&mut self, features: &CrateFeatures) -> Result<std::result::Result<Objects, Judgement>> {
        let _ = std::fs::remove_dir_all(self.profiles());
        (self.context.progress)(1, 2, "building");
        let (ended, findings, objects, packages) = self.build(features)?;
        if ended != Ended::Exited(0) {
            return Ok(Err(Judgement::of_command(ended, findings)));
        }
        (self.context.progress)(2, 2, "testing");
        // What build scripts counted does not belong to the tests.
        let _ = std::fs::remove_dir_all(self.profiles());
        let command = self.cargo(features);
        self.context.announce(&command);
        let (mut output, mut words) = (TestOutput::default(), LastWords::default());
        let ended = self.context.run_cargo(&command, stopwatch::Purpose::Run, &mut |stream, line| {
            output.read(line, stream == Stream::Stderr);
            if stream == Stream::Stderr {
                words.read(line);
            }
            Some(line.into())
        })?;
        if ended == Ended::Exited(0) {
            return Ok(Ok(objects));
        }
        let mut findings = output.findings(&packages, &|file| self.located(file));
        if findings.is_empty() {
            findings.extend(words.finding(ended, &|file| self.located(file)));
        }
        Ok(Err(Judgement::of_command(ended, findings)))
    }

    /// Turns a path that rustc, cargo or a test names into a path from the repository's root.
    fn located(&self, file: &str) -> String {
        from_folder(self.context.root, self.metadata.workspace_root.as_std_path(), file)
    }

    /// `cargo test` as cargo-llvm-cov calls it: `--tests`, since doctests do not count.
    fn cargo(&self, features: &CrateFeatures) -> Command {
        let cargo = self.context.cargo().args(["test", "--tests"]).dir(&self.scope.dir);
        let cargo = if self.scope.package.is_none() { cargo.arg("--workspace") } else { cargo };
        let cargo = match features {
            CrateFeatures::All => cargo.arg("--all-features"),
            CrateFeatures::Default => cargo,
            CrateFeatures::List(list) => cargo.arg(format!("--features={list}")),
        };
        let config = configuration::of(&self.scope.dir, self.context.env, &[]);
        self.instrumentation.apply(cargo, &self.profiles(), &config)
    }

    fn build(&mut self, features: &CrateFeatures) -> Result<(Ended, Vec<Finding>, Objects, Packages)> {
        let format = if self.context.color { "json-diagnostic-rendered-ansi" } else { "json" };
        let command = self.cargo(features).args(["--no-run", &format!("--message-format={format}")]);
        self.context.announce(&command);
        let workspace_root = self.metadata.workspace_root.as_std_path();
        let mut messages = Messages::new(workspace_root, self.context.root, false, None);
        let (mut words, mut objects) = (LastWords::default(), Objects::default());
        let metadata = self.metadata;
        let ended =
            self.context.run_cargo(
                &command,
                stopwatch::Purpose::Build,
                &mut |stream, line| match stream {
                    Stream::Stdout => {
                        objects.note(line, metadata);
                        messages.read(line)
                    }
                    Stream::Stderr => {
                        words.read(line);
                        Some(line.into())
                    }
                },
            )?;
        let packages = messages.take_packages();
        let mut findings = messages.findings();
        findings.retain(|finding| finding.level == Level::Error);
        if ended != Ended::Exited(0) {
            let outage = if findings.is_empty() { words.outage() } else { outage::of_findings(&findings) };
            if let Some(reason) = outage {
                return Err(exit::infrastructure(reason));
            }
            if findings.is_empty() {
                findings.extend(words.finding(ended, &|file| self.located(file)));
            }
        }
        Ok((ended, findings, objects, packages))
    }

    /// Asks LLVM what ran, and writes the reports.
    fn read(
        &mut self,
        llvm: &Llvm,
        objects: &Objects,
        sources: &Sources,
    ) -> Result<std::result::Result<Measured, Judgement>> {
        let profiles = self.profile_files(objects)?;
        if profiles.is_empty() {
            let finding = Finding::error("no test program ran, so there is nothing to measure");
            return Ok(Err(Judgement::by_findings(vec![finding])));
        }
        let report = match Report::make(llvm, &profiles, &objects.files, &self.folder)? {
            Ok(report) => report,
            Err(judgement) => return Ok(Err(judgement)),
        };
        let (files, kept) = coverage::read(report.lcov()?, sources)
            .map_err(|error| exit::infrastructure(format!("llvm-cov's export cannot be read: {error}")))?;
        let mut artifacts = Vec::new();
        let mut keep = |name: &str, file: &str, content: &[u8]| -> Result<()> {
            let path = self.folder.join(file);
            files::write_whole(&path, content).with_context(|| format!("writing {}", path.display()))?;
            let path = coverage::shown(&path, self.context.root);
            artifacts.push(Artifact { name: name.into(), path, image: false });
            Ok(())
        };
        keep("coverage (lcov)", "lcov.info", kept.as_bytes())?;
        if !files.is_empty() {
            let html = report.html(files.iter().map(|file| file.path.as_path()))?;
            keep("coverage (HTML)", "coverage.html", &html)?;
        }
        Ok(Ok(Measured { files, artifacts }))
    }

    /// The counts of the tests, and of the compiler where it ran members' procedural macros.
    fn profile_files(&self, objects: &Objects) -> Result<Vec<PathBuf>> {
        let mut folders = vec![self.profiles()];
        folders.extend(entries(&self.instrumentation.unit_profiles)?.into_iter().filter(|folder| {
            let unit =
                folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.rsplit_once('-'));
            unit.is_some_and(|(name, _)| objects.crates.contains(name))
        }));
        let mut files = Vec::new();
        for folder in folders {
            files.extend(entries(&folder)?);
        }
        files.retain(|file| file.extension().is_some_and(|extension| extension == "profraw"));
        Ok(files)
    }

    /// The lines that this change added; none if the base is not known. Then the log says so, and the verdict
    /// stays the same.
    fn added_lines(&mut self) -> AddedLines {
        let root = self.context.root;
        let mut ask = || -> Result<AddedLines> {
            let git = Git::at(root)?;
            let known = base::surroundings(&git)?;
            let found =
                base::find(&mut base::Search::of(self.context), &git, None, "checks.coverage.base", &known)?;
            let Some(commit) = found.commit else { return Ok(AddedLines::new()) };
            let from = git.merge_base(&commit, "HEAD")?.unwrap_or(commit);
            git.added_lines(&from)
        };
        ask().unwrap_or_else(|error| {
            self.context.say(&format!("which lines this change added is not known: {error:#}"));
            AddedLines::new()
        })
    }

    fn judge(&mut self, measured: Measured, held: Option<&Held>, update: bool) -> Result<Judgement> {
        let Measured { files, artifacts } = measured;
        let figure = coverage::total(&files);
        let root = self.context.root;
        let path = held.map_or_else(
            || self.scope.dir.join(coverage_file::name(self.context.platform)),
            |held| held.path.clone(),
        );
        let name = coverage::shown(&path, root);
        let score = held.map(|held| held.file.score);
        let (verdict, finding) = match score {
            Some(score) if !update => coverage::judge(figure, score, &name),
            _ => (Verdict::Passed, None),
        };
        let reason = if update {
            let text = match held {
                Some(held) => coverage_file::with_score(&held.text, figure).map_err(exit::infrastructure)?,
                None => coverage_file::new_text(figure),
            };
            files::write_whole(&path, text.as_bytes()).with_context(|| format!("writing {name}"))?;
            Some(format!("wrote {figure:.2} to {name}"))
        } else {
            None
        };
        let added = self.added_lines();
        let (additions, notes) = coverage::uncovered_additions(&files, root, &added);
        let by_file = coverage::by_file(&files, root, score.filter(|_| !update));
        let said =
            [Some(by_file.text.as_str()), reason.as_deref(), finding.as_ref().map(|f| f.message.as_str())];
        for line in said.into_iter().flatten() {
            self.context.say(line);
        }
        Ok(Judgement {
            verdict,
            reason,
            findings: finding.into_iter().chain(notes).collect(),
            sections: additions.into_iter().chain([by_file]).collect(),
            artifacts,
            ..Judgement::default()
        })
    }
}

impl Objects {
    /// Reads a line of cargo's messages. It keeps those files of a member's build that LLVM's tools must read.
    /// Build scripts are left out, as cargo-llvm-cov does.
    fn note(&mut self, line: &[u8], metadata: &Metadata) {
        let Ok(Message::CompilerArtifact(artifact)) = serde_json::from_slice(line) else { return };
        let member = metadata.workspace_members.contains(&artifact.package_id);
        if !member || artifact.target.kind.contains(&TargetKind::CustomBuild) {
            return;
        }
        self.crates.insert(artifact.target.name.replace('-', "_"));
        let libraries = artifact.filenames.into_iter().filter(|file| {
            file.extension().is_some_and(|extension| extension == std::env::consts::DLL_EXTENSION)
        });
        self.files.extend(libraries.chain(artifact.executable).map(Into::into));
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let listing = match std::fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("reading {}", folder.display())),
    };
    let paths: std::io::Result<Vec<PathBuf>> = listing.map(|entry| entry.map(|entry| entry.path())).collect();
    paths.with_context(|| format!("reading {}", folder.display()))
}
