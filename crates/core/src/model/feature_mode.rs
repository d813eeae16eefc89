//! The option `features`.

use serde::Deserialize;

/// How the feature sets of a Cargo check are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum FeatureMode {
    /// Every set that `cargo all-features` enumerates. Sets that build the same run once.
    #[default]
    Powerset,
    /// Every set that `cargo all-features` enumerates. Every set runs.
    PowersetAll,
    /// The set without features, each feature alone, and the set of all features.
    Each,
    /// All features at once (`--all-features`).
    All,
    /// The default features of the package.
    Default,
}
