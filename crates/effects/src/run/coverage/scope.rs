//! The packages whose coverage is measured, and the file with the expected score.

use crate::files;
use crate::run::Judgement;
use anyhow::Result;
use cargo_metadata::{Metadata, Package};
use regex_lite::Regex;
use rust_vmm_ci_core::checks::coverage::{self, Sources};
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::model::Platform;
use rust_vmm_ci_core::predecessor::coverage_file::{self, CoverageFile};
use rust_vmm_ci_core::report::{Finding, Verdict};
use std::path::{Path, PathBuf};

/// What is measured: the workspace, or one of its packages.
pub(super) struct Scope {
    /// The package, where it is one.
    pub package: Option<String>,
    /// The folder that cargo runs in, and the first in which a coverage file is looked for.
    pub dir: PathBuf,
}

impl Scope {
    /// The scope of a check; `directory` is its folder.
    ///
    /// # Errors
    /// Exit 2 where there is no such package.
    pub fn of(package: Option<&str>, metadata: &Metadata, directory: &Path) -> Result<Self> {
        let Some(name) = package else { return Ok(Self { package: None, dir: directory.to_owned() }) };
        let members = metadata.workspace_packages();
        let Some(member) = members.iter().find(|member| member.name == name) else {
            let names = members.iter().map(|member| member.name.as_str());
            let hint = rust_vmm_ci_core::model::did_you_mean(name, names);
            return Err(exit::usage(format!("coverage: no package `{name}` in the workspace{hint}")));
        };
        Ok(Self { package: Some(name.to_owned()), dir: folder_of(member).to_owned() })
    }

    fn measures(&self, package: &Package) -> bool {
        self.package.as_ref().is_none_or(|name| package.name == *name)
    }
}

fn folder_of(package: &Package) -> &Path {
    package.manifest_path.parent().map_or(Path::new(""), |folder| folder.as_std_path())
}

/// The coverage file that the figure is held to.
pub(super) struct Held {
    /// Its path.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What it says.
    pub file: CoverageFile,
    /// Its `exclude_path`.
    pub exclude: Option<Regex>,
}

/// The result of the search for a coverage file.
pub(super) enum Found {
    /// It is there.
    Read(Held),
    /// It is there but cannot be used: its path, and why.
    Wrong(PathBuf, String),
    /// There is none.
    Nothing,
}

impl Held {
    /// Looks in the scope's folder and in the workspace's root, and nowhere else.
    pub fn find(scope: &Scope, metadata: &Metadata, platform: Platform) -> Result<Found> {
        let name = coverage_file::name(platform);
        let folders = [scope.dir.as_path(), metadata.workspace_root.as_std_path()];
        let Some(folder) = folders.into_iter().find(|folder| folder.join(&name).exists()) else {
            return Ok(Found::Nothing);
        };
        let text = files::required(folder, &name)?.unwrap_or_default();
        let path = folder.join(&name);
        let file = match CoverageFile::parse(&text) {
            Ok(file) => file,
            Err(refusal) => return Ok(Found::Wrong(path, refusal.to_string())),
        };
        let exclude = match file.exclude.as_deref().map(Regex::new).transpose() {
            Ok(exclude) => exclude,
            Err(error) => {
                let text = file.exclude.as_deref().unwrap_or_default();
                let reason = format!("exclude_path: `{text}` is no regular expression: {error}");
                return Ok(Found::Wrong(path, reason));
            }
        };
        Ok(Found::Read(Self { path, text, file, exclude }))
    }
}

/// The judgement where there is no file. The predecessor measures coverage on x86-64 only, and fails there. On
/// another platform no score is expected without a file.
pub(super) fn no_file(platform: Platform, scope: &Scope, root: &Path) -> Judgement {
    let name = coverage_file::name(platform);
    let folder = coverage::shown(&scope.dir, root);
    let place = if folder.is_empty() { "the workspace's root".into() } else { format!("`{folder}`") };
    let reason = format!("there is no {name} in {place} to hold the coverage to");
    let make = "`rust-vmm-ci run coverage --update` measures and makes one; then commit it";
    if platform != Platform::X86_64 {
        return Judgement {
            verdict: Verdict::Skipped,
            reason: Some(format!("{reason}: {make}")),
            ..Judgement::default()
        };
    }
    Judgement::by_findings(vec![Finding {
        lint: Some("coverage".into()),
        remedy: Some(make.into()),
        ..Finding::error(reason)
    }])
}

/// The files that count for a scope.
pub(super) fn sources(metadata: &Metadata, scope: &Scope, exclude: Option<Regex>) -> Sources {
    let home = |variable: &str, default: &str| {
        std::env::var_os(variable)
            .map(PathBuf::from)
            .or_else(|| std::env::home_dir().map(|home| home.join(default)))
    };
    let cargo = home("CARGO_HOME", ".cargo").into_iter().flat_map(|d| [d.join("registry"), d.join("git")]);
    let toolchains = home("RUSTUP_HOME", ".rustup").map(|folder| folder.join("toolchains"));
    // A vendored dependency is in neither, but like the others it has a source.
    let dependencies = metadata.packages.iter().filter(|package| package.source.is_some());
    let members = metadata.workspace_packages();
    Sources {
        root: metadata.workspace_root.clone().into(),
        foreign: std::iter::once(metadata.target_directory.clone().into())
            .chain(cargo)
            .chain(toolchains)
            .chain(dependencies.map(|package| folder_of(package).to_owned()))
            .collect(),
        members: members.iter().map(|m| (folder_of(m).to_owned(), scope.measures(m))).collect(),
        exclude,
    }
}
