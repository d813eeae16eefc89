//! `report`: makes one report of many.
//!
//! A report may come from a stranger. So no file that it names is read, and no command in it is run.

use crate::job::build_page;
use crate::job::environment::Environment;
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::exit::{Exit, infrastructure, usage};
use rust_vmm_ci_core::report::{Format, Report, VERSION, html, merge, table};
use rust_vmm_ci_effects::process::TemporaryFolder;
use rust_vmm_ci_effects::{agent, files, say};
use std::path::{Path, PathBuf};

/// The longest file that is read, in bytes. A report is far smaller.
const LONGEST: u64 = 256 << 20;
/// The page of the whole build, an artifact of the last step.
const PAGE: &str = "rust-vmm-ci-build.html";
/// The names of the artifacts with the jobs' reports.
const REPORTS: &str = "rust-vmm-ci*.json";

/// Merges reports and writes the files that are asked for, or prints a summary.
///
/// # Errors
/// Exit 2 for a file that cannot be read or is no report; exit 3 where a file cannot be written.
pub fn run(files: &[PathBuf], wanted: &[(&'static dyn Format, PathBuf)]) -> Result<Exit> {
    let reports = files.iter().map(|file| read(file)).collect::<Result<Vec<_>>>()?;
    let merged = merge(reports);
    for (format, path) in wanted {
        // An image would be a file of this machine that the report names.
        let text = format.render(&merged, &|_| None)?;
        files::write_whole(path, text.as_bytes())
            .map_err(|error| infrastructure(format!("{}: cannot be written: {error}", path.display())))?;
    }
    if wanted.is_empty() {
        say::text(table::summary(&merged, Environment::read().color));
    }
    Ok(Exit::Passed)
}

/// Reads a report from a file.
///
/// # Errors
/// Exit 2 where it cannot be read, is too long, is no report, or has another version.
pub fn read(file: &Path) -> Result<Report> {
    let wrong = |what: String| usage(format!("{}: {what}", file.display()));
    // A link of the person's is followed; a pipe, which may never end, is refused.
    let path = dunce::canonicalize(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let opened = files::open_plain(&path);
    let text = opened.and_then(|file| files::bounded(&file, LONGEST)).map_err(|error| {
        wrong(format!("cannot be read ({error}); give a report that `rust-vmm-ci run --report FILE` wrote"))
    })?;
    let report: Report = serde_json::from_slice(&text).map_err(|error| {
        wrong(format!("is no report ({error}); give one that `rust-vmm-ci run --report FILE` wrote"))
    })?;
    if report.version != VERSION {
        let other = report.version;
        return Err(wrong(format!(
            "has version {other} of the format, and this program reads version {VERSION}; use the \
             rust-vmm-ci that wrote it ({})",
            rust_vmm_ci_core::report::text::line(&report.tool)
        )));
    }
    Ok(report)
}

/// The last step of a build (`summary: true`): makes one page of the reports of all jobs.
///
/// # Errors
/// Exit 3 where there is no agent, or it refuses. This step passes whatever the verdicts of the jobs are.
pub fn summarize() -> Result<Exit> {
    let folder = TemporaryFolder::make().context("a folder for the reports")?;
    if let Err(error) = agent::download_artifacts(REPORTS, folder.path()) {
        say::note(format_args!("no job has left a report: {error:#}"));
        return Ok(Exit::Passed);
    }
    let mut reports = Vec::new();
    for entry in std::fs::read_dir(folder.path()).context("reading the folder of the reports")? {
        let path = entry.context("reading the folder of the reports")?.path();
        match read(&path) {
            Ok(report) => reports.push(report),
            Err(error) => say::note(format_args!("left out: {error:#}")),
        }
    }
    let merged = merge(reports);
    let page = html::render(&merged, &|_| None);
    std::fs::write(folder.path().join(PAGE), page).context("writing the page of the build")?;
    agent::upload_artifacts(folder.path(), &[PAGE.to_owned()])?;
    let environment = Environment::read();
    build_page::renew(environment.step.build.as_deref(), Some(PAGE))?;
    say::text(table::summary(&merged, environment.color));
    Ok(Exit::Passed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_vmm_ci_core::exit;
    use rust_vmm_ci_core::report::FORMATS;

    #[test]
    fn what_is_no_report_is_refused_with_its_file_and_what_to_give() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.json");
        let said = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let error = read(&file).unwrap_err();
            assert_eq!(exit::of(&error), Exit::Usage);
            error.to_string()
        };
        assert!(said("{").contains("a.json: is no report"));
        assert!(said("[]").contains("`rust-vmm-ci run --report FILE`"));
        let other = serde_json::to_string(&Report { version: 9, ..Report::default() }).unwrap();
        assert!(said(&other).contains("version 9"));
        let folder = read(folder.path()).unwrap_err().to_string();
        assert!(folder.contains("cannot be read"), "{folder}");
    }

    /// Puts markup into every text of a report.
    fn poison(value: &mut serde_json::Value, with: &str) {
        match value {
            serde_json::Value::String(text) => text.push_str(with),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| poison(item, with)),
            serde_json::Value::Object(fields) => {
                for (name, field) in fields {
                    if !["verdict", "level"].contains(&name.as_str()) {
                        poison(field, with);
                    }
                }
            }
            _ => {}
        }
    }

    #[test]
    fn what_strangers_wrote_is_no_markup_in_a_merged_report_and_shows_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("secret.svg"), "<svg>a file of this machine</svg>").unwrap();
        let mut report: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/cases/report/full.json")).unwrap();
        poison(&mut report, "<script>alert(1)</script><img src=x onerror=alert(1)>\u{1b}[2J]]>\"'");
        let secret = path("secret.svg").display().to_string();
        for outcome in report["outcomes"].as_array_mut().unwrap() {
            outcome["artifacts"] = serde_json::json!([{"name": "a", "path": secret, "image": true}]);
        }
        std::fs::write(path("a.json"), report.to_string()).unwrap();
        std::fs::write(path("b.json"), report.to_string().replace("0190a6cc-0000", "0190a6cc-1111")).unwrap();
        let wanted: Vec<_> = FORMATS.iter().map(|format| (*format, path(format.flag()))).collect();
        assert_eq!(run(&[path("a.json"), path("b.json")], &wanted).unwrap(), Exit::Passed);
        for format in FORMATS {
            let text = std::fs::read_to_string(path(format.flag())).unwrap();
            // The beginning of the secret in Base64 is that of an image in a page.
            assert!(!text.contains("a file of this machine") && !text.contains("PHN2Zz5hIGZpbGUg"), "{text}");
        }
        for name in ["html", "junit"] {
            let text = std::fs::read_to_string(path(name)).unwrap();
            assert!(
                !text.contains("<script") && !text.contains("<img") && !text.contains('\u{1b}'),
                "{name}"
            );
        }
        let merged = read(&path("report")).unwrap();
        let summary = table::summary(&merged, false);
        assert!(!summary.contains('\u{1b}') && summary.contains("␛[2J"), "{summary}");
    }

    #[test]
    fn reports_merge_into_every_form() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let report = include_str!("../../tests/cases/report/full.json");
        std::fs::write(path("a.json"), report).unwrap();
        std::fs::write(path("b.json"), report.replace("0190a6cc-0000", "0190a6cc-1111")).unwrap();
        let wanted: Vec<_> = FORMATS.iter().map(|format| (*format, path(format.flag()))).collect();
        assert_eq!(run(&[path("a.json"), path("b.json")], &wanted).unwrap(), Exit::Passed);
        let merged = read(&path("report")).unwrap();
        assert_eq!(merged.jobs.len(), 2);
        let seen = merged.findings.iter().map(|shared| shared.seen_by.len());
        assert!(seen.clone().count() > 0 && seen.clone().all(|count| count == 2), "{seen:?}");
        assert!(std::fs::read_to_string(path("html")).unwrap().contains("<!DOCTYPE html>"));
        assert!(std::fs::read_to_string(path("junit")).unwrap().contains("<testsuites"));
    }
}
