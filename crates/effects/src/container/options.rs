//! The container's options are read in the core crate. Here they get the place that an error names.

use anyhow::Result;
pub use rust_vmm_ci_core::config::docker::{Given, OPTIONS, Use, read};
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::options::Source;
use serde_json::Value;

/// Whether an option may be written so, for code that only passes it on. `source` and `path` say where
/// the options stand.
///
/// # Errors
/// Exit 2 with the place and what is wrong.
pub fn check(source: Source, path: &str, name: &str, value: &Value) -> Result<()> {
    match read(name, value) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(exit::usage(refusal.below(path).at_source(source))),
    }
}
