//! `run`: a job of checks, on this machine or in the project's container.

use crate::job::{self, Repository, Request, Selection, job_files};
use anyhow::Result;
use rust_vmm_ci_core::config::Mode;
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_effects::process;

/// Runs checks and reports.
///
/// # Errors
/// As [`job::run`].
pub fn run(selection: &Selection, request: &Request) -> Result<Exit> {
    process::heed_signals()?;
    job_files::keep_temporary_files_together();
    job::run(Repository::find(selection, Mode::Run)?, request)
}
