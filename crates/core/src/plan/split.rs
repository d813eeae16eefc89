//! Divides a platform's checks into parts that take about the same time. Checks that share their compilation
//! stay together if possible.

use super::PlannedCheck;
use super::shares::Place;
use crate::checks::times::Times;

/// Divides checks into at most `jobs` parts, and returns their indices. The parts are in the order of their
/// first checks, and the checks of a part are in the plan's order.
///
/// Checks that compile to the same place form a bundle. If there are fewer bundles than jobs, the bundle that
/// takes longest gives away its longest check, until there are enough: whoever asks for more jobs wants the
/// result sooner. Then the bundles are assigned, longest first, each to the part with the least work. The
/// result takes at most a third longer than the best division (Graham's rule). The same checks and times
/// always give the same result.
pub fn split(checks: &[PlannedCheck], jobs: u32, times: &Times) -> Vec<Vec<usize>> {
    let count = usize::try_from(jobs).unwrap_or(usize::MAX).min(checks.len());
    let seconds: Vec<f64> =
        checks.iter().map(|check| times.of(check.label.as_str(), check.name.as_str()).seconds).collect();
    let sum = |bundle: &[usize]| bundle.iter().map(|index| seconds[*index]).sum::<f64>();
    let mut bundles = bundles(checks);
    while bundles.len() < count {
        let several = bundles.iter_mut().filter(|bundle| bundle.len() > 1);
        let Some(longest) = several.max_by(|one, other| sum(one).total_cmp(&sum(other))) else { break };
        let at = (0..longest.len()).max_by(|one, other| {
            seconds[longest[*one]].total_cmp(&seconds[longest[*other]]).then(other.cmp(one))
        });
        let taken = longest.remove(at.unwrap_or_default());
        bundles.push(vec![taken]);
    }
    bundles.sort_by(|one, other| sum(other).total_cmp(&sum(one)).then(one.cmp(other)));
    let mut parts: Vec<Vec<usize>> = vec![Vec::new(); count];
    for bundle in bundles {
        let least = parts
            .iter_mut()
            .min_by(|one, other| sum(one).total_cmp(&sum(other)).then(one.len().cmp(&other.len())));
        if let Some(part) = least {
            part.extend(&bundle);
        }
    }
    for part in &mut parts {
        part.sort_unstable();
    }
    parts.sort();
    parts
}

/// Groups the checks by the place that they compile to. A check without a known place is a group of its own.
fn bundles(checks: &[PlannedCheck]) -> Vec<Vec<usize>> {
    let mut bundles: Vec<(Option<Place<'_>>, Vec<usize>)> = Vec::new();
    for (index, check) in checks.iter().enumerate() {
        let place = Place::of(check);
        match bundles.iter_mut().find(|(known, _)| known.is_some() && *known == place) {
            Some((_, bundle)) => bundle.push(index),
            None => bundles.push((place, vec![index])),
        }
    }
    bundles.into_iter().map(|(_, bundle)| bundle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::model::{Os, Platform};
    use crate::plan::{Asked, Facts, for_run};
    use crate::workspace::MemoryFiles;
    use serde_json::json;

    fn checks(only: Option<&[&str]>) -> Vec<PlannedCheck> {
        let options = only.map_or_else(|| json!({}), |only| json!({ "only": only }));
        let config = Config::parse(&options).unwrap();
        let facts = Facts::read(&MemoryFiles::default(), &|_| None, &config, false).unwrap();
        for_run(&config, &facts, Platform::X86_64, Os::Linux, &Asked::default()).unwrap().checks
    }

    /// The parts, as the names of their checks.
    fn names(checks: &[PlannedCheck], jobs: u32) -> Vec<Vec<&str>> {
        let parts = split(checks, jobs, &Times::default());
        parts.iter().map(|part| part.iter().map(|index| checks[*index].name.as_str()).collect()).collect()
    }

    #[test]
    fn what_shares_its_compilation_stays_together_and_the_parts_are_of_a_size() {
        let checks = checks(None);
        assert_eq!(
            names(&checks, 3),
            [
                vec!["build-gnu", "doc", "unittests-gnu-release", "clippy"],
                vec!["build-musl", "style", "unittests-musl-release", "commit-format", "cargo-audit"],
                vec!["unittests-gnu", "unittests-musl", "coverage"],
            ]
        );
    }

    #[test]
    fn there_are_never_more_parts_than_checks_and_no_check_is_lost() {
        let checks = checks(None);
        for jobs in [1, 2, 3, 5, 8, 12, 100] {
            let parts = split(&checks, jobs, &Times::default());
            assert_eq!(parts.len(), usize::try_from(jobs).unwrap().min(checks.len()));
            assert!(parts.iter().all(|part| !part.is_empty()), "{jobs}: {parts:?}");
            let mut all: Vec<usize> = parts.concat();
            all.sort_unstable();
            assert_eq!(all, (0..checks.len()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_bundle_is_taken_apart_only_for_more_jobs_than_bundles() {
        let checks = checks(Some(&["unittests-gnu", "coverage", "clippy", "doc"]));
        assert_eq!(names(&checks, 2), [vec!["doc", "clippy"], vec!["unittests-gnu", "coverage"]]);
        assert_eq!(names(&checks, 3), [vec!["doc", "clippy"], vec!["unittests-gnu"], vec!["coverage"]]);
    }
}
