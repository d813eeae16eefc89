//! Planned checks → commands, in order → outcomes.
//!
//! A check's file in `checks/` says what it runs and how the answer is read; the file of the same
//! name here starts it and hands the answer over.

pub mod audit;
pub mod base;
mod bench;
mod cargo;
mod combine;
pub mod commit_format;
pub mod console;
mod context;
pub mod coverage;
pub mod instrument;
mod job;
mod llvm;
mod program;
mod ready;
mod repeats;
mod scheduler;
pub mod shell;
mod skeleton;
mod stopwatch;
#[cfg(test)]
mod testing;
mod toolchain;

pub use context::{Context, Judgement};
pub use job::Job;
pub use scheduler::{Settings, at_once, run};

use std::ffi::OsString;

/// Acts in the place of a program that cargo starts, where this process was started as one.
pub fn stand_in<I: Iterator<Item = OsString>>(args: impl Fn() -> I) -> Option<anyhow::Result<i32>> {
    instrument::act_as_wrapper(args()).or_else(|| repeats::shim::act(args()))
}
