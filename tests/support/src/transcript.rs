//! Reads the output that cargo prints for people: diagnostics with their places, and tests with their results.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One run of cargo.
#[derive(Debug, Default)]
pub struct Run {
    /// The member whose features were combined; empty where nobody said.
    pub package: String,
    /// The features, joined with commas.
    pub features: String,
    /// What was said.
    pub said: Transcript,
}

/// Reads cargo's output.
#[derive(Debug, Default)]
pub struct Transcript {
    root: PathBuf,
    /// Diagnostics that have a place: `FILE:LINE: MESSAGE`.
    pub diagnostics: std::collections::BTreeSet<String>,
    /// How often a test came to a result: `NAME ... RESULT`.
    pub tests: BTreeMap<String, u32>,
    /// Whether tests were passed over that had passed in an earlier run.
    pub passed_over: bool,
    message: Option<String>,
    testing: bool,
    /// A difference of rustfmt's whose changed lines are still to come: its file, and the number of the next
    /// line.
    difference: Option<(String, u64)>,
}

impl Transcript {
    /// A reader; paths below `root` are told from there.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), ..Self::default() }
    }

    /// Takes a line.
    pub fn read(&mut self, line: &str) {
        // rustfmt names the first line of a difference; ours names the first changed one.
        if let Some((file, number)) = self.difference.take() {
            if line.starts_with(['-', '+']) {
                let place = format!("{file}:{number}");
                self.diagnostics.insert(format!("{}: format", self.short(&place)));
            } else {
                self.difference = Some((file, number + 1));
            }
        }
        let begin = line.trim_start();
        // From here on the output is that of tests, or of the compiler for an example in documentation.
        self.testing |= begin.starts_with("Running unittests ")
            || begin.starts_with("Running tests/")
            || begin.starts_with("Doc-tests ");
        self.passed_over |= line.starts_with("rust-vmm-ci: the same has passed before: ");
        if !self.testing
            && let Some(message) = message(line)
        {
            self.message = Some(message.to_owned());
        } else if let Some(place) = line.trim_start().strip_prefix("--> ")
            && let Some(message) = self.message.take()
        {
            let (file_line, _column) = place.rsplit_once(':').unwrap_or((place, ""));
            self.diagnostics.insert(format!("{}: {message}", self.short(file_line)));
        } else if let Some((file, number)) =
            line.strip_prefix("Diff in ").and_then(|rest| rest.trim_end().strip_suffix(':')?.rsplit_once(':'))
        {
            self.difference = number.parse().ok().map(|number| (file.to_owned(), number));
        } else if let Some(test) = line.strip_prefix("test ")
            && let Some((name, result)) = test.rsplit_once(" ... ")
        {
            // libtest says why a test was left out, and how long one took, if asked.
            let result = result.split([',', ' ']).next().unwrap_or(result);
            if ["ok", "FAILED", "ignored"].contains(&result) {
                *self.tests.entry(format!("{name} ... {result}")).or_default() += 1;
            }
        }
    }

    fn short(&self, place: &str) -> String {
        from_root(&self.root, place)
    }
}

/// A place, `FILE:LINE`, as both sides may name it: from the root where it is below it, without the
/// hash in the name of a build script's folder, which differs with the flags.
pub fn from_root(root: &Path, place: &str) -> String {
    let place = place.strip_prefix(root.to_str().unwrap_or_default()).unwrap_or(place);
    let place = place.trim_start_matches('/').trim_start_matches("../").trim_start_matches("./");
    let parts = place.split('/').map(|part| match part.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.chars().all(|c| c.is_ascii_hexdigit()) => name,
        _ => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// The message of `error: MESSAGE`, `warning: MESSAGE` or `error[E0001]: MESSAGE`.
fn message(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("error").or_else(|| line.strip_prefix("warning"))?;
    let rest = match rest.strip_prefix('[') {
        Some(code) => code.split_once(']')?.1,
        None => rest,
    };
    rest.strip_prefix(": ")
}
