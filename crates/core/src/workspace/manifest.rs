//! The parts of a `Cargo.toml` that name crates and their path dependencies.

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

/// The parts of a manifest that describe the workspace.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// The table `[package]`.
    pub package: Option<Package>,
    /// The table `[workspace]`.
    pub workspace: Option<Workspace>,
    // The fields of `Tables` are repeated here. With `flatten`, serde would copy the whole document.
    #[serde(default)]
    dependencies: Table,
    #[serde(default, alias = "dev_dependencies")]
    dev_dependencies: Table,
    #[serde(default, alias = "build_dependencies")]
    build_dependencies: Table,
    #[serde(default)]
    target: BTreeMap<String, Tables>,
    /// The tables `[patch.SOURCE]`.
    #[serde(default)]
    patch: BTreeMap<String, Table>,
    /// The table `[replace]`.
    #[serde(default)]
    replace: Table,
    #[serde(default)]
    lib: Target,
    #[serde(default)]
    bin: Vec<Target>,
    #[serde(default)]
    test: Vec<Target>,
    #[serde(default)]
    bench: Vec<Target>,
    #[serde(default)]
    example: Vec<Target>,
}

/// A target of a package: a library, a program, a test.
#[derive(Debug, Default, Deserialize)]
struct Target {
    path: Option<toml::Value>,
}

/// Dependencies by name.
type Table = BTreeMap<String, Dependency>;

/// The table `[package]`.
#[derive(Debug, Deserialize)]
pub struct Package {
    /// The name of the package.
    pub name: String,
    /// The build script: a path, several, or whether there is one.
    build: Option<toml::Value>,
    /// The folder of the workspace, if it is not one above the package.
    pub workspace: Option<String>,
}

/// The table `[workspace]`.
#[derive(Debug, Default, Deserialize)]
pub struct Workspace {
    /// The folders of the members, or globs of folders.
    #[serde(default)]
    pub members: Vec<String>,
    /// Folders that are not members, even if a glob or a path dependency finds them.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// The dependencies that members inherit with `workspace = true`.
    #[serde(default)]
    pub dependencies: BTreeMap<String, Dependency>,
}

/// The dependencies of every kind for one target.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Tables {
    #[serde(default)]
    dependencies: Table,
    // Cargo also accepts the spellings with `_`, with a warning.
    #[serde(default, alias = "dev_dependencies")]
    dev_dependencies: Table,
    #[serde(default, alias = "build_dependencies")]
    build_dependencies: Table,
}

/// The parts of a dependency that can lead to a folder.
#[derive(Debug, Default)]
pub struct Dependency {
    /// The folder of the dependency, relative to the manifest's folder.
    pub path: Option<String>,
    /// Whether the dependency is inherited from the workspace (`workspace = true`).
    pub workspace: bool,
}

impl Manifest {
    /// The crates by which `[patch]` and `[replace]` replace others, with the names of those.
    pub fn replacements(&self) -> impl Iterator<Item = (&str, &Dependency)> {
        let all = self.patch.values().chain(std::iter::once(&self.replace)).flatten();
        all.map(|(name, dependency)| (name.as_str(), dependency))
    }

    /// The source files that the manifest names: of targets and build scripts. Paths start at its folder.
    pub fn sources(&self) -> impl Iterator<Item = &str> {
        let targets = [&self.bin, &self.test, &self.bench, &self.example].into_iter().flatten();
        let targets = targets.chain(std::iter::once(&self.lib)).filter_map(|target| target.path.as_ref());
        let build = self.package.iter().filter_map(|package| package.build.as_ref());
        let build =
            build.flat_map(|build| build.as_array().map_or(std::slice::from_ref(build), Vec::as_slice));
        targets.chain(build).filter_map(toml::Value::as_str)
    }

    /// All dependencies with their names: of every kind and for every target.
    pub fn dependencies(&self) -> impl Iterator<Item = (&str, &Dependency)> {
        let kinds = [&self.dependencies, &self.dev_dependencies, &self.build_dependencies];
        let of_targets = self
            .target
            .values()
            .flat_map(|tables| [&tables.dependencies, &tables.dev_dependencies, &tables.build_dependencies]);
        let all = kinds.into_iter().chain(of_targets).flatten();
        all.map(|(name, dependency)| (name.as_str(), dependency))
    }
}

impl<'de> Deserialize<'de> for Dependency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;

        impl<'de> Visitor<'de> for Keys {
            type Value = Dependency;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a version or a table")
            }

            fn visit_str<E>(self, _version: &str) -> Result<Dependency, E> {
                Ok(Dependency::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Dependency, A::Error> {
                let mut found = Dependency::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "path" => found.path = Some(map.next_value()?),
                        "workspace" => found.workspace = map.next_value()?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(found)
            }
        }

        deserializer.deserialize_any(Keys)
    }
}
