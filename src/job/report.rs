//! The fifth step: tells the person, the files and the build what became of a job. No other code writes
//! reports. An error here is printed and changes no verdict, except that a run that passed and could not write a file that
//! was asked for ends with 3.

use super::build_page;
use super::environment::Environment;
use super::execute::Done;
use super::gather::Gathered;
use super::request::{PlaceRule, Request};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::exit::Exit;
use rust_vmm_ci_core::report::brief::{Brief, artifact_name};
use rust_vmm_ci_core::report::{Artifact, Format, Job, Json, Report, annotation, html, profile, table};
use rust_vmm_ci_effects::process::TemporaryFolder;
use rust_vmm_ci_effects::{agent, files, say};
use std::path::{Path, PathBuf};

/// Reports a job.
pub fn report(gathered: &Gathered, request: &Request, done: &mut Done) {
    let Some(report) = &mut done.report else { return };
    *report = with_job(report, &gathered.environment);
    report.redact(say::redactor());
    let report = &*report;
    let environment = &gathered.environment;
    let options = request.options();
    if done.summary {
        show(report, environment, options.is_some_and(|options| options.timings));
    }
    let mut written = write_files(gathered.root(), report, options.map_or(&[], |options| &options.files));
    if let Some(path) = &environment.report_file {
        // The hook around this process reads it.
        written &= write_files(gathered.root(), report, &[(&Json as &dyn Format, path.clone())]);
    }
    if request.place == PlaceRule::Configured {
        tell_build(gathered, report);
    }
    if !written && done.exit == Exit::Passed {
        // Who asked for a file takes its absence, or an old file, for the result.
        done.exit = Exit::Infrastructure;
    }
}

/// Shows the summary, and with `timings` where the time went. `-q` leaves the summary out where nothing
/// failed.
fn show(report: &Report, environment: &Environment, timings: bool) {
    if !say::is_quiet() || report.failures().next().is_some() || report.exit() != Exit::Passed {
        say::text(format_args!(
            "{}{}",
            environment.summary_heading(),
            table::summary(report, environment.color)
        ));
    }
    if timings {
        say::out(format_args!("\n{}", profile::table(report)));
    }
}

/// Writes a report to files, each in its form. `root` is the checkout, which has the images that the report
/// names. Returns whether all could be written.
pub fn write_files(root: &Path, report: &Report, wanted: &[(&'static dyn Format, PathBuf)]) -> bool {
    let mut all = true;
    for (format, path) in wanted {
        let text = format.render(report, &|artifact| image(root, artifact));
        let written = text.and_then(|text| Ok(files::write_whole(path, text.as_bytes())?));
        if let Err(error) = written {
            say::error(format_args!("the report was not written to {}: {error:#}", path.display()));
            remove_old(path);
            all = false;
        }
    }
    all
}

/// Removes the report of an earlier run. A reader would take it for the one that could not be written.
fn remove_old(path: &Path) {
    let is_plain = path.symlink_metadata().is_ok_and(|found| found.is_file());
    if is_plain && std::fs::File::options().write(true).open(path).is_ok() {
        let _ = std::fs::remove_file(path);
    }
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
    // After the brief: of two jobs of one step that end at once, the later one sees the other's.
    if gathered.config().github_check
        && let Err(error) = build_page::show_on_lines(report, gathered.environment.step.retries > 0)
    {
        // The agent prints a long text, and this is no failure.
        tracing::debug!("no lines on the pull request: {error:#}");
        say::note("github-check: the findings are not on the pull request; the step needs a GitHub check");
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
    let name = |extension| artifact_name(step.label.as_deref(), step.job_id.as_deref(), extension);
    let (page, whole) = (name("html"), name("json"));
    // Files that cannot be uploaded must not take the annotation with them.
    if let Err(error) = upload_report(root, report, &page, &whole) {
        say::error(format_args!("the report was not uploaded: {error:#}"));
    }
    let job = step.of_annotation();
    build_page::tell(&job, &Brief::of(report, Some(&whole)), step.build.as_deref()).or_else(|error| {
        say::note(format_args!("the job has an annotation of its own: {error:#}"));
        annotate_alone(report, &job, &page)
    })
}

/// Writes an annotation for this job alone, where the build's meta-data cannot be reached.
fn annotate_alone(report: &Report, job: &annotation::Job, page: &str) -> Result<()> {
    let context = annotation::context(job);
    match annotation::annotate_job(report, job, Some(page)) {
        annotation::Action::Replace { body, style } => agent::annotate(&body, &context, style).map(drop),
        annotation::Action::Remove => agent::remove_annotation(&context).map(drop),
        annotation::Action::Nothing => Ok(()),
    }
}

/// The report with what this process's environment says about the job: a report from a container does not know
/// this, and could not be trusted about it.
pub fn with_job(report: &Report, environment: &Environment) -> Report {
    let step = &environment.step;
    if !environment.buildkite {
        return report.clone();
    }
    let job = Job {
        label: step.label.clone(),
        id: step.job_id.clone(),
        step: step.id.clone(),
        parallel: step.parallel_job.clone(),
        build: step.build.clone(),
        ..Job::default()
    };
    let mut report = Report {
        jobs: vec![job],
        repository: step.repository.clone(),
        branch: step.branch.clone(),
        // Only a merged report has findings of its own.
        findings: Vec::new(),
        ..report.clone()
    };
    report.outcomes.iter_mut().for_each(|outcome| outcome.job = None);
    report
}

/// Uploads the report as JSON, and as a page if something did not pass, from a temporary folder.
fn upload_report(root: &Path, report: &Report, page: &str, whole: &str) -> Result<()> {
    let folder = TemporaryFolder::make().context("a folder for the report")?;
    let write = |name: &str, text: String| {
        std::fs::write(folder.path().join(name), text).context("writing the report")
    };
    write(whole, Json.render(report, &|_| None)?)?;
    let mut names = vec![whole.to_owned()];
    if report.exit() != Exit::Passed || report.failures().next().is_some() {
        write(page, html::render(report, &|artifact| image(root, artifact)))?;
        names.push(page.to_owned());
    }
    agent::upload_artifacts(folder.path(), &names).map(drop)
}
