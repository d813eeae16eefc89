//! What the checks of a job have in common: the toolchain, the workspace, what cargo resolved.

use super::combine::{CargoRun, Resolutions, runs};
use super::toolchain::Toolchain;
use crate::checks::cargo::CargoCommand;
use crate::model::FeatureMode;
use crate::process::{self, Command};
use crate::workspace::cargo_config;
use anyhow::{Context as _, Result};
use cargo_metadata::Metadata;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The facts of a job, each found when it is first asked for.
pub struct Job {
    /// The repository's root.
    pub root: PathBuf,
    toolchain: OnceLock<Result<Toolchain, String>>,
    metadata: Mutex<HashMap<PathBuf, Arc<Result<Metadata, String>>>>,
    resolutions: Mutex<Resolutions>,
    mentions: OnceLock<bool>,
}

/// The `cfg` by which a crate says that its documentation may be made with features that exclude
/// each other (predecessor's doc check).
pub const DOC_CFG: &str = "RUSTDOC_disable_feature_compat_errors";

impl Job {
    /// A job in a repository.
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            toolchain: OnceLock::new(),
            metadata: Mutex::default(),
            resolutions: Mutex::default(),
            mentions: OnceLock::new(),
        }
    }

    /// The toolchain, or why there is none.
    pub fn toolchain(&self) -> Result<&Toolchain, &str> {
        self.toolchain
            .get_or_init(|| Toolchain::find(&self.root).map_err(|error| format!("{error:#}")))
            .as_ref()
            .map_err(String::as_str)
    }

    /// What `cargo metadata` says in a folder, or cargo's words. It is asked with dependencies, as
    /// `cargo all-features` asks, which mends a stale lock file before the first build.
    pub fn metadata(&self, cargo: &Command, dir: &Path) -> Result<Arc<Result<Metadata, String>>> {
        let mut known = self.metadata.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known.get(dir) {
            return Ok(Arc::clone(answer));
        }
        let captured = process::capture(&cargo.clone().args(["metadata", "--format-version=1"]).dir(dir))?;
        let answer = if captured.status.success() {
            Ok(serde_json::from_slice(&captured.stdout).context("reading cargo metadata")?)
        } else {
            Err(captured.complaint())
        };
        let answer = Arc::new(answer);
        known.insert(dir.to_owned(), Arc::clone(&answer));
        Ok(answer)
    }

    /// The runs of a cargo command in a folder; see [`runs`].
    ///
    /// # Errors
    /// Where cargo cannot be started.
    pub fn runs(
        &self,
        command: &CargoCommand,
        mode: FeatureMode,
        metadata: &Metadata,
        dir: &Path,
        cargo: &Command,
    ) -> Result<Result<Vec<CargoRun>, String>> {
        let mut resolutions = self.resolutions.lock().unwrap_or_else(PoisonError::into_inner);
        runs(command, mode, metadata, dir, cargo, &mut resolutions)
    }

    /// Whether the workspace's own sources mention [`DOC_CFG`].
    pub fn mentions_doc_cfg(&self, metadata: &Metadata) -> bool {
        *self.mentions.get_or_init(|| {
            let own = metadata.packages.iter().filter(|package| package.source.is_none());
            own.filter_map(|package| package.manifest_path.parent())
                .any(|folder| mentions(folder.as_std_path(), metadata.target_directory.as_std_path()))
        })
    }

    /// Whether flags for rustc are in effect for code that is built for `triple` in `dir`, whoever
    /// set them: files of the repository and the person, or variables.
    pub fn has_flags(&self, dir: &Path, triple: &str) -> bool {
        let variables = std::env::vars_os().any(|(name, value)| {
            !value.is_empty() && cargo_config::variable_has_flags(&name.to_string_lossy(), triple)
        });
        variables || cargo_config::has_flags(config_files(dir).iter().map(String::as_str), triple)
    }
}

/// The texts of the configuration files that cargo reads in a folder.
fn config_files(dir: &Path) -> Vec<String> {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let homes = cargo_home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let folders = dir.ancestors().map(|folder| folder.join(".cargo")).chain(homes);
    folders
        .flat_map(|folder| [folder.join("config.toml"), folder.join("config")])
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .collect()
}

/// Whether a Rust source below a folder mentions [`DOC_CFG`].
fn mentions(folder: &Path, target: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.filter_map(Result::ok).any(|entry| {
        let path = entry.path();
        let Ok(kind) = entry.file_type() else { return false };
        if kind.is_dir() {
            path != target && !entry.file_name().to_string_lossy().starts_with('.') && mentions(&path, target)
        } else {
            path.extension().is_some_and(|extension| extension == "rs")
                && std::fs::read_to_string(&path).is_ok_and(|text| text.contains(DOC_CFG))
        }
    })
}
