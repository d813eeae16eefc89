//! Runs planned checks and makes their outcomes.
//!
//! The scheduler (`scheduler/`) starts each check as soon as no running check is in its way. What concerns
//! cargo is in `cargo/`. Each other check has a file here, and a file of the same name in the core crate's
//! `checks/`: that one says what the check runs and how the answer is read, this one runs it.

pub mod audit;
pub mod base;
mod bench;
mod cargo;
pub mod commit_format;
pub mod console;
mod context;
pub mod coverage;
mod llvm;
mod msrv;
mod preamble;
mod program;
mod scheduler;
mod semver;
pub mod shell;
mod skeleton;
#[cfg(test)]
mod testing;

pub use cargo::facts::{JobFacts, WorkspaceError};
pub use cargo::instrument;
pub use cargo::toolchain::Toolchain;
use cargo::{stopwatch, toolchain};
pub use context::{Context, Judgement, Part};
pub use scheduler::{Settings, at_once, run};

use std::ffi::OsString;

/// Acts as the shim that this process was started as: in the place of a program that cargo would start.
/// Returns `None` where it was not started as one.
pub fn act_as_shim<I: Iterator<Item = OsString>>(args: impl Fn() -> I) -> Option<anyhow::Result<i32>> {
    instrument::act_as_wrapper(args())
        .or_else(|| cargo::repeats::shim::act(args()))
        .or_else(|| cargo::dependencies::act(args()))
}
