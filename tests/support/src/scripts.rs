//! Runs the scripts of this repository that prepare what tests need.

use crate::root;
use std::process::{Command, Stdio};

/// Runs a script of this repository to its end and gives back what it printed, without the last
/// newline. An exit status of 3 says that this machine lacks something, and 4 that it cannot have it: the error
/// is what.
pub(crate) fn script(name: &str, arguments: &[&str]) -> Result<String, String> {
    const LACKING: i32 = 3;
    const CANNOT: i32 = 4;
    let mut command = Command::new(root().join(name));
    let output = command.args(arguments).stdin(Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned()),
        Some(LACKING | CANNOT) => Err(said.trim_end().to_owned()),
        _ => panic!("{name}: {}:\n{said}", output.status),
    }
}
