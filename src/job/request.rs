//! What a job is asked to do, as values: nothing of the command line's own types goes further than
//! `cli.rs`.

use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_core::report::Format;
use rust_vmm_ci_effects::run::Part;
use std::path::PathBuf;

/// What the command line selects for every command.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The repository's folder; none for this process's folder.
    pub dir: Option<PathBuf>,
    /// The file that holds the plugin's configuration.
    pub config: Option<PathBuf>,
    /// The step of the pipeline file whose options hold, by its label.
    pub step: Option<String>,
    /// The platform, in place of the configured ones.
    pub platform: Option<Platform>,
    /// The operating system, in place of the configured one.
    pub os: Option<Os>,
}

/// How much the program says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// Failures only: `-q`.
    Quiet,
    /// Results, notes and progress.
    #[default]
    Normal,
    /// Also what the program decides, and every process that it starts: `-v`.
    Verbose,
}

/// A job: what it does, and how its place is chosen.
#[derive(Clone, Debug)]
pub struct Request {
    /// What the job does.
    pub task: Task,
    /// How its place is chosen.
    pub place: PlaceRule,
    /// What the command of a step does where it is one call of `rust-vmm-ci run`: its status is then known
    /// as soon as a check has failed.
    pub plain_run: Option<RunOptions>,
}

impl Request {
    /// The same request for one platform, without files for its report.
    #[must_use]
    pub fn for_platform(&self, platform: Platform) -> Self {
        let mut request = self.clone();
        if let Task::Checks(options) = &mut request.task {
            options.platform = Some(platform);
            options.files.clear();
        }
        request
    }

    /// The options of the checks; none for a step's own command.
    pub fn options(&self) -> Option<&RunOptions> {
        match &self.task {
            Task::Checks(options) => Some(options),
            Task::OwnCommand(_) => None,
        }
    }
}

/// What a job does.
#[derive(Clone, Debug)]
pub enum Task {
    /// It runs checks.
    Checks(RunOptions),
    /// It runs the command of its step, which the platform's shell reads.
    OwnCommand(String),
}

/// How the place of a job is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceRule {
    /// `run`: this machine.
    ThisMachine,
    /// `run --docker`: a container, whatever the configuration says.
    Container,
    /// The command hook: what the configuration and the agent's policy say. The report also goes to the
    /// page of the build.
    Configured,
}

/// Options of a run of checks.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Names or labels of checks; empty for all of the platform.
    pub names: Vec<String>,
    /// Packages that the checks are restricted to; empty for all.
    pub packages: Vec<String>,
    /// The step of the pipeline file, as the command line names it: a run in a container must name it too.
    pub step: Option<String>,
    /// The platform as the command line names it: a run in a container must name it too.
    pub platform: Option<Platform>,
    /// Whether the first failure ends the run.
    pub fail_fast: bool,
    /// Whether a missing tool makes a check broken on a person's machine too.
    pub strict: bool,
    /// The part of each check that runs.
    pub part: Part,
    /// How many checks may run at once; none for what the machine allows.
    pub jobs: Option<u8>,
    /// Whether a table shows where the time went.
    pub timings: bool,
    /// Whether the coverage check writes the coverage file.
    pub update: bool,
    /// The files that the report is written to, each with its format.
    pub files: Vec<(&'static dyn Format, PathBuf)>,
    /// How much a run in a container says.
    pub verbosity: Verbosity,
}
