//! A context for tests of single checks.

#![allow(clippy::unwrap_used, reason = "a context that cannot be made fails its test")]

use super::{Context, Judgement};
use crate::process::Command;
use anyhow::Result;
use rust_vmm_ci_core::model::{Os, Platform};
use std::path::Path;
use std::time::Instant;

/// Runs a check's work in a folder, and returns its judgement and its log.
pub fn judged(
    root: &Path,
    work: impl FnOnce(&mut Context<'_>) -> Result<Judgement>,
) -> (Result<Judgement>, String) {
    let mut said = Vec::new();
    let mut context = Context {
        root,
        directory: root.to_owned(),
        platform: Platform::of_this_machine().unwrap_or(Platform::X86_64),
        os: Os::Linux,
        cargo: Command::new("cargo").env("CARGO_NET_OFFLINE", "true"),
        env: &[],
        deadline: None,
        run_started: Instant::now(),
        color: false,
        part: &super::Part::default(),
        look: false,
        timings: None,
        log: &mut |line| said.extend_from_slice(line),
        progress: &mut |_, _, _| {},
    };
    let judgement = work(&mut context);
    (judgement, String::from_utf8_lossy(&said).into_owned())
}
