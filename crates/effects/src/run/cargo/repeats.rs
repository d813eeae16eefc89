//! Leaves out tests that have passed before in the same check.
//!
//! The check of a workspace runs once for each distinct set of features of any member, and each run tests all
//! members. A member that a set does not change has the same test programs again. cargo does not build them
//! again, but it would run them again, and rustdoc would compile each example in the documentation again. So
//! cargo is given a runner and a rustdoc of this program's own: links to this program that act as shims
//! ([`shim`]). A shim leaves out what an earlier run has run, where that run passed as a whole. cargo learns of
//! the shims by options and not by variables, because tests would see variables.
//!
//! A test program is the same where its file is the same. Examples are the same where the call of rustdoc and
//! the libraries that it names are the same. In both cases the other programs and the dynamic libraries of
//! the workspace must be the same too, because a test may start or load them.
//!
//! The rustdoc shim also compiles many examples as one program ([`merge`]).

mod merge;
pub mod shim;
mod tell;

pub use tell::{Mark, Told};

use super::toolchain::Toolchain;
use crate::process::{Command, TemporaryFolder};
use anyhow::{Context as _, Result};
use shim::{BESIDE, MERGE, PASSED, REAL_RUSTDOC, RUNNER, RUSTDOC, SEEN, stamp};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The tests that have passed in a check.
pub struct Repeats {
    folder: TemporaryFolder,
    triple: String,
    mark: Mark,
}

impl Repeats {
    /// Makes the folder with the links to `program`, which is this program. `kept_examples` is the folder for
    /// compiled examples in documentation; without it, each is compiled alone and none is kept. It returns none,
    /// and all tests run, in four cases: the toolchain has no rustdoc, cargo takes no configuration by options,
    /// this program's file is gone, or a path is not UTF-8, as an option of cargo must be.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn prepare(
        program: &Path,
        toolchain: &Toolchain,
        triple: &str,
        kept_examples: Option<&Path>,
    ) -> Result<Option<Self>> {
        let rustdoc = toolchain.program("rustdoc");
        if !toolchain.takes_configuration() || !rustdoc.is_file() || !program.is_file() {
            return Ok(None);
        }
        let folder = TemporaryFolder::make().context("preparing to run tests")?;
        let (Some(rustdoc), Some(_)) = (rustdoc.to_str(), folder.path().to_str()) else {
            return Ok(None);
        };
        let at = |name: &str| folder.path().join(name);
        let place = || -> std::io::Result<()> {
            super::instrument::link(program, &at(RUNNER))?;
            super::instrument::link(program, &at(RUSTDOC))?;
            fs::write(at(REAL_RUSTDOC), rustdoc)?;
            if let Some(kept) = kept_examples {
                fs::write(at(MERGE), "")?;
                // Paths that are not UTF-8 only keep nothing.
                if let Some(kept) = kept.to_str() {
                    fs::write(at(merge::kept::KEPT), kept)?;
                }
            }
            Ok(())
        };
        place().context("preparing to run tests")?;
        let mark = Mark::draw(folder.path())?;
        Ok(Some(Self { folder, triple: triple.to_owned(), mark }))
    }

    /// The command with the shims. `beside` are the programs and dynamic libraries of the workspace. `place`
    /// says what else can change a result: what cargo finds in its folder.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn apply(&self, cargo: Command, beside: &BTreeSet<PathBuf>, place: &str) -> Result<Command> {
        let beside: String = beside.iter().map(|file| stamp(file) + "\n").collect();
        fs::write(self.at(BESIDE), beside + place).context("preparing to run tests")?;
        let _ = fs::remove_file(self.at(SEEN));
        let value = |name: &str| toml::Value::String(self.at(name).to_string_lossy().into_owned());
        Ok(cargo
            .arg(format!("--config=target.{}.runner=[{}]", self.triple, value(RUNNER)))
            .arg(format!("--config=build.rustdoc={}", value(RUSTDOC))))
    }

    /// The mark of what the shims say.
    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Notes that all tests of the last command have passed.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn all_passed(&self) -> Result<()> {
        let seen = fs::read_to_string(self.at(SEEN)).unwrap_or_default();
        let before = fs::read_to_string(self.at(PASSED)).unwrap_or_default();
        fs::write(self.at(PASSED), before + &seen).context("noting which tests passed")
    }

    /// Removes the examples that this check has kept before and not used now.
    pub fn remove_unused(&self) {
        merge::kept::remove_unused(self.folder.path());
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
