//! Tells the build of a job whose program ended before it could report: it was killed, or had no memory or no
//! stack left. `pre-exit` does this, in a process of its own.

use super::build_page;
use super::environment::{Environment, variable};
use super::execute::report_without_outcomes;
use super::gather::{Repository, Target};
use super::machine::Machine;
use super::report::with_job;
use anyhow::Result;
use rust_vmm_ci_core::report::brief::Brief;
use rust_vmm_ci_core::report::{Report, unreported};
use rust_vmm_ci_effects::{agent, process, say};
use std::time::{Duration, Instant};

/// The longest that the agent may take for all calls. Without Buildkite it would try again for minutes.
const LIMIT: Duration = Duration::from_secs(20);

/// The status of this job's command where the command may have ended without a report. None where it ended with
/// a status that a report explains, where it did not run, and where the job was cancelled: then the agent ends
/// this process too, within seconds.
pub fn status() -> Option<i32> {
    status_in(&variable)
}

/// The agent sets both variables (`internal/job/executor.go`, since v3.93).
fn status_in(get: &dyn Fn(&str) -> Option<String>) -> Option<i32> {
    if get("BUILDKITE")? != "true" || get("BUILDKITE_JOB_CANCELLED").is_some_and(|value| value == "true") {
        return None;
    }
    let status = get("BUILDKITE_COMMAND_EXIT_STATUS")?.parse().ok()?;
    (![0, 1, 2].contains(&status)).then_some(status)
}

/// Adds to the annotation of the build that this job ended without a report, unless its report is there.
/// `command` repeats the job.
///
/// # Errors
/// Exit 3 where the agent or Buildkite refuses a call, or does not answer in time.
pub fn tell(repository: &Repository, status: i32, command: &str) -> Result<()> {
    if !repository.config().annotate || !agent::is_there() {
        return Ok(());
    }
    let environment = Environment::read();
    let step = &environment.step;
    let target = Target::of(repository.config(), &Machine::read());
    // Git is not asked for the commit: what ran in a container can change how git works in this checkout.
    let report = Report {
        outcomes: vec![unreported::outcome(status, step.label.as_deref(), command)],
        ..report_without_outcomes(None, target, Instant::now())
    };
    let mut report = with_job(&report, &environment);
    report.redact(say::redactor());
    process::with_limit(Some(Instant::now() + LIMIT), || {
        build_page::tell_unless_told(&step.of_annotation(), &Brief::of(&report, None), step.build.as_deref())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_command_that_ended_otherwise_than_its_report_says_is_of_interest() {
        let of = |status: Option<&str>, cancelled: Option<&str>| {
            status_in(&|name| match name {
                "BUILDKITE" => Some("true".to_owned()),
                "BUILDKITE_COMMAND_EXIT_STATUS" => status.map(str::to_owned),
                "BUILDKITE_JOB_CANCELLED" => cancelled.map(str::to_owned),
                _ => None,
            })
        };
        for (status, expected) in [("-1", -1), ("3", 3), ("128", 128), ("137", 137)] {
            assert_eq!(of(Some(status), None), Some(expected));
            assert_eq!(of(Some(status), Some("true")), None);
        }
        for status in [Some("0"), Some("1"), Some("2"), Some("x"), None] {
            assert_eq!(of(status, None), None, "{status:?}");
        }
        assert_eq!(status_in(&|name| (name != "BUILDKITE").then(|| "137".to_owned())), None);
    }
}
