//! Makes text from outside safe to show in a terminal, a log or an error.
//!
//! Such text could contain characters that move the cursor, change colours or reverse the reading
//! direction. Each of them is replaced by a visible symbol.

use std::borrow::Cow;

/// The greatest number of characters of a value that an error quotes.
const MOST: usize = 200;

/// Puts a value into quotes for an error: on one line, cut after 200 characters.
pub fn value(text: &str) -> String {
    let mut cut: String = text.chars().take(MOST).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    format!("\"{}\"", line(&cut))
}

/// Makes text safe for one line. Control characters, which include line ends, and characters that
/// change the reading direction become symbols.
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, |c| c.is_control() || turns_direction(c))
}

/// Makes text of several lines safe. This is [`line()`], except that line ends and tabs stay.
pub fn block(text: &str) -> Cow<'_, str> {
    replaced(text, |c| (c.is_control() && c != '\n' && c != '\t') || turns_direction(c))
}

/// Replaces each character for which `is_out` is true by a symbol.
fn replaced(text: &str, is_out: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.contains(&is_out) {
        Cow::Owned(text.chars().map(|c| if is_out(c) { symbol(c) } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The symbol for a character: Unicode's control picture, or the replacement character where there is
/// no such picture.
fn symbol(c: char) -> char {
    match c {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    }
}

/// Whether a character changes the reading direction of the text after it. Such characters can make
/// code look different from what it is (CVE-2021-42574, "Trojan Source").
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
