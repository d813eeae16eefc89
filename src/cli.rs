//! The command line.

use crate::report_files::ReportFiles;
use clap::{Args, Parser, Subcommand, ValueEnum};
use rust_vmm_ci_core::model::{Os, Platform};
use std::ffi::OsString;
use std::path::PathBuf;

/// The rust-vmm CI: the standard checks of a platform, here or in Buildkite.
///
/// Exit codes: 0 passed, 1 a check failed, 2 configuration or usage, 3 infrastructure.
#[derive(Debug, Parser)]
#[command(name = "rust-vmm-ci", version, max_term_width = 100)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command, before or after its name.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The repository's folder
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,
    /// The plugin's configuration as JSON or YAML [default: `BUILDKITE_PLUGIN_CONFIGURATION`, else this
    /// plugin's entry in .buildkite/pipeline.yml]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// The platform: `x86_64`, aarch64, riscv64
    #[arg(long, value_name = "NAME", global = true)]
    pub platform: Option<Platform>,
    /// The operating system: linux, windows
    #[arg(long, value_name = "NAME", global = true)]
    pub os: Option<Os>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run checks here: all of this platform's, or those named
    Run(RunArgs),
    /// Print the pipeline that `mode: upload` would upload
    Pipeline {
        /// How to print it
        #[arg(long, value_enum, default_value = "json")]
        format: Format,
    },
    /// List the checks by platform, with their commands and where each came from
    List,
    /// Say why a step is there or not, and where every value in it came from
    Explain {
        /// The step's label, or the check's name
        label: String,
    },
    /// Set a repository up: write .buildkite/pipeline.yml
    Init {
        /// A job for each platform, or a step for each check and platform
        #[arg(long, value_enum, default_value = "run")]
        mode: InitMode,
        /// Print the file and write nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Move a repository off the submodule rust-vmm-ci, to the same steps
    Migrate {
        /// Say what would be done, and do nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List or remove what is kept between the jobs of this machine
    Cache {
        /// What to do with it [default: list]
        #[command(subcommand)]
        command: Option<CacheCommand>,
    },
    /// What the plugin's hooks call
    #[command(subcommand)]
    Hook(Hook),
}

/// The hooks.
#[derive(Clone, Debug, Subcommand)]
pub enum Hook {
    /// Do the job's work
    Command,
    /// Take away what the job may have left
    PreExit,
    /// Run a command in a container, as the command hook does
    #[command(hide = true)]
    Inside(InsideArgs),
}

/// Options of `hook inside`.
#[derive(Clone, Debug, Args)]
pub struct InsideArgs {
    /// The checkout's folder here
    #[arg(long, value_name = "DIR")]
    pub checkout: PathBuf,
    /// The target directory is a volume that is kept
    #[arg(long)]
    pub target: bool,
    /// The command; without one, files are given to their owner
    #[arg(last = true)]
    pub command: Vec<OsString>,
}

/// What is done with what is kept between jobs.
#[derive(Clone, Copy, Debug, Default, Subcommand)]
pub enum CacheCommand {
    /// List the volumes, oldest first
    #[default]
    List,
    /// Remove those that no job uses
    Clean,
}

/// What a repository is set up for: the plugin's option `mode`.
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
    /// Names or labels of checks [default: all of the platform's]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Restrict the checks to a package of the workspace (again for more)
    #[arg(long, short, value_name = "NAME")]
    pub package: Vec<String>,
    /// Go on after a failure (the default)
    #[arg(long, overrides_with = "fail_fast")]
    pub keep_going: bool,
    /// End the run at the first failure
    #[arg(long, overrides_with = "keep_going")]
    pub fail_fast: bool,
    /// Count a check whose tool is missing as broken, as in CI
    #[arg(long)]
    pub strict: bool,
    /// How many checks may run at once [default: as cores and memory allow, 3 at most]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub jobs: Option<u8>,
    /// Say where the time went: compiling, linking, running, waiting
    #[arg(long)]
    pub timings: bool,
    #[command(flatten)]
    pub reports: ReportFiles,
    /// Run in the project's container
    #[arg(long)]
    pub docker: bool,
    /// coverage: write the measured score into the coverage file
    #[arg(long)]
    pub update: bool,
}
