//! The command line. Its types become those of [`crate::job`] here, and go no further.

use crate::job::{PlaceRule, Request, RunOptions, Selection, Task, Verbosity};
use crate::report_files::ReportFiles;
use clap::{Args, Parser, Subcommand, ValueEnum};
use rust_vmm_ci_core::model::{Os, Platform};
use std::ffi::OsString;
use std::path::PathBuf;

/// Runs the standard checks of rust-vmm repositories, on this machine or in Buildkite.
///
/// Exit codes: 0 the checks passed, 1 a check failed, 2 the configuration or the command line is wrong, 3 a
/// program that the checks need did not do its part.
#[derive(Debug, Parser)]
#[command(name = "rust-vmm-ci", version, max_term_width = 100)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// What the command line selects for every command, how much the program says, and the command.
    pub fn into_parts(self) -> (Selection, Verbosity, Command) {
        let Common { dir, config, platform, os, verbose, quiet } = self.common;
        let verbosity = match (quiet, verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        };
        (Selection { dir, config, platform, os }, verbosity, self.command)
    }
}

/// Options of every command, before or after its name.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The repository's folder [default: this folder]
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,
    // clippy wants code marks around these words, which would show in the help.
    #[allow(clippy::doc_markdown)]
    /// The plugin's configuration as JSON or YAML [default: BUILDKITE_PLUGIN_CONFIGURATION, else this
    /// plugin's entry in .buildkite/pipeline.yml]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// The platform, by its name.
    #[arg(long, value_name = "NAME", global = true, help = one_of("The platform", &Platform::ALL))]
    pub platform: Option<Platform>,
    /// The operating system, by its name.
    #[arg(long, value_name = "NAME", global = true, help = one_of("The operating system", &Os::ALL))]
    pub os: Option<Os>,
    /// Say what the program decides and which programs it starts
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say only what fails
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// The help of an option that takes one of these names.
fn one_of(what: &str, all: &[impl ToString]) -> String {
    let names: Vec<String> = all.iter().map(ToString::to_string).collect();
    format!("{what}: {}", names.join(", "))
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run checks on this machine: all of its platform, or those that are named
    Run(RunArgs),
    /// Print the pipeline that the plugin uploads with the option mode: upload
    Pipeline {
        /// The format
        #[arg(long, value_enum, default_value = "json")]
        format: Format,
    },
    /// List the checks by platform, each with its command and the file that describes it
    List,
    /// Say why a step is there or not, and where each of its values comes from
    Explain {
        /// The step's label, or the check's name
        label: String,
    },
    /// Set a repository up: write .buildkite/pipeline.yml
    Init {
        /// What the file has: a job for each platform, or an upload of a step for each check
        #[arg(long, value_enum, default_value = "run")]
        mode: InitMode,
        /// Print the file instead of writing it
        #[arg(long)]
        dry_run: bool,
    },
    /// Move a repository from the submodule rust-vmm-ci to this plugin, with the same steps
    Migrate {
        /// Say what would be done and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List or remove what this machine keeps between jobs
    Cache {
        /// What to do [default: list]
        #[command(subcommand)]
        command: Option<CacheCommand>,
    },
    /// The commands that the plugin's hooks call
    #[command(subcommand)]
    Hook(Hook),
}

/// The hooks.
#[derive(Clone, Debug, Subcommand)]
pub enum Hook {
    /// Do the job's work
    Command,
    /// Remove what the job may have left
    PreExit,
    /// Run a command inside a container, on behalf of the command hook
    #[command(hide = true)]
    Inside(InsideArgs),
}

/// Options of `hook inside`.
#[derive(Clone, Debug, Args)]
pub struct InsideArgs {
    /// The checkout's folder in the container
    #[arg(long, value_name = "DIR")]
    pub checkout: PathBuf,
    /// Whether the target directory is a volume that is kept between jobs
    #[arg(long)]
    pub target: bool,
    /// Whether the job only reads what is kept between jobs
    #[arg(long)]
    pub read_only: bool,
    /// The command; without one, only the files' owner is restored
    #[arg(last = true)]
    pub command: Vec<OsString>,
}

/// What the command `cache` does.
#[derive(Clone, Copy, Debug, Default, Subcommand)]
pub enum CacheCommand {
    /// List the volumes, oldest first
    #[default]
    List,
    /// Remove the volumes that no job uses
    Clean,
}

/// The plugin's option `mode` in the file that `init` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InitMode {
    /// A job for each platform.
    Run,
    /// A step for each check and platform.
    Upload,
}

/// How a pipeline is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// JSON, as it is uploaded.
    Json,
    /// YAML, for reading.
    Yaml,
}

/// Options of `run`.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// Names or labels of checks [default: all of the platform]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Check only this package of the workspace; may be repeated
    #[arg(long, short, value_name = "NAME")]
    pub package: Vec<String>,
    /// Continue after a failure (the default)
    #[arg(long, overrides_with = "fail_fast")]
    pub keep_going: bool,
    /// Stop at the first failure
    #[arg(long, overrides_with = "keep_going")]
    pub fail_fast: bool,
    /// Treat a check whose tool is missing as broken, as in CI
    #[arg(long)]
    pub strict: bool,
    /// How many checks may run at once [default: what cores and memory allow, at most 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub jobs: Option<u8>,
    /// Show where the time went: compiling, linking, running, waiting
    #[arg(long)]
    pub timings: bool,
    #[command(flatten)]
    pub reports: ReportFiles,
    /// Run the checks in the project's container
    #[arg(long)]
    pub docker: bool,
    /// Write the measured coverage to the coverage file (check coverage)
    #[arg(long)]
    pub update: bool,
}

impl RunArgs {
    /// The job that these arguments ask for.
    pub fn into_request(self, selection: &Selection, verbosity: Verbosity) -> Request {
        let options = RunOptions {
            names: self.names,
            packages: self.package,
            platform: selection.platform,
            fail_fast: self.fail_fast,
            strict: self.strict,
            jobs: self.jobs,
            timings: self.timings,
            update: self.update,
            files: self.reports.into(),
            verbosity,
        };
        let place = if self.docker { PlaceRule::Container } else { PlaceRule::ThisMachine };
        Request { task: Task::Checks(options), place }
    }
}
