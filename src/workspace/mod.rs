//! What a Cargo workspace is made of. Pure: manifests and metadata come in as values.

pub mod cargo_config;
pub mod features;
