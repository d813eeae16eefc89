//! What the checks of a job have in common: the toolchain, the workspace, what cargo resolves.

use super::combine::{Asking, CargoRun, Resolutions, runs};
use super::dependencies::{self, Dependencies};
use super::once_map::OnceMap;
use super::toolchain::{NoToolchain, Toolchain, decided_in};
use crate::files::Checkout;
use crate::process::{self, Command};
use cargo_metadata::Metadata;
use rust_vmm_ci_core::checks::cargo::CargoCommand;
use rust_vmm_ci_core::model::FeatureMode;
use rust_vmm_ci_core::workspace::{self, flags::Mentions};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long cargo may take to answer a question about the workspace. It may have to download the index of
/// the registry and the dependencies first.
pub(super) const CARGO_ANSWERS_WITHIN: Duration = Duration::from_secs(600);

/// What decides about a toolchain: see [`decided_in`], and variables.
type ToolchainKey = (Option<PathBuf>, Vec<(String, String)>);

/// The facts of a job, each found when it is first asked for.
#[derive(Debug)]
pub struct JobFacts {
    /// The repository's root.
    pub root: PathBuf,
    toolchains: OnceMap<ToolchainKey, Result<Arc<Toolchain>, NoToolchain>>,
    metadata: OnceMap<(PathBuf, String), Result<Arc<Metadata>, WorkspaceError>>,
    resolutions: Resolutions,
    mentions: OnceMap<PathBuf, Mentions>,
    dependencies: OnceLock<Option<Dependencies>>,
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
    /// The repository asks for more than a machine can do: a sentence that says where, and how to mend it.
    #[error("{0}")]
    TooMuch(String),
    /// The options leave out every package: a sentence that says which options.
    #[error("{0}")]
    NothingSelected(&'static str),
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
            toolchains: OnceMap::default(),
            metadata: OnceMap::default(),
            resolutions: Resolutions::default(),
            mentions: OnceMap::default(),
            dependencies: OnceLock::new(),
        }
    }

    /// The toolchain that a command has that is started in a folder and sets these variables.
    ///
    /// # Errors
    /// Why there is none.
    pub fn toolchain(
        &self,
        dir: &Path,
        variables: &[(String, String)],
    ) -> Result<Arc<Toolchain>, NoToolchain> {
        let decide = |name: &str| {
            const OTHERS: [&str; 3] = ["CARGO_ENCODED_", "CARGO_BUILD_", "CARGO_TARGET_"];
            !["RUSTFLAGS", "RUSTDOCFLAGS"].contains(&name)
                && !OTHERS.iter().any(|other| name.starts_with(other))
        };
        let deciding = variables.iter().filter(|(name, _)| decide(name)).cloned().collect();
        self.toolchains.get_or_make((decided_in(dir, variables), deciding), || {
            Toolchain::find(dir, variables).map(Arc::new)
        })
    }

    /// The link that uses the metadata of compiled dependencies where cargo wants them checked. None where it cannot be
    /// prepared.
    pub fn dependencies(&self) -> Option<&Dependencies> {
        self.dependencies.get_or_init(Dependencies::prepare).as_ref()
    }

    /// What `cargo metadata` says in a folder. It is asked with dependencies, as `cargo all-features`
    /// asks: that mends an outdated lock file before the first build, unless `flags` say that the lock file
    /// must stay as it is.
    ///
    /// # Errors
    /// See [`WorkspaceError`].
    pub fn workspace<'f>(
        &self,
        cargo: &Command,
        dir: &Path,
        flags: impl IntoIterator<Item = &'f str>,
    ) -> Result<Arc<Metadata>, WorkspaceError> {
        let question = cargo.clone().args(["metadata", "--format-version=1"]).args(flags).dir(dir);
        self.metadata.get_or_make((dir.to_owned(), surroundings(&question)), || {
            // Cargo would visit the folders for hours before it answers.
            let within = |folder: &&Path| folder.starts_with(&self.root);
            for folder in dir.ancestors().take_while(within) {
                let refused = workspace::require_few_folders(&Checkout::at(folder, 1));
                refused.map_err(|error| WorkspaceError::TooMuch(error.to_string()))?;
            }
            let captured = process::ask(&question.within(CARGO_ANSWERS_WITHIN))?;
            if !captured.status.success() {
                return Err(WorkspaceError::Refused(dependencies::complaint(&captured)));
            }
            let metadata = serde_json::from_slice(&captured.stdout);
            metadata.map(Arc::new).map_err(|error| WorkspaceError::Unreadable(Arc::new(error)))
        })
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
        asking: &Asking<'_>,
    ) -> Result<Vec<CargoRun>, WorkspaceError> {
        runs(command, mode, metadata, dir, asking, &self.resolutions)
    }

    /// Which words that have to do with rustc's flags stand in the files of the workspace and of its path
    /// dependencies.
    pub fn mentions(&self, metadata: &Metadata) -> Mentions {
        self.mentions.get_or_make(metadata.workspace_root.clone().into(), || {
            let own = || metadata.packages.iter().filter(|package| package.source.is_none());
            let outside = own().any(|package| {
                let folder = package.manifest_path.parent();
                package.targets.iter().any(|t| folder.is_none_or(|folder| !t.src_path.starts_with(folder)))
            });
            let begin = Mentions { elsewhere: outside, ..Mentions::default() };
            own().filter_map(|package| package.manifest_path.parent()).fold(begin, |all, folder| {
                // A manifest may inherit its lints from that of a workspace above it.
                let manifests =
                    folder.ancestors().filter_map(|above| read(above.join("Cargo.toml").as_std_path()));
                let manifests = manifests.map(|text| Mentions::of_manifest(&text));
                let target = metadata.target_directory.as_std_path();
                manifests.fold(all.or(in_sources(folder.as_std_path(), target)), Mentions::or)
            })
        })
    }
}

/// What can change the answer to a question: the program, its arguments and its variables. Flags for rustdoc
/// change no answer.
pub(super) fn surroundings(question: &Command) -> String {
    let env: Vec<_> = question.env.iter().filter(|(name, _)| name != "RUSTDOCFLAGS").collect();
    format!("{} {:?} {env:?}", question.program.display(), question.args)
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
        if kind.is_symlink() && path.is_dir() {
            // It may lead anywhere, and in circles.
            return Mentions { elsewhere: true, ..all };
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
