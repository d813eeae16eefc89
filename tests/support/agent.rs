//! The real `buildkite-agent`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::skip;

/// The exit status by which `.ci/build-agent` says that the machine has no agent and no Go.
const LACKING: i32 = 3;

/// Where the agent is: on PATH, or built from `tests/agent`. `None` is a reason to return from
/// the test, which has then been reported as skipped.
pub(crate) fn agent() -> Option<&'static Path> {
    static AGENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match AGENT.get_or_init(find) {
        Ok(path) => Some(path),
        Err(lacking) => {
            skip(lacking);
            None
        }
    }
}

fn find() -> Result<PathBuf, String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/build-agent");
    let output = Command::new(script)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!(".ci/build-agent cannot be run: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end())),
        Some(LACKING) => Err(said.trim_end().to_owned()),
        _ => panic!(".ci/build-agent: {}:\n{said}", output.status),
    }
}
