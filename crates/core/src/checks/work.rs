//! What a planned check does, as data.

use super::cargo::{CargoCommand, FeatureMode};
use super::{audit, bench, commit_format};
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
        /// Whether its tests are divided over the jobs of its step.
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
    /// Advisories against the lock file.
    Audit(audit::Options),
    /// Benchmarks of this change and of its base.
    Bench(bench::Options),
    /// One program, whose answer a pure function reads. A check that needs no more than this is one
    /// file in this crate.
    Program(Program),
}

/// A program that a check runs, and how its answer is read.
#[derive(Clone, Debug)]
pub struct Program {
    /// What is started.
    pub tool: Tool,
    /// Its arguments.
    pub args: Vec<String>,
    /// The command that installs it, for where it is missing.
    pub install: &'static str,
    /// What the log shows of a line that it printed; none for nothing.
    pub show: fn(&[u8]) -> Option<String>,
    /// Reads what it said into findings: an error among them makes the check fail.
    ///
    /// Errors: exit 3 where the program could not do its work, with its words; the check is broken.
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

/// What a [`Program`] answered.
pub struct Answer<'a> {
    /// Its exit status.
    pub status: i32,
    /// What it printed on standard output.
    pub stdout: &'a [u8],
    /// What it printed on standard error.
    pub stderr: &'a [u8],
    /// The folder that it worked in, from the repository's root, with `/`; empty for the root.
    pub folder: &'a str,
    /// Whether the repository has a file, by its path from the root, with `/`.
    pub is_file: &'a dyn Fn(&str) -> bool,
}

/// What a check needs while other checks run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// What it compiles in the job's target directory; none for nothing, or in another place.
    pub compiles: Option<Compiles>,
    /// Whether it runs tests. They may use a port, a device or a folder of a fixed name, so no two
    /// checks run tests at the same time (no two do in the predecessor's jobs).
    pub tests: bool,
    /// Whether it needs the whole machine: it measures, or nobody knows what it does.
    pub machine: bool,
    /// Whether it needs a `Cargo.toml` in its folder.
    pub manifest: bool,
}

/// Where cargo keeps what a check compiles, within one target directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiles {
    /// The target triple, where the command names one.
    pub target: Option<String>,
    /// Whether the profile is `release`, else `dev`. Cargo locks the folder of a profile: a second check
    /// with the same profile only waits.
    pub release: bool,
    /// Whether crates are only checked. A build cannot use what `cargo check` made.
    pub checked: bool,
}

impl Needs {
    /// A check that compiles nothing and may run beside all others.
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

    /// The needs of a command for the shell, of which nothing is known.
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
