//! The data that every check of this program must define. A check with a missing part does not compile.

use super::work::{Logic, Needs};
use anyhow::Result;
use serde_json::{Map, Value};

/// A check that this program knows by name. All of them are in [`super::CHECKS`].
#[derive(Debug)]
pub struct Check {
    /// Its name: its key under the option `checks`.
    pub name: &'static str,
    /// What it guarantees, in one sentence without a full stop.
    pub holds: &'static str,
    /// When it is part of a run.
    pub membership: Membership,
    /// Whether its failure is only shown, and does not fail the job, where the option `soft-fail` of the check is
    /// not set.
    pub advisory: bool,
    /// The options that only this check has.
    pub options: &'static [OwnOption],
    /// What it runs.
    pub runs: Runs,
    /// The seconds that it takes, used if no report of an earlier run has its time. The times of the cargo
    /// checks and of coverage are medians of vmm-sys-util, kvm and vm-memory, each check in its own job with
    /// an empty target directory, on two cores with Rust 1.95. A check for musl or Windows gets the time of
    /// the corresponding check. The others are estimates.
    pub seconds: f64,
}

/// When a check is part of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// Always: `standard.json` lists it, with its platforms and systems.
    Standard,
    /// If somebody asks for it: the option `checks` has its name with `true` or with options, or `only` names
    /// it, or the command line does.
    OptIn,
    /// As [`Membership::OptIn`], except that options alone do not add it. Such options are for the tests in
    /// the repository's own descriptions that became this check.
    OptInByName,
}

/// An option that only one check has.
#[derive(Debug)]
pub struct OwnOption {
    /// Its key.
    pub name: &'static str,
    /// The kinds of its values, as JSON Schema names them.
    pub kinds: &'static [&'static str],
    /// What it sets, for the table in docs/options.md.
    pub doc: &'static str,
    /// The value if nobody sets it, for the same table.
    pub default: &'static str,
    /// A value that it accepts, as JSON.
    pub example: &'static str,
}

/// What a check runs.
#[derive(Debug)]
pub enum Runs {
    /// The command in `standard.json` for the platform and the system. What the check needs follows from the
    /// command.
    Command {
        /// Checks the own options of the check of this name.
        ///
        /// Errors: exit 2 with the key path, for an unknown option or a wrong value.
        check_options: fn(&str, &Map<String, Value>) -> Result<()>,
    },
    /// Code in a file of the check's own.
    Logic {
        /// Reads the check's own options.
        ///
        /// Errors: exit 2 with the key path, for an unknown option or a wrong value.
        read: fn(&Map<String, Value>) -> Result<Logic>,
        /// What it needs while other checks run.
        needs: Needs,
    },
}

impl Check {
    /// Whether it runs only if somebody asks for it.
    pub fn is_opt_in(&self) -> bool {
        self.membership != Membership::Standard
    }

    /// Whether setting its own options is enough to add it.
    pub fn is_added_by_options(&self) -> bool {
        self.membership == Membership::OptIn
    }

    /// Checks its own options.
    ///
    /// # Errors
    /// Exit 2 with the key path, for an unknown option or a wrong value.
    pub fn check_options(&self, own: &Map<String, Value>) -> Result<()> {
        match &self.runs {
            Runs::Logic { read, .. } => read(own).map(drop),
            Runs::Command { check_options } => check_options(self.name, own),
        }
    }

    /// Whether it has an option of its own by this name.
    pub fn has_option(&self, name: &str) -> bool {
        self.options.iter().any(|option| option.name == name)
    }

    /// The command that runs it, for a check without a command in `standard.json`.
    pub fn command(&self) -> String {
        format!("rust-vmm-ci run {}", self.name)
    }
}
