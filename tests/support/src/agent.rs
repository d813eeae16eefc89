//! The real `buildkite-agent`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::scripts::script;
use crate::skip;

/// Why this machine can have no agent; none where it can. Nothing is built to find out.
pub fn lacking() -> Option<String> {
    script(".ci/build-agent", &["lacking"]).err()
}

/// Where the agent is: on PATH, or built from `tests/agent`. `None` is a reason to return from
/// the test, which has then been reported as skipped.
pub fn agent() -> Option<&'static Path> {
    static AGENT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    match AGENT.get_or_init(|| script(".ci/build-agent", &[]).map(PathBuf::from)) {
        Ok(path) => Some(path),
        Err(lacking) => {
            skip(lacking);
            None
        }
    }
}
