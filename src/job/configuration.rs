//! The configuration that holds for this process, from what the command line, the environment and
//! the repository say.

use super::environment::variable;
use super::request::Selection;
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::config::{All, Found, Given, Purpose, Text, Wanted, require_version};
use rust_vmm_ci_core::exit::usage;
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_effects::files;
use std::path::{Path, PathBuf};

/// The files in which a repository's pipeline may stand.
const PIPELINE_FILES: [&str; 2] = [".buildkite/pipeline.yml", ".buildkite/pipeline.yaml"];

/// The repository's root. It is the folder that `-C` names. Without `-C` it is the root of the repository
/// that this folder is in: git's, else the workspace's.
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
    let dir = dunce::canonicalize(dir).map_err(|error| told(&error.to_string()))?;
    let root = if common.dir.is_some() { dir } else { root_above(&dir) };
    if root.to_str().is_none() {
        // Cargo refuses such a path too. Reports and options name paths as text.
        return Err(told("the folder's path is not valid UTF-8; use another folder"));
    }
    Ok(root)
}

/// The root of the repository that a folder is in; the folder itself where it is in none.
fn root_above(dir: &Path) -> PathBuf {
    let has = |folder: &Path, name: &str| folder.join(name).exists();
    let of_git = dir.ancestors().find(|folder| has(folder, ".git"));
    // A folder with git but without any of these files, such as a home folder, is no repository of crates.
    if let Some(root) = of_git.filter(|root| has(root, "Cargo.toml") || has(root, ".buildkite")) {
        return root.to_owned();
    }
    let within = |folder: &&Path| of_git.is_none_or(|root| folder.starts_with(root));
    let packages = dir.ancestors().take_while(within).filter(|folder| has(folder, "Cargo.toml"));
    let is_workspace = |folder: &&Path| {
        let text = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        text.lines().any(|line| line.trim_start().starts_with("[workspace"))
    };
    let packages: Vec<&Path> = packages.collect();
    let root = packages.iter().copied().find(is_workspace).or_else(|| packages.first().copied());
    root.or(of_git).unwrap_or(dir).to_owned()
}

/// The configuration for a job of a hook: the agent says which one it is.
///
/// # Errors
/// Exit 2 where it is wrong, or asks for another version of the program.
pub fn find(common: &Selection, root: &Path) -> Result<Found> {
    let one = |given: &Given<'_>| given.find();
    let found = with_given(common, root, Purpose::Run, one)?;
    require(&found)?;
    Ok(found)
}

/// Every configuration that a command takes, and notes on those that it leaves out.
///
/// # Errors
/// As [`find`]; and exit 2 where `--step` names no step.
pub fn all(common: &Selection, root: &Path, purpose: Purpose) -> Result<All> {
    let all = with_given(common, root, purpose, |given| given.all(purpose, common.step.as_deref()))?;
    all.found.iter().try_for_each(require)?;
    Ok(all)
}

/// Refuses a configuration that is for another version of this program.
fn require(found: &Found) -> Result<()> {
    let binary = semver::Version::parse(env!("CARGO_PKG_VERSION")).context("this program's version")?;
    let hooks = variable("RUST_VMM_CI_HOOKS_VERSION");
    require_version(found.config.version.as_ref(), hooks.as_deref(), &binary)
}

/// Calls `ask` with all that may hold a configuration.
fn with_given<T>(
    common: &Selection,
    root: &Path,
    purpose: Purpose,
    ask: impl FnOnce(&Given<'_>) -> Result<T>,
) -> Result<T> {
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
    // Only a run is for this machine. What is shown is for any, if the command line does not name one.
    let runs = purpose == Purpose::Run;
    let here = (Platform::of_this_machine().filter(|_| runs), Os::of_this_machine().filter(|_| runs));
    ask(&Given {
        file: named.as_ref().map(|(path, text)| Text { path, text }),
        plugin_configuration: told.as_deref(),
        plugin_name: name.as_deref(),
        plugins: plugins.as_deref(),
        pipeline: pipeline.as_ref().map(|(path, text)| Text { path, text }),
        plugin_yml: plugin_yml.as_deref(),
        wanted: Wanted {
            mode: purpose.mode(),
            platform: common.platform.or(here.0),
            os: common.os.or(here.1),
        },
    })
}

fn read(path: &Path) -> Result<String> {
    if path.to_str().is_none() {
        let shown = path.display();
        return Err(usage(format!("--config {shown}: the path is not valid UTF-8; name another file")));
    }
    std::fs::read_to_string(path).map_err(|error| usage(format!("--config {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_folder_belongs_to_the_repository_of_git_else_to_its_workspace() {
        let scratch = tempfile::tempdir().unwrap();
        let root = dunce::canonicalize(scratch.path()).unwrap();
        let folder = |path: &str| {
            fs::create_dir_all(root.join(path)).unwrap();
            root.join(path)
        };
        let inner = folder("work/crates/a/src");
        assert_eq!(root_above(&inner), inner, "nothing says that it is in a repository");
        fs::write(root.join("work/crates/a/Cargo.toml"), "[package]\nname = \"a\"\n").unwrap();
        assert_eq!(root_above(&inner), root.join("work/crates/a"));
        fs::write(root.join("work/Cargo.toml"), "[workspace]\nmembers = [\"crates/a\"]\n").unwrap();
        assert_eq!(root_above(&inner), root.join("work"));
        // A git repository without a crate is not the root.
        folder(".git");
        assert_eq!(root_above(&inner), root.join("work"));
        folder(".buildkite");
        assert_eq!(root_above(&inner), root);
    }
}
