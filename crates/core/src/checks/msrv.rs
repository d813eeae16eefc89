//! `msrv`: each package compiles with the Rust version that it declares as `rust-version`.
//!
//! What the key means is in the Cargo Book, "The Manifest Format": the package's library and programs compile
//! with this version. So development dependencies are not built, and the features are the default ones.

use super::check::{Check, Membership, Runs};
use super::own;
use super::work::{Compiles, Logic, Needs};
use anyhow::Result;
use cargo_metadata::Metadata;
use semver::Version;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The check's name: its key under `checks`.
pub const NAME: &str = "msrv";

/// The check.
pub const CHECK: Check = Check {
    name: NAME,
    holds: "each package compiles with the Rust version in its `rust-version`",
    membership: Membership::OptIn,
    advisory: false,
    options: &[],
    runs: Runs::Logic {
        read,
        needs: Needs {
            compiles: Some(Compiles { target: None, release: false, checked: true }),
            manifest: true,
            ..Needs::NOTHING
        },
    },
    seconds: 22.0,
};

fn read(own: &Map<String, Value>) -> Result<Logic> {
    own::read_none(NAME, own).map(|()| Logic::Msrv)
}

/// The packages of a workspace, by the Rust version that they declare.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// The packages of each version, from the oldest.
    pub by_version: BTreeMap<Version, Vec<String>>,
    /// The packages that declare none.
    pub without: Vec<String>,
}

/// Reads which versions the members of a workspace declare. `only` restricts it to one package.
pub fn declared(metadata: &Metadata, only: Option<&str>) -> Declared {
    let mut declared = Declared::default();
    let members = metadata.packages.iter().filter(|package| metadata.workspace_members.contains(&package.id));
    for package in members.filter(|package| only.is_none_or(|only| package.name == only)) {
        let name = package.name.to_string();
        match &package.rust_version {
            Some(version) => declared.by_version.entry(version.clone()).or_default().push(name),
            None => declared.without.push(name),
        }
    }
    declared
}

/// The toolchain for a declared version. `here` is the first line of `rustc --version` of the toolchain that
/// is in effect, and `installed` is what `rustup toolchain list` prints.
#[derive(Debug, PartialEq, Eq)]
pub enum Chosen {
    /// The one that is in effect.
    Here,
    /// One that rustup knows by this name.
    Rustup(String),
    /// None is installed.
    Missing,
}

/// Chooses the toolchain for a declared version. A later patch release of the version serves too.
pub fn choose(wanted: &Version, here: &str, installed: &str) -> Chosen {
    let serves = |text: &str| {
        let mut parts = text.split('.');
        let mut number = || parts.next().map(|part| part.parse::<u64>().ok());
        // `1.70` is the newest patch release of 1.70, as rustup reads it.
        match (number(), number(), number()) {
            (Some(Some(major)), Some(Some(minor)), patch) => {
                (major, minor) == (wanted.major, wanted.minor)
                    && patch.is_none_or(|patch| patch.is_some_and(|patch| patch >= wanted.patch))
            }
            _ => false,
        }
    };
    if here.split_whitespace().nth(1).is_some_and(serves) {
        return Chosen::Here;
    }
    let names = installed.lines().filter_map(|line| line.split_whitespace().next());
    let fits = |name: &&str| serves(name.split('-').next().unwrap_or(name));
    names.into_iter().find(fits).map_or(Chosen::Missing, |name| Chosen::Rustup(name.to_owned()))
}

/// The command that installs the toolchain for a version.
pub fn install(wanted: &Version) -> String {
    format!("rustup toolchain install {wanted} --profile minimal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_toolchain_is_one_of_the_declared_version_or_a_later_patch_of_it() {
        let rustup = "stable-x86_64-unknown-linux-gnu (active, default)\n1.70.0-x86_64-unknown-linux-gnu\n\
            1.71-x86_64-unknown-linux-gnu\n1.72.1-x86_64-unknown-linux-gnu\nmine\n";
        let named = |name: &str| Chosen::Rustup(format!("{name}-x86_64-unknown-linux-gnu"));
        for (wanted, expected) in [
            (Version::new(1, 95, 0), Chosen::Here),
            (Version::new(1, 95, 2), Chosen::Missing),
            (Version::new(1, 70, 0), named("1.70.0")),
            (Version::new(1, 70, 1), Chosen::Missing),
            (Version::new(1, 71, 1), named("1.71")),
            (Version::new(1, 72, 0), named("1.72.1")),
            (Version::new(1, 7, 0), Chosen::Missing),
        ] {
            assert_eq!(choose(&wanted, "rustc 1.95.1 (0123 2026-04-14)", rustup), expected, "{wanted}");
        }
        assert_eq!(install(&Version::new(1, 70, 0)), "rustup toolchain install 1.70.0 --profile minimal");
    }
}
