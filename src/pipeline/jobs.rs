//! How many jobs steps become, and the uploads that they fit in.

use super::Step;
use anyhow::Result;
use serde_json::Value;

/// The most jobs that one upload may bring (Buildkite's limit).
pub const JOBS_PER_UPLOAD: u64 = 500;

/// The most jobs that a build may have (Buildkite's limit).
pub const JOBS_PER_BUILD: u64 = 4_000;

/// Steps, cut into uploads.
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
    /// # Errors
    /// Where it cannot be written as JSON, which none of ours is.
    pub fn add(&mut self, step: &Step<'_>) -> Result<()> {
        let jobs = jobs(step);
        if self.jobs > 0 && self.jobs + jobs > JOBS_PER_UPLOAD {
            self.close();
        }
        let separator = if self.jobs == 0 { "{\"steps\":[\n" } else { ",\n" };
        self.current += separator;
        self.current += &serde_json::to_string(step)?;
        self.jobs += jobs;
        self.all_jobs += jobs;
        self.steps += 1;
        Ok(())
    }

    fn close(&mut self) {
        self.jobs = 0;
        self.full.push(std::mem::take(&mut self.current) + "\n]}\n");
    }

    /// The pipelines, in the order in which they are to be uploaded: the last one first, since
    /// Buildkite puts what a job uploads right behind the job, before what it uploaded earlier.
    pub fn last_first(mut self) -> Vec<String> {
        if self.jobs > 0 {
            self.close();
        }
        self.full.reverse();
        self.full
    }
}

/// The jobs that a step becomes: one, times its parallelism, times its matrix.
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
