//! The command line.

use crate::model::{Os, Platform};
use clap::{Args, Parser, Subcommand, ValueEnum};
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
    /// The plugin's configuration as JSON or YAML [default: BUILDKITE_PLUGIN_CONFIGURATION, else this
    /// plugin's entry in .buildkite/pipeline.yml]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// The platform: x86_64, aarch64, riscv64
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
    /// What the plugin's hooks call
    #[command(subcommand)]
    Hook(Hook),
}

/// The hooks.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Hook {
    /// Do the job's work
    Command,
    /// Take away what the job may have left
    PreExit,
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
    /// How many checks may run at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub jobs: Option<u8>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write the report as one HTML page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Run in the project's container
    #[arg(long)]
    pub docker: bool,
    /// coverage: write the measured score into the coverage file
    #[arg(long)]
    pub update: bool,
}
