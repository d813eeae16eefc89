//! The standard checks: what each is, and how what its tools said is read. Data and pure functions;
//! `run` does the running.
//!
//! `standard.json` is the list, in the predecessor's format and read by the same parser as a
//! repository's own files. A name in `logic` has a file of its own; the rest are cargo
//! commands.

pub mod audit;
pub mod base;
pub mod bench;
pub mod bench_plot;
pub mod cargo;
pub mod commit_format;
pub mod coverage;
pub mod emulated;
pub mod lock_file;
pub mod messages;
mod own;
pub mod shard;
pub mod style;
pub mod test_output;
pub mod times;

/// The standard checks' descriptions, in the predecessor's format with our key `os`.
pub const STANDARD: &str = include_str!("standard.json");
