//! The configuration that holds for this process, from what the command line, the environment and
//! the repository say.

use super::environment::variable;
use super::request::Selection;
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::config::{Found, Given, Mode, Text, Wanted, require_version};
use rust_vmm_ci_core::exit::usage;
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_effects::files;
use std::path::{Path, PathBuf};

/// The files in which a repository's pipeline may stand.
const PIPELINE_FILES: [&str; 2] = [".buildkite/pipeline.yml", ".buildkite/pipeline.yaml"];

/// The repository's root: the folder that `-C` names, or this one.
///
/// # Errors
/// Exit 2 where it is no folder, and where its path is not valid text.
pub fn root(common: &Selection) -> Result<PathBuf> {
    let dir = common.dir.as_deref().unwrap_or(Path::new("."));
    let told = |what: &str| usage(format!("-C {}: {what}", dir.display()));
    if !dir.is_dir() {
        return Err(told(if dir.exists() { "not a folder" } else { "no such folder" }));
    }
    // On Windows the canonical form begins with `\\?\`, which few tools understand.
    let root = dunce::canonicalize(dir).map_err(|error| told(&error.to_string()))?;
    if root.to_str().is_none() {
        // Cargo refuses such a path too. Reports and options name paths as text.
        return Err(told("the folder's path is not valid UTF-8; use another folder"));
    }
    Ok(root)
}

/// Finds and reads the configuration.
///
/// # Errors
/// Exit 2 where it is wrong, or asks for another version of the program.
pub fn find(common: &Selection, root: &Path, mode: Mode) -> Result<Found> {
    let named = common.config.as_deref().map(|path| read(path).map(|text| (path, text))).transpose()?;
    let named = named.as_ref().map(|(path, text)| (path.to_string_lossy(), text));
    let mut pipeline = None;
    for path in PIPELINE_FILES {
        if let Some(text) = files::required(root, path)? {
            pipeline = Some((path, text));
            break;
        }
    }
    let plugin_yml = files::required(root, "plugin.yml")?;
    let told = variable("BUILDKITE_PLUGIN_CONFIGURATION");
    let name = variable("BUILDKITE_PLUGIN_NAME");
    let plugins = variable("BUILDKITE_PLUGINS");
    let given = Given {
        file: named.as_ref().map(|(path, text)| Text { path, text }),
        plugin_configuration: told.as_deref(),
        plugin_name: name.as_deref(),
        plugins: plugins.as_deref(),
        pipeline: pipeline.as_ref().map(|(path, text)| Text { path, text }),
        plugin_yml: plugin_yml.as_deref(),
        wanted: Wanted {
            mode,
            platform: common.platform.or_else(Platform::of_this_machine),
            os: common.os.or_else(Os::of_this_machine),
        },
    };
    let found = given.find()?;
    let binary = semver::Version::parse(env!("CARGO_PKG_VERSION")).context("this program's version")?;
    let hooks = variable("RUST_VMM_CI_HOOKS_VERSION");
    require_version(found.config.version.as_ref(), hooks.as_deref(), &binary)?;
    Ok(found)
}

fn read(path: &Path) -> Result<String> {
    if path.to_str().is_none() {
        let shown = path.display();
        return Err(usage(format!("--config {shown}: the path is not valid UTF-8; name another file")));
    }
    std::fs::read_to_string(path).map_err(|error| usage(format!("--config {}: {error}", path.display())))
}
