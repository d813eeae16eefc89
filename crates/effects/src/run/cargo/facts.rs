//! What the checks of a job have in common: the toolchain, the workspace, what cargo resolves.

use super::combine::{CargoRun, Resolutions, runs};
use super::once_map::OnceMap;
use super::toolchain::{NoToolchain, Toolchain};
use crate::process::{self, Command};
use cargo_metadata::Metadata;
use rust_vmm_ci_core::checks::cargo::CargoCommand;
use rust_vmm_ci_core::model::FeatureMode;
use rust_vmm_ci_core::workspace::flags::Mentions;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long cargo may take to answer a question about the workspace. It may have to download the index of
/// the registry and the dependencies first.
pub(super) const CARGO_ANSWERS_WITHIN: Duration = Duration::from_secs(600);

/// The facts of a job, each found when it is first asked for.
pub struct JobFacts {
    /// The repository's root.
    pub root: PathBuf,
    toolchain: OnceLock<Result<Toolchain, NoToolchain>>,
    metadata: OnceMap<PathBuf, Result<Arc<Metadata>, WorkspaceError>>,
    resolutions: Resolutions,
    mentions: OnceLock<Mentions>,
}

/// Why a fact about the workspace is not known.
#[derive(Clone, Debug, thiserror::Error)]
pub enum WorkspaceError {
    /// cargo refuses the workspace: what it says. The check has failed.
    #[error("{0}")]
    Refused(String),
    /// The features of the packages cannot be combined: a sentence that says why. The check has failed, as
    /// the predecessor's tool fails then.
    #[error("{0}")]
    Uncombinable(String),
    /// cargo could not be asked.
    #[error(transparent)]
    NotAsked(#[from] process::Error),
    /// cargo's answer is not what `cargo metadata` promises.
    #[error("reading cargo metadata: {0}")]
    Unreadable(Arc<serde_json::Error>),
}

impl JobFacts {
    /// The facts of a job in a repository, none of them found yet.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            toolchain: OnceLock::new(),
            metadata: OnceMap::default(),
            resolutions: Resolutions::default(),
            mentions: OnceLock::new(),
        }
    }

    /// The toolchain.
    ///
    /// # Errors
    /// Why there is none.
    pub fn toolchain(&self) -> Result<&Toolchain, &NoToolchain> {
        self.toolchain.get_or_init(|| Toolchain::find(&self.root)).as_ref()
    }

    /// What `cargo metadata` says in a folder. It is asked with dependencies, as `cargo all-features`
    /// asks: that mends an outdated lock file before the first build.
    ///
    /// # Errors
    /// See [`WorkspaceError`].
    pub fn workspace(&self, cargo: &Command, dir: &Path) -> Result<Arc<Metadata>, WorkspaceError> {
        self.metadata.get_or_make(dir.to_owned(), || {
            let question = cargo.clone().args(["metadata", "--format-version=1"]).dir(dir);
            let captured = process::ask(&question.within(CARGO_ANSWERS_WITHIN))?;
            if !captured.status.success() {
                return Err(WorkspaceError::Refused(captured.complaint()));
            }
            let metadata = serde_json::from_slice(&captured.stdout);
            metadata.map(Arc::new).map_err(|error| WorkspaceError::Unreadable(Arc::new(error)))
        })
    }

    /// What [`Self::workspace`] says, with cargo's refusal as a text.
    ///
    /// # Errors
    /// Where cargo cannot be asked.
    pub fn metadata(&self, cargo: &Command, dir: &Path) -> anyhow::Result<Result<Arc<Metadata>, String>> {
        match self.workspace(cargo, dir) {
            Ok(metadata) => Ok(Ok(metadata)),
            Err(WorkspaceError::Refused(words)) => Ok(Err(words)),
            Err(error) => Err(error.into()),
        }
    }

    /// The runs of a cargo command in a folder: one for each distinct result of feature resolution.
    ///
    /// # Errors
    /// See [`WorkspaceError`].
    pub fn runs(
        &self,
        command: &CargoCommand,
        mode: FeatureMode,
        metadata: &Metadata,
        dir: &Path,
        cargo: &Command,
    ) -> Result<Vec<CargoRun>, WorkspaceError> {
        runs(command, mode, metadata, dir, cargo, &self.resolutions)
    }

    /// Which words that have to do with rustc's flags stand in the files of the workspace and of its path
    /// dependencies.
    pub fn mentions(&self, metadata: &Metadata) -> Mentions {
        *self.mentions.get_or_init(|| {
            let own = metadata.packages.iter().filter(|package| package.source.is_none());
            own.filter_map(|package| package.manifest_path.parent()).fold(
                Mentions::default(),
                |all, folder| {
                    // A manifest may inherit its lints from that of a workspace above it.
                    let manifests =
                        folder.ancestors().filter_map(|above| read(above.join("Cargo.toml").as_std_path()));
                    let manifests = manifests.map(|text| Mentions::of_manifest(&text));
                    let target = metadata.target_directory.as_std_path();
                    manifests.fold(all.or(in_sources(folder.as_std_path(), target)), Mentions::or)
                },
            )
        })
    }
}

/// What the Rust sources below a folder mention.
fn in_sources(folder: &Path, target: &Path) -> Mentions {
    let Ok(entries) = std::fs::read_dir(folder) else { return Mentions::default() };
    entries.filter_map(Result::ok).fold(Mentions::default(), |all, entry| {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { return all };
        if kind.is_dir() {
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            return if hidden || path == target { all } else { all.or(in_sources(&path, target)) };
        }
        let source = path.extension().is_some_and(|extension| extension == "rs");
        let text = if source { read(&path) } else { None };
        text.map_or(all, |text| all.or(Mentions::of_source(&text)))
    })
}

/// A file's text. Bytes that are not UTF-8 are replaced.
fn read(file: &Path) -> Option<String> {
    std::fs::read(file).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
