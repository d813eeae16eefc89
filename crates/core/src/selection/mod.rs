//! Decides what a change reaches: which crates, and which steps of the whole workspace.
//!
//! The input is what git says of a change: the paths that differ from the base, and the text that a few of
//! them had there. Cargo is not asked, because an uploading machine may not have it. So manifests and lock
//! files are read here, for all platforms and features together. The answer may have more than the change
//! reaches, and never less. Where nothing certain is known, everything is reached.

mod causes;
mod change;
mod descriptions;
mod judge;
mod links;
mod lock;
mod manifest;
mod mentions;
mod paths;
#[cfg(test)]
mod tests;

pub use causes::{Decision, Selection, Subject};
pub use change::{Before, Change, Rules};
pub use judge::select;
