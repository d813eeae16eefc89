//! The plugin's configuration: its options, their sources, and the agent's policy.
//!
//! An option may be written in several ways, such as a name or a list of names. The types here have one form
//! for each option. If an option's default depends on facts about the repository or the machine, the option
//! is `None` while it is unset.

#[cfg(test)]
mod agreement;
mod check;
pub mod docker;
mod form;
mod mattering;
mod parse;
mod pipeline_file;
mod policy;
#[cfg(test)]
mod property;
mod reference;
mod several;
mod source;
mod split;
mod step;
mod text;
pub mod untrusted;
mod version;

pub use check::COMMON_CHECK_KEYS;
pub use pipeline_file::entries;
pub use policy::Policy;
pub use several::{All, Purpose};
pub use source::{Found, Given, Text, Wanted};
pub use split::Split;
pub use text::printable;
pub use untrusted::{Change, Untrusted};
pub use version::require_version;

use crate::model::{FeatureMode, Os, Platform};
use crate::options::Source;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The plugin's configuration, as read and checked (design.md, "Options").
///
/// This type is the only list of the options. A field's name in kebab-case is the option's key, unless the
/// field is renamed. The field's comment is the description in `plugin.yml`. The test module `agreement`
/// generates `plugin.yml` from this type, and compares the type with docs/options.md.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Config {
    /// Where the options were written, for errors that are found later.
    #[serde(skip)]
    pub source: Source,
    /// What the step does: run the checks, or upload a step for each
    pub mode: Mode,
    /// The platforms to check. The default is this machine's for a run and the repository's for an upload
    #[serde(rename = "platform", deserialize_with = "form::platforms")]
    #[cfg_attr(test, schemars(with = "Option<form::Platforms>"))]
    pub platforms: Option<Vec<Platform>>,
    /// The operating system to check on. The default is this machine's for a run and Linux for an upload
    #[cfg_attr(test, schemars(with = "Option<form::OsName>"))]
    pub os: Option<Os>,
    /// The only checks that run, by name or label
    #[serde(deserialize_with = "form::selection")]
    #[cfg_attr(test, schemars(with = "Option<form::Selection>"))]
    pub only: Option<Vec<String>>,
    /// The checks that do not run, by name or label
    #[serde(deserialize_with = "form::names")]
    #[cfg_attr(test, schemars(with = "form::Names"))]
    pub skip: Vec<String>,
    /// Whether the standard checks run
    pub standard: bool,
    /// Command steps of the repository's own, in order
    #[cfg_attr(test, schemars(with = "Vec<Map<String, Value>>"))]
    pub steps: Vec<ExtraStep>,
    /// Files of test descriptions, from the repository's root
    #[serde(deserialize_with = "form::names")]
    #[cfg_attr(test, schemars(with = "form::Names"))]
    pub tests: Vec<String>,
    /// What differs for single checks, by name
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, check::Written>"))]
    pub checks: IndexMap<String, CheckOptions>,
    /// The sets of features that the cargo checks run with
    pub features: FeatureMode,
    /// Whether examples in documentation are compiled as one program, where that makes no difference
    pub merge_examples: bool,
    /// Whether a workspace is checked as a whole or crate by crate
    pub workspace: WorkspaceMode,
    /// Whether a crate's steps also run when a crate changes that it depends on by path
    pub dependents: bool,
    /// How an upload finds out which steps a change reaches
    pub select: Select,
    /// Globs of files whose changes reach no step, for `select: changes`
    #[serde(deserialize_with = "form::names")]
    #[cfg_attr(test, schemars(with = "form::Names"))]
    pub ignore: Vec<String>,
    /// Whether an upload has a step for each check or for each platform
    pub jobs: Jobs,
    /// Over how many jobs the checks of a platform are divided, and by which times
    #[cfg_attr(test, schemars(with = "split::Written"))]
    pub split: Split,
    /// Options of the container, or false for none
    #[cfg_attr(test, schemars(with = "form::Choice"))]
    pub docker: DockerChoice,
    /// Agent tags for every step
    #[serde(deserialize_with = "form::agents")]
    #[cfg_attr(test, schemars(with = "Option<form::Agents>"))]
    pub agents: Option<Map<String, Value>>,
    /// The agent tag `hypervisor`
    #[serde(deserialize_with = "form::hypervisor")]
    #[cfg_attr(test, schemars(with = "Option<form::Hypervisor>"))]
    pub hypervisor: Option<String>,
    /// The time limit of every step in minutes
    #[serde(deserialize_with = "form::minutes")]
    #[cfg_attr(test, schemars(with = "Option<crate::options::Positive>"))]
    pub timeout_in_minutes: Option<u32>,
    /// What is kept between jobs. The default is the agent's policy, or the registry
    pub cache: Option<Cache>,
    /// Whether a failing run annotates its build
    pub annotate: bool,
    /// Whether an upload ends with a step that makes one page of the whole build. A job with mode run makes it
    pub summary: bool,
    /// Whether findings are shown on the lines of the pull request, by the step's GitHub check
    pub github_check: bool,
    /// What the version of the rust-vmm-ci binary must be
    #[serde(deserialize_with = "form::version")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub version: Option<semver::VersionReq>,
    /// The options that are attributes of every generated step, by [`StepOption::name`].
    ///
    /// [`StepOption::name`]: crate::buildkite::StepOption::name
    #[serde(skip)]
    pub step_options: IndexMap<&'static str, Value>,
}

impl Default for Config {
    /// The configuration of a step that names the plugin without options.
    fn default() -> Self {
        Self {
            source: Source::default(),
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
            merge_examples: true,
            workspace: WorkspaceMode::default(),
            dependents: true,
            select: Select::default(),
            ignore: Vec::new(),
            jobs: Jobs::default(),
            split: Split::default(),
            docker: DockerChoice::default(),
            agents: None,
            hypervisor: None,
            timeout_in_minutes: None,
            cache: None,
            annotate: true,
            summary: false,
            github_check: false,
            version: None,
            step_options: IndexMap::new(),
        }
    }
}

/// See [`Config::mode`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Mode {
    /// Run the checks in this job.
    #[default]
    Run,
    /// Upload a step for each check.
    Upload,
}

/// See [`Config::workspace`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum WorkspaceMode {
    /// One step for the whole workspace.
    #[default]
    Whole,
    /// One step for each crate. It runs only if the crate's files change.
    Selective,
}

/// See [`Config::select`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Select {
    /// The agent does it, by the paths in `if_changed`.
    #[default]
    Paths,
    /// The upload does it, by what the change contains.
    Changes,
}

/// See [`Config::jobs`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Jobs {
    /// A step for each check and platform.
    #[default]
    PerCheck,
    /// A step for each platform.
    PerPlatform,
}

/// See [`Config::cache`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// The word that users write.
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
    /// The option is not set: the pinned image on Linux, no container on Windows.
    #[default]
    Unset,
    /// `docker: false`: on the host.
    Off,
    /// Options of the docker plugin, and `runtime`, as they were written. [`docker::read`] has checked them.
    Options(Map<String, Value>),
}

/// The repository's own step, from the option `steps`.
#[derive(Clone, Debug, Default)]
pub struct ExtraStep {
    /// Its label, before a platform is added.
    pub label: String,
    /// The command that it runs.
    pub command: String,
    /// The platforms that it is for. Each platform gets a step. Without platforms there is one step.
    pub platforms: Option<Vec<Platform>>,
    /// Every other attribute of a Buildkite command step, as written.
    pub attributes: Map<String, Value>,
}

/// The options of one check, from the option `checks`.
#[derive(Clone, Debug, Default)]
pub struct CheckOptions {
    /// The command that replaces the check's own command.
    pub command: Option<String>,
    /// Arguments to add.
    pub args: Vec<String>,
    /// Variables to set.
    pub env: IndexMap<String, String>,
    /// The packages to check. Empty for all.
    pub packages: Vec<String>,
    /// The packages to leave out.
    pub exclude: Vec<String>,
    /// The sets of features. None for those of the configuration.
    pub features: Option<FeatureMode>,
    /// The folder to work in, from the repository's root.
    pub working_directory: Option<String>,
    /// Changes to the container.
    pub docker: DockerChoice,
    /// Agent tags that replace all others.
    pub agents: Option<Map<String, Value>>,
    /// The time limit in minutes.
    pub timeout_in_minutes: Option<u32>,
    /// Whether its failure is shown but does not fail the job.
    pub soft_fail: Option<bool>,
    /// The platforms that the check is for.
    pub platforms: Option<Vec<Platform>>,
    /// Whether the option's value is `true`, which adds a check that is opt-in.
    pub added: bool,
    /// The options that only this check has, as written. The check's file in `checks/` knows their names.
    pub own: Map<String, Value>,
}
