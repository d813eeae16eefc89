//! Text from outside, as a person may be shown it: in a terminal, a log, an error.

use std::borrow::Cow;

/// The most characters of a value that an error quotes.
const MOST: usize = 200;

/// A value in quotes, on one line, cut after 200 characters: for errors.
pub fn value(text: &str) -> String {
    let mut cut: String = text.chars().take(MOST).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("\"{}\"", line(&cut))
}

/// Text from outside for a place of one line: what could move a terminal's cursor, change its
/// colours, end the line or turn the reading direction is shown as a symbol instead.
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c.is_control() || turns_direction(c))
}

/// As [`line()`], for text of several lines: line ends and tabs stay.
pub fn block(text: &str) -> Cow<'_, str> {
    replaced(text, |c| (c.is_control() && c != '\n' && c != '\t') || turns_direction(c))
}

/// The text with each character that `is_out` a symbol.
fn replaced(text: &str, is_out: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.contains(&is_out) {
        Cow::Owned(text.chars().map(|c| if is_out(c) { symbol(c) } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// What stands for a character that is not shown: Unicode's control picture where there is one.
fn symbol(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

/// Whether a character makes what follows it read in another order (Trojan Source,
/// CVE-2021-42574, lists these).
const fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_quoted_on_one_line_and_cut() {
        assert_eq!(value("a\nb\u{1b}[0m"), "\"a␊b␛[0m\"");
        assert_eq!(value(&"x".repeat(1000)).chars().count(), 203);
    }
}
