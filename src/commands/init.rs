//! `init`: sets a repository up.

use super::{configuration, facts, set_up};
use crate::cli::{Common, InitMode};
use anyhow::Result;
use rust_vmm_ci_core::config::Config;
use rust_vmm_ci_core::exit::{Exit, usage};
use rust_vmm_ci_core::model::Platform;
use rust_vmm_ci_core::pipeline::file;
use rust_vmm_ci_core::plan::Facts;
use rust_vmm_ci_core::predecessor::coverage_file;
use std::path::Path;

/// Writes the pipeline file, and says what is left to do.
///
/// # Errors
/// Exit 2 where there is no package, where a file stands in the way, or where the repository's
/// descriptions are wrong; exit 3 where the file cannot be written.
pub fn init(common: &Common, mode: InitMode, dry_run: bool) -> Result<Exit> {
    let root = configuration::root(common)?;
    if !root.join("Cargo.toml").is_file() {
        let what = "there is no Cargo.toml; name the repository's root with `-C DIR`";
        return Err(usage(format!("{}: {what}", root.display())));
    }
    let tests = set_up::descriptions(&root)?;
    let facts = facts::read(&root, &Config::default(), false)?;
    let platforms = match common.platform {
        Some(platform) => vec![platform],
        None => facts.platforms.clone().unwrap_or_else(|| Platform::DEFAULT.to_vec()),
    };
    let steps = match mode {
        InitMode::Run => file::one_job_each(&platforms, &tests),
        InitMode::Upload => file::uploads(&tests, &set_up::standard_names()),
    };
    let pipeline = set_up::PipelineFile::of(&root, &steps)?;
    if dry_run {
        print!("{}", pipeline.text);
        return Ok(Exit::Passed);
    }
    pipeline.write(&root)?;
    println!("wrote {}", set_up::PIPELINE);
    say_what_is_left(&root, &facts, &platforms);
    Ok(Exit::Passed)
}

fn say_what_is_left(root: &Path, facts: &Facts, platforms: &[Platform]) {
    println!("\nLeft to do:");
    // Others have none, or cannot be measured (predecessor's rule: coverage is for x86_64).
    if facts.coverage.is_empty() && platforms.contains(&Platform::X86_64) {
        println!(
            "- `rust-vmm-ci run coverage --update` writes {}, which the coverage check is held to",
            coverage_file::name(Platform::X86_64)
        );
    }
    if !root.join(".platform").is_file() {
        println!("- a file `.platform`, a name a line, where not x86_64 and aarch64 are what to build for");
    }
    println!("- `rust-vmm-ci run` shows what the checks say here");
    println!("- in Buildkite, the pipeline's steps are one: `command: buildkite-agent pipeline upload`");
}
