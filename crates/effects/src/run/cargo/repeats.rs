//! Test programs and examples in documentation that have passed before in a check, and are not run again.
//!
//! A workspace's check has a run for each distinct set of features of any member, and each tests all
//! members. A member that a set leaves as it was is the same programs, which cargo does not build again
//! but would run again, and whose documentation rustdoc would compile again, an example at a time. So
//! cargo is given a runner and a rustdoc of ours, links to this program ([`stand_in`]), that pass over
//! what a run which passed as a whole has run already. Options say so and no variables, which tests
//! would see.
//!
//! "The same" is the same program file, or the same call of rustdoc with the same libraries, beside the
//! same programs and dynamic libraries of the workspace, which a test may start or load.
//!
//! The same rustdoc links examples without debug information, and with the standard library's shared
//! object where there is one, which takes 0.78 of the CPU (59 examples of vmm-sys-util: 4.0 s in place of
//! 5.15, Rust 1.95). What then does not pass is done again as rustdoc does it by itself, and only that is
//! shown and counts.

pub mod shim;

pub use shim::PASSED_BEFORE;

use super::toolchain::Toolchain;
use crate::process::Command;
use anyhow::{Context as _, Result};
use cargo_metadata::{CrateType, Metadata};
use shim::{BESIDE, PASSED, REAL_RUSTDOC, RUNNER, RUSTDOC, SAID, SEEN, SHARED_STD, stamp};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What has passed in a check.
pub struct Repeats {
    folder: TempDir,
    triple: String,
}

impl Repeats {
    /// Makes the folder with the links, `program` being this program; none where the toolchain has no
    /// rustdoc to call or takes no configuration, this program was replaced by another since it began, or a
    /// path is no text, which an option of cargo's must be.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn prepare(
        program: &Path,
        toolchain: &Toolchain,
        triple: &str,
        metadata: &Metadata,
    ) -> Result<Option<Self>> {
        let rustdoc = toolchain.program("rustdoc");
        if !toolchain.takes_configuration() || !rustdoc.is_file() || !program.is_file() {
            return Ok(None);
        }
        let folder = tempfile::Builder::new().prefix("rust-vmm-ci-tests-").tempdir()?;
        let libraries = toolchain.libraries(triple);
        let (Some(rustdoc), Some(libraries), Some(_)) =
            (rustdoc.to_str(), libraries.to_str(), folder.path().to_str())
        else {
            return Ok(None);
        };
        let at = |name: &str| folder.path().join(name);
        let place = || -> std::io::Result<()> {
            super::instrument::link(program, &at(RUNNER))?;
            super::instrument::link(program, &at(RUSTDOC))?;
            fs::write(at(REAL_RUSTDOC), rustdoc)?;
            if has_shared_std(Path::new(libraries)) && !has_dynamic_library(metadata) {
                fs::write(at(SHARED_STD), libraries)?;
            }
            Ok(())
        };
        place().context("preparing to run tests")?;
        Ok(Some(Self { folder, triple: triple.to_owned() }))
    }

    /// The command that runs tests beside these programs and libraries of the workspace.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn apply(&self, cargo: Command, beside: &BTreeSet<PathBuf>) -> Result<Command> {
        let beside: String = beside.iter().map(|file| stamp(file) + "\n").collect();
        fs::write(self.at(BESIDE), beside).context("preparing to run tests")?;
        let _ = fs::remove_file(self.at(SEEN));
        let value = |name: &str| toml::Value::String(self.at(name).to_string_lossy().into_owned());
        Ok(cargo
            .arg(format!("--config=target.{}.runner=[{}]", self.triple, value(RUNNER)))
            .arg(format!("--config=build.rustdoc={}", value(RUSTDOC))))
    }

    /// Takes note that all of the last command passed.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn all_passed(&self) -> Result<()> {
        let seen = fs::read_to_string(self.at(SEEN)).unwrap_or_default();
        let before = fs::read_to_string(self.at(PASSED)).unwrap_or_default();
        fs::write(self.at(PASSED), before + &seen).context("noting which tests passed")
    }

    /// What the examples under way had said when the last command was ended, if any were.
    pub fn said(&self) -> Vec<u8> {
        fs::read(self.at(SAID)).unwrap_or_default()
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Whether the standard library is there as a shared object: for musl, say, it is not.
fn has_shared_std(libraries: &Path) -> bool {
    let mut files = fs::read_dir(libraries).into_iter().flatten().filter_map(Result::ok);
    files.any(|file| {
        let name = file.file_name().to_string_lossy().into_owned();
        name.starts_with("libstd-") && name.ends_with(".so")
    })
}

/// Whether a package is a Rust library that is linked dynamically: it has a standard library in it, and
/// rustc then refuses to link another, which an example that must not compile would pass by.
fn has_dynamic_library(metadata: &Metadata) -> bool {
    let targets = metadata.packages.iter().flat_map(|package| &package.targets);
    targets.into_iter().any(|target| target.crate_types.contains(&CrateType::DyLib))
}
