//! Counts the jobs of a pipeline's steps, and divides the steps into uploads.

use super::Step;
use anyhow::Result;
use serde_json::Value;

/// The most jobs that one upload may add to a build (Buildkite's limit).
pub const JOBS_PER_UPLOAD: u64 = 500;

/// The most jobs that a build may have (Buildkite's limit).
pub const JOBS_PER_BUILD: u64 = 4_000;

/// Steps, divided into uploads.
#[derive(Debug, Default)]
pub struct Uploads {
    full: Vec<String>,
    current: String,
    jobs: u64,
    /// How many jobs there are in all.
    pub all_jobs: u64,
    /// How many steps there are in all.
    pub steps: u64,
}

impl Uploads {
    /// Adds a step, in the build's order.
    ///
    /// If the step cannot be written as JSON. None of our steps has this error.
    /// If the step cannot be written as JSON, which is not so for any of ours.
    pub fn add(&mut self, step: &Step<'_>) -> Result<()> {
        self.add_text(&serde_json::to_string(step)?, jobs(step));
        Ok(())
    }

    /// Adds a step as JSON text. `jobs` is the number of jobs that it makes.
    pub fn add_text(&mut self, step: &str, jobs: u64) {
        if self.jobs > 0 && self.jobs + jobs > JOBS_PER_UPLOAD {
            self.close();
        }
        let separator = if self.jobs == 0 { "{\"steps\":[\n" } else { ",\n" };
        self.current += separator;
        self.current += step;
        self.jobs += jobs;
        self.all_jobs += jobs;
        self.steps += 1;
    }

    fn close(&mut self) {
        self.jobs = 0;
        self.full.push(std::mem::take(&mut self.current) + "\n]}\n");
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

/// The number of jobs that a step makes: its parallelism times the size of its matrix.
fn jobs(step: &Step<'_>) -> u64 {
    let parallelism = step.attribute("parallelism").and_then(Value::as_u64).unwrap_or(1);
    let of_matrix = match step.attribute("matrix") {
        Some(Value::Array(values)) => length(values),
        Some(Value::Object(matrix)) => match matrix.get("setup") {
            Some(Value::Array(values)) => length(values),
            Some(Value::Object(setup)) => {
                setup.values().filter_map(Value::as_array).map(|values| length(values)).product()
            }
            _ => 1,
        },
        _ => 1,
    };
    (parallelism * of_matrix).max(1)
}

fn length(values: &[Value]) -> u64 {
    u64::try_from(values.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::step::Shared;
    use serde_json::json;
    use std::sync::Arc;

    fn step(label: String, attributes: &Value) -> Step<'static> {
        let attributes = attributes.as_object().cloned().unwrap_or_default();
        let shared = Shared::new(&serde_json::Map::new(), &[], 15.into(), attributes).unwrap();
        Step {
            label: label.into(),
            command: "x".into(),
            shared: Arc::new(shared),
            if_changed: None,
            skip: None,
        }
    }

    #[test]
    fn a_step_is_as_many_jobs_as_its_parallelism_and_its_matrix_say() {
        for (attributes, count) in [
            (json!({}), 1),
            (json!({"parallelism": 5}), 5),
            (json!({"matrix": ["a", "b"], "parallelism": 2}), 4),
            (json!({"matrix": {"setup": {"x": ["a", "b"], "y": [1, 2, 3]}}}), 6),
            (json!({"matrix": {"setup": ["a", "b", "c"]}}), 3),
            (json!({"matrix": "odd", "parallelism": 0}), 1),
        ] {
            assert_eq!(jobs(&step("a".into(), &attributes)), count, "{attributes}");
        }
    }

    #[test]
    fn uploads_hold_what_buildkite_takes_and_the_last_comes_first() {
        let mut uploads = Uploads::default();
        for index in 0..3 {
            uploads.add(&step(format!("s{index}"), &json!({"parallelism": 200}))).unwrap();
        }
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
