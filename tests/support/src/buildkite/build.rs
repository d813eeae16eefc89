//! The build: its jobs in order, and all that Buildkite remembers of it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Instant;

use serde_json::Value;

use super::job::{self, Environment, Job, Phase};
use crate::sandbox::Repository;

/// Buildkite's limit.
const JOBS_PER_UPLOAD: usize = 500;

/// An annotation as it stands; `job` wrote to it last.
#[derive(Clone, Debug)]
pub struct Annotation {
    pub job: String,
    pub scope: String,
    pub context: String,
    pub style: String,
    pub body: String,
}

/// A file that a job left with Buildkite.
#[derive(Clone, Debug)]
pub struct Artifact {
    pub job: String,
    pub path: String,
    /// `None` until it has arrived.
    pub bytes: Option<Vec<u8>>,
    pub(super) id: String,
}

/// A change of a step's attribute.
#[derive(Clone, Debug)]
pub struct StepUpdate {
    pub step: String,
    pub attribute: String,
    pub value: String,
    pub append: bool,
}

/// A job's promise that it will fail.
#[derive(Clone, Debug)]
pub struct Promise {
    pub job: String,
    pub status: i64,
    pub reason: String,
    /// When it came.
    pub at: Instant,
}

/// A way in which Buildkite refuses an upload.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// The request is answered so. (The agent tries 429 and 5xx again after 5 s.)
    Status(u16),
    /// The request is taken, and the pipeline then found to be wrong.
    Rejected(String),
}

/// Everything that Buildkite knows, for tests to read.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// In the build's order, which is the order they run in.
    pub jobs: Vec<Job>,
    pub annotations: Vec<Annotation>,
    pub artifacts: Vec<Artifact>,
    pub meta_data: BTreeMap<String, String>,
    /// In the order in which they came.
    pub step_updates: Vec<StepUpdate>,
    pub promises: Vec<Promise>,
    /// Every pipeline that was sent, as it came, refused ones too.
    pub uploads: Vec<Value>,
    /// Requests to which there is no answer here.
    pub unanswered: Vec<String>,
    /// What the next uploads meet; with none left, they are taken.
    pub(super) refusals: VecDeque<Refusal>,
    /// What happens to a step between its upload and its job.
    pub(super) change: Option<fn(&mut Value)>,
    /// What happens to the variables of a job of an uploaded step.
    pub(super) change_variables: Option<fn(&mut Environment)>,
    /// How many jobs are still handed out, if only some are.
    pub(super) left: Option<usize>,
    /// What became of each upload, by the id that the agent keeps over its tries.
    pub(super) verdicts: HashMap<String, Result<(), String>>,
    env: Environment,
}

impl Build {
    pub(super) fn new(source: &Repository) -> Self {
        Self { env: job::of_build(source), ..Self::default() }
    }

    /// The one job with this label.
    pub fn job(&self, label: &str) -> &Job {
        let mut jobs = self.jobs.iter().filter(|job| job.label() == label);
        match (jobs.next(), jobs.next()) {
            (Some(job), None) => job,
            _ => panic!("not one job is labelled {label:?}: {:?}", self.labels()),
        }
    }

    pub fn labels(&self) -> Vec<&str> {
        self.jobs.iter().map(Job::label).collect()
    }

    /// The file of this path, from whatever job.
    pub fn artifact(&self, path: &str) -> Option<&[u8]> {
        self.artifacts.iter().find(|artifact| artifact.path == path)?.bytes.as_deref()
    }

    pub fn is_over(&self) -> bool {
        self.jobs.iter().all(Job::is_over)
    }

    /// Each job with how it ended and its log: what a failing test needs to show.
    pub fn story(&self) -> String {
        let jobs = self.jobs.iter().map(|job| {
            format!("=== {}: {:?} {:?}\n{}\n", job.label(), job.phase, job.exit_status, job.log())
        });
        let unanswered = self.unanswered.iter().map(|request| format!("unanswered: {request}\n"));
        jobs.chain(unanswered).collect()
    }

    /// The next job to run, which is under way from here on.
    pub(super) fn next_job(&mut self) -> Option<&Job> {
        let job = self.jobs.iter_mut().find(|job| job.phase == Phase::Waiting)?;
        self.left = match self.left {
            Some(left) => Some(left.checked_sub(1)?),
            None => None,
        };
        job.phase = Phase::Running;
        Some(job)
    }

    pub(super) fn job_mut(&mut self, id: &str) -> Option<&mut Job> {
        self.jobs.iter_mut().find(|job| job.id == id)
    }

    /// Queues a pipeline's steps: right after the job that uploads them, where Buildkite puts
    /// them too, or at the end. Nothing is evaluated; a step that needs it is refused.
    pub(super) fn insert(&mut self, pipeline: &Value, uploader: Option<&str>) -> Result<(), String> {
        let steps = pipeline["steps"].as_array().ok_or("the pipeline has no list of steps")?;
        if steps.len() > JOBS_PER_UPLOAD {
            return Err(format!("{} jobs in one upload, over {JOBS_PER_UPLOAD}", steps.len()));
        }
        // Jobs run one after another, so that a step that only waits has nothing to wait for.
        let steps: Vec<&Value> = steps.iter().filter(|step| step.get("wait").is_none()).collect();
        if let Some(step) = steps.iter().find(|step| !is_one_command(step)) {
            return Err(format!("only a step that is one command can be run here: {step}"));
        }
        let mut env = self.env.clone();
        env.extend(job::variables(&pipeline["env"]));
        let uploader = self.jobs.iter().position(|job| Some(job.id.as_str()) == uploader);
        let at = uploader.map_or(self.jobs.len(), |index| index + 1);
        let jobs = steps.iter().flat_map(|step| {
            let mut step = (*step).clone();
            if let (Some(change), Some(_)) = (self.change, uploader) {
                change(&mut step);
            }
            Job::of_step(&step, &env)
        });
        let mut jobs: Vec<_> = jobs.collect();
        if let (Some(change), Some(_)) = (self.change_variables, uploader) {
            for job in &mut jobs {
                change(&mut job.env);
            }
        }
        self.jobs.splice(at..at, jobs);
        Ok(())
    }
}

fn is_one_command(step: &Value) -> bool {
    let has = |key: &&str| step.get(key).is_some();
    ["command", "plugins"].iter().any(has)
        && !["parallelism", "wait", "group", "trigger"].iter().any(has)
        && step.get("matrix").is_none_or(Value::is_array)
}
