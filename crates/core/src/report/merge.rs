//! Merges several reports into one: those of all jobs of a build, or the files that a person names. Each
//! finding occurs once, with every check of every job that has it.

use super::{Finding, Job, Level, Outcome, Report, VERSION};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// A finding, and the checks that have it. Two findings are the same here if their place and message are the
/// same and their lints do not differ. The levels may differ: if one check denies a lint and another check
/// only warns, it is one finding with the worse level.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SharedFinding {
    /// The finding, with the feature sets of all checks.
    #[serde(flatten)]
    pub finding: Finding,
    /// One entry for each check of each job that has it.
    #[serde(default)]
    pub seen_by: Vec<Seen>,
}

/// A check that has a finding.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The name of the job, if the check ran in a job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// The job's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// The job's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The label of the check's step.
    pub label: String,
    /// The check's name.
    pub name: String,
    /// The platform of the run.
    pub platform: String,
    /// The operating system of the run.
    pub os: String,
    /// Whether the check's failure does not make its run fail.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub soft_fail: bool,
    /// The command that repeats the check, or the one test that the finding is about.
    pub command: String,
    /// The combinations of features of this check that have the finding.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub feature_sets: Vec<String>,
}

impl Report {
    /// The job of an outcome. None if the run was not in a job.
    pub fn job_of(&self, outcome: &Outcome) -> Option<&Job> {
        self.jobs.get(outcome.job.unwrap_or_default())
    }

    /// Whether the report was made from several reports.
    pub fn is_merged(&self) -> bool {
        self.outcomes.iter().any(|outcome| outcome.job.is_some())
    }

    /// Every finding once: first errors, then warnings, then notes. Each group is sorted by place.
    pub fn shared_findings(&self) -> Vec<SharedFinding> {
        let mut all: Vec<SharedFinding> = Vec::new();
        let mut known: HashMap<_, Vec<usize>> = HashMap::new();
        for outcome in &self.outcomes {
            for finding in &outcome.findings {
                let place = (&finding.file, finding.line, finding.column, finding.message.trim());
                let alike = known.entry(place).or_default();
                let same = alike.iter().find(|index| {
                    let lint = &all[**index].finding.lint;
                    *lint == finding.lint || lint.is_none() || finding.lint.is_none()
                });
                let index = same.copied().unwrap_or_else(|| {
                    alike.push(all.len());
                    let finding = Finding { feature_sets: Vec::new(), ..finding.clone() };
                    all.push(SharedFinding { finding, seen_by: Vec::new() });
                    all.len() - 1
                });
                all[index].add(finding, self.seen(outcome, finding));
            }
        }
        all.sort_by(|one, other| {
            let key = |shared: &SharedFinding| shared.finding.level;
            key(one).cmp(&key(other)).then_with(|| one.finding.identity().cmp(&other.finding.identity()))
        });
        all
    }

    /// The report with [`Report::findings`] made from its outcomes. Earlier values are replaced.
    #[must_use]
    pub fn with_findings(&self) -> Self {
        Self { findings: self.shared_findings(), ..self.clone() }
    }

    fn seen(&self, outcome: &Outcome, finding: &Finding) -> Seen {
        let job = self.job_of(outcome);
        let of_job = |own: &str, of: fn(&Job) -> &str| {
            job.map(of).filter(|text| !text.is_empty()).unwrap_or(own).to_owned()
        };
        Seen {
            job: job.map(Job::name).filter(|name| !name.is_empty()),
            job_id: job.and_then(|job| job.id.clone()),
            url: job.and_then(Job::url),
            label: outcome.label.clone(),
            name: outcome.name.clone(),
            platform: of_job(&self.platform, |job| &job.platform),
            os: of_job(&self.os, |job| &job.os),
            soft_fail: outcome.soft_fail,
            command: outcome.repeat_finding(finding),
            feature_sets: finding.feature_sets.clone(),
        }
    }
}

impl SharedFinding {
    /// Adds the same finding from another check.
    fn add(&mut self, finding: &Finding, seen: Seen) {
        let own = &mut self.finding;
        own.level = own.level.min(finding.level);
        fill(&mut own.lint, finding.lint.as_ref());
        fill(&mut own.package, finding.package.as_ref());
        fill(&mut own.rendered, finding.rendered.as_ref());
        fill(&mut own.remedy, finding.remedy.as_ref());
        for set in &finding.feature_sets {
            if !own.feature_sets.contains(set) {
                own.feature_sets.push(set.clone());
            }
        }
        let known = self.seen_by.iter_mut().find(|known| {
            (&known.label, &known.job_id, &known.job) == (&seen.label, &seen.job_id, &seen.job)
                && (&known.platform, &known.os) == (&seen.platform, &seen.os)
        });
        match known {
            Some(known) => {
                let more = seen.feature_sets.into_iter().filter(|set| !known.feature_sets.contains(set));
                let more: Vec<String> = more.collect();
                known.feature_sets.extend(more);
            }
            None => self.seen_by.push(seen),
        }
    }

    /// Whether the finding makes a check fail whose failure makes the run fail.
    pub fn decides(&self) -> bool {
        self.finding.level == Level::Error && self.seen_by.iter().any(|seen| !seen.soft_fail)
    }
}

/// Sets a missing value from another one.
fn fill(own: &mut Option<String>, other: Option<&String>) {
    if own.is_none() {
        *own = other.cloned();
    }
}

/// Merges all reports into one. Of two tries of a job only the later one counts, so problems that a retry
/// solved disappear. The merged report has those facts about the run that all reports agree on.
pub fn merge(reports: Vec<Report>) -> Report {
    let mut runs: Vec<(Job, Report)> = Vec::new();
    for (job, run) in reports.into_iter().flat_map(runs_of) {
        match runs.iter_mut().find(|(known, _)| known.is_try_of(&job)) {
            // One job may write several reports, one for each run of this program in its command.
            Some((known, whole)) if known.id == job.id => add_outcomes(whole, run.outcomes),
            Some(known) if known.0.started > job.started => {}
            Some(known) => *known = (job, run),
            None => runs.push((job, run)),
        }
    }
    let agreed = |of: fn(&Report) -> Option<&str>| {
        let first = runs.first().and_then(|(_, run)| of(run))?;
        runs.iter().all(|(_, run)| of(run) == Some(first)).then(|| first.to_owned())
    };
    let begin = runs.iter().map(|(job, _)| job.started).filter(|at| *at > 0).min().unwrap_or_default();
    // Seconds since 1970 are exact in 53 bits.
    #[allow(clippy::cast_precision_loss)]
    let after = |job: &Job| job.started.saturating_sub(begin) as f64;
    let mut report = Report {
        version: VERSION,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        platform: several(runs.iter().map(|(job, _)| job.platform.as_str())),
        os: several(runs.iter().map(|(job, _)| job.os.as_str())),
        repository: agreed(|run| run.repository.as_deref()),
        branch: agreed(|run| run.branch.as_deref()),
        commit: agreed(|run| run.commit.as_deref()),
        toolchain: agreed(|run| run.toolchain.as_deref()),
        container: agreed(|run| run.container.as_deref()),
        digest: agreed(|run| run.digest.as_deref()),
        started: begin,
        seconds: runs.iter().map(|(job, _)| after(job) + job.seconds).fold(0.0, f64::max),
        cancelled: runs.iter().any(|(job, _)| job.cancelled),
        ..Report::default()
    };
    for (index, (job, run)) in runs.into_iter().enumerate() {
        let begin = after(&job);
        let outcomes = run.outcomes.into_iter();
        report.outcomes.extend(outcomes.map(|outcome| Outcome {
            job: Some(index),
            started: outcome.started + begin,
            ..outcome
        }));
        report.jobs.push(job);
    }
    report.findings = report.shared_findings();
    report
}

/// The names without duplicates, separated by commas.
fn several<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut all: Vec<&str> = Vec::new();
    for name in names.filter(|name| !name.is_empty()) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all.join(", ")
}

/// Adds the outcomes of another report of the same job. If a label occurs again, the new outcome replaces the
/// earlier one.
fn add_outcomes(whole: &mut Report, outcomes: Vec<Outcome>) {
    for outcome in outcomes {
        match whole.outcomes.iter_mut().find(|known| known.label == outcome.label) {
            Some(known) => *known = outcome,
            None => whole.outcomes.push(outcome),
        }
    }
}

/// The runs in a report, each with its job. It is one run, or those that a merged report was made from.
fn runs_of(mut report: Report) -> Vec<(Job, Report)> {
    let outcomes = std::mem::take(&mut report.outcomes);
    let mut jobs = std::mem::take(&mut report.jobs);
    if !outcomes.iter().any(|outcome| outcome.job.is_some()) {
        let job = Job {
            platform: report.platform.clone(),
            os: report.os.clone(),
            commit: report.commit.clone(),
            toolchain: report.toolchain.clone(),
            container: report.container.clone(),
            digest: report.digest.clone(),
            options: report.options.clone(),
            variables: report.variables.clone(),
            started: report.started,
            seconds: report.seconds,
            cancelled: report.cancelled,
            ..if jobs.is_empty() { Job::default() } else { jobs.swap_remove(0) }
        };
        report.outcomes = outcomes;
        return vec![(job, report)];
    }
    let begin = report.started;
    let run = |job: Job| {
        let run = Report {
            platform: job.platform.clone(),
            os: job.os.clone(),
            commit: job.commit.clone(),
            toolchain: job.toolchain.clone(),
            container: job.container.clone(),
            digest: job.digest.clone(),
            options: job.options.clone(),
            variables: job.variables.clone(),
            repository: report.repository.clone(),
            branch: report.branch.clone(),
            ..Report::default()
        };
        (job, run)
    };
    let mut runs: Vec<(Job, Report)> = jobs.into_iter().map(run).collect();
    for outcome in outcomes {
        // Only a report from another program can have an index that is too large.
        let Some((job, run)) = runs.get_mut(outcome.job.unwrap_or_default()) else { continue };
        #[allow(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in 53 bits")]
        let after = job.started.saturating_sub(begin) as f64;
        run.outcomes.push(Outcome { job: None, started: outcome.started - after, ..outcome });
    }
    runs
}

#[cfg(test)]
mod tests;
