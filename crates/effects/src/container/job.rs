//! The Buildkite job that this process belongs to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What this module needs to know about a job.
#[derive(Clone, Debug)]
pub struct Job {
    /// Buildkite's id of the job. On a person's machine we make one up.
    pub id: String,
    /// The name of the agent, if an agent runs the job. An agent runs one job at a time.
    pub agent: Option<String>,
    /// The root of the repository on the host.
    pub checkout: PathBuf,
    /// The folder in which the job's private folder is created.
    pub temporary: PathBuf,
    /// The folder that records what is kept between jobs. There is none for a user without a home: any other
    /// folder could be made by another user first.
    pub state: Option<PathBuf>,
    /// The environment variables.
    pub variables: BTreeMap<String, String>,
}

impl Job {
    /// The job of this process, read from its environment.
    pub fn here(checkout: &Path) -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let job = Self::of(checkout, std::env::temp_dir(), variables);
        // Without HOME this is the home of the user database.
        let home = || std::env::home_dir().filter(|home| home.is_absolute());
        let state = job.state.or_else(|| Some(home()?.join(".cache/rust-vmm-ci")));
        Self { state, ..job }
    }

    /// The job that these variables describe.
    pub fn of(checkout: &Path, temporary: PathBuf, variables: BTreeMap<String, String>) -> Self {
        let get = |name: &str| variables.get(name).filter(|value| !value.is_empty());
        let made_up = || {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            format!("local-{}-{}", std::process::id(), now.as_nanos())
        };
        let folder = |name: &str| get(name).map(PathBuf::from).filter(|folder| folder.is_absolute());
        let caches = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
        Self {
            id: get("BUILDKITE_JOB_ID").cloned().unwrap_or_else(made_up),
            agent: get("BUILDKITE_AGENT_NAME").cloned(),
            checkout: checkout.to_owned(),
            state: caches.map(|caches| caches.join("rust-vmm-ci")),
            temporary,
            variables,
        }
    }

    /// The value of a variable, if it is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}
