//! Tells people and machines of a run. What goes wrong here is said, and changes no verdict.

use super::environment::{in_buildkite, variable};
use crate::cli::RunArgs;
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::model::{Os, Platform};
use rust_vmm_ci_core::report::annotation::{Action, Job, annotate_job, context};
use rust_vmm_ci_core::report::{Artifact, Format, Json, Report, VERSION, html};
use rust_vmm_ci_effects::agent;
use rust_vmm_ci_effects::{container, git};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The page that has the whole report, as an artifact of the job.
const PAGE: &str = "rust-vmm-ci-report.html";

/// A report without outcomes: what it is of, for a run that began then and ends now.
pub fn about(root: &Path, platform: Platform, os: Os, begin: Instant) -> Report {
    let elapsed = begin.elapsed();
    let started = SystemTime::now().checked_sub(elapsed);
    Report {
        version: VERSION,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        platform: platform.to_string(),
        os: os.to_string(),
        commit: git::Git::at(root).ok().and_then(|git| git.resolve("HEAD").ok().flatten()),
        started: started.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |at| at.as_secs()),
        seconds: elapsed.as_secs_f64(),
        ..Report::default()
    }
}

/// Writes the files that a person asked for, and the one that the hook around this process waits for.
pub fn write_files(root: &Path, report: &Report, args: &RunArgs) {
    let for_hook = variable(container::REPORT);
    let for_hook = for_hook.iter().map(|path| (&Json as &dyn Format, Path::new(path)));
    for (format, path) in args.reports.iter().chain(for_hook) {
        let text = format.render(report, &|artifact| image(root, artifact));
        let written = text.and_then(|text| Ok(std::fs::write(path, text)?));
        if let Err(error) = written {
            eprintln!("rust-vmm-ci: the report was not written to {}: {error:#}", path.display());
        }
    }
}

/// The HTML page, with the images that checks made.
fn page(root: &Path, report: &Report) -> String {
    html::render(report, &|artifact| image(root, artifact))
}

/// An image that a check made.
fn image(root: &Path, artifact: &Artifact) -> Option<Vec<u8>> {
    std::fs::read(root.join(&artifact.path)).ok()
}

/// Tells the build page, where this is a job of Buildkite's: an annotation where there is something to
/// see, with the whole report as an artifact.
pub fn tell_buildkite(root: &Path, report: &Report, annotate: bool) {
    // A cancelled job has seconds left, and the agent may try for longer than that.
    if !in_buildkite() || report.cancelled {
        return;
    }
    let told = tell(root, report, annotate);
    if let Err(error) = told {
        eprintln!("rust-vmm-ci: the build was not told of the report: {error:#}");
    }
}

fn tell(root: &Path, report: &Report, annotate: bool) -> Result<()> {
    let paths: Vec<String> = report
        .outcomes
        .iter()
        .flat_map(|outcome| &outcome.artifacts)
        .map(|artifact| artifact.path.clone())
        .filter(|path| root.join(path).exists())
        .collect();
    if !annotate && paths.is_empty() {
        return Ok(());
    }
    if !agent::is_there() {
        anyhow::bail!("there is no buildkite-agent on PATH");
    }
    if !paths.is_empty() {
        agent::upload_artifacts(root, &paths)?;
    }
    if !annotate {
        return Ok(());
    }
    let (key, label, step_id, parallel) = (
        variable("BUILDKITE_STEP_KEY"),
        variable("BUILDKITE_LABEL"),
        variable("BUILDKITE_STEP_ID"),
        variable("BUILDKITE_PARALLEL_JOB"),
    );
    let job = Job {
        key: key.as_deref(),
        label: label.as_deref(),
        step_id: step_id.as_deref(),
        parallel: parallel.as_deref(),
        retries: variable("BUILDKITE_RETRY_COUNT").and_then(|count| count.parse().ok()).unwrap_or(0),
    };
    match annotate_job(report, &job, Some(PAGE)) {
        Action::Replace { body, style } => {
            // A page that cannot be uploaded must not take the annotation with it.
            if let Err(error) = upload_page(root, report) {
                eprintln!("rust-vmm-ci: {PAGE} was not uploaded: {error:#}");
            }
            agent::annotate(&body, &context(&job), style)?;
        }
        Action::Remove => drop(agent::remove_annotation(&context(&job))?),
        Action::Nothing => {}
    }
    Ok(())
}

/// Uploads the page from a folder that is gone afterwards.
fn upload_page(root: &Path, report: &Report) -> Result<()> {
    let folder = tempfile::tempdir().context("a folder for the report")?;
    std::fs::write(folder.path().join(PAGE), page(root, report)).context("writing the report")?;
    agent::upload_artifacts(folder.path(), &[PAGE.to_owned()])?;
    Ok(())
}
