//! The annotations on Buildkite's build page.
//!
//! The build has one annotation. Each job rewrites it when the job ends, from the briefs of all jobs that
//! have ended (`build.rs`). If a job cannot reach the build's meta-data, the job gets an annotation with a
//! context of its own. A retry replaces what the earlier try showed.

mod body;
mod build;

pub use build::{BUILD_CONTEXT, BuildPage};

use super::{Report, Verdict};
use crate::exit::Exit;
use sha2::{Digest, Sha256};

/// The most characters of a context that Buildkite accepts (the agent's `annotate --help`).
const LONGEST_CONTEXT: usize = 100;

/// How an annotation looks (the agent's `--style`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Red: the job fails.
    Error,
    /// Yellow: checks failed, but none of these failures makes the job fail.
    Warning,
    /// Green: nothing failed, and there is a picture to look at.
    Success,
}

impl Style {
    /// The agent's word for the style.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Success => "success",
        }
    }
}

/// The agent's variables that distinguish a job from the other jobs of its build.
#[derive(Clone, Copy, Debug, Default)]
pub struct Job<'a> {
    /// `BUILDKITE_STEP_KEY`, if the step has a key.
    pub key: Option<&'a str>,
    /// `BUILDKITE_LABEL`, if the step has a label. The jobs of a matrix have different labels.
    pub label: Option<&'a str>,
    /// `BUILDKITE_STEP_ID`: the same for all tries and all parallel jobs of a step.
    pub step_id: Option<&'a str>,
    /// `BUILDKITE_PARALLEL_JOB`, from 0, if the step has a parallelism.
    pub parallel: Option<&'a str>,
    /// `BUILDKITE_RETRY_COUNT`: the number of earlier tries.
    pub retries: u32,
}

/// What to do with a job's annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Write this annotation. It replaces the one that may be there.
    Replace {
        /// Markdown, within Buildkite's limit.
        body: String,
        /// How it looks.
        style: Style,
    },
    /// Remove the annotation that an earlier try may have left.
    Remove,
    /// Do nothing.
    Nothing,
}

/// The context of a job's annotation. It consists of a readable name and a hash. Names may repeat and are
/// cut, so the hash includes everything that distinguishes the job from the other jobs of its build. The
/// context is the same for every try of the job, and for every release of this program and of the compiler: a
/// retry may run on an agent with another release, and must find the annotation of the first try.
pub fn context(job: &Job) -> String {
    let mut hash = Sha256::new();
    for part in [job.key, job.label, job.step_id, job.parallel] {
        // The length is hashed too, so that two different jobs never hash the same bytes.
        let length = part.map_or(u64::MAX, |text| text.len() as u64);
        hash.update(length.to_le_bytes());
        hash.update(part.unwrap_or_default());
    }
    let hash = hash.finalize();
    let hash =
        format!("{:08x}", hash.iter().take(4).fold(0_u32, |number, byte| number << 8 | u32::from(*byte)));
    let name = [job.key.or(job.label), job.parallel].into_iter().flatten().collect::<Vec<_>>().join("-");
    // The agent puts the context into a URL's path.
    let name = name.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let parts = ["rust-vmm-ci"].into_iter().chain(name.split('-').filter(|part| !part.is_empty()));
    let mut context = parts.collect::<Vec<_>>().join("-");
    context.truncate(LONGEST_CONTEXT - hash.len() - 1);
    format!("{context}-{hash}")
}

/// What to do with the annotation of a run's job. A run with a failure or with a picture gets an annotation.
/// If a retry passes, the annotation of the earlier try is removed. If a run is cancelled, that annotation
/// stays, because the checks did not end. `whole` is the name of the artifact with the whole report.
pub fn annotate_job(report: &Report, job: &Job, whole: Option<&str>) -> Action {
    let exit = report.exit();
    let failed = report.failures().next().is_some();
    let nothing_ran = exit != Exit::Passed && !report.cancelled;
    if failed || nothing_ran || has_picture(report) {
        let style = match exit {
            Exit::Passed if !failed => Style::Success,
            Exit::Passed => Style::Warning,
            _ => Style::Error,
        };
        return Action::Replace { body: body::render(report, whole), style };
    }
    if job.retries > 0 && !report.cancelled { Action::Remove } else { Action::Nothing }
}

/// Whether a check that passed made an image, as `bench` does.
fn has_picture(report: &Report) -> bool {
    let passed = report.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Passed);
    passed.flat_map(|outcome| &outcome.artifacts).any(|artifact| artifact.image)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Artifact, Outcome};

    fn report(verdicts: &[(Verdict, bool)]) -> Report {
        let outcome =
            |&(verdict, soft_fail): &(Verdict, bool)| Outcome { verdict, soft_fail, ..Outcome::default() };
        Report { outcomes: verdicts.iter().map(outcome).collect(), ..Report::default() }
    }

    fn style(report: &Report) -> Option<Style> {
        match annotate_job(report, &Job::default(), None) {
            Action::Replace { style, .. } => Some(style),
            Action::Remove | Action::Nothing => None,
        }
    }

    #[test]
    fn what_fails_is_annotated_as_badly_as_it_is() {
        use Verdict::{Broken, Failed, Passed, Skipped};
        assert_eq!(style(&report(&[(Passed, false), (Failed, false)])), Some(Style::Error));
        assert_eq!(style(&report(&[(Passed, false), (Broken, false)])), Some(Style::Error));
        assert_eq!(style(&report(&[(Skipped, false)])), Some(Style::Error));
        assert_eq!(style(&report(&[(Passed, false), (Failed, true)])), Some(Style::Warning));
        assert_eq!(style(&report(&[(Failed, true), (Failed, false)])), Some(Style::Error));
        assert_eq!(style(&report(&[(Passed, false)])), None);
    }

    #[test]
    fn a_picture_is_shown_though_all_passed() {
        let mut report = report(&[(Verdict::Passed, false)]);
        report.outcomes[0].artifacts = vec![Artifact { image: true, ..Artifact::default() }];
        assert_eq!(style(&report), Some(Style::Success));
    }

    #[test]
    fn old_failures_vanish_after_a_retry_that_passes() {
        let passed = report(&[(Verdict::Passed, false)]);
        let retry = Job { retries: 1, ..Job::default() };
        assert_eq!(annotate_job(&passed, &Job::default(), None), Action::Nothing);
        assert_eq!(annotate_job(&passed, &retry, None), Action::Remove);
        let cancelled = Report { cancelled: true, ..passed };
        assert_eq!(annotate_job(&cancelled, &retry, None), Action::Nothing);
    }

    #[test]
    fn each_job_has_a_context_and_keeps_it() {
        let job = Job { label: Some(":rust: x86_64 / linux"), step_id: Some("s"), ..Job::default() };
        let first = context(&job);
        assert!(first.starts_with("rust-vmm-ci-rust-x86-64-linux-"), "{first}");
        assert_eq!(context(&Job { retries: 3, ..job }), first);
        for other in [
            Job { parallel: Some("1"), ..job },
            Job { step_id: Some("t"), ..job },
            Job { label: Some(":rust: x86_64 - linux"), ..job },
            Job { key: Some("k"), ..job },
        ] {
            assert_ne!(context(&other), first);
        }
        let long = "a".repeat(200);
        let [one, other] = ["1", "2"].map(|n| Job { label: Some(&long), parallel: Some(n), ..job });
        assert_ne!(context(&one), context(&other));
    }

    #[test]
    fn a_context_does_not_change_with_a_release() {
        let job = Job {
            key: Some("k"),
            label: Some("checks"),
            step_id: Some("0190"),
            parallel: Some("1"),
            retries: 0,
        };
        assert_eq!(context(&job), "rust-vmm-ci-k-1-6bb9e0a9");
    }

    #[test]
    fn a_context_is_never_longer_than_buildkite_takes() {
        let long = "Prüfung ".repeat(50);
        assert_eq!(context(&Job { label: Some(&long), ..Job::default() }).len(), LONGEST_CONTEXT);
        let bare = context(&Job::default());
        assert!(bare.starts_with("rust-vmm-ci-"), "{bare}");
    }
}
