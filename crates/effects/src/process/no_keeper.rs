//! Where there is no keeper: systems other than Linux. `keeper.rs` has the same functions for Linux.

use super::{Command, Error};
use process_wrap::std::ChildWrapper;
use std::ffi::OsString;
use std::process::Stdio;

/// Is no keeper.
pub(super) fn act(_: impl Iterator<Item = OsString>) -> Option<i32> {
    None
}

/// Starts nothing.
pub(super) fn spawn(_: &Command, _: &[u8], _: fn() -> Stdio) -> Option<Result<Box<dyn ChildWrapper>, Error>> {
    None
}
