//! The fifth step: tells the person, the files and the build what became of a job. No other code writes
//! reports. What goes wrong here is said, and changes no verdict.

use super::environment::Environment;
use super::execute::Done;
use super::gather::Gathered;
use super::request::{PlaceRule, Request};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::report::annotation::{Action, Job, annotate_job, context};
use rust_vmm_ci_core::report::{Artifact, Format, Json, Report, html, profile, table};
use rust_vmm_ci_effects::{agent, files, say};
use std::path::{Path, PathBuf};

/// The name of the page with the whole report, an artifact of the job.
const PAGE: &str = "rust-vmm-ci-report.html";

/// Reports a job.
pub fn report(gathered: &Gathered, request: &Request, done: &mut Done) {
    let Some(report) = &mut done.report else { return };
    report.redact(say::redactor());
    let report = &*report;
    let environment = &gathered.environment;
    let options = request.options();
    if done.summary {
        show(report, environment, options.is_some_and(|options| options.timings));
    }
    write_files(gathered, report, options.map_or(&[], |options| &options.files));
    if request.place == PlaceRule::Configured {
        tell_build(gathered, report);
    }
}

/// Shows the summary, and with `timings` where the time went. `-q` leaves the summary out where nothing
/// failed.
fn show(report: &Report, environment: &Environment, timings: bool) {
    if !say::is_quiet() || report.failures().next().is_some() || report.exit() != Exit::Passed {
        say::out(format_args!(
            "{}{}",
            environment.summary_heading(),
            table::summary(report, environment.color)
        ));
    }
    if timings {
        say::out(format_args!("\n{}", profile::table(report)));
    }
}

/// Writes the files that a person asked for, and the file that the hook around this process reads.
fn write_files(gathered: &Gathered, report: &Report, wanted: &[(&'static dyn Format, PathBuf)]) {
    let wanted = wanted.iter().map(|(format, path)| (*format, path.as_path()));
    let for_hook = gathered.environment.report_file.as_deref().map(|path| (&Json as &dyn Format, path));
    for (format, path) in wanted.chain(for_hook) {
        let text = format.render(report, &|artifact| image(gathered.root(), artifact));
        let written = text.and_then(|text| Ok(std::fs::write(path, text)?));
        if let Err(error) = written {
            say::error(format_args!("the report was not written to {}: {error:#}", path.display()));
        }
    }
}

/// The HTML page, with the images that checks made.
fn page(root: &Path, report: &Report) -> String {
    html::render(report, &|artifact| image(root, artifact))
}

/// The bytes of an image that a check made.
fn image(root: &Path, artifact: &Artifact) -> Option<Vec<u8>> {
    let file = files::open_plain(&root.join(&artifact.path)).ok()?;
    files::bounded(&file, files::LONGEST).ok()
}

/// Shows the report on the page of the build, where this is a job of Buildkite: an annotation where a
/// person should see something, and the whole report as an artifact.
fn tell_build(gathered: &Gathered, report: &Report) {
    // A cancelled job has seconds left, and the agent may try for longer than that.
    if !gathered.environment.buildkite || report.cancelled {
        return;
    }
    if let Err(error) = upload_and_annotate(gathered, report) {
        say::error(format_args!("the report is not on the page of the build: {error:#}"));
    }
}

fn upload_and_annotate(gathered: &Gathered, report: &Report) -> Result<()> {
    let (root, annotate) = (gathered.root(), gathered.config().annotate);
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
    let step = &gathered.environment.step;
    let job = Job {
        key: step.key.as_deref(),
        label: step.label.as_deref(),
        step_id: step.id.as_deref(),
        parallel: step.parallel_job.as_deref(),
        retries: step.retries,
    };
    match annotate_job(report, &job, Some(PAGE)) {
        Action::Replace { body, style } => {
            // A page that cannot be uploaded must not take the annotation with it.
            if let Err(error) = upload_page(root, report) {
                say::error(format_args!("{PAGE} was not uploaded: {error:#}"));
            }
            agent::annotate(&body, &context(&job), style)?;
        }
        Action::Remove => drop(agent::remove_annotation(&context(&job))?),
        Action::Nothing => {}
    }
    Ok(())
}

/// Uploads the page from a temporary folder.
fn upload_page(root: &Path, report: &Report) -> Result<()> {
    let folder = tempfile::tempdir().context("a folder for the report")?;
    std::fs::write(folder.path().join(PAGE), page(root, report)).context("writing the report")?;
    agent::upload_artifacts(folder.path(), &[PAGE.to_owned()])?;
    Ok(())
}
