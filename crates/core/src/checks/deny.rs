//! `cargo-deny`: advisories, bans, licenses and sources of all dependencies, as `deny.toml` says.
//!
//! The format is the JSON lines that cargo-deny 0.20 prints on standard error (its book, "Diagnostics"):
//! diagnostics, log messages, and one summary at the end.

use super::check::{Check, Membership, OwnOption, Runs};
use super::own;
use super::work::{Answer, Logic, Needs, Program, Tool};
use crate::exit;
use crate::model::shown;
use crate::report::{Finding, Level};
use crate::workspace::path::file_in;
use anyhow::Result;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The check's name: its key under `checks`.
const NAME: &str = "cargo-deny";

/// The check.
pub const CHECK: Check = Check {
    name: NAME,
    holds: "all dependencies keep to the rules of `deny.toml` on advisories, bans, licenses and sources",
    membership: Membership::OptIn,
    advisory: false,
    options: &[OwnOption {
        name: "which",
        kinds: &["array"],
        doc: "a list of what to check: `advisories`, `bans`, `licenses`, `sources`",
        default: "all four",
        example: r#"["bans", "licenses"]"#,
    }],
    runs: Runs::Logic { read, needs: Needs { manifest: true, ..Needs::NOTHING } },
    seconds: 5.0,
};

/// What cargo-deny can check.
const SUBJECTS: [&str; 4] = ["advisories", "bans", "licenses", "sources"];

/// The names of cargo-deny's configuration file, in the order in which it looks for them. It looks in the
/// package's folder and in the folders above it.
const CONFIGURATIONS: [&str; 3] = ["deny.toml", ".deny.toml", ".cargo/deny.toml"];

/// The codes of diagnostics whose first label is in the configuration. The labels of other diagnostics are in
/// a list of packages that cargo-deny makes itself, or in a manifest that it does not name.
const OF_CONFIGURATION: &str = "advisory-ignored advisory-not-detected allowed banned deprecated \
    license-exception-not-encountered license-not-encountered skipped skipped-by-root unknown-advisory \
    unmatched-organization unmatched-skip unmatched-skip-root unmatched-source unnecessary-skip \
    unused-wrapper yanked-ignored yanked-not-detected";

/// The options that only this check has.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    #[serde(deserialize_with = "subjects")]
    which: Vec<String>,
}

fn subjects<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let known = |item: &Value| item.as_str().filter(|name| SUBJECTS.contains(name)).map(str::to_owned);
    let names = value.as_array().filter(|items| !items.is_empty());
    names.and_then(|items| items.iter().map(known).collect()).ok_or_else(|| {
        D::Error::custom(format!("expected a list of one or more of {}, got {value}", SUBJECTS.join(", ")))
    })
}

fn read(own: &Map<String, Value>) -> Result<Logic> {
    let Options { which } = own::read(NAME, own)?;
    let args = "--format json --color never --log-level warn --all-features --workspace check";
    // In the order of cargo-deny, without duplicates.
    let which = SUBJECTS.iter().filter(|subject| which.iter().any(|name| name == *subject));
    let args = args.split(' ').chain(which.copied()).map(str::to_owned).collect();
    Ok(Logic::Program(Program {
        tool: Tool::CargoSubcommand("deny"),
        args,
        install: "cargo install --locked cargo-deny",
        show,
        read: findings,
    }))
}

/// A line that cargo-deny printed.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", content = "fields", rename_all = "lowercase")]
enum Line {
    Diagnostic(Diagnostic),
    Log { level: String, message: String },
    Summary(IgnoredAny),
}

#[derive(Debug, Deserialize)]
struct Diagnostic {
    severity: String,
    message: String,
    code: Option<String>,
    #[serde(default)]
    labels: Vec<Label>,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default)]
    graphs: Vec<Graph>,
    advisory: Option<Advisory>,
}

#[derive(Debug, Deserialize)]
struct Label {
    line: u32,
    column: u32,
    message: String,
    span: String,
}

/// A package, and the packages that depend on it.
#[derive(Debug, Deserialize)]
struct Graph {
    #[serde(rename = "Krate")]
    package: Option<Package>,
    #[serde(default)]
    parents: Vec<Graph>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
}

#[derive(Debug, Deserialize)]
struct Advisory {
    id: String,
}

fn parse(line: &[u8]) -> Option<Line> {
    serde_json::from_slice(line).ok()
}

/// A line for the log. A line that is not JSON is shown as it is.
fn show(line: &[u8]) -> Option<String> {
    match parse(line) {
        Some(Line::Diagnostic(diagnostic)) => {
            let code = diagnostic.lint().map_or_else(String::new, |code| format!("[{code}]"));
            Some(shown::message(&format!("{}{code}: {}", diagnostic.severity, diagnostic.message)))
        }
        Some(Line::Log { level, message }) => {
            Some(shown::message(&format!("{}: {}", level.to_lowercase(), message.trim_end())))
        }
        Some(Line::Summary(_)) => None,
        None => Some(shown::message(String::from_utf8_lossy(line).trim_end())),
    }
}

/// Reads cargo-deny's answer. If there is no summary, cargo-deny did not finish. If the reason is an error in
/// its configuration, the repository is at fault and the check fails. With any other reason, such as an
/// advisory database that cannot be fetched, the check is broken.
fn findings(answer: &Answer<'_>) -> Result<Vec<Finding>> {
    let lines: Vec<Line> = answer.stderr.split(|byte| *byte == b'\n').filter_map(parse).collect();
    let ended = lines.iter().any(|line| matches!(line, Line::Summary(_)));
    let configuration = nearest(answer, &CONFIGURATIONS);
    let lock = nearest(answer, &["Cargo.lock"]);
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for line in &lines {
        let Line::Diagnostic(diagnostic) = line else { continue };
        let of_configuration = !ended
            || diagnostic
                .code
                .as_deref()
                .is_some_and(|code| OF_CONFIGURATION.split(' ').any(|known| known == code));
        let file = if of_configuration { &configuration } else { &lock };
        let finding = diagnostic.finding(file.as_deref(), of_configuration);
        if seen.insert((finding.lint.clone(), finding.message.clone(), finding.line)) {
            findings.push(finding);
        }
    }
    let has_error = findings.iter().any(|finding| finding.level == Level::Error);
    if ended && answer.status != 0 && !has_error {
        findings.push(Finding::error(format!("cargo-deny ended with status {}", answer.status)));
    }
    if ended || has_error {
        findings.sort_by_key(|finding| finding.level);
        return Ok(findings);
    }
    let said: Vec<&str> = lines
        .iter()
        .filter_map(|line| match line {
            Line::Log { level, message } if level == "ERROR" => Some(message.trim()),
            _ => None,
        })
        .collect();
    let said = if said.is_empty() {
        let words = String::from_utf8_lossy(answer.stderr);
        format!("status {}: {}", answer.status, words.trim())
    } else {
        said.join("; ")
    };
    Err(exit::infrastructure(format!("cargo-deny could not do its work: {}", shown::message(&said))))
}

/// The first of these files in the check's folder, else in a folder above it, up to the repository's root.
fn nearest(answer: &Answer<'_>, names: &[&str]) -> Option<String> {
    let folders = std::iter::successors(Some(answer.folder), |folder| match folder.rsplit_once('/') {
        Some((above, _)) => Some(above),
        None if folder.is_empty() => None,
        None => Some(""),
    });
    folders
        .flat_map(|folder| names.iter().map(move |name| file_in(folder, name)))
        .find(|file| (answer.is_file)(file))
}

impl Diagnostic {
    /// The advisory's id, else the code of the diagnostic.
    fn lint(&self) -> Option<&str> {
        self.advisory.as_ref().map(|advisory| advisory.id.as_str()).or(self.code.as_deref())
    }

    fn finding(&self, file: Option<&str>, has_place: bool) -> Finding {
        let level = match self.severity.as_str() {
            "warning" => Level::Warning,
            "note" | "help" => Level::Note,
            _ => Level::Error,
        };
        let label = self.labels.first().filter(|_| has_place && file.is_some());
        let rendered = self.rendered();
        let package = self.graphs.iter().find_map(|graph| graph.package.as_ref());
        // Some messages do not say which package's license, source or version they mean.
        let message = match package {
            Some(package) if !self.message.contains(&package.name) => {
                format!("{} {}: {}", package.name, package.version, self.message)
            }
            _ => self.message.clone(),
        };
        Finding {
            level,
            lint: self.lint().map(str::to_owned),
            package: package.map(|package| package.name.clone()),
            file: file.map(str::to_owned),
            line: label.map(|label| label.line),
            column: label.map(|label| label.column),
            rendered: (!rendered.is_empty()).then_some(rendered),
            ..Finding::error(message)
        }
    }

    /// The details besides the message, one on each line.
    fn rendered(&self) -> String {
        let mut lines = Vec::new();
        for label in self.labels.iter().filter(|label| !label.message.is_empty()) {
            lines.push(format!("{}: {}", label.message, label.span.replace('\n', ", ")));
        }
        lines.extend(self.notes.iter().cloned());
        for way in self.graphs.iter().filter(|graph| !graph.parents.is_empty()).map(Graph::way) {
            lines.push(format!("used by: {}", way.join(" > ")));
        }
        shown::message(&lines.join("\n"))
    }
}

impl Graph {
    /// One dependency path, from a package that nothing depends on to this one, as far as cargo-deny prints
    /// it.
    fn way(&self) -> Vec<String> {
        let graphs = std::iter::successors(Some(self), |graph| {
            graph.parents.iter().find(|parent| parent.package.is_some())
        });
        let packages = graphs.filter_map(|graph| graph.package.as_ref());
        let mut way: Vec<String> =
            packages.map(|package| format!("{} {}", package.name, package.version)).collect();
        way.reverse();
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::{Exit, of};

    /// The diagnostics for a package with a license that is not allowed, and for a banned package.
    const REJECTED: &str = r#"{"fields":{"code":"rejected","graphs":[{"Krate":{"name":"anyhow","version":"1.0.105"},"parents":[{"Krate":{"name":"x","version":"0.1.0"}}]}],"labels":[{"column":12,"line":35,"message":"","span":"MIT OR Apache-2.0"},{"column":12,"line":35,"message":"rejected: license is not explicitly allowed","span":"MIT"}],"message":"failed to satisfy license requirements","notes":["MIT - MIT License:"],"severity":"error"},"type":"diagnostic"}"#;
    const BANNED: &str = r#"{"fields":{"code":"banned","graphs":[{"Krate":{"name":"anyhow","version":"1.0.105"}}],"labels":[{"column":14,"line":2,"message":"banned here","span":"anyhow"}],"message":"crate 'anyhow = 1.0.105' is explicitly banned","severity":"error"},"type":"diagnostic"}"#;
    const DUPLICATE: &str = r#"{"fields":{"code":"duplicate","graphs":[{"Krate":{"name":"base64","version":"0.22.1"}}],"labels":[{"column":1,"line":12,"message":"lock entries","span":"base64 0.22.1\nbase64 0.23.1"}],"message":"found 2 duplicate entries for crate 'base64'","severity":"warning"},"type":"diagnostic"}"#;
    const VULNERABLE: &str = r#"{"fields":{"advisory":{"id":"RUSTSEC-2020-0001","package":"aa","title":"About aa"},"code":"vulnerability","graphs":[{"Krate":{"name":"aa","version":"1.0.0"}}],"labels":[{"column":1,"line":1,"message":"security vulnerability detected","span":"aa 1.0.0"}],"message":"About aa","notes":["ID: RUSTSEC-2020-0001"],"severity":"error"},"type":"diagnostic"}"#;
    const SUMMARY: &str =
        r#"{"fields":{"bans":{"errors":1,"helps":0,"notes":0,"warnings":0}},"type":"summary"}"#;
    const UNREACHABLE: &str = r#"{"fields":{"level":"ERROR","message":"failed to fetch advisory database https://example.org/db with cli: Could not resolve host\n","timestamp":"2026-01-01T00:00:00Z"},"type":"log"}"#;
    const WRONG_KEY: &str = r#"{"fields":{"code":"unexpected-keys","labels":[{"column":1,"line":5,"message":"","span":"bogus"}],"message":"found 1 unexpected keys","severity":"error"},"type":"diagnostic"}"#;
    const NOT_READ: &str = r#"{"fields":{"level":"ERROR","message":"failed to deserialize config from '/x/deny.toml'","timestamp":"2026-01-01T00:00:00Z"},"type":"log"}"#;

    /// The findings from these lines, for a repository with these files.
    fn read_in(folder: &str, files: &[&str], status: i32, lines: &[&str]) -> Result<Vec<Finding>> {
        let is_file = |path: &str| files.contains(&path);
        let stderr = lines.join("\n");
        findings(&Answer { status, stdout: b"", stderr: stderr.as_bytes(), folder, is_file: &is_file })
    }

    #[test]
    fn a_finding_has_the_code_the_package_and_what_depends_on_it() {
        let found = read_in("", &["Cargo.lock"], 4, &[REJECTED, SUMMARY]).unwrap();
        let [finding] = &found[..] else { panic!("{found:?}") };
        assert_eq!(finding.level, Level::Error);
        assert_eq!(finding.lint.as_deref(), Some("rejected"));
        assert_eq!(finding.package.as_deref(), Some("anyhow"));
        assert_eq!(finding.message, "anyhow 1.0.105: failed to satisfy license requirements");
        // The line is in the manifest of anyhow, which is not in the repository.
        assert_eq!(finding.place().as_deref(), Some("Cargo.lock"));
        let rendered = finding.rendered.as_deref().unwrap();
        assert!(rendered.contains("rejected: license is not explicitly allowed: MIT"), "{rendered}");
        assert!(rendered.ends_with("used by: x 0.1.0 > anyhow 1.0.105"), "{rendered}");
    }

    #[test]
    fn a_rule_of_the_configuration_is_named_with_its_line_and_an_advisory_by_its_id() {
        let found =
            read_in("crates/a", &["crates/.cargo/deny.toml"], 3, &[DUPLICATE, BANNED, VULNERABLE, SUMMARY])
                .unwrap();
        let told: Vec<(Option<String>, Option<&str>)> =
            found.iter().map(|finding| (finding.place(), finding.lint.as_deref())).collect();
        assert_eq!(
            told,
            [
                (Some("crates/.cargo/deny.toml:2:14".to_owned()), Some("banned")),
                (None, Some("RUSTSEC-2020-0001")),
                (None, Some("duplicate")),
            ]
        );
        assert_eq!(found[2].level, Level::Warning);
    }

    #[test]
    fn a_database_that_cannot_be_fetched_makes_the_check_broken() {
        let error = read_in("", &[], 1, &[UNREACHABLE]).unwrap_err();
        assert_eq!(of(&error), Exit::Infrastructure);
        assert!(
            error.to_string().contains("failed to fetch advisory database https://example.org/db"),
            "{error}"
        );
        let error = read_in("", &[], 101, &["error: something else"]).unwrap_err();
        assert!(error.to_string().contains("status 101: error: something else"), "{error}");
    }

    #[test]
    fn a_configuration_that_is_wrong_makes_the_check_fail_at_its_line() {
        let found = read_in("", &["deny.toml"], 1, &[WRONG_KEY, NOT_READ]).unwrap();
        assert_eq!(found[0].place().as_deref(), Some("deny.toml:5:1"));
        assert_eq!(found[0].level, Level::Error);
    }

    #[test]
    fn a_failure_without_an_error_is_none_that_passes() {
        let found = read_in("", &[], 2, &[DUPLICATE, "{\"type\":\"other\"}", SUMMARY]).unwrap();
        assert_eq!(found[0].message, "cargo-deny ended with status 2");
        assert!(read_in("", &[], 0, &[SUMMARY]).unwrap().is_empty());
    }

    #[test]
    fn the_log_has_sentences_and_no_control_characters() {
        assert_eq!(
            show(BANNED.as_bytes()).as_deref(),
            Some("error[banned]: crate 'anyhow = 1.0.105' is explicitly banned")
        );
        let hostile = BANNED.replace("explicitly", "\\u001b[31m");
        assert!(!show(hostile.as_bytes()).unwrap().contains('\u{1b}'));
        assert!(
            show(UNREACHABLE.as_bytes()).unwrap().starts_with("error: failed to fetch advisory database")
        );
        assert_eq!(show(SUMMARY.as_bytes()), None);
        assert_eq!(show(b"error: no such command\n").as_deref(), Some("error: no such command"));
    }

    #[test]
    fn the_arguments_are_those_of_the_options_in_one_order() {
        let args = |own: Value| {
            let Logic::Program(program) = read(own.as_object().unwrap()).unwrap() else {
                panic!("one program")
            };
            program.args.join(" ")
        };
        let all = "--format json --color never --log-level warn --all-features --workspace check";
        for wrong in [serde_json::json!({"which": ["advisory"]}), serde_json::json!({"which": []})] {
            let error = read(wrong.as_object().unwrap()).unwrap_err().to_string();
            assert!(
                error.starts_with("checks.cargo-deny.which: expected a list of one or more of adv"),
                "{error}"
            );
        }
        assert_eq!(args(serde_json::json!({})), all);
        assert_eq!(
            args(serde_json::json!({"which": ["sources", "bans", "bans"]})),
            format!("{all} bans sources")
        );
    }
}
