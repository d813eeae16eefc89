//! The only view of Cargo's configuration. It is what Cargo finds if it is started in a folder, with certain
//! variables and arguments. All code that needs a setting asks this view.
//!
//! The rules are those of the Cargo Book, "Configuration": files from the folder up to the root of the file
//! system, the file in `CARGO_HOME`, the files that they include, variables, and `--config`. If a file cannot
//! be read or parsed, this view assumes that it sets everything. That is the safe answer, because it only
//! costs time.

mod sources;

pub use sources::{CargoPlace, FileText};

use sources::Source;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use toml::Value;

/// What Cargo finds in one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CargoConfig {
    /// Every source, the one that Cargo prefers first.
    sources: Vec<Source>,
    /// The number of sources at the beginning that come from `--config`. Cargo prefers them to variables.
    from_arguments: usize,
    /// The variables that Cargo sees. An empty one counts as not set, except for wrappers.
    variables: BTreeMap<String, String>,
    /// The folder that Cargo is started in.
    dir: PathBuf,
}

impl CargoConfig {
    /// Reads the configuration of a place. `read` gives the text of a file.
    pub fn read(place: CargoPlace<'_>, read: &dyn Fn(&Path) -> FileText) -> Self {
        let (sources, from_arguments) = sources::all(&place, read);
        Self { sources, from_arguments, variables: place.variables, dir: place.dir.to_owned() }
    }

    /// Whether something sets flags for rustc, or a default target, for code that is built for `triple`.
    ///
    /// The variable `RUSTFLAGS` replaces such flags and does not add to them. So if flags are set, a check
    /// needs that variable to reach the verdict of the predecessor. A `cfg(…)` section counts as matching.
    pub fn has_flags(&self, triple: &str) -> bool {
        let names = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET"];
        self.has_variable(&names)
            || self.has_variable(&[&of_target(triple, "RUSTFLAGS")])
            || self.sets_in_build(&["rustflags", "target"])
            || self.sets_for_target(triple, "rustflags")
    }

    /// Whether something sets the runner of tests for `triple`, the rustdoc program, or a default target.
    pub fn sets_test_tools(&self, triple: &str) -> bool {
        self.has_variable(&["RUSTDOC", "CARGO_BUILD_RUSTDOC", "CARGO_BUILD_TARGET"])
            || self.has_variable(&[&of_target(triple, "RUNNER")])
            || self.sets_in_build(&["rustdoc", "target"])
            || self.sets_for_target(triple, "runner")
    }

    /// Whether something may say how much debug information builds have. A mention of the word in a file is
    /// enough.
    pub fn may_set_debug(&self) -> bool {
        let names = |name: &String| name.starts_with("CARGO_PROFILE_") && name.ends_with("_DEBUG");
        let mentions =
            |source: &Source| source.table.as_ref().is_none_or(|table| table.to_string().contains("debug"));
        self.variables.keys().any(names) || self.sources.iter().any(mentions)
    }

    /// The program that Cargo calls in the place of rustc, with rustc's path as its first argument.
    pub fn rustc_wrapper(&self) -> Option<PathBuf> {
        self.tool("RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WRAPPER", "rustc-wrapper")
    }

    /// The same, but only for the workspace's members.
    pub fn rustc_workspace_wrapper(&self) -> Option<PathBuf> {
        let variable = "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER";
        self.tool("RUSTC_WORKSPACE_WRAPPER", variable, "rustc-workspace-wrapper")
    }

    /// A text that is the same for two places if the files and the options there contain the same settings.
    /// A setting can have any effect on a result, so the text holds all of them. It does not hold the
    /// variables.
    pub fn fingerprint(&self) -> String {
        self.sources.iter().fold(String::new(), |mut all, source| {
            let table = source.table.as_ref().map(toml::Table::to_string);
            let _ = writeln!(all, "{} {table:?}", source.base.display());
            all
        })
    }

    fn has_variable(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.variables.get(*name).is_some_and(|value| !value.is_empty()))
    }

    fn sets_in_build(&self, keys: &[&str]) -> bool {
        self.sources.iter().any(|source| match &source.table {
            None => true,
            Some(table) => keys.iter().any(|key| table.get("build").is_some_and(|b| b.get(key).is_some())),
        })
    }

    fn sets_for_target(&self, triple: &str, key: &str) -> bool {
        self.sources.iter().any(|source| match &source.table {
            None => true,
            Some(table) => {
                let targets = table.get("target").and_then(Value::as_table);
                targets.into_iter().flatten().any(|(name, value)| {
                    (name == triple || name.starts_with("cfg(")) && value.get(key).is_some()
                })
            }
        })
    }

    /// The path of a wrapper. `first` overrides everything, then comes `--config`, then `second`, then files.
    /// An empty value means that there is no wrapper. A name without `/` is searched on PATH. A relative path
    /// in a variable starts at the folder that Cargo is started in. A relative path in a file starts at the
    /// folder that contains `.cargo`.
    fn tool(&self, first: &str, second: &str, key: &str) -> Option<PathBuf> {
        let variable = |name: &str| self.variables.get(name).map(|value| at(&self.dir, value));
        let set = |source: &Source| {
            let value = source.table.as_ref()?.get("build")?.get(key)?.as_str()?;
            Some(at(&source.base, value))
        };
        let (arguments, files) = self.sources.split_at(self.from_arguments);
        let found = variable(first)
            .or_else(|| arguments.iter().find_map(set))
            .or_else(|| variable(second))
            .or_else(|| files.iter().find_map(set))?;
        (!found.as_os_str().is_empty()).then_some(found)
    }
}

/// A program from a file or a variable, as Cargo finds it.
fn at(base: &Path, program: &str) -> PathBuf {
    if program.contains(['/', std::path::MAIN_SEPARATOR]) { base.join(program) } else { program.into() }
}

/// The environment variable from which Cargo reads a key of the section `[target.TRIPLE]`.
fn of_target(triple: &str, key: &str) -> String {
    format!("CARGO_TARGET_{}_{key}", triple.to_uppercase().replace(['-', '.'], "_"))
}

#[cfg(test)]
mod tests;
