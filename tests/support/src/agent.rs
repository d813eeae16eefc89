//! The real `buildkite-agent`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::scripts::script;
use crate::skip;

/// Why this machine can have no agent; none where it can. Nothing is built to find out.
pub fn lacking() -> Option<String> {
    script(".ci/build-agent", &["lacking"]).err()
}

/// Where the agent is: on PATH, or built from `tests/agent`. With `None` the test must return. It has been
/// reported as skipped then.
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
