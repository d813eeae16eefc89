//! `init`: sets up a repository.

use super::set_up;
use crate::cli::InitMode;
use crate::job::configuration;
use crate::job::{Selection, facts};
use anyhow::Result;
use rust_vmm_ci_core::config::Config;
use rust_vmm_ci_core::exit::{Exit, usage};
use rust_vmm_ci_core::model::shown::block;
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_core::pipeline::file;
use rust_vmm_ci_core::plan::Facts;
use rust_vmm_ci_core::predecessor::coverage_file;
use rust_vmm_ci_effects::files;
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
    let tests = set_up::descriptions(&root, &|_| false)?;
    let facts = facts::read(&root, &Config::default(), false)?;
    let platforms = match selection.platform {
        Some(platform) => vec![platform],
        None => facts.platforms.clone().unwrap_or_else(|| Platform::DEFAULT.to_vec()),
    };
    let fit = Fit::of(&root, selection.os)?;
    let mut steps = match mode {
        InitMode::Run => file::one_job_each(&platforms, &tests),
        InitMode::Upload => file::uploads(&tests, &set_up::standard_names()),
    };
    // A workspace whose crates have steps of their own cannot be one job for each platform.
    if let (InitMode::Upload, true) = (mode, fit.crates >= MANY) {
        for step in steps.iter_mut().filter(|step| !step.options.contains_key("standard")) {
            step.options.insert("workspace".into(), "selective".into());
        }
    }
    if fit.windows {
        steps.push(file::windows(mode == InitMode::Upload));
    }
    let pipeline = set_up::PipelineFile::of(&root, &steps)?;
    if dry_run {
        say::out(block(&pipeline.text));
        return Ok(Exit::Passed);
    }
    pipeline.write(&root)?;
    say::line(format_args!("wrote {}", set_up::PIPELINE));
    say_what_is_left(&root, &facts, &platforms, &fit, mode);
    Ok(Exit::Passed)
}

/// From how many crates on separate steps for each crate are worth it.
const MANY: usize = 4;

/// What suits a repository.
struct Fit {
    /// How many members its workspace has.
    crates: usize,
    /// Whether it is for Windows too.
    windows: bool,
}

impl Fit {
    /// Looks at the manifests. `os` is the system that the command line names.
    fn of(root: &Path, os: Option<Os>) -> Result<Self> {
        let facts = facts::read(root, &Config::default(), true)?;
        let crates = facts.crates.as_deref().unwrap_or_default();
        let is_for_windows = |dir: &str| {
            let text =
                files::text(root, Path::new(dir).join("Cargo.toml")).ok().flatten().unwrap_or_default();
            text.lines().map(str::trim_start).any(|line| {
                let table = line.starts_with("[target.");
                table && (line.contains("windows") && !line.contains("not(windows"))
            })
        };
        let windows =
            os.map_or_else(|| crates.iter().any(|found| is_for_windows(&found.dir)), |os| os == Os::Windows);
        Ok(Self { crates: crates.len(), windows })
    }
}

fn say_what_is_left(root: &Path, facts: &Facts, platforms: &[Platform], fit: &Fit, mode: InitMode) {
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
    if fit.crates >= MANY && mode == InitMode::Run {
        say::line(format_args!(
            "- the workspace has {} members: `rust-vmm-ci init --mode upload` makes steps for each crate, which run \
             when its files change (`workspace: selective`)",
            fit.crates
        ));
    }
    if fit.windows {
        say::line("- Windows needs an agent with the tags `os=windows` and `platform=x86_64`");
    }
    say::line(
        "- in Buildkite, create a pipeline for the repository with one step, and allow builds of pull requests:",
    );
    say::line("    steps:");
    say::line("      - command: buildkite-agent pipeline upload");
    say::line("  its agents need the tags that the file names, and git; docs/agents.md says what else");
}
