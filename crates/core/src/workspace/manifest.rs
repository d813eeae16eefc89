//! What of a `Cargo.toml` says which crates there are and which depend on which by path.

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;

/// A manifest's parts that bear on the workspace.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// `[package]`
    pub package: Option<Package>,
    /// `[workspace]`
    pub workspace: Option<Workspace>,
    // Not flattened from `Tables`: serde would copy the whole document for that.
    #[serde(default)]
    dependencies: Table,
    #[serde(default, alias = "dev_dependencies")]
    dev_dependencies: Table,
    #[serde(default, alias = "build_dependencies")]
    build_dependencies: Table,
    #[serde(default)]
    target: BTreeMap<String, Tables>,
}

/// Dependencies by name.
type Table = BTreeMap<String, Dependency>;

/// `[package]`
#[derive(Debug, Deserialize)]
pub struct Package {
    /// The crate's name.
    pub name: String,
}

/// `[workspace]`
#[derive(Debug, Default, Deserialize)]
pub struct Workspace {
    /// Folders, or globs of folders.
    #[serde(default)]
    pub members: Vec<String>,
    /// Folders that are none even where a glob or a path dependency finds them.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// What members inherit by `workspace = true`.
    #[serde(default)]
    pub dependencies: BTreeMap<String, Dependency>,
}

/// The dependencies of every kind for one target.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Tables {
    #[serde(default)]
    dependencies: Table,
    // cargo takes the spellings with `_` too, with a warning.
    #[serde(default, alias = "dev_dependencies")]
    dev_dependencies: Table,
    #[serde(default, alias = "build_dependencies")]
    build_dependencies: Table,
}

/// What of a dependency leads to a folder.
#[derive(Debug, Default)]
pub struct Dependency {
    /// Its folder, from the manifest's.
    pub path: Option<String>,
    /// Whether the workspace's table of dependencies says it.
    pub workspace: bool,
}

impl Manifest {
    /// Every dependency, with its name.
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
