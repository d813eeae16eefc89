//! What `cargo test` prints for people → findings.
//!
//! A verdict comes from cargo's exit status alone: a test may print anything, libtest's own lines
//! among it. What is read here only says which tests to look at once the status is not 0.

use crate::report::Finding;
use std::collections::BTreeMap;

/// More failures than this are not told apart.
pub const MOST_FAILURES: usize = 500;
/// How much of one test's output a finding keeps, in bytes.
pub const MOST_OUTPUT: usize = 8 << 10;

/// Reads the output of one `cargo test`.
#[derive(Debug, Default)]
pub struct TestOutput {
    failed: Vec<String>,
    programs: Vec<String>,
    output: BTreeMap<String, String>,
    block: Option<String>,
}

impl TestOutput {
    /// Takes a line of standard output or standard error.
    pub fn read(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let text = line.trim_end();
        if let Some(name) = text.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            // libtest says how a `should_panic` test was meant to end.
            let name = name.strip_suffix(" - should panic").unwrap_or(name).to_owned();
            if self.failed.len() < MOST_FAILURES && !self.failed.contains(&name) {
                self.failed.push(name);
            }
        } else if let Some(name) =
            text.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            let name = name.to_owned();
            self.block = (self.output.len() < MOST_FAILURES).then(|| name.clone());
            self.output.entry(name).or_default();
        } else if text == "failures:" {
            self.block = None;
        } else if let Some(rest) = text.strip_prefix("error: test failed, to rerun pass `") {
            self.programs.push(rest.trim_end_matches('`').to_owned());
        } else if let Some(block) = self.block.as_ref().and_then(|name| self.output.get_mut(name))
            && block.len() + line.len() <= MOST_OUTPUT
        {
            block.push_str(&line);
        }
    }

    /// The findings, where `cargo test` failed.
    pub fn findings(mut self) -> Vec<Finding> {
        let mut findings: Vec<Finding> = Vec::new();
        for name in &self.failed {
            let output = self.output.remove(name).unwrap_or_default();
            let (file, line, column) = place(name, &output);
            findings.push(Finding {
                lint: Some("test".into()),
                file,
                line,
                column,
                rendered: (!output.trim().is_empty()).then(|| output.trim().to_owned()),
                ..Finding::error(format!("test {name} failed"))
            });
        }
        if findings.is_empty() {
            findings.extend(self.programs.iter().map(|program| Finding {
                lint: Some("test".into()),
                ..Finding::error(format!("the test program `{program}` failed"))
            }));
        }
        findings
    }
}

/// Where a test failed: where it panicked or should have, or where a doctest stands, which is in its
/// name: `src/lib.rs - add (line 5)`.
pub fn place(name: &str, output: &str) -> (Option<String>, Option<u32>, Option<u32>) {
    if let Some((file, rest)) = name.split_once(" - ")
        && let Some((_, line)) = rest.rsplit_once("(line ")
        && let Some(line) = line.split(')').next().and_then(|line| line.parse().ok())
    {
        return (Some(file.replace('\\', "/")), Some(line), None);
    }
    for text in output.lines() {
        let place = text
            .split_once(" panicked at ")
            .or_else(|| text.split_once("did not panic as expected at "))
            .map(|(_, place)| place.trim_end_matches(':'));
        let Some(place) = place else { continue };
        let mut parts = place.rsplitn(3, ':');
        if let (Some(column), Some(line), Some(file)) = (parts.next(), parts.next(), parts.next()) {
            return (Some(file.replace('\\', "/")), line.parse().ok(), column.parse().ok());
        }
    }
    (None, None, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Finding> {
        let mut output = TestOutput::default();
        for line in text.split_inclusive('\n') {
            output.read(line.as_bytes());
        }
        output.findings()
    }

    #[test]
    fn a_panic_is_found_with_its_place_and_words() {
        let found = read(
            "test tests::adds ... ok\ntest tests::judged ... FAILED\n\nfailures:\n\n\
             ---- tests::judged stdout ----\n\nthread 'tests::judged' (12) panicked at src/lib.rs:13:9:\n\
             assertion failed: debug\n\nfailures:\n    tests::judged\n\ntest result: FAILED.\n",
        );
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, "test tests::judged failed");
        assert_eq!(found[0].place().as_deref(), Some("src/lib.rs:13:9"));
        assert!(found[0].rendered.as_ref().unwrap().contains("assertion failed: debug"));
        assert!(!found[0].rendered.as_ref().unwrap().contains("failures:"));
    }

    #[test]
    fn a_doctest_is_found_where_it_stands() {
        let found = read("test src/lib.rs - add (line 5) ... FAILED\n");
        assert_eq!(found[0].place().as_deref(), Some("src/lib.rs:5"));
        let found = read("test src/lib.rs - add (line 7) - compile fail ... FAILED\n");
        assert_eq!(found[0].place().as_deref(), Some("src/lib.rs:7"));
    }

    #[test]
    fn a_test_that_should_panic_and_does_not_is_found() {
        let found = read(
            "test tests::judged - should panic ... FAILED\n\nfailures:\n\n---- tests::judged stdout ----\n\
             note: test did not panic as expected at src/lib.rs:12:8\n\nfailures:\n",
        );
        assert_eq!(found[0].place().as_deref(), Some("src/lib.rs:12:8"));
    }

    #[test]
    fn a_program_that_speaks_another_language_is_named() {
        let found = read("all fine\nerror: test failed, to rerun pass `--test peculiar`\n");
        assert_eq!(found[0].message, "the test program `--test peculiar` failed");
    }

    #[test]
    fn what_floods_the_log_does_not_flood_the_report() {
        let mut text = String::from("test a ... FAILED\n---- a stdout ----\n");
        text.extend(std::iter::repeat_n("x\n", 100_000));
        assert!(read(&text)[0].rendered.as_ref().unwrap().len() <= MOST_OUTPUT);
    }
}
