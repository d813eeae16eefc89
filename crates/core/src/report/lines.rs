//! Shows findings on the lines of a pull request. They are the annotations of a GitHub check, as Buildkite's
//! agent accepts them in `step update notify.github_check.output.annotations` (Buildkite's documentation,
//! "Notify", "GitHub Check annotations").

use super::brief::cut;
use super::{Level, SharedFinding, text};
use serde::Serialize;

/// The attribute of the step.
pub const ATTRIBUTE: &str = "notify.github_check.output.annotations";
/// The most annotations. GitHub accepts 50 in one request ("Update a check run" in its REST API).
pub const MOST: usize = 50;
/// The most bytes of a message.
const MESSAGE: usize = 2_000;
/// The most checks that a message names.
const CHECKS: usize = 5;

/// One annotation.
#[derive(Debug, Serialize)]
#[allow(clippy::struct_field_names, reason = "the names are Buildkite's")]
struct Line<'f> {
    path: &'f str,
    start_line: u32,
    end_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_column: Option<u32>,
    annotation_level: &'static str,
    message: String,
}

/// The annotations as JSON. Each finding that has a line occurs once. `[]` removes what an earlier try
/// showed.
pub fn annotations(findings: &[SharedFinding]) -> String {
    let lines: Vec<Line> = findings.iter().filter_map(line).take(MOST).collect();
    // JSON can express every value here, so writing cannot fail.
    serde_json::to_string(&lines).unwrap_or_else(|_| "[]".into())
}

fn line(shared: &SharedFinding) -> Option<Line<'_>> {
    let finding = &shared.finding;
    let path = finding.file.as_deref().filter(|path| is_in_repository(path))?;
    let number = finding.line.filter(|line| *line > 0)?;
    let lint = finding.lint.as_ref().map_or(String::new(), |lint| format!(" [{}]", text::line(lint)));
    let mut message = format!("{}{lint}", text::line(&finding.message));
    if let Some(remedy) = &finding.remedy {
        message.push_str(&format!("\nTo mend it: {}", text::line(remedy)));
    }
    let labels: Vec<_> = shared.seen_by.iter().take(CHECKS).map(|seen| text::line(&seen.label)).collect();
    message.push_str(&format!("\nSeen by {}", labels.join(", ")));
    if let Some(more) = shared.seen_by.len().checked_sub(CHECKS).filter(|more| *more > 0) {
        message.push_str(&format!(" and {more} more"));
    }
    Some(Line {
        path,
        start_line: number,
        end_line: number,
        start_column: finding.column,
        end_column: finding.column,
        annotation_level: match finding.level {
            Level::Error if shared.decides() => "failure",
            Level::Error | Level::Warning => "warning",
            Level::Note => "notice",
        },
        message: cut(&message, MESSAGE),
    })
}

/// Whether a path starts at the repository's root and stays inside the repository.
fn is_in_repository(path: &str) -> bool {
    !path.is_empty()
        && !path.starts_with('/')
        && !path.contains(['\\', ':'])
        && path.chars().all(|c| !c.is_control())
        && path.split('/').all(|part| !part.is_empty() && part != ".." && part != ".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Finding, Seen};
    use serde_json::{Value, json};

    fn shared(file: &str, line: u32) -> SharedFinding {
        let finding = Finding {
            file: Some(file.into()),
            line: Some(line),
            column: Some(9),
            lint: Some("unused".into()),
            ..Finding::error("a\u{1b}[31m\nb")
        };
        SharedFinding { finding, seen_by: vec![Seen { label: "clippy".into(), ..Seen::default() }] }
    }

    fn of(findings: &[SharedFinding]) -> Value {
        serde_json::from_str(&annotations(findings)).unwrap()
    }

    #[test]
    fn a_finding_stands_at_its_line_with_what_showed_it() {
        let soft = SharedFinding {
            seen_by: vec![Seen { label: "audit".into(), soft_fail: true, ..Seen::default() }],
            ..shared("src/a.rs", 3)
        };
        let found = of(&[shared("src/lib.rs", 5), soft]);
        let expected = json!({"path": "src/lib.rs", "start_line": 5, "end_line": 5, "start_column": 9,
            "end_column": 9, "annotation_level": "failure", "message": "a␛[31m␊b [unused]\nSeen by clippy"});
        assert_eq!(found[0], expected);
        assert_eq!(found[1]["annotation_level"], "warning");
    }

    #[test]
    fn what_is_at_no_line_of_the_repository_is_left_out() {
        let outside = ["/etc/passwd", "../a", "a/../../b", "C:\\a", "", "a//b"].map(|path| shared(path, 1));
        assert_eq!(of(&outside), json!([]));
        assert_eq!(of(&[shared("src/lib.rs", 0)]), json!([]));
        assert_eq!(annotations(&[]), "[]");
    }

    #[test]
    fn at_most_as_many_as_the_api_takes_are_sent() {
        let many: Vec<_> = (1..200).map(|line| shared("src/lib.rs", line)).collect();
        assert_eq!(of(&many).as_array().unwrap().len(), MOST);
    }
}
