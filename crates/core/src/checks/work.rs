//! What a planned check does, as data.

use super::cargo::{CargoCommand, FeatureMode};
use super::{audit, bench, commit_format, semver};
use crate::report::Finding;
use anyhow::Result;

/// What a planned check does.
#[derive(Clone, Debug)]
pub enum Work {
    /// A cargo command, run for each set of features.
    Cargo {
        /// The command.
        command: CargoCommand,
        /// The sets of features.
        features: FeatureMode,
        /// Whether its tests are divided among the jobs of its step.
        divided: bool,
        /// Whether examples in documentation may be compiled as one program.
        merge_examples: bool,
    },
    /// A check with a file of its own in `checks/`.
    Logic(Logic),
    /// A command for the platform's shell.
    Shell(String),
}

/// The work of a check that has a file of its own in `checks/`, with its options.
#[derive(Clone, Debug)]
pub enum Logic {
    /// Line coverage against `coverage_config_ARCH.json`.
    Coverage,
    /// The form of the change's commit messages.
    CommitFormat(commit_format::Options),
    /// Compares the lock file with security advisories.
    Audit(audit::Options),
    /// Benchmarks of this change and of its base.
    Bench(bench::Options),
    /// The Rust version that each package declares.
    Msrv,
    /// The public API of this change and of a baseline.
    Semver(semver::Options),
    /// One program. A pure function reads its result. A check that needs only this is one file in this crate.
    Program(Program),
}

/// A program that a check runs, and how its answer is read.
#[derive(Clone, Debug)]
pub struct Program {
    /// What is started.
    pub tool: Tool,
    /// Its arguments.
    pub args: Vec<String>,
    /// The command that installs it, shown if it is missing.
    pub install: &'static str,
    /// What the log shows for a line that it printed. None for nothing.
    pub show: fn(&[u8]) -> Option<String>,
    /// Turns its result into findings. An error among them makes the check fail.
    ///
    /// Errors: exit 3 with the program's message if it could not do its work. The check is then broken.
    pub read: fn(&Answer<'_>) -> Result<Vec<Finding>>,
}

/// What is started for a [`Program`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// A subcommand of cargo: `deny` for `cargo deny`, whose program is `cargo-deny`.
    CargoSubcommand(&'static str),
    /// A program on `PATH`.
    OnPath(&'static str),
}

impl Tool {
    /// The name of the program that must be installed.
    pub fn program(self) -> String {
        match self {
            Self::CargoSubcommand(name) => format!("cargo-{name}"),
            Self::OnPath(name) => name.to_owned(),
        }
    }
}

/// The result of a [`Program`].
pub struct Answer<'a> {
    /// Its exit status.
    pub status: i32,
    /// What it printed on standard output.
    pub stdout: &'a [u8],
    /// What it printed on standard error.
    pub stderr: &'a [u8],
    /// The folder in which it worked, from the repository's root, with `/`. Empty for the root.
    pub folder: &'a str,
    /// Whether the repository has a file, by its path from the root, with `/`.
    pub is_file: &'a dyn Fn(&str) -> bool,
}

/// What a check needs while other checks run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// What it compiles in the job's target directory. None if it compiles nothing, or only in another place.
    pub compiles: Option<Compiles>,
    /// Whether it runs tests. Tests may use a port, a device or a folder with a fixed name, so two checks
    /// never run tests at the same time (nor do they in the predecessor's jobs).
    pub tests: bool,
    /// Whether it needs the whole machine, because it measures or because nothing is known about it.
    pub machine: bool,
    /// Whether it needs a `Cargo.toml` in its folder.
    pub manifest: bool,
}

/// Where cargo keeps what a check compiles, within one target directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiles {
    /// The target triple, if the command names one.
    pub target: Option<String>,
    /// Whether the profile is `release`. Otherwise it is `dev`. Cargo locks the folder of a profile, so a
    /// second check with the same profile would only wait.
    pub release: bool,
    /// Whether crates are only checked. A build cannot use the results of `cargo check`.
    pub checked: bool,
}

impl Needs {
    /// A check that compiles nothing and may run at the same time as all others.
    pub const NOTHING: Self = Self { compiles: None, tests: false, machine: false, manifest: false };

    /// The needs of a cargo command.
    pub fn of_cargo(command: &CargoCommand) -> Self {
        if command.kind() == super::cargo::Kind::Other {
            return Self::of_shell();
        }
        let manifest = Self { manifest: true, ..Self::NOTHING };
        let compiles = |checked| {
            let target = command.value_of("--target").map(str::to_owned);
            Some(Compiles { target, release: command.has("--release"), checked })
        };
        match command.verb.as_str() {
            "fmt" => manifest,
            "build" => Self { compiles: compiles(false), ..manifest },
            "check" | "clippy" | "doc" => Self { compiles: compiles(true), ..manifest },
            "test" => Self { compiles: compiles(false), tests: true, ..manifest },
            _ => Self { machine: true, ..manifest },
        }
    }

    /// The needs of a shell command. Nothing is known about it.
    pub fn of_shell() -> Self {
        Self { machine: true, ..Self::NOTHING }
    }

    /// Whether two checks with these needs cannot run at the same time.
    pub fn collide_with(&self, other: &Self) -> bool {
        let profile = |needs: &Self| needs.compiles.as_ref().map(|compiles| compiles.release);
        let same_profile = profile(self).is_some() && profile(self) == profile(other);
        self.machine || other.machine || same_profile || (self.tests && other.tests)
    }
}
