//! A machine of 64-bit Arm, emulated by `.ci/emulate`.

use crate::scripts::script;
use crate::{root, skip};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// This project's program in that machine.
pub const BINARY: &str = "/usr/local/bin/rust-vmm-ci";

/// The script that runs commands in that machine. With `None` the test must return. It has been reported as
/// skipped then.
pub fn emulator() -> Option<&'static Path> {
    static LACKING: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = LACKING.get_or_init(|| {
        script(".ci/emulate", &["lacking"])?;
        Ok(root().join(".ci/emulate"))
    });
    match found {
        Ok(path) => Some(path),
        Err(lacking) => {
            skip(lacking);
            None
        }
    }
}

/// A copy of the real agent at this path. It is this machine's own program, and static: it runs there as well.
pub fn agent_at(path: &Path) -> Option<()> {
    match script(".ci/build-agent", &[path.to_str().expect("a plain path")]) {
        Ok(_) => Some(()),
        Err(lacking) => {
            skip(&lacking);
            None
        }
    }
}

/// What a command that ran to its end said.
pub struct Said {
    pub code: Option<i32>,
    /// Standard output, then standard error.
    pub text: String,
}

/// Runs a command to its end.
pub fn said(command: &mut Command) -> Said {
    let output = command.stdin(std::process::Stdio::null()).output().expect("the program starts");
    let text = [output.stdout, output.stderr].concat();
    Said { code: output.status.code(), text: String::from_utf8_lossy(&text).into_owned() }
}
