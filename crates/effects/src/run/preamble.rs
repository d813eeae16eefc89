//! What the checks that run cargo begin with: a toolchain, and a workspace that cargo can read.

use super::cargo::facts::{JobFacts, WorkspaceError};
use super::cargo::toolchain::Toolchain;
use super::cargo::words::refusal;
use super::context::{Context, Judgement};
use anyhow::Result;
use cargo_metadata::Metadata;
use rust_vmm_ci_core::checks::outage;
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::report::Finding;
use rust_vmm_ci_core::workspace::path::from_folder;
use std::sync::Arc;

/// Why a check ends before it has done its work.
#[derive(Debug)]
pub enum Stop {
    /// There is a judgement already.
    Judged(Box<Judgement>),
    /// The check is broken, or its job was cancelled.
    Error(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl Stop {
    /// Ends a check with a judgement.
    pub fn judged(judgement: Judgement) -> Self {
        Self::Judged(Box::new(judgement))
    }

    /// The judgement of a check that may have ended early.
    ///
    /// # Errors
    /// The error that ended it.
    pub fn settle(result: Result<Judgement, Self>) -> Result<Judgement> {
        result.or_else(|stop| match stop {
            Self::Judged(judgement) => Ok(*judgement),
            Self::Error(error) => Err(error),
        })
    }
}

/// Runs a check's work with the toolchain and the workspace of its folder.
///
/// # Errors
/// Those of the work, and where rustc or cargo gave no answer: the check is broken.
pub fn in_workspace(
    context: &mut Context<'_>,
    facts: &JobFacts,
    work: impl FnOnce(&mut Context<'_>, &Toolchain, &Metadata) -> Result<Judgement>,
) -> Result<Judgement> {
    let mut run = || {
        let toolchain = toolchain(context, facts)?;
        require_platform(context, &toolchain)?;
        let metadata = workspace(context, facts, [])?;
        Ok((toolchain, metadata))
    };
    match run() {
        Ok((toolchain, metadata)) => work(context, &toolchain, &metadata),
        Err(stop) => Stop::settle(Err(stop)),
    }
}

/// Whether cargo says that it has no such subcommand, in its older or newer words.
pub fn lacks_subcommand(name: &str, said: &[u8]) -> bool {
    let said = String::from_utf8_lossy(said);
    ["command", "subcommand"].iter().any(|word| said.contains(&format!("no such {word}: `{name}`")))
}

/// The toolchain of the check's folder.
///
/// # Errors
/// A judgement where none is installed; an error where rustc gave no answer in time.
pub fn toolchain(context: &Context<'_>, facts: &JobFacts) -> Result<Arc<Toolchain>, Stop> {
    facts.toolchain(&context.directory, context.env).map_err(|reason| {
        if reason.is_missing() {
            let words = String::from(&reason);
            let remedy = match outage::missing_toolchain(&words) {
                Some(name) => format!("rustup toolchain install {name}"),
                None => "install Rust: https://rustup.rs".to_owned(),
            };
            Stop::judged(Judgement::missing(words, remedy))
        } else {
            Stop::Error(reason.0.into())
        }
    })
}

/// Refuses a toolchain that compiles for another platform than the check's. A verdict on another platform's
/// code would be a wrong one.
///
/// # Errors
/// Exit 3, with what to do.
pub fn require_platform(context: &Context<'_>, toolchain: &Toolchain) -> Result<()> {
    if toolchain.platform() == Some(context.platform) {
        return Ok(());
    }
    Err(exit::infrastructure(format!(
        "this check is for {}, and {} compiles for {}: install a toolchain whose host is {}, or run the job \
         on a machine or in an image of that platform",
        context.platform, toolchain.version, toolchain.host, context.platform
    )))
}

/// What `cargo metadata` says in the check's folder. `flags` are those of the check's command that are about
/// the lock file and the network.
///
/// # Errors
/// A judgement where cargo refuses the workspace; an error where it cannot be asked.
pub fn workspace<'f>(
    context: &mut Context<'_>,
    facts: &JobFacts,
    flags: impl IntoIterator<Item = &'f str>,
) -> Result<Arc<Metadata>, Stop> {
    let workspace = facts.workspace(&context.cargo(), &context.directory, flags);
    workspace.map_err(|error| unknown(context, error))
}

/// Ends a check where a fact about the workspace is not known. What cargo says goes to the log.
pub fn unknown(context: &mut Context<'_>, error: WorkspaceError) -> Stop {
    let finding = match error {
        WorkspaceError::Refused(words) => {
            context.say(&words);
            if let Some(reason) = outage::of_cargo(&words) {
                return Stop::judged(Judgement::broken(reason));
            }
            let first = words.lines().find(|line| line.starts_with("error"));
            let finding = refusal(first.unwrap_or("cargo cannot read the workspace"), &words);
            let from_root = |file: String| from_folder(context.root, &context.directory, &file);
            Finding { file: finding.file.map(from_root), ..finding }
        }
        WorkspaceError::Uncombinable(reason) => {
            context.say(&reason);
            Finding::error(reason)
        }
        WorkspaceError::TooMuch(reason) => return exit::usage(reason).into(),
        WorkspaceError::NothingSelected(reason) => return exit::usage(reason).into(),
        WorkspaceError::NotAsked(error) => return error.into(),
        error @ WorkspaceError::Unreadable(_) => return error.into(),
    };
    Stop::judged(Judgement::by_findings(vec![finding]))
}
