//! The structure of a Cargo workspace: members, path dependencies, feature sets, and configuration that
//! can change a verdict.

pub mod cargo_config;
pub mod features;
mod files;
pub mod flags;
mod globs;
mod manifest;
mod members;
mod outside;
pub mod parallel;
pub mod path;
mod ways;

pub use cargo_config::CargoConfig;
pub use files::{Files, Link, MemoryFiles, unreadable};
pub use members::{Crate, Crates, Reach};
pub use outside::Outside;
pub use ways::require_few_folders;
