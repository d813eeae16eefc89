//! What every check of this program must say of itself. A check that leaves one of these out does not
//! compile.

use super::work::{Logic, Needs};
use anyhow::Result;
use serde_json::{Map, Value};

/// A check that this program knows by name. All of them stand in [`super::CHECKS`].
#[derive(Debug)]
pub struct Check {
    /// Its name: its key under the option `checks`.
    pub name: &'static str,
    /// What it holds, in one sentence without a full stop.
    pub holds: &'static str,
    /// When it is in.
    pub membership: Membership,
    /// The options that only this check has.
    pub options: &'static [OwnOption],
    /// What it runs.
    pub runs: Runs,
    /// How long it takes in seconds where no report of an earlier run says it. The times of the cargo
    /// checks and of coverage are the median of vmm-sys-util, kvm and vm-memory, each check in a job
    /// with an empty target directory, on two cores with Rust 1.95. A check for musl or Windows is taken
    /// to need as long as its sibling. The others are estimates.
    pub seconds: f64,
}

/// When a check is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// Always: `standard.json` lists it, with its platforms and systems.
    Standard,
    /// Where the option `checks` has its name, with `true` or with options, where `only` names it, or
    /// where the command line does.
    OptIn,
    /// As [`Membership::OptIn`], but options alone do not add it: they are for the tests of the
    /// repository's own descriptions that became this check.
    OptInByName,
}

/// An option that only one check has.
#[derive(Debug)]
pub struct OwnOption {
    /// Its key.
    pub name: &'static str,
    /// The kinds of its values, in the words of JSON Schema.
    pub kinds: &'static [&'static str],
    /// What it sets, for the table in docs/options.md.
    pub doc: &'static str,
    /// The value where nobody sets it, for the same table.
    pub default: &'static str,
    /// A value that it takes, as JSON.
    pub example: &'static str,
}

/// What a check runs.
#[derive(Debug)]
pub enum Runs {
    /// The command that `standard.json` has for the platform and the system. The command says what the
    /// check needs.
    Command {
        /// Checks the own options of the check of this name.
        ///
        /// Errors: exit 2 with the key path, for an unknown option or a wrong value.
        check_options: fn(&str, &Map<String, Value>) -> Result<()>,
    },
    /// What the check's own file says.
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
    /// Whether it is in only where somebody asks for it.
    pub fn is_opt_in(&self) -> bool {
        self.membership != Membership::Standard
    }

    /// Whether its own options are enough to add it.
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

    /// The command that runs it, for a check that has no command in `standard.json`.
    pub fn command(&self) -> String {
        format!("rust-vmm-ci run {}", self.name)
    }
}
