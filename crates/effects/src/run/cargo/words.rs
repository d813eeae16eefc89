//! A finding of what a tool says on standard error, for a failure that no message explains.

use crate::process::Ended;
use anyhow::Result;
use rust_vmm_ci_core::checks::outage::{self, mistake};
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::report::Finding;
use std::collections::VecDeque;

/// How many of a tool's last lines are kept.
const LAST_WORDS: usize = 30;
/// How many lines are kept from the first error on.
const FIRST_WORDS: usize = 10;
/// How much of one such line is kept, in characters.
const LONGEST_WORDS: usize = 1000;

/// The last lines of a standard error, and the lines from the first error on: a tool may print how it is used
/// after it.
#[derive(Default)]
pub struct LastWords {
    first: Vec<String>,
    last: VecDeque<String>,
    /// Whether a line was forgotten.
    cut: bool,
}

impl LastWords {
    /// Takes a line.
    pub fn read(&mut self, line: &[u8]) {
        let text = anstream::adapter::strip_str(&String::from_utf8_lossy(line)).to_string();
        let text: String = text.chars().take(LONGEST_WORDS).collect();
        let tells = !self.first.is_empty() || error_in(&text).is_some();
        if tells && self.first.len() < FIRST_WORDS {
            self.first.push(text.clone());
        }
        if self.last.len() == LAST_WORDS {
            self.last.pop_front();
            self.cut = true;
        }
        self.last.push_back(text);
    }

    /// All lines that are kept. A line may stand in them twice.
    fn text(&self) -> String {
        let first = if self.cut { self.first.as_slice() } else { &[] };
        first.iter().chain(&self.last).map(String::as_str).collect()
    }

    /// Why the lines tell of a fault of the machine or the network. None where they tell of none.
    pub fn outage(&self) -> Option<String> {
        outage::of_cargo(&self.text())
    }

    /// Refuses a command whose arguments the tool does not take.
    ///
    /// # Errors
    /// Exit 2 with what the tool says.
    pub fn refuse_mistake(&self) -> Result<()> {
        let words = self.text();
        let Some(said) = mistake(&words) else { return Ok(()) };
        Err(exit::usage(format!("the command is wrong: {said}; correct the check's `args` or its command")))
    }

    /// A finding with the lines. There is none where this program ended the tool. `from_root` makes a path
    /// from the repository's root of a path that the tool names.
    pub fn finding(self, ended: Ended, from_root: &dyn Fn(&str) -> String) -> Option<Finding> {
        let words = self.text();
        let first = words.lines().find_map(error_in).map(ToOwned::to_owned);
        let message = match ended {
            Ended::Exited(status) => first.unwrap_or_else(|| format!("cargo ended with status {status}")),
            Ended::Signaled(signal) => format!("cargo was killed by signal {signal}"),
            Ended::TimedOut | Ended::Cancelled => return None,
        };
        let finding = refusal(&message, &words);
        Some(Finding { file: finding.file.map(|file| from_root(&file)), ..finding })
    }
}

/// The error that a line tells. `cargo fmt` puts words before the one of `cargo metadata`.
fn error_in(line: &str) -> Option<&str> {
    if line.starts_with("error") {
        Some(line)
    } else {
        line.split_once(" exited with an error: ").map(|(_, error)| error)
    }
}

/// A finding that shows what a tool says.
pub fn refusal(message: &str, words: &str) -> Finding {
    let (file, line, column) = place(words).unwrap_or_default();
    let rendered = Some(words.trim_end().to_owned());
    // The level of the finding says the word already.
    let message = message.strip_prefix("error: ").unwrap_or(message);
    Finding { file, line, column, rendered, ..Finding::error(message) }
}

/// The first place that a tool names: ` --> FILE:LINE:COLUMN`.
fn place(words: &str) -> Option<(Option<String>, Option<u32>, Option<u32>)> {
    let place = words.lines().find_map(|line| line.trim_start().strip_prefix("--> "))?;
    let mut parts = place.trim_end().rsplitn(3, ':');
    let (column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    Some((Some(file.replace('\\', "/")), line.parse().ok(), column.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> LastWords {
        let mut words = LastWords::default();
        text.split_inclusive('\n').for_each(|line| words.read(line.as_bytes()));
        words
    }

    #[test]
    fn an_error_before_a_long_help_is_kept_and_its_word_is_not_doubled() {
        let help = "      --all\n".repeat(50);
        for start in
            ["`cargo metadata` exited with an error: error: failed to parse", "error: failed to parse"]
        {
            let found = words(&format!("{start}\n\nCaused by:\n  missing field\n{help}"));
            let finding = found.finding(Ended::Exited(1), &str::to_owned).unwrap();
            assert_eq!(finding.message, "failed to parse");
            assert!(finding.rendered.unwrap().contains("missing field"));
        }
    }

    #[test]
    fn arguments_that_a_tool_does_not_take_are_a_mistake_of_who_wrote_them() {
        let help = "\nUsage: cargo build [OPTIONS]\n\nFor more information, try '--help'.\n";
        let error = words(&format!("error: unexpected argument '--nope' found\n{help}"))
            .refuse_mistake()
            .unwrap_err();
        assert_eq!(exit::of(&error), exit::Exit::Usage);
        assert!(words("error: could not compile `a`\n").refuse_mistake().is_ok());
    }
}
