//! Reads the facts that a plan needs from the disk and the environment.

use super::machine;
use anyhow::Result;
use rust_vmm_ci_core::checks::times::Times;
use rust_vmm_ci_core::config::Config;
use rust_vmm_ci_core::plan::Facts;
use rust_vmm_ci_core::selection::{self, Before, Change, Rules, Selection};
use rust_vmm_ci_effects::files::Checkout;
use std::path::Path;

/// Reads the times by which an upload splits a platform's checks over jobs.
///
/// # Errors
/// As [`Times::read`].
pub fn times(root: &Path, config: &Config) -> Result<Times> {
    let times = Times::read(&Checkout::at(root, machine::cores()), &config.split.times);
    times.map_err(|error| config.source.named_in(error))
}

/// Reads the facts of a repository. `packages` asks for the workspace's members.
///
/// # Errors
/// As [`Facts::read`].
pub fn read(root: &Path, config: &Config, packages: bool) -> Result<Facts> {
    let variable = |name: &str| std::env::var(name).ok();
    Facts::read(&Checkout::at(root, machine::cores()), &variable, config, packages)
}

/// What a change reaches in a repository, by its files on disk.
///
/// # Errors
/// As [`selection::select`].
pub fn select(
    root: &Path,
    change: &Change,
    before: &(dyn Fn(&str) -> Before + Sync),
    rules: &Rules,
) -> Result<Selection> {
    selection::select(change, before, &Checkout::at(root, machine::cores()), rules)
}
