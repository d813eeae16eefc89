//! `init`: sets up a repository.

use super::set_up;
use crate::cli::InitMode;
use crate::job::configuration;
use crate::job::{Selection, facts};
use anyhow::Result;
use rust_vmm_ci_core::config::Config;
use rust_vmm_ci_core::exit::{Exit, usage};
use rust_vmm_ci_core::model::Platform;
use rust_vmm_ci_core::model::shown::block;
use rust_vmm_ci_core::pipeline::file;
use rust_vmm_ci_core::plan::Facts;
use rust_vmm_ci_core::predecessor::coverage_file;
use rust_vmm_ci_effects::say;
use std::path::Path;

/// Writes the pipeline file, and says what is left to do.
///
/// # Errors
/// Exit 2 where there is no package, where a file stands in the way, or where the repository's
/// descriptions are wrong; exit 3 where the file cannot be written.
pub fn init(selection: &Selection, mode: InitMode, dry_run: bool) -> Result<Exit> {
    let root = configuration::root(selection)?;
    if !root.join("Cargo.toml").is_file() {
        let what = "there is no Cargo.toml; name the repository's root with `-C DIR`";
        return Err(usage(format!("{}: {what}", root.display())));
    }
    let tests = set_up::descriptions(&root)?;
    let facts = facts::read(&root, &Config::default(), false)?;
    let platforms = match selection.platform {
        Some(platform) => vec![platform],
        None => facts.platforms.clone().unwrap_or_else(|| Platform::DEFAULT.to_vec()),
    };
    let steps = match mode {
        InitMode::Run => file::one_job_each(&platforms, &tests),
        InitMode::Upload => file::uploads(&tests, &set_up::standard_names()),
    };
    let pipeline = set_up::PipelineFile::of(&root, &steps)?;
    if dry_run {
        say::out(block(&pipeline.text));
        return Ok(Exit::Passed);
    }
    pipeline.write(&root)?;
    say::line(format_args!("wrote {}", set_up::PIPELINE));
    say_what_is_left(&root, &facts, &platforms);
    Ok(Exit::Passed)
}

fn say_what_is_left(root: &Path, facts: &Facts, platforms: &[Platform]) {
    say::line("\nLeft to do:");
    // Other platforms have no such file, or coverage cannot be measured there (predecessor's rule: coverage
    // is for x86_64).
    if facts.coverage.is_empty() && platforms.contains(&Platform::X86_64) {
        say::line(format_args!(
            "- `rust-vmm-ci run coverage --update` writes {}, which the coverage check compares with",
            coverage_file::name(Platform::X86_64)
        ));
    }
    if !root.join(".platform").is_file() {
        say::line(
            "- a file `.platform` with one name on each line, where the platforms are not x86_64 and aarch64",
        );
    }
    say::line("- `rust-vmm-ci run` shows what the checks say here");
    say::line("- in Buildkite, the pipeline has one step: `command: buildkite-agent pipeline upload`");
}
