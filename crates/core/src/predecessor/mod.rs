//! The predecessor's formats. Only this module reads them: descriptions of tests, `.platform`, the six
//! variables, coverage files, and commands that call its Python files (shared facts of rust-vmm-ci,
//! 2026-08-14).

pub mod coverage_file;
mod description;
pub mod generator;
mod legacy;
mod mention;
mod platform_file;
mod test;
mod variables;

pub use description::Description;
pub use legacy::{Legacy, LegacyCheck};
pub use mention::{Mention, mention, texts as mention_texts};
pub use platform_file::platforms;
pub use test::{Scope, Test, minutes};
pub use variables::{NAMES as VARIABLES, Variables};
