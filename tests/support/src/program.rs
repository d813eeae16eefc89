//! Programs that a test makes, and starts soon after.
//!
//! A process of its own writes each. A process that another test starts at this moment would have a file open that
//! this one writes, and the system runs no program that is open for writing (`ETXTBSY`, `execve(2)`).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes an executable script.
#[track_caller]
pub fn write(path: &Path, text: &str) {
    let mut command = Command::new("sh");
    command.args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"]).arg(path);
    let mut writer = command.stdin(Stdio::piped()).spawn().expect("sh is there");
    let written = writer.stdin.take().expect("a pipe").write_all(text.as_bytes());
    assert!(writer.wait().is_ok_and(|status| status.success()) && written.is_ok(), "{}", path.display());
}

/// Copies a program, which may be this one.
#[track_caller]
pub fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("--").arg(from).arg(to).status();
    assert!(copied.is_ok_and(|status| status.success()), "{} to {}", from.display(), to.display());
}
