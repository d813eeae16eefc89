//! Planned checks → commands, in order → outcomes.
//!
//! A check's file in `checks/` says what it runs and how the answer is read; the file of the same
//! name here starts it and hands the answer over.

mod context;

pub use context::{Context, Judgement};
