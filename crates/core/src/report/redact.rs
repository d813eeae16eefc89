//! Removes secrets from a report before any text is made from it.

use super::{Artifact, Combination, Finding, Job, Outcome, Report, Section, Test};
use crate::model::secrets::Redactor;
use std::borrow::Cow;

impl Report {
    /// Removes secrets from every text of the report, except for the paths of artifacts: the agent needs
    /// these paths to upload the artifacts.
    pub fn redact(&mut self, redactor: &Redactor) {
        let hide = &mut |text: &mut String| {
            if let Cow::Owned(without) = redactor.text(text) {
                *text = without;
            }
        };
        let Self {
            tool,
            platform,
            os,
            findings,
            jobs,
            repository,
            branch,
            commit,
            toolchain,
            host,
            container,
            digest,
            options,
            variables,
            outcomes,
            version: _,
            started: _,
            seconds: _,
            cancelled: _,
            usage: _,
        } = self;
        // They are made again from the outcomes.
        findings.clear();
        let some = [repository, branch, commit, toolchain, host, container, digest].into_iter().flatten();
        let all = [tool, platform, os].into_iter().chain(some).chain(options).chain(variables);
        all.for_each(&mut *hide);
        for job in jobs {
            redact_job(job, hide);
        }
        for outcome in outcomes {
            redact_outcome(outcome, hide);
        }
    }
}

fn redact_job(job: &mut Job, hide: &mut dyn FnMut(&mut String)) {
    let Job {
        label,
        id,
        step,
        parallel,
        build,
        platform,
        os,
        commit,
        toolchain,
        container,
        digest,
        options,
        variables,
        started: _,
        seconds: _,
        cancelled: _,
    } = job;
    let some = [label, id, step, parallel, build, commit, toolchain, container, digest].into_iter().flatten();
    for text in [platform, os].into_iter().chain(some).chain(options).chain(variables) {
        hide(text);
    }
}

// `Section`, `Artifact` and `Finding` are taken apart without `..`, so a new field in them does not compile
// until it is handled here. For a new text in `Outcome` or `Combination`, the test below fails.
fn redact_outcome(outcome: &mut Outcome, hide: &mut dyn FnMut(&mut String)) {
    let Outcome {
        label,
        name,
        reason,
        remedy,
        command,
        combinations,
        findings,
        tests,
        sections,
        artifacts,
        ..
    } = outcome;
    for text in [label, name, command].into_iter().chain(reason).chain(remedy) {
        hide(text);
    }
    for Combination { package, features, stands_for, passed_before, .. } in combinations {
        for text in [package, features].into_iter().chain(stands_for).chain(passed_before) {
            hide(text);
        }
    }
    for finding in findings {
        redact_finding(finding, hide);
    }
    for Test { name, package, target, verdict: _, seconds: _ } in tests {
        for text in std::iter::once(name).chain(package).chain(target) {
            hide(text);
        }
    }
    for Section { title, text, columns, rows } in sections {
        for text in [title, text].into_iter().chain(columns).chain(rows.iter_mut().flatten()) {
            hide(text);
        }
    }
    for Artifact { name, path: _, image: _ } in artifacts {
        hide(name);
    }
}

fn redact_finding(finding: &mut Finding, hide: &mut dyn FnMut(&mut String)) {
    let Finding {
        level: _,
        lint,
        message,
        package,
        file,
        line: _,
        column: _,
        rendered,
        remedy,
        feature_sets,
    } = finding;
    let some = [lint, package, file, rendered, remedy].into_iter().flatten();
    for text in std::iter::once(message).chain(some).chain(feature_sets) {
        hide(text);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use serde_json::Value;

    /// Puts a secret into every text.
    fn poison(value: &mut Value) {
        match value {
            Value::String(text) => text.push_str(" s3cr3t-value"),
            Value::Array(items) => items.iter_mut().for_each(poison),
            Value::Object(fields) => {
                for (name, field) in fields {
                    if !["verdict", "level", "path"].contains(&name.as_str()) {
                        poison(field);
                    }
                }
            }
            _ => {}
        }
    }

    #[test]
    fn no_text_of_a_report_keeps_a_secret() {
        let mut value = serde_json::to_value(fixture::full()).unwrap();
        poison(&mut value);
        let mut report: Report = serde_json::from_value(value).unwrap();
        report.redact(&Redactor::of([("A_TOKEN", b"s3cr3t-value".to_vec())]));
        let text = serde_json::to_string(&report).unwrap();
        assert!(!text.contains("s3cr3t") && text.contains("[redacted]"), "{text}");
    }
}
