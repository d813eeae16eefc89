//! What is configured for cargo, in files of the repository and of the person, and in variables.

use rust_vmm_ci_core::workspace::cargo_config;
use std::path::{Path, PathBuf};

/// Whether somebody has configured, for `triple` in `dir`, which program runs tests or makes documentation.
pub(super) fn sets_test_tools(dir: &Path, triple: &str) -> bool {
    let variables = std::env::vars_os()
        .any(|(name, _)| cargo_config::variable_sets_test_tools(&name.to_string_lossy(), triple));
    variables || cargo_config::sets_test_tools(files(dir).iter().map(String::as_str), triple)
}

/// Whether somebody has configured flags for rustc that hold for code that is built for `triple` in `dir`.
pub(super) fn has_flags(dir: &Path, triple: &str) -> bool {
    let variables = std::env::vars_os().any(|(name, value)| {
        !value.is_empty() && cargo_config::variable_has_flags(&name.to_string_lossy(), triple)
    });
    variables || cargo_config::has_flags(files(dir).iter().map(String::as_str), triple)
}

/// The texts of the configuration files that cargo reads in a folder.
fn files(dir: &Path) -> Vec<String> {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let homes = cargo_home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let folders = dir.ancestors().map(|folder| folder.join(".cargo")).chain(homes);
    folders
        .flat_map(|folder| [folder.join("config.toml"), folder.join("config")])
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .collect()
}
