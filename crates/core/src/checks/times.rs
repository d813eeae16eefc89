//! How long checks take: from the reports of earlier runs, else from the table of checks.

use crate::exit::usage;
use crate::model::Origin;
use crate::model::shown;
use crate::report::{Report, VERSION, Verdict};
use crate::workspace::{Files, path};
use anyhow::Result;
use std::collections::HashMap;

/// The seconds for a check that is not in the table. It is a step of the repository, which usually is short.
const UNKNOWN: f64 = 30.0;

/// How to create a file of times.
const HOW: &str = "write one with `rust-vmm-ci run --jobs 1 --report FILE` and commit it, or leave `times` \
                   out for the built-in times";

/// How long a check takes, and where the number comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Time {
    /// Wall seconds.
    pub seconds: f64,
    /// A report's file, or the built-in times.
    pub origin: Origin,
}

/// The measured times.
#[derive(Clone, Debug, Default)]
pub struct Times {
    by_label: HashMap<String, Time>,
    by_name: HashMap<String, Time>,
}

impl Times {
    /// Reads the reports of earlier runs (docs/report.md). Paths start at the repository's root. If a check
    /// is in several reports, the last one counts. Only checks that passed count, because a failed check may
    /// have ended early.
    ///
    /// # Errors
    /// Exit 2 if a file is missing, is not a report, or has no check that passed. The error says what to do.
    pub fn read(files: &dyn Files, paths: &[String]) -> Result<Self> {
        let mut times = Self::default();
        for (index, given) in paths.iter().enumerate() {
            let key =
                if paths.len() == 1 { "split.times".to_owned() } else { format!("split.times[{index}]") };
            let refuse = |what: String| usage(format!("{key}: {what}; {HOW}"));
            let inside = path::join("", given);
            let Some(file) = inside.filter(|file| !file.is_empty()) else {
                return Err(refuse(format!("{} leads out of the repository", shown::value(given))));
            };
            let text = files.read(&file).map_err(|error| refuse(format!("{file}: {error}")))?;
            let Some(text) = text else {
                return Err(refuse(format!("there is no file {}", shown::name(&file))));
            };
            let report: Report = serde_json::from_str(&text)
                .map_err(|error| refuse(format!("{file} is no report of a run: {error}")))?;
            if report.version != VERSION {
                return Err(refuse(format!(
                    "{file} is a report of version {}, and this program reads version {VERSION}",
                    report.version
                )));
            }
            if !times.add(&file, &report) {
                return Err(refuse(format!("{file} has no check that passed, so no time of any")));
            }
        }
        Ok(times)
    }

    /// Adds a report's times. Returns whether it had any.
    fn add(&mut self, file: &str, report: &Report) -> bool {
        let mut any = false;
        for (index, outcome) in report.outcomes.iter().enumerate() {
            if outcome.verdict == Verdict::Passed && outcome.seconds >= 0.0 {
                let origin = Origin::File(file.to_owned(), format!("outcomes[{index}].seconds"));
                let time = Time { seconds: outcome.seconds, origin };
                self.by_label.insert(outcome.label.clone(), time.clone());
                self.by_name.insert(outcome.name.clone(), time);
                any = true;
            }
        }
        any
    }

    /// The time of a check: the measured time of its label, else of its name (on another platform), else the
    /// default.
    pub fn of(&self, label: &str, name: &str) -> Time {
        let measured = self.by_label.get(label).or_else(|| self.by_name.get(name));
        measured.cloned().unwrap_or_else(|| {
            let seconds = super::find(name).map_or(UNKNOWN, |check| check.seconds);
            Time { seconds, origin: Origin::Default }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::{self, Exit};
    use crate::workspace::MemoryFiles;

    const FULL: &str = include_str!("../../../../tests/cases/report/full.json");

    fn read(files: &[(&str, &str)], paths: &[&str]) -> Result<Times> {
        let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
        Times::read(&MemoryFiles::of(files), &paths)
    }

    fn report(label: &str, verdict: &str, seconds: f64) -> String {
        let mut report: serde_json::Value = serde_json::from_str(FULL).unwrap();
        report["outcomes"] = serde_json::json!([{"label": label, "name": "clippy", "verdict": verdict,
            "command": "x", "started": 0.0, "seconds": seconds}]);
        report.to_string()
    }

    #[test]
    fn a_label_comes_before_a_name_and_the_last_report_before_the_first() {
        let x86 = report("clippy-x86_64", "passed", 5.0);
        let arm = report("clippy-aarch64", "passed", 7.0);
        let times = read(&[("a.json", &x86), ("b.json", &arm)], &["a.json", "b.json"]).unwrap();
        assert_eq!(times.of("clippy-x86_64", "clippy").seconds.to_bits(), 5.0_f64.to_bits());
        let other = times.of("clippy-riscv64", "clippy");
        assert_eq!(other.origin, Origin::File("b.json".into(), "outcomes[0].seconds".into()));
        assert_eq!(times.of("doc", "doc").origin, Origin::Default);
        assert_eq!(times.of("mine", "mine"), Time { seconds: UNKNOWN, origin: Origin::Default });
    }

    #[test]
    fn a_file_that_has_no_times_is_refused_with_its_key_and_what_to_do() {
        let failed = report("clippy-x86_64", "failed", 5.0);
        let newer = FULL.replace("\"version\": 1", "\"version\": 2");
        let files: [(&str, &str); 4] =
            [("text", "no"), ("list", "[]"), ("failed", &failed), ("newer", &newer)];
        for (path, said) in [
            ("none.json", "there is no file none.json"),
            ("../a.json", "\"../a.json\" leads out of the repository"),
            ("text", "text is no report of a run: "),
            ("list", "list is no report of a run: "),
            ("failed", "failed has no check that passed"),
            ("newer", "newer is a report of version 2, and this program reads version 1"),
        ] {
            let error = read(&files, &[path]).unwrap_err();
            assert_eq!(exit::of(&error), Exit::Usage);
            let error = error.to_string();
            assert!(error.starts_with(&format!("split.times: {said}")), "{error}");
            assert!(error.ends_with(HOW), "{error}");
        }
        let error = read(&[("a", &report("a", "passed", 1.0))], &["a", "b"]).unwrap_err().to_string();
        assert!(error.starts_with("split.times[1]: there is no file b"), "{error}");
    }
}
