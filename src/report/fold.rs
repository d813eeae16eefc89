//! Buildkite's log groups (Buildkite's documentation, "Managing log output"): a line that begins
//! with `---` begins a group that is closed, one with `+++` a group that is open.

use super::text;

/// The line that begins a check's group, closed.
pub fn closed(title: &str) -> String {
    format!("--- {}", text::line(title))
}

/// The line that begins a group which is open, such as the summary's.
pub fn open(title: &str) -> String {
    format!("+++ {}", text::line(title))
}

/// The line that opens the group that it stands in, for one that turned out to have failed.
pub const OPEN_PREVIOUS: &str = "^^^ +++";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_stays_on_its_line() {
        assert_eq!(closed(":rust: clippy"), "--- :rust: clippy");
        assert_eq!(open("a\n+++ b\x1b[0m"), "+++ a␊+++ b␛[0m");
    }
}
