//! What the checks of a job have in common: the toolchain, the workspace, what cargo resolved.

use super::combine::{CargoRun, Resolutions, runs};
use super::toolchain::Toolchain;
use crate::process::{self, Command};
use anyhow::{Context as _, Result};
use cargo_metadata::Metadata;
use rust_vmm_ci_core::checks::cargo::CargoCommand;
use rust_vmm_ci_core::model::FeatureMode;
use rust_vmm_ci_core::workspace::cargo_config;
use rust_vmm_ci_core::workspace::flags::Mentions;
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
    mentions: OnceLock<Mentions>,
}

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

    /// The runs of a cargo command in a folder, in their order.
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

    /// What the files of the workspace and of its path dependencies mention that bears on flags.
    pub fn mentions(&self, metadata: &Metadata) -> Mentions {
        *self.mentions.get_or_init(|| {
            let own = metadata.packages.iter().filter(|package| package.source.is_none());
            own.filter_map(|package| package.manifest_path.parent()).fold(
                Mentions::default(),
                |all, folder| {
                    // A manifest may take its lints from that of a workspace above it.
                    let manifests =
                        folder.ancestors().filter_map(|above| read(above.join("Cargo.toml").as_std_path()));
                    let manifests = manifests.map(|text| Mentions::of_manifest(&text));
                    let target = metadata.target_directory.as_std_path();
                    manifests.fold(all.or(in_sources(folder.as_std_path(), target)), Mentions::or)
                },
            )
        })
    }

    /// Whether it is settled for `triple` in `dir` what runs tests or makes documentation.
    pub fn sets_test_tools(dir: &Path, triple: &str) -> bool {
        let variables = std::env::vars_os()
            .any(|(name, _)| cargo_config::variable_sets_test_tools(&name.to_string_lossy(), triple));
        variables || cargo_config::sets_test_tools(config_files(dir).iter().map(String::as_str), triple)
    }

    /// Whether flags for rustc are in effect for code that is built for `triple` in `dir`, whoever
    /// set them: files of the repository and the person, or variables.
    pub fn has_flags(dir: &Path, triple: &str) -> bool {
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

/// A file's text, bytes that are none replaced.
fn read(file: &Path) -> Option<String> {
    std::fs::read(file).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}
