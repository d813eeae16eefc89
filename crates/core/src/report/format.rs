//! The formats in which a report is written to a file.
//!
//! To add a format, add a type in a file of its own that implements [`Format`], an entry to
//! [`super::FORMATS`], and a section to `docs/report.md`. `run` has a flag for each format.

use super::{Artifact, Report};
use anyhow::{Context, Result};
use std::fmt::Debug;

/// Returns the bytes of an artifact that is an image. None if the file cannot be read.
pub type ReadImage<'a> = &'a dyn Fn(&Artifact) -> Option<Vec<u8>>;

/// A format in which a report is written to a file.
pub trait Format: Debug + Sync {
    /// The flag of `run` for this format, without the dashes.
    fn flag(&self) -> &'static str;

    /// The text of `run --help` for the flag.
    fn help(&self) -> &'static str;

    /// The file's text.
    ///
    /// # Errors
    /// If the text cannot be written. No such case is known.
    fn render(&self, report: &Report, image: ReadImage<'_>) -> Result<String>;
}

/// The report as JSON (`docs/report.md`).
#[derive(Debug)]
pub struct Json;

impl Format for Json {
    fn flag(&self) -> &'static str {
        "report"
    }

    fn help(&self) -> &'static str {
        "Write the report as JSON"
    }

    fn render(&self, report: &Report, _: ReadImage<'_>) -> Result<String> {
        serde_json::to_string_pretty(&report.with_findings()).context("the report as JSON")
    }
}

#[cfg(test)]
mod tests {
    use crate::report::{FORMATS, Report};

    #[test]
    fn every_form_has_a_flag_of_its_own_is_documented_and_renders_any_report() {
        let docs = include_str!("../../../../docs/report.md");
        for (index, format) in FORMATS.iter().enumerate() {
            let flag = format.flag();
            assert!(FORMATS[..index].iter().all(|other| other.flag() != flag), "--{flag} twice");
            assert!(docs.contains(&format!("--{flag}")), "docs/report.md does not have --{flag}");
            assert!(!format.help().is_empty());
            assert!(!format.render(&Report::default(), &|_| None).unwrap().is_empty(), "--{flag}");
        }
    }
}
