//! A finding of what a tool says on standard error, for a failure that no message explains.

use crate::process::Ended;
use rust_vmm_ci_core::checks::outage;
use rust_vmm_ci_core::report::Finding;
use std::collections::VecDeque;

/// How many of a tool's last lines are kept.
const LAST_WORDS: usize = 30;
/// How much of one such line is kept, in characters.
const LONGEST_WORDS: usize = 1000;

/// The last lines of a standard error.
#[derive(Default)]
pub struct LastWords(VecDeque<String>);

impl LastWords {
    /// Takes a line.
    pub fn read(&mut self, line: &[u8]) {
        if self.0.len() == LAST_WORDS {
            self.0.pop_front();
        }
        let text = anstream::adapter::strip_str(&String::from_utf8_lossy(line)).to_string();
        let text: String = text.chars().take(LONGEST_WORDS).collect();
        self.0.push_back(text);
    }

    /// Why the lines tell of a fault of the machine or the network. None where they tell of none.
    pub fn outage(&self) -> Option<String> {
        outage::of_cargo(&self.0.iter().map(String::as_str).collect::<String>())
    }

    /// A finding with the lines. There is none where this program ended the tool. `from_root` makes a path
    /// from the repository's root of a path that the tool names.
    pub fn finding(self, ended: Ended, from_root: &dyn Fn(&str) -> String) -> Option<Finding> {
        let words: String = self.0.into_iter().collect();
        let first = words.lines().find(|line| line.starts_with("error")).map(ToOwned::to_owned);
        let message = match ended {
            Ended::Exited(status) => first.unwrap_or_else(|| format!("cargo ended with status {status}")),
            Ended::Signaled(signal) => format!("cargo was killed by signal {signal}"),
            Ended::TimedOut | Ended::Cancelled => return None,
        };
        let finding = refusal(&message, &words);
        Some(Finding { file: finding.file.map(|file| from_root(&file)), ..finding })
    }
}

/// A finding that shows what a tool says.
pub fn refusal(message: &str, words: &str) -> Finding {
    let (file, line, column) = place(words).unwrap_or_default();
    let rendered = Some(words.trim_end().to_owned());
    Finding { file, line, column, rendered, ..Finding::error(message) }
}

/// The first place that a tool names: ` --> FILE:LINE:COLUMN`.
fn place(words: &str) -> Option<(Option<String>, Option<u32>, Option<u32>)> {
    let place = words.lines().find_map(|line| line.trim_start().strip_prefix("--> "))?;
    let mut parts = place.trim_end().rsplitn(3, ':');
    let (column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    Some((Some(file.replace('\\', "/")), line.parse().ok(), column.parse().ok()))
}
