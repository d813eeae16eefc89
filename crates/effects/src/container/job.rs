//! The job that a container is for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the venue needs to know of a job.
#[derive(Clone, Debug)]
pub struct Job {
    /// Buildkite's id of it, or one of ours on a person's machine.
    pub id: String,
    /// The agent's name, where there is one. An agent runs one job at a time.
    pub agent: Option<String>,
    /// The checkout: the repository's root on the host.
    pub checkout: PathBuf,
    /// Where the job's private folder is made.
    pub temporary: PathBuf,
    /// Where is written down what is kept between jobs.
    pub state: PathBuf,
    /// The environment.
    pub variables: BTreeMap<String, String>,
}

impl Job {
    /// The job that this process is in, by its environment.
    pub fn here(checkout: &Path) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self::of(checkout, std::env::temp_dir(), variables)
    }

    /// The job of these variables.
    pub fn of(checkout: &Path, temporary: PathBuf, variables: BTreeMap<String, String>) -> Self {
        let get = |name: &str| variables.get(name).filter(|value| !value.is_empty());
        let made_up = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            format!("local-{}-{}", std::process::id(), now.as_nanos())
        };
        let caches = get("XDG_CACHE_HOME").map(PathBuf::from);
        let caches = caches.or_else(|| get("HOME").map(|home| Path::new(home).join(".cache")));
        Self {
            id: get("BUILDKITE_JOB_ID").cloned().unwrap_or_else(made_up),
            agent: get("BUILDKITE_AGENT_NAME").cloned(),
            checkout: checkout.to_owned(),
            state: caches.unwrap_or_else(|| temporary.clone()).join("rust-vmm-ci"),
            temporary,
            variables,
        }
    }

    /// A variable's value, where it is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
