//! The text of steps. It is written in several threads, and then counted and divided into uploads.

use super::{Renderer, Step};
use crate::config::Config;
use crate::plan::{PlannedCheck, Planner};
use anyhow::Result;
use std::sync::{Mutex, PoisonError};

/// The most jobs that one upload may add to a build (Buildkite's limit).
pub const JOBS_PER_UPLOAD: u64 = 500;

/// The most jobs that a build may have (Buildkite's limit).
pub const JOBS_PER_BUILD: u64 = 4_000;

/// What stands between two steps.
const SEPARATOR: &[u8] = b",\n";

/// Steps as JSON text, in order.
#[derive(Debug, Default)]
pub struct Written {
    text: Vec<u8>,
    steps: Vec<End>,
    /// How many of the steps do not run because the change does not reach them.
    pub left_out: u64,
    /// The labels of the first and of the last step.
    pub labels: Option<[String; 2]>,
}

/// The end of a step's text, and the number of jobs that the step makes.
#[derive(Debug)]
struct End {
    at: usize,
    jobs: u64,
}

impl Written {
    /// Adds a step.
    ///
    /// # Errors
    /// If the step cannot be written as JSON. None of our steps has this error.
    pub fn add(&mut self, step: &Step<'_>) -> Result<()> {
        if !self.steps.is_empty() {
            self.text.extend_from_slice(SEPARATOR);
        }
        step.write(&mut self.text)?;
        self.steps.push(End { at: self.text.len(), jobs: step.shared.jobs() });
        self.left_out += u64::from(step.skip.is_some());
        match &mut self.labels {
            Some([_, last]) => step.label.as_ref().clone_into(last),
            None => self.labels = Some([step.label.to_string(), step.label.to_string()]),
        }
        Ok(())
    }

    /// Takes out all steps. The memory stays.
    fn clear(&mut self) {
        self.text.clear();
        self.steps.clear();
        (self.left_out, self.labels) = (0, None);
    }

    /// The text of all steps, with a comma and the end of a line between two.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// How many steps there are.
    pub fn count(&self) -> u64 {
        u64::try_from(self.steps.len()).unwrap_or(u64::MAX)
    }

    /// The text of each step, with the number of jobs that it makes.
    pub fn each(&self) -> impl Iterator<Item = (&[u8], u64)> {
        let mut begin = 0;
        self.steps.iter().map(move |end| {
            let text = self.text.get(begin..end.at).unwrap_or_default();
            begin = end.at + SEPARATOR.len();
            (text, end.jobs)
        })
    }
}

/// Plans and writes a step for each check, in at most `threads` threads. Calls `see` with the steps in order,
/// some hundreds at once. `check` may refuse a check.
///
/// # Errors
/// Those of the planner, of `check` and of `see`, the first one in the order of the steps.
pub fn write_each(
    planner: &Planner<'_>,
    (config, reference): (&Config, &str),
    threads: usize,
    check: &(dyn Fn(&PlannedCheck) -> Result<()> + Sync),
    see: &mut dyn FnMut(&Written) -> Result<()>,
) -> Result<()> {
    // The memory for the texts is used again: new memory has to be cleared by the system first.
    let spare: Mutex<Vec<Written>> = Mutex::default();
    let spares = || spare.lock().unwrap_or_else(PoisonError::into_inner);
    let begin = || (Renderer::new(config, reference), spares().pop().unwrap_or_default());
    let add = |(renderer, written): &mut (Renderer<'_>, Written), planned: &PlannedCheck| {
        // Checks of one item share their settings, and what is refused is in the settings.
        if !renderer.knows(planned) {
            check(planned)?;
        }
        written.add(&renderer.step(planned)?)
    };
    planner.visit_in_threads(threads, &begin, &add, &mut |(_, mut written)| {
        see(&written)?;
        written.clear();
        spares().push(written);
        Ok(())
    })
}

/// Steps, divided into uploads.
#[derive(Debug, Default)]
pub struct Uploads {
    full: Vec<String>,
    current: Vec<u8>,
    jobs: u64,
    /// How many jobs there are in all.
    pub all_jobs: u64,
    /// How many steps there are in all.
    pub steps: u64,
}

impl Uploads {
    /// Adds steps, in the build's order.
    pub fn add(&mut self, steps: &Written) {
        for (text, jobs) in steps.each() {
            self.add_text(text, jobs);
        }
    }

    /// Adds a step as JSON text. `jobs` is the number of jobs that it makes.
    pub fn add_text(&mut self, step: &[u8], jobs: u64) {
        if self.jobs > 0 && self.jobs + jobs > JOBS_PER_UPLOAD {
            self.close();
        }
        self.current.extend_from_slice(if self.jobs == 0 { b"{\"steps\":[\n" } else { SEPARATOR });
        self.current.extend_from_slice(step);
        self.jobs += jobs;
        self.all_jobs += jobs;
        self.steps += 1;
    }

    fn close(&mut self) {
        self.jobs = 0;
        self.current.extend_from_slice(b"\n]}\n");
        // JSON is always text.
        self.full.push(String::from_utf8_lossy(&std::mem::take(&mut self.current)).into_owned());
    }

    /// The pipelines, in the order in which they must be uploaded: the last one first. Buildkite puts
    /// uploaded steps directly after the job that uploads them, and so before the steps of its earlier
    /// uploads.
    pub fn last_first(mut self) -> Vec<String> {
        if self.jobs > 0 {
            self.close();
        }
        self.full.reverse();
        self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::step::Shared;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn written(steps: &[(&str, Value)]) -> Written {
        let mut written = Written::default();
        for (label, attributes) in steps {
            let attributes = attributes.as_object().cloned().unwrap_or_default();
            let none = serde_json::Map::new();
            let shared = Shared::new(&none, &[], &15.into(), attributes, &Config::default()).unwrap();
            let (label, shared) = ((*label).into(), Arc::new(shared));
            written.add(&Step { label, command: "x".into(), shared, if_changed: None, skip: None }).unwrap();
        }
        written
    }

    #[test]
    fn steps_are_found_again_in_their_text() {
        let steps = written(&[("a", json!({"parallelism": 2})), ("b", json!({})), ("c", json!({}))]);
        let each: Vec<(Value, u64)> =
            steps.each().map(|(text, jobs)| (serde_json::from_slice(text).unwrap(), jobs)).collect();
        let labels: Vec<_> =
            each.iter().map(|(step, jobs)| (step["label"].as_str().unwrap(), *jobs)).collect();
        assert_eq!(labels, [("a", 2), ("b", 1), ("c", 1)]);
        let all = [b"[".as_slice(), steps.text(), b"]"].concat();
        let all: Vec<Value> = serde_json::from_slice(&all).unwrap();
        assert!(all.iter().eq(each.iter().map(|(step, _)| step)));
        assert_eq!((steps.count(), &steps.labels), (3, &Some(["a".to_owned(), "c".to_owned()])));
        let mut steps = steps;
        steps.clear();
        assert_eq!(format!("{steps:?}"), format!("{:?}", Written::default()));
        assert_eq!((written(&[]).each().count(), written(&[]).text()), (0, b"".as_slice()));
    }

    #[test]
    fn uploads_hold_what_buildkite_takes_and_the_last_comes_first() {
        let many = || json!({"parallelism": 200});
        let mut uploads = Uploads::default();
        uploads.add(&written(&[("s0", many())]));
        uploads.add(&written(&[("s1", many()), ("s2", many())]));
        assert_eq!((uploads.steps, uploads.all_jobs), (3, 600));
        let labels = |pipeline: &String| -> Vec<Value> {
            let pipeline: Value = serde_json::from_str(pipeline).unwrap();
            pipeline["steps"].as_array().unwrap().iter().map(|step| step["label"].clone()).collect()
        };
        let uploaded: Vec<_> = uploads.last_first().iter().map(labels).collect();
        assert_eq!(uploaded, [vec![json!("s2")], vec![json!("s0"), json!("s1")]]);
        assert_eq!(Uploads::default().last_first(), [""; 0]);
    }
}
