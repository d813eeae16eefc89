//! The job that a report is about, and the facts about a run that a merged report keeps for each job.

use serde::{Deserialize, Serialize};

/// A job, and what its report says about the whole run. The report of one run has at most one job. A merged
/// report has one for each report that it was made from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Job {
    /// The label of its step (`BUILDKITE_LABEL`). The jobs of a matrix have different labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its id (`BUILDKITE_JOB_ID`). Each try of a job has a different id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The id of its step (`BUILDKITE_STEP_ID`): the same for all tries and all parallel jobs of a step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Its number among the parallel jobs of its step, from 0 (`BUILDKITE_PARALLEL_JOB`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel: Option<String>,
    /// The page of its build (`BUILDKITE_BUILD_URL`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// In a merged report: the platform of the run.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub platform: String,
    /// In a merged report: the operating system of the run.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub os: String,
    /// In a merged report: the commit that was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// In a merged report: the toolchain of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolchain: Option<String>,
    /// In a merged report: the container's image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// In a merged report: the container's image by its digest, `NAME@sha256:…`, as the engine of the host knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// In a merged report: the names of the plugin's options that were set and can change what a check finds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// In a merged report: the names of the environment variables that were set and can change what a check
    /// finds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
    /// In a merged report: when the run began, in seconds since 1970.
    #[serde(skip_serializing_if = "is_none")]
    pub started: u64,
    /// In a merged report: how long the run took, in seconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub seconds: f64,
    /// In a merged report: whether the run was cancelled.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
}

impl Job {
    /// Whether the two are tries of the same job: the same step, and the same one of the step's jobs. A run
    /// that was not in a job is never a try of another one.
    pub fn is_try_of(&self, other: &Self) -> bool {
        self.step.is_some()
            && (&self.step, &self.label, &self.parallel) == (&other.step, &other.label, &other.parallel)
    }

    /// The name for people. It is the label of the step, with a number if the job is a parallel one. Without
    /// a label it is the platform and the operating system.
    pub fn name(&self) -> String {
        let number = self.parallel.as_ref().map_or(String::new(), |number| format!(" #{number}"));
        match &self.label {
            Some(label) => format!("{label}{number}"),
            None => format!("{} {}{number}", self.platform, self.os).trim().to_owned(),
        }
    }

    /// The address of the job, on the page of its build. None if the report has no such address, or if the
    /// address is not a plain one: a report may come from a stranger.
    pub fn url(&self) -> Option<String> {
        let (build, id) = (self.build.as_ref()?, self.id.as_ref()?);
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/%".contains(c);
        let web = ["https://", "http://"].iter().any(|scheme| build.starts_with(scheme));
        let is_id = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        (web && is_id && build.chars().all(plain)).then(|| format!("{build}#{id}"))
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_none(seconds: &u64) -> bool {
    *seconds == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_linked_only_where_its_address_is_plain() {
        let job = |build: &str, id: &str| {
            Job { build: Some(build.into()), id: Some(id.into()), ..Job::default() }.url()
        };
        let page = "https://buildkite.com/rust-vmm/ci/builds/1";
        assert_eq!(job(page, "0190-a").as_deref(), Some("https://buildkite.com/rust-vmm/ci/builds/1#0190-a"));
        for (build, id) in
            [("javascript:alert(1)", "a"), (page, "a\" onclick="), (page, ""), ("https://x/\"y", "a")]
        {
            assert_eq!(job(build, id), None, "{build} {id}");
        }
    }

    #[test]
    fn tries_of_a_job_have_its_step_label_and_number() {
        let job = |step: Option<&str>, label: &str, id: &str| Job {
            step: step.map(str::to_owned),
            label: Some(label.into()),
            id: Some(id.into()),
            ..Job::default()
        };
        assert!(job(Some("s"), "l", "1").is_try_of(&job(Some("s"), "l", "2")));
        assert!(!job(Some("s"), "l", "1").is_try_of(&job(Some("s"), "of a matrix", "2")));
        assert!(!job(None, "l", "1").is_try_of(&job(None, "l", "1")));
    }
}
