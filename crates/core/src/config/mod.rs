//! What users write → what the program works with.
//!
//! A configuration is wide when written (a name or a list, snake or kebab) and narrow here: every
//! option has its value or is known to be unset where the default depends on facts.

#[cfg(test)]
mod agreement;
mod check;
mod form;
mod parse;
mod pipeline_file;
mod raw;
mod reference;
mod source;
mod split;
mod step;
mod text;
mod version;

pub use check::COMMON_CHECK_KEYS;
pub use pipeline_file::entries;
pub use source::{Found, Given, Text, Wanted};
pub use split::Split;
pub use text::printable;
pub use version::require_version;

use crate::model::{FeatureMode, Os, Platform};
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// The plugin's configuration, as read and checked (design.md, "Options").
#[derive(Clone, Debug)]
pub struct Config {
    /// What the `command` hook does.
    pub mode: Mode,
    /// The platforms; none for this machine's (run) or the repository's (upload).
    pub platforms: Option<Vec<Platform>>,
    /// The system; none for this machine's (run) or Linux (upload).
    pub os: Option<Os>,
    /// The only checks that are in, by name or label; none for all.
    pub only: Option<Vec<String>>,
    /// The checks that are out, by name or label.
    pub skip: Vec<String>,
    /// Whether the standard checks are in.
    pub standard: bool,
    /// The repository's own steps, in order.
    pub steps: Vec<ExtraStep>,
    /// Files of descriptions in the predecessor's format, from the repository's root.
    pub tests: Vec<String>,
    /// What differs for single checks, by name.
    pub checks: IndexMap<String, CheckOptions>,
    /// The sets of features that the cargo checks run with.
    pub features: FeatureMode,
    /// Whether a workspace is checked as one or crate by crate.
    pub workspace: WorkspaceMode,
    /// Selective: whether a crate's steps also run for a change in what it depends on by path.
    pub dependents: bool,
    /// Upload: a step for each check, or for each platform.
    pub jobs: Jobs,
    /// Upload per platform: over how many jobs a platform's checks are split, and by what.
    pub split: Split,
    /// The container.
    pub docker: DockerChoice,
    /// Agent tags for every step, in place of the predecessor's.
    pub agents: Option<Map<String, Value>>,
    /// The agent tag `hypervisor`.
    pub hypervisor: Option<String>,
    /// The time limit of every step in minutes.
    pub timeout_in_minutes: Option<u32>,
    /// What is kept between jobs; none for what the agent's policy says, or the registry.
    pub cache: Option<Cache>,
    /// Whether a failing run annotates its build.
    pub annotate: bool,
    /// What the binary's version must be.
    pub version: Option<semver::VersionReq>,
}

impl Default for Config {
    /// The configuration of a step that names the plugin and gives no option.
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            platforms: None,
            os: None,
            only: None,
            skip: Vec::new(),
            standard: true,
            steps: Vec::new(),
            tests: Vec::new(),
            checks: IndexMap::new(),
            features: FeatureMode::default(),
            workspace: WorkspaceMode::default(),
            dependents: true,
            jobs: Jobs::default(),
            split: Split::default(),
            docker: DockerChoice::default(),
            agents: None,
            hypervisor: None,
            timeout_in_minutes: None,
            cache: None,
            annotate: true,
            version: None,
        }
    }
}

/// See [`Config::mode`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Run the checks in this job.
    #[default]
    Run,
    /// Upload a step for each check.
    Upload,
}

/// See [`Config::workspace`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkspaceMode {
    /// One step for the whole workspace.
    #[default]
    Whole,
    /// One for each crate, gated on its files.
    Selective,
}

/// See [`Config::jobs`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jobs {
    /// A step for each check and platform.
    #[default]
    PerCheck,
    /// A step for each platform.
    PerPlatform,
}

/// See [`Config::cache`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cache {
    /// Nothing.
    None,
    /// cargo's registry.
    #[default]
    Registry,
    /// The registry and the target directory.
    Target,
}

impl Cache {
    /// As users write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Registry => "registry",
            Self::Target => "target",
        }
    }
}

/// See [`Config::docker`].
#[derive(Clone, Debug, Default, PartialEq)]
pub enum DockerChoice {
    /// Nothing said: the pinned image on Linux, none on Windows.
    #[default]
    Unset,
    /// `docker: false`: on the host.
    Off,
    /// Options of the docker plugin, and `runtime`, as written: `venue` knows them.
    Options(Map<String, Value>),
}

/// A step of the repository's own, from the option `steps`.
#[derive(Clone, Debug, Default)]
pub struct ExtraStep {
    /// Its label, before a platform is added.
    pub label: String,
    /// Its command.
    pub command: String,
    /// The platforms that it is for, one step each; none for one step without platform.
    pub platforms: Option<Vec<Platform>>,
    /// Any other attribute of a Buildkite command step, as written.
    pub attributes: Map<String, Value>,
}

/// What differs for one check, from the option `checks`.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// Another command.
    pub command: Option<String>,
    /// Arguments to add.
    pub args: Vec<String>,
    /// Variables to set.
    pub env: IndexMap<String, String>,
    /// The packages to check.
    pub packages: Vec<String>,
    /// The packages to leave out.
    pub exclude: Vec<String>,
    /// The sets of features.
    pub features: Option<FeatureMode>,
    /// The folder to work in, from the repository's root.
    pub working_directory: Option<String>,
    /// Changes to the container.
    pub docker: DockerChoice,
    /// Agent tags in place of all others.
    pub agents: Option<Map<String, Value>>,
    /// The time limit in minutes.
    pub timeout_in_minutes: Option<u32>,
    /// Whether a failure is only shown.
    pub soft_fail: Option<bool>,
    /// The platforms that the check is for.
    pub platforms: Option<Vec<Platform>>,
    /// Whether it is written as `true`: a check that is opt-in is then in.
    pub added: bool,
    /// What the check has of its own, as written: its file in `checks/` knows the names.
    pub own: Map<String, Value>,
}
