//! One problem, at one place.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// It makes its check fail.
    #[default]
    Error,
    /// It is shown, but does not make its check fail.
    Warning,
    /// It explains another finding.
    Note,
}

/// Something that a check found. Two findings with the same [`Identity`] are one finding, with the
/// [`Finding::feature_sets`] of both ([`super::Findings`]).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How serious it is for this check. A warning that the check denies is an error.
    pub level: Level,
    /// The name of the lint, rule or advisory, such as `clippy::undocumented_unsafe_blocks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lint: Option<String>,
    /// What is wrong, as a sentence without colours.
    pub message: String,
    /// The package that it is in, if it is in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The file, from the repository's root, with `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column, from 1, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The tool's own text without colours, with the excerpt of the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rendered: Option<String>,
    /// How to mend it: a sentence or a command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// The combinations of features that have it, as [`super::Combination::name`] writes them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub feature_sets: Vec<String>,
}

impl Finding {
    /// An error that is a message only.
    pub fn error(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// Where the finding is: `FILE:LINE:COLUMN`, as far as it is known. None if it is in no file.
    pub fn place(&self) -> Option<String> {
        let file = self.file.clone()?;
        Some(Place { file, line: self.line, column: self.column }.to_string())
    }

    /// Sets the file, line and column.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        (self.file, self.line, self.column) = (Some(place.file), place.line, place.column);
        self
    }

    /// What makes this finding the same as another.
    pub fn identity(&self) -> Identity<'_> {
        Identity {
            file: self.file.as_deref(),
            line: self.line,
            column: self.column,
            message: &self.message,
            lint: self.lint.as_deref(),
            level: self.level,
            package: self.package.as_deref().filter(|_| self.lint.as_deref() == Some("test")),
        }
    }
}

/// What makes two findings the same finding: the place, the message, the lint and the level, and for a failed
/// test also its package. The frame, the remedy and the feature sets may differ. For other findings the
/// package may differ too, because two packages may share a source file.
///
/// The order is that of a page: by place, then by message. A finding without a file comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Identity<'f> {
    /// [`Finding::file`].
    pub file: Option<&'f str>,
    /// [`Finding::line`].
    pub line: Option<u32>,
    /// [`Finding::column`].
    pub column: Option<u32>,
    /// [`Finding::message`].
    pub message: &'f str,
    /// [`Finding::lint`].
    pub lint: Option<&'f str>,
    /// [`Finding::level`].
    pub level: Level,
    /// [`Finding::package`] of a failed test.
    pub package: Option<&'f str>,
}

impl Ord for Identity<'_> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |of: &Self| {
            let place = (of.file.is_none(), of.file, of.line, of.column);
            (place, of.message, of.level, of.lint, of.package)
        };
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for Identity<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// A place in a file, in the form that tools write: `FILE:LINE:COLUMN` or `FILE:LINE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, with `/` between folders.
    pub file: String,
    /// The line, from 1.
    pub line: Option<u32>,
    /// The column, from 1, in characters.
    pub column: Option<u32>,
}

impl Place {
    /// Reads `FILE:LINE:COLUMN` or `FILE:LINE`. A colon may follow, as in rustfmt's output and in panics. The
    /// file name may contain colons, as in `C:\\x.rs`. None if there is no line number.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end();
        let text = text.strip_suffix(':').unwrap_or(text);
        let (before, last) = number_at_end(text)?;
        let (file, line, column) = match number_at_end(before) {
            Some((file, line)) => (file, line, Some(last)),
            None => (before, last, None),
        };
        let place = Self { file: file.replace('\\', "/"), line: Some(line), column };
        Some(place).filter(|place| !place.file.starts_with(':'))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        for number in [self.line, self.column].into_iter().map_while(|number| number) {
            write!(f, ":{number}")?;
        }
        Ok(())
    }
}

/// Splits `TEXT:NUMBER`. None if the text is empty or the number is missing.
fn number_at_end(text: &str) -> Option<(&str, u32)> {
    let (before, number) = text.rsplit_once(':')?;
    // Without this, `parse` would also accept a sign.
    let plain = !before.is_empty() && number.starts_with(|c: char| c.is_ascii_digit());
    Some((before, number.parse().ok()?)).filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_in_every_form_that_tools_write() {
        let place = |file: &str, line, column| Some(Place { file: file.into(), line: Some(line), column });
        for (text, expected) in [
            ("src/lib.rs:3:5", place("src/lib.rs", 3, Some(5))),
            ("src/lib.rs:3:5:\n", place("src/lib.rs", 3, Some(5))),
            ("src/lib.rs:13", place("src/lib.rs", 13, None)),
            ("it's/win.rs:1:", place("it's/win.rs", 1, None)),
            (r"C:\a\b.rs:7:9", place("C:/a/b.rs", 7, Some(9))),
            ("a:b.rs:7", place("a:b.rs", 7, None)),
            ("src/lib.rs", None),
            ("src/lib.rs:+3", None),
            (":3:5", None),
            ("", None),
        ] {
            let parsed = Place::parse(text);
            assert_eq!(parsed, expected, "{text}");
        }
    }
}
