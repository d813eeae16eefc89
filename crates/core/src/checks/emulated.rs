//! Checks on an emulated platform: one script for all of them, and how its output is read.
//!
//! The virtual machine has none of the host's files, so cargo prints its output for people there. The verdict
//! is the script's exit status. The output only says which check to look at, and where.

use super::test_output::{Packages, TestOutput};
use crate::report::{Finding, Findings, Verdict};
use regex_lite::Regex;
use std::sync::LazyLock;

/// The most findings that are kept.
const MOST_FINDINGS: usize = 500;
/// The most bytes of the compiler's output that a finding keeps.
const MOST_WORDS: usize = 8 << 10;
/// Where the checkout is in the virtual machine, and in the container around it
/// (`start_in_qemu.sh` of rust-vmm-container).
const CHECKOUTS: [&str; 2] = ["/root/workdir/", "/workdir/"];
/// The beginning of the line that the script prints before a check, and of its last line, which names the
/// checks that failed.
const SECTION: &str = "--- ";
const FAILED: &str = "failed:";
const FAILED_SOFTLY: &str = "failed softly:";

/// A check of the script.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Its label.
    pub label: &'a str,
    /// Its command, for a shell.
    pub command: &'a str,
    /// Whether its failure is shown but does not fail the job.
    pub soft_fail: bool,
}

/// Combines the commands into one script for `/bin/sh`. The script runs every command as a step of its own
/// would run it (`/bin/sh -e -c`, predecessor's rule). It fails if one of them failed.
pub fn script(items: &[Item<'_>]) -> String {
    let quote = |text: &str| shell_words::quote(text).into_owned();
    let mut lines = vec!["failed=".to_owned()];
    for item in items {
        let list = if item.soft_fail { "softly" } else { "failed" };
        lines.push(format!("echo '---' {}", quote(item.label)));
        lines.push(format!(
            "/bin/sh -e -c {} || {list}=${list}{}",
            quote(item.command),
            quote(&format!(" {}", item.label))
        ));
    }
    if items.iter().any(|item| item.soft_fail) {
        lines.push(format!("[ -z \"$softly\" ] || echo \"{FAILED_SOFTLY}$softly\""));
    }
    lines.push(format!("[ -z \"$failed\" ] || {{ echo \"{FAILED}$failed\"; exit 1; }}"));
    lines.join("\n")
}

/// The labels of a script's checks, each with whether its failure does not fail the job. None if the text is
/// not a [`script`].
pub fn labels(script: &str) -> Vec<(String, bool)> {
    let label = |line: &str| shell_words::split(line.strip_prefix("echo '---' ")?).ok()?.pop();
    let soft = |label: &String| {
        script.contains(&format!(" || softly=$softly{}\n", shell_words::quote(&format!(" {label}"))))
    };
    let labels = script.lines().filter_map(label);
    labels
        .map(|label| {
            let soft = soft(&label);
            (label, soft)
        })
        .collect()
}

/// The folder in which the command of a check works. It is read from the script: the command begins with `cd
/// FOLDER &&`. Empty for the root.
pub fn directory(script: &str, label: &str) -> String {
    let list = shell_words::quote(&format!(" {label}")).into_owned();
    let is_its = |line: &&str| {
        line.ends_with(&format!("={}{list}", "$failed")) || line.ends_with(&format!("=$softly{list}"))
    };
    let command = script.split("\n/bin/sh -e -c ").skip(1).find_map(|part| {
        let line = part.split("\necho '---' ").next()?.split("\n[ -z ").next()?;
        Some(line).filter(is_its).and_then(|line| shell_words::split(line).ok()?.into_iter().next())
    });
    let command = command.as_deref().or(if labels(script).is_empty() { Some(script) } else { None });
    let folder = command
        .and_then(|command| shell_words::split(command.strip_prefix("cd ")?.split_once(" && ")?.0).ok());
    folder.and_then(|mut words| words.pop()).unwrap_or_default()
}

/// What the output says about one check.
#[derive(Debug)]
pub struct Told {
    /// The check's label. None if the command is not one of our scripts.
    pub label: Option<String>,
    /// How it ended.
    pub verdict: Verdict,
    /// Why nothing is known about it, if that is so.
    pub reason: Option<String>,
    /// What was found.
    pub findings: Vec<Finding>,
    /// When it began, in seconds after the job's command began.
    pub started: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// Reads the output of a job on an emulated platform.
#[derive(Debug)]
pub struct Output {
    parts: Vec<Part>,
    failed: Option<String>,
    softly: Option<String>,
}

impl Default for Output {
    fn default() -> Self {
        Self { parts: vec![Part::default()], failed: None, softly: None }
    }
}

#[derive(Debug, Default)]
struct Part {
    label: Option<String>,
    started: f64,
    tests: TestOutput,
    compiler: Compiler,
}

impl Output {
    /// Reads a line of standard output or of standard error. `at` is the time in seconds since the command
    /// began.
    pub fn read(&mut self, line: &[u8], standard_error: bool, at: f64) {
        let text = anstream::adapter::strip_str(&String::from_utf8_lossy(line)).to_string();
        let text = text.trim_end();
        if !standard_error {
            if let Some(label) = text.strip_prefix(SECTION).filter(|label| !label.ends_with(" ----")) {
                self.parts.push(Part { label: Some(label.to_owned()), started: at, ..Part::default() });
            } else if let Some(labels) = text.strip_prefix(FAILED_SOFTLY) {
                self.softly = Some(labels.to_owned());
            } else if let Some(labels) = text.strip_prefix(FAILED) {
                self.failed = Some(labels.to_owned());
            }
        }
        let Some(part) = self.parts.last_mut() else { return };
        part.tests.read(line, standard_error);
        if standard_error {
            part.compiler.read(text);
        }
    }

    /// The results, once the command has ended with this status. `at` is the time in seconds since the
    /// command began. `labels` are the script's checks, or empty if the command is a person's own. `soft` are
    /// the checks whose failure does not fail the job. If the status is not 0, at least one check outside
    /// `soft` is reported as failed or broken, whatever the output looks like.
    pub fn told(self, status: i32, labels: &[&str], soft: &[&str], at: f64) -> Vec<Told> {
        let named = |list: &Option<String>, label: &str| {
            list.as_ref().is_some_and(|list| format!("{list} ").contains(&format!(" {label} ")))
        };
        let failed = self.failed.clone();
        // Whether the script itself ended. Its last line alone does not prove it: a test may print similar text.
        let ended = status == 0 || (status == 1 && labels.iter().any(|label| named(&self.failed, label)));
        // Findings from before the first check, or from a command that is not one of our scripts.
        let mut unplaced: Vec<Finding> = Vec::new();
        let mut all: Vec<Told> = Vec::new();
        for part in self.parts {
            let Some(label) = part.label.as_deref().filter(|label| labels.contains(label)) else {
                // A line that the job itself prints may look like the heading of a check.
                let place = all.last_mut().map_or(&mut unplaced, |told| &mut told.findings);
                place.extend(part.findings());
                continue;
            };
            let failed = (status != 0 && named(&self.failed, label)) || named(&self.softly, label);
            let (verdict, reason) = match (ended, failed) {
                (true, true) => (Verdict::Failed, None),
                (true, false) => (Verdict::Passed, None),
                (false, _) => {
                    let reason = format!("the virtual machine ended first (status {status})");
                    (Verdict::Broken, Some(reason))
                }
            };
            let (label, started) = (Some(label.to_owned()), part.started);
            all.push(Told { label, verdict, reason, findings: part.findings(), started, seconds: 0.0 });
        }
        let mut end = at;
        for told in all.iter_mut().rev() {
            told.seconds = end - told.started;
            end = told.started;
            if told.verdict == Verdict::Passed {
                told.findings.clear();
            }
        }
        if status != 0 && !labels.is_empty() {
            add_unplaced(&mut all, failed.as_deref(), labels, soft, (status, at));
        }
        if all.is_empty() && labels.is_empty() {
            let verdict = if status == 0 { Verdict::Passed } else { Verdict::Failed };
            let findings = if status == 0 { Vec::new() } else { unplaced };
            all.push(Told { label: None, verdict, reason: None, findings, started: 0.0, seconds: at });
        }
        all
    }
}

/// Adds failures that must not be missing if the script ended with a status other than 0. First, the checks
/// that its last line names and whose headings were not seen, because text without a line end was before the
/// heading. Second, if no check outside `soft` is reported as failed, a note that one of them did fail.
fn add_unplaced(
    all: &mut Vec<Told>,
    failed: Option<&str>,
    labels: &[&str],
    soft: &[&str],
    (status, at): (i32, f64),
) {
    let told = |label: Option<&str>, verdict, reason: Option<String>| Told {
        label: label.map(str::to_owned),
        verdict,
        reason,
        findings: Vec::new(),
        started: at,
        seconds: 0.0,
    };
    let words = failed.map(|words| format!("{words} ")).unwrap_or_default();
    for label in labels.iter().filter(|label| status == 1 && words.contains(&format!(" {label} "))) {
        if !all.iter().any(|known| known.label.as_deref() == Some(label)) {
            all.push(told(Some(label), Verdict::Failed, None));
        }
    }
    let counts = |known: &Told| {
        let is_soft = known.label.as_deref().is_some_and(|label| soft.contains(&label));
        !is_soft && matches!(known.verdict, Verdict::Failed | Verdict::Broken)
    };
    if !all.iter().any(counts) {
        let reason =
            format!("the job ended with status {status}, and its output does not say which check failed");
        let verdict = if status == 1 { Verdict::Failed } else { Verdict::Broken };
        all.push(told(None, verdict, Some(reason)));
    }
}

impl Part {
    fn findings(mut self) -> Vec<Finding> {
        self.compiler.end();
        let mut findings = Findings::default();
        findings.extend(self.compiler.found);
        findings.extend(self.tests.findings(&Packages::new(), &in_checkout));
        findings.into_vec()
    }
}

/// Turns a path in the virtual machine into a path from the repository's root.
fn in_checkout(file: &str) -> String {
    CHECKOUTS.iter().find_map(|root| file.strip_prefix(root)).unwrap_or(file).to_owned()
}

/// Reads the errors of rustc and cargo in the form for people.
#[derive(Debug, Default)]
struct Compiler {
    block: Option<Finding>,
    found: Vec<Finding>,
}

static LINT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^\s*= note: .*?`-D ([a-z_:-]+)`|^\s*= note: `#\[deny\(([a-z_:]+)\)\]`").ok()
});

impl Compiler {
    fn read(&mut self, text: &str) {
        if let Some(rest) = text.strip_prefix("error") {
            self.end();
            let (code, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((code, rest)) => (Some(code.to_owned()), rest),
                None => (None, rest),
            };
            if let Some(message) = rest.strip_prefix(": ") {
                let rendered = Some(format!("{text}\n"));
                self.block = Some(Finding { lint: code, rendered, ..Finding::error(message) });
            }
            return;
        }
        // A warning, or cargo's next step: the text of the error has ended.
        if text.is_empty() || text.starts_with("warning") {
            return self.end();
        }
        let Some(block) = &mut self.block else { return };
        if let Some(rendered) = &mut block.rendered
            && rendered.len() + text.len() < MOST_WORDS
        {
            rendered.push_str(text);
            rendered.push('\n');
        }
        if let (None, Some(place)) = (&block.file, text.trim_start().strip_prefix("--> ")) {
            let mut parts = place.rsplitn(3, ':');
            if let (Some(column), Some(line), Some(file)) = (parts.next(), parts.next(), parts.next()) {
                block.file = Some(in_checkout(file));
                (block.line, block.column) = (line.parse().ok(), column.parse().ok());
            }
        }
        if block.lint.is_none() {
            let found = LINT.as_ref().and_then(|lint| lint.captures(text));
            let name =
                found.and_then(|found| Some(found.get(1).or(found.get(2))?.as_str().replace('-', "_")));
            block.lint = name;
        }
    }

    fn end(&mut self) {
        let summary = |message: &str| {
            [
                "could not compile",
                "aborting due to",
                "test failed, to rerun",
                "doctest failed",
                "process didn't",
            ]
            .iter()
            .any(|beginning| message.starts_with(beginning))
                || message.ends_with("target failed:")
                || message.ends_with("targets failed:")
        };
        if let Some(block) = self.block.take()
            && self.found.len() < MOST_FINDINGS
            && !summary(&block.message)
        {
            self.found.push(block);
        }
    }
}

#[cfg(test)]
mod tests;
