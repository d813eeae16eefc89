//! What a Cargo workspace is made of. Pure: manifests and metadata come in as values.

pub mod cargo_config;
pub mod features;
mod files;
pub mod flags;
mod manifest;
mod members;
pub mod path;

pub use files::Files;
#[cfg(test)]
pub use files::MemoryFiles;
pub use members::{Crate, Crates};
