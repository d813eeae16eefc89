//! What cargo finds in each folder that a check starts it in: the configuration and the toolchain.

use super::configuration;
use super::facts::JobFacts;
use super::once_map::OnceMap;
use super::toolchain::{NoToolchain, Toolchain};
use crate::process::{self, Command};
use crate::run::context::Context;
use rust_vmm_ci_core::checks::cargo::CargoCommand;
use rust_vmm_ci_core::workspace::CargoConfig;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The answers of a check, each found when it is first asked for.
pub(super) struct Views<'a> {
    facts: &'a JobFacts,
    /// cargo in the check's folder, with the check's variables.
    cargo: Command,
    /// The toolchain in the check's folder.
    toolchain: Arc<Toolchain>,
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    configurations: OnceMap<PathBuf, Arc<CargoConfig>>,
}

impl<'a> Views<'a> {
    /// The views of a check whose toolchain is known.
    pub fn new(
        context: &Context<'_>,
        command: &CargoCommand,
        facts: &'a JobFacts,
        toolchain: Arc<Toolchain>,
    ) -> Self {
        Self {
            facts,
            cargo: context.cargo(),
            toolchain,
            variables: context.env.to_vec(),
            arguments: command.args.clone(),
            configurations: OnceMap::default(),
        }
    }

    /// The configuration that cargo finds in a folder.
    pub fn of(&self, dir: &Path) -> Arc<CargoConfig> {
        self.configurations.get_or_make(dir.to_owned(), || {
            Arc::new(configuration::of(dir, &self.variables, &self.arguments))
        })
    }

    /// The toolchain that rustup takes in a folder.
    ///
    /// # Errors
    /// Why there is none.
    pub fn toolchain(&self, dir: &Path) -> Result<Arc<Toolchain>, NoToolchain> {
        self.facts.toolchain(dir, &self.variables)
    }

    /// cargo as it is in a folder.
    ///
    /// # Errors
    /// Where there is no toolchain.
    pub fn cargo(&self, dir: &Path) -> Result<Command, process::Error> {
        let there = self.toolchain(dir).map_err(|reason| reason.0)?;
        Ok(there.in_place_of(&self.toolchain, self.cargo.clone()))
    }

    /// What else than the command and its features can make a result in one folder differ from that in
    /// another: a text that is the same where nothing does.
    pub fn place(&self, dir: &Path) -> String {
        let toolchain = match self.toolchain(dir) {
            Ok(toolchain) => format!("{:?} {}", toolchain.program("rustc"), toolchain.version),
            Err(reason) => format!("{}: {reason}", dir.display()),
        };
        format!("{}{toolchain}\n", self.of(dir).fingerprint())
    }
}
