//! What cargo finds in each folder that a check starts it in.

use super::configuration;
use super::once_map::OnceMap;
use crate::run::context::Context;
use rust_vmm_ci_core::checks::cargo::CargoCommand;
use rust_vmm_ci_core::workspace::CargoConfig;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The configuration in each folder, read when it is first asked for.
///
/// The toolchain is the same in all of them: rustup chooses it in the check's folder, and hands it on to
/// every cargo that is started from there.
pub(super) struct Views {
    variables: Vec<(String, String)>,
    arguments: Vec<String>,
    configurations: OnceMap<PathBuf, Arc<CargoConfig>>,
}

impl Views {
    /// The views of a check's command.
    pub fn new(context: &Context<'_>, command: &CargoCommand) -> Self {
        Self {
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

    /// Everything besides the command and its features that can make a result in one folder differ from that in
    /// another, as a text. Two texts are the same if nothing differs. It is a hash, because a configuration may
    /// hold a token, and the text is written to a file.
    pub fn place(&self, dir: &Path) -> String {
        let hash = Sha256::digest(self.of(dir).fingerprint());
        base64::Engine::encode(&base64::prelude::BASE64_STANDARD, hash)
    }
}
