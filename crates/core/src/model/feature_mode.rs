//! Which sets of features a check runs with.

use serde::Deserialize;

/// The sets of features that a cargo check runs with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum FeatureMode {
    /// Every set that `cargo all-features` enumerates, each distinct result once.
    #[default]
    Powerset,
    /// Every set that `cargo all-features` enumerates.
    PowersetAll,
    /// None, each alone, all.
    Each,
    /// `--all-features`.
    All,
    /// The default features.
    Default,
}
