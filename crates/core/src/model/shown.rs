//! Makes text from outside safe to show in a terminal, a log or an error.
//!
//! Such text could contain characters that move the cursor, change colours or reverse the reading
//! direction. Each of them is replaced by a visible symbol.

use std::borrow::Cow;

/// The greatest number of characters of a value that an error quotes.
const MOST: usize = 200;

/// Puts a value into quotes for an error: on one line, cut after 200 characters.
pub fn value(text: &str) -> String {
    format!("\"{}\"", name(text))
}

/// A name or a path in an error, without quotes: on one line, cut after 200 characters.
pub fn name(text: &str) -> String {
    let mut cut: String = text.chars().take(MOST).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    line(&cut).into_owned()
}

/// Makes a message safe and bounded: lines are cut after 1,000 characters, and at most 200 lines are shown. A
/// message may quote a tool, a parser or a file that a stranger wrote.
pub fn message(text: &str) -> String {
    const LONGEST_LINE: usize = 1000;
    const MOST_LINES: usize = 200;
    let mut lines: Vec<String> = Vec::new();
    let mut rest = text.split('\n');
    for line in rest.by_ref().take(MOST_LINES) {
        let mut cut: String = line.chars().take(LONGEST_LINE).collect();
        if cut.len() < line.len() {
            cut.push('…');
        }
        lines.push(block(&cut).into_owned());
    }
    let more = rest.count();
    if more > 0 {
        lines.push(format!("… and {more} more lines"));
    }
    lines.join("\n")
}

/// Breaks the lines of a text that are longer than `width` columns. A line breaks only between words, so a
/// longer word stays whole. What follows is indented: below the last column of a table, or else a little. A
/// command that repeats something (`repeat: …`) stays one command, by a `\` at the end of each line but the last.
pub fn wrapped(text: &str, width: usize) -> String {
    let lines = text.split('\n').map(|line| {
        if textwrap::core::display_width(line) <= width {
            return line.to_owned();
        }
        let is_command = line.trim_start().starts_with("repeat: ");
        let (width, end) = if is_command { (width.saturating_sub(2), " \\\n") } else { (width, "\n") };
        let indent = " ".repeat(hanging(line, width));
        let options = textwrap::Options::new(width)
            .subsequent_indent(&indent)
            .break_words(false)
            .word_separator(textwrap::WordSeparator::AsciiSpace)
            .word_splitter(textwrap::WordSplitter::NoHyphenation)
            .wrap_algorithm(textwrap::WrapAlgorithm::FirstFit);
        textwrap::wrap(line, options).join(end)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// How far the rest of a long line is indented: to its last column that begins in the first half of the width,
/// where a column begins after two spaces.
fn hanging(line: &str, width: usize) -> usize {
    let indent = line.len() - line.trim_start_matches(' ').len();
    let column = line.match_indices("  ").map(|(at, _)| {
        let rest = line[at..].trim_start_matches(' ');
        textwrap::core::display_width(&line[..line.len() - rest.len()])
    });
    column.filter(|at| *at > indent && *at <= width / 2).max().unwrap_or(indent + 2)
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
    fn a_long_line_breaks_between_words_and_a_command_stays_one() {
        let text = "missing  cargo  it is not there at all\nshort\n  repeat: run the-check --test=a::b";
        let expected = "missing  cargo  it is\n         not there at\n         all\nshort\n  repeat: run \\\n    \
                        the-check \\\n    --test=a::b";
        assert_eq!(wrapped(text, 22), expected);
        assert_eq!(
            wrapped("  a long-word-that-does-not-fit b", 12),
            "  a\n    long-word-that-does-not-fit\n    b"
        );
        // Colours have no width.
        assert_eq!(wrapped("\u{1b}[1mab cd\u{1b}[0m", 5), "\u{1b}[1mab cd\u{1b}[0m");
    }

    #[test]
    fn a_message_is_bounded_and_moves_no_terminal() {
        assert_eq!(message("a\n\u{1b}[2Jb"), "a\n␛[2Jb");
        let long = message(&format!("{}\n{}", "x".repeat(1 << 20), "y\n".repeat(1 << 20)));
        assert!(long.len() < 2000 && long.ends_with("more lines"), "{}", long.len());
    }

    #[test]
    fn a_value_is_quoted_on_one_line_and_cut() {
        assert_eq!(value("a\nb\u{1b}[0m"), "\"a␊b␛[0m\"");
        assert_eq!(value(&"x".repeat(1000)).chars().count(), 203);
    }
}
