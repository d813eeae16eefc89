//! Reads the standard error of a `cargo test`: cargo's messages, and the output of programs that is not
//! captured.

use super::excerpt::Excerpt;
use super::panics::{Panics, may_tell};
use crate::report::{Finding, Place};

/// The most bytes from the end of a program's standard error that a finding keeps.
const MOST_WORDS: usize = 4 << 10;
/// The most bytes of a line that are read.
const LONGEST: usize = 4 << 10;

/// Reads the standard error while one program runs.
#[derive(Debug)]
pub struct Errors {
    end: Excerpt,
    /// The panics on standard error.
    pub panics: Panics,
    failure: Option<Failure>,
}

/// What cargo says about a program that failed.
#[derive(Debug)]
struct Failure {
    /// The options that run the program again: `-p a --test b`.
    spec: String,
    /// The reason, unless the program ended by itself with the status 101 of a failed test.
    cause: Option<String>,
    /// Whether the next line is the cause.
    cause_follows: bool,
    /// The end of what the program wrote before it failed.
    words: String,
}

impl Default for Errors {
    fn default() -> Self {
        Self { end: Excerpt::of_end(MOST_WORDS), panics: Panics::default(), failure: None }
    }
}

impl Errors {
    /// Reads a line of text without colours.
    pub fn read(&mut self, line: &str) {
        if may_tell(line.as_bytes()) || self.panics.is_open() {
            self.panics.read(line);
        }
        if let Some(spec) = failed_target(line) {
            let words = self.end.text();
            let failure = Failure { spec: spec.to_owned(), cause: None, cause_follows: false, words };
            self.failure = Some(failure);
        } else if let Some(failure) = &mut self.failure {
            if line == "Caused by:" {
                failure.cause_follows = failure.cause.is_none();
            } else if std::mem::take(&mut failure.cause_follows) {
                failure.cause = Some(line.trim().chars().take(LONGEST).collect());
            }
        }
        self.end.push(line.as_bytes());
        self.end.push(b"\n");
    }

    /// The options that run the program again, if it failed.
    pub fn spec(&self) -> Option<&str> {
        self.failure.as_ref().map(|failure| failure.spec.as_str())
    }

    /// A finding about the whole program: if it was killed or ended in an unusual way, or if it failed and no
    /// failed test of it is known.
    pub fn finding(&self, any_test_failed: bool) -> Option<Finding> {
        let failure = self.failure.as_ref()?;
        let end = failure.cause.as_deref().map(how_it_ended);
        if any_test_failed && end.is_none() {
            return None;
        }
        let mut message = if failure.spec.ends_with("--doc") {
            format!("the examples of `{}`", failure.spec)
        } else {
            format!("the test program `{}`", failure.spec)
        };
        message.push_str(end.as_deref().unwrap_or(" failed"));
        if let Some(thread) = self.panics.overflowed() {
            message.push_str(&format!(": the thread `{thread}` used up its stack"));
        }
        let cause = failure.cause.iter().map(|cause| format!("{cause}\n"));
        let rendered = cause.collect::<String>() + &failure.words;
        let place = self.panics.of("main").or_else(|| self.panics.last().filter(|_| end.is_some()));
        let mut finding = Finding { lint: Some("test".into()), ..Finding::error(message) };
        finding.rendered = Some(rendered.trim().to_owned()).filter(|text| !text.is_empty());
        match place.cloned().or_else(|| compilers_place(&failure.words)) {
            Some(place) => Some(finding.at(place)),
            None => Some(finding),
        }
    }
}

/// The options in `error: test failed, to rerun pass ...`. The program's last output may be on the same line
/// before it, without a line end.
fn failed_target(line: &str) -> Option<&str> {
    let rest = ["error: test failed, ", "error: doctest failed, "].into_iter().find_map(|words| {
        let at = line.rfind(words)?;
        line[at + words.len()..].strip_prefix("to rerun pass ")
    })?;
    // Older versions of cargo use other quotation marks.
    let quoted = rest.strip_prefix(['`', '\''])?;
    quoted.strip_suffix(['`', '\''])
}

/// How a program ended, from cargo's message: ``process didn't exit successfully: `PATH` (signal: 6, SIGABRT:
/// process abort signal)``.
fn how_it_ended(cause: &str) -> String {
    let reason = cause.strip_suffix(')').and_then(|cause| cause.rsplit_once("` (")).map(|(_, reason)| reason);
    let Some(reason) = reason else { return " could not be run".into() };
    if let Some(signal) = reason.strip_prefix("signal: ") {
        let (number, name) = signal.split_once(", ").unwrap_or((signal, ""));
        let name = name.split(':').next().unwrap_or_default();
        let name = if name.is_empty() { String::new() } else { format!(" ({name})") };
        return format!(" was killed by signal {number}{name}");
    }
    match reason.split(',').next().and_then(|reason| reason.strip_prefix("exit ")) {
        // `exit status: 3`; Windows: `exit code: 0xc0000409, STATUS_STACK_BUFFER_OVERRUN`.
        Some(status) => format!(" ended with exit {status}").replace(": ", " "),
        None => format!(" failed ({reason})"),
    }
}

/// The first place that the compiler shows: ` --> FILE:LINE:COLUMN`.
fn compilers_place(words: &str) -> Option<Place> {
    words.lines().find_map(|line| Place::parse(line.trim_start().strip_prefix("--> ")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_program_ended_is_said_in_words() {
        for (cause, expected) in [
            ("(signal: 6, SIGABRT: process abort signal)", " was killed by signal 6 (SIGABRT)"),
            ("(signal: 40)", " was killed by signal 40"),
            ("(exit status: 3)", " ended with exit status 3"),
            ("(exit code: 0xc0000409, STATUS_STACK_BUFFER_OVERRUN)", " ended with exit code 0xc0000409"),
        ] {
            assert_eq!(
                how_it_ended(&format!("process didn't exit successfully: `/t/a (b)` {cause}")),
                expected
            );
        }
        assert_eq!(
            how_it_ended("could not execute process `/t/a` (never executed)"),
            " failed (never executed)"
        );
    }

    #[test]
    fn a_target_is_known_in_the_words_of_every_version() {
        for line in [
            "error: test failed, to rerun pass `-p a --lib`",
            "error: test failed, to rerun pass '-p a --lib'",
            "error: doctest failed, to rerun pass `-p a --lib`",
            "no line end.error: test failed, to rerun pass `-p a --lib`",
        ] {
            assert_eq!(failed_target(line), Some("-p a --lib"));
        }
        assert_eq!(failed_target("error: could not compile `a`"), None);
    }
}
