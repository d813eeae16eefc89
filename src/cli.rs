//! The command line. Its types become those of [`crate::job`] here, and go no further.

use crate::job::{PlaceRule, Request, RunOptions, Selection, Task, Verbosity};
use crate::report_files::ReportFiles;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_effects::run::Part;
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
        let Common { dir, config, step, platform, os, color: _, verbose, quiet } = self.common;
        let verbosity = match (quiet, verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        };
        (Selection { dir, config, step, platform, os }, verbosity, self.command)
    }
}

/// Options of every command, before or after its name.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The repository's folder [default: the root of the repository that this folder is in]
    #[arg(short = 'C', value_name = "DIR", global = true)]
    pub dir: Option<PathBuf>,
    // clippy wants code marks around these words, which would show in the help.
    #[allow(clippy::doc_markdown)]
    /// The plugin's configuration as JSON or YAML [default: BUILDKITE_PLUGIN_CONFIGURATION, else this
    /// plugin's entry in .buildkite/pipeline.yml]
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// The step of .buildkite/pipeline.yml whose options hold, by its label [default: every step that uses
    /// the plugin]
    #[arg(long, value_name = "LABEL", global = true, conflicts_with = "config")]
    pub step: Option<String>,
    /// The platform, by its name.
    #[arg(long, value_name = "NAME", global = true, help = one_of("The platform", &Platform::ALL))]
    pub platform: Option<Platform>,
    /// The operating system, by its name.
    #[arg(long, value_name = "NAME", global = true, help = one_of("The operating system", &Os::ALL))]
    pub os: Option<Os>,
    /// Whether the output has colours
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto", global = true)]
    pub color: ColorChoice,
    /// Say what the program decides and which programs it starts
    #[arg(long, short, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Say only what fails
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

impl Common {
    /// Whether the output has colours; none where nobody says so.
    pub fn color(&self) -> Option<bool> {
        match self.color {
            ColorChoice::Auto => None,
            ColorChoice::Always => Some(true),
            ColorChoice::Never => Some(false),
        }
    }
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
    Migrate(MigrateArgs),
    /// Say what this machine has for the plugin, and how to correct what is wrong
    Doctor {
        /// The format
        #[arg(long, value_enum, default_value = "text")]
        format: DoctorFormat,
    },
    /// Merge reports: each finding once, with every check of every job that showed it
    Report {
        /// Reports that `run --report FILE` wrote, or that jobs left as artifacts
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// The files to write [default: a summary is printed]
        #[command(flatten)]
        wanted: ReportFiles,
    },
    /// Repeat what failed in a report, at its commit, in a worktree of its own
    Reproduce {
        /// A report that `run --report FILE` wrote, or that a job left as an artifact
        #[arg(value_name = "REPORT")]
        report: PathBuf,
        /// Allow what goes beyond this repository's own options: another image, and privileges for a commit
        /// that is not in the history of this checkout
        #[arg(long)]
        yes: bool,
    },
    /// List or remove what this machine keeps between jobs
    Cache {
        /// What to do [default: list]
        #[command(subcommand)]
        command: Option<CacheCommand>,
    },
    /// Print the completions for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write the man pages into a folder
    Man {
        /// The folder, which is made where it is not there
        dir: PathBuf,
    },
    /// The commands that the plugin's hooks call
    #[command(subcommand)]
    Hook(Hook),
}

/// Options of `migrate`.
#[derive(Clone, Copy, Debug, Args)]
pub struct MigrateArgs {
    /// Say what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Say what would be done and what is left to do, and change nothing; exit 1 where something is left
    #[arg(long, conflicts_with = "dry_run")]
    pub check: bool,
    /// Show the steps before and after the move side by side, and change nothing
    #[arg(long)]
    pub diff: bool,
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

/// How `doctor` prints its lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DoctorFormat {
    /// A line each.
    Text,
    /// JSON, for programs.
    Json,
}

/// Options of `run`.
#[derive(Clone, Debug, Default, Args)]
pub struct RunArgs {
    /// Names or labels of checks [default: all of the platform]
    #[arg(value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub names: Vec<String>,
    /// Check only this package of the workspace; may be repeated
    #[arg(long, short, value_name = "NAME")]
    pub package: Vec<String>,
    /// Check only this combination of features, as reports name it; may be repeated
    #[arg(long, value_name = "NAME")]
    pub combination: Vec<String>,
    /// Run only the test of this whole name; may be repeated
    #[arg(long, value_name = "NAME")]
    pub test: Vec<String>,
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
            step: selection.step.clone(),
            part: Part { combinations: self.combination, tests: self.test },
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
        Request { task: Task::Checks(options), place, plain_run: None }
    }
}

/// The task of a script that is one call of `rust-vmm-ci run` in the checkout and nothing else. The status of
/// the call is then that of the script. None for every other script.
pub fn plain_run(script: &str) -> Option<RunOptions> {
    if script.trim().contains(['$', '`', ';', '&', '|', '<', '>', '(', ')', '*', '?', '#', '~', '!', '\n']) {
        return None;
    }
    let words = shell_words::split(script).ok()?;
    if words.len() < 2 || words[0] != "rust-vmm-ci" {
        return None;
    }
    let (selection, verbosity, command) = Cli::try_parse_from(words).ok()?.into_parts();
    let Command::Run(args) = command else { return None };
    // Each of these may lead to another plan.
    if selection.dir.is_some() || selection.config.is_some() || selection.os.is_some() || args.docker {
        return None;
    }
    match args.into_request(&selection, verbosity).task {
        Task::Checks(options) => Some(options),
        Task::OwnCommand(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_script_whose_status_is_that_of_one_run_is_known_to_fail() {
        assert!(plain_run("rust-vmm-ci run clippy").is_some());
        for script in [
            "rust-vmm-ci run clippy || true",
            "! rust-vmm-ci run clippy",
            "rust-vmm-ci run clippy\ntrue",
            "make && rust-vmm-ci run",
            "rust-vmm-ci list",
            "A=1 rust-vmm-ci run",
            "rust-vmm-ci -C elsewhere run",
            "rust-vmm-ci run --help",
        ] {
            assert!(plain_run(script).is_none(), "{script}");
        }
    }
}
