//! What a Cargo workspace is made of. Pure: manifests and metadata come in as values.

pub mod cargo_config;
pub mod features;
mod files;
pub mod flags;
mod globs;
mod manifest;
mod members;
pub mod parallel;
pub mod path;

pub use files::{Files, MemoryFiles};
pub use members::{Crate, Crates, Reach};
