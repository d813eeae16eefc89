//! Where there is no keeper: systems other than Linux. `keeper.rs` has the same functions for Linux.

use super::{Command, Error, system};
use process_wrap::std::ChildWrapper;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Is no keeper.
pub(super) fn act(_: impl Iterator<Item = OsString>) -> Option<i32> {
    None
}

/// Makes what this process starts end with it, where the system has a way.
pub(super) fn use_keepers() {
    system::children_end_with_this_process();
}

/// Starts nothing.
pub(super) fn spawn(_: &Command, _: &[u8], _: fn() -> Stdio) -> Option<Result<Box<dyn ChildWrapper>, Error>> {
    None
}

/// Is no cleaner: there is never a value.
#[derive(Debug)]
pub(super) enum Cleaner {}

impl Cleaner {
    /// Is never called.
    pub(super) fn is_done(&mut self) {
        match *self {}
    }
}

/// Makes nothing.
pub(super) fn keep_folder(_: &Path, _: &str) -> Option<(PathBuf, Cleaner)> {
    None
}

/// Keeps nothing.
pub(super) fn undo(_: &Command) -> Option<Cleaner> {
    None
}
