//! Reads which lines a diff adds. It only computes: it starts no process and reads no file.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The lines that a change added, counted from 1, in ascending ranges. The key is the file's path from the
/// repository's root, with `/`.
pub type AddedLines = BTreeMap<String, Vec<RangeInclusive<u32>>>;

/// The arguments of the call whose output [`added`] reads. A commit and `--` follow them. They override the
/// person's configuration of another diff program, of prefixes and of context lines.
pub const ARGS: [&str; 12] = [
    "diff",
    "--unified=0",
    "--inter-hunk-context=0",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--no-relative",
    "--diff-filter=d",
    "--ignore-submodules=all",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--end-of-options",
];

/// Reads what git answers to [`ARGS`]. The header of a hunk says how many lines follow, and so a line of a
/// file that looks like a header is not taken for one.
pub fn added(diff: &[u8]) -> AddedLines {
    let mut all = AddedLines::new();
    let mut file = None;
    let mut lines = diff.split(|byte| *byte == b'\n');
    while let Some(line) = lines.next() {
        if let Some(path) = line.strip_prefix(b"+++ ") {
            file = path_of(path);
        } else if let Some((removed, start, count)) = hunk(line) {
            if let (Some(file), 1..) = (&file, count) {
                all.entry(file.clone()).or_default().push(start..=start.saturating_add(count - 1));
            }
            let skipped = u64::from(removed) + u64::from(count);
            for _ in 0..skipped {
                lines.next();
            }
        }
    }
    all
}

/// Reads the header of a hunk: how many lines it removes, the number of its first added line, and how many
/// lines it adds.
fn hunk(line: &[u8]) -> Option<(u32, u32, u32)> {
    let header = std::str::from_utf8(line.strip_prefix(b"@@ -")?.split(|byte| *byte == b'@').next()?).ok()?;
    let (old, new) = header.trim_end().split_once(" +")?;
    let numbers = |range: &str| -> Option<(u32, u32)> {
        match range.split_once(',') {
            Some((start, count)) => Some((start.parse().ok()?, count.parse().ok()?)),
            None => Some((range.parse().ok()?, 1)),
        }
    };
    let ((_, removed), (start, count)) = (numbers(old)?, numbers(new)?);
    Some((removed, start, count))
}

/// The path in a `+++` line: `b/…`. git puts it into double quotes where it contains unusual bytes, and puts
/// a tab after it where it contains spaces.
fn path_of(text: &[u8]) -> Option<String> {
    let text = text.strip_suffix(b"\t").unwrap_or(text);
    let bytes = match text.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        Some(quoted) => unquoted(quoted),
        None => text.to_vec(),
    };
    bytes.strip_prefix(b"b/").map(|path| String::from_utf8_lossy(path).into_owned())
}

/// Undoes git's C-style quoting (`quote_c_style` in git's quote.c).
fn unquoted(quoted: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let (b'\\', [escaped, tail @ ..]) = (*first, rest) else {
            bytes.push(*first);
            continue;
        };
        let octal = rest.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        if let Some(byte) = octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            bytes.push(byte);
            rest = &rest[3..];
            continue;
        }
        bytes.push(match *escaped {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            other => other,
        });
        rest = tail;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_lines_are_those_of_the_hunks_headers() {
        let diff = b"diff --git a/src/lib.rs b/src/lib.rs\n--- a/src/lib.rs\n+++ b/src/lib.rs\n\
            @@ -1 +1 @@ fn x() {\n-a\n+b\n@@ -5,2 +4,0 @@\n-x\n-y\n@@ -9,0 +8,3 @@\n+a\n+b\n+c\n\
            diff --git a/new b/new\nnew file mode 100644\n--- /dev/null\n+++ b/new\n@@ -0,0 +1,2 @@\n+a\n+b\n\
            \\ No newline at end of file\n";
        let expected = [("new".to_owned(), vec![1..=2]), ("src/lib.rs".to_owned(), vec![1..=1, 8..=10])];
        assert_eq!(added(diff), expected.into());
    }

    #[test]
    fn a_line_that_looks_like_a_header_is_none() {
        let diff =
            b"+++ b/a\n@@ -1,2 +1,2 @@\n--- a/other\n-x\n+++ b/other\n+@@ -1 +1 @@\n@@ -9,0 +9 @@\n+y\n";
        assert_eq!(added(diff), [("a".to_owned(), vec![1..=2, 9..=9])].into());
    }

    #[test]
    fn unusual_paths_are_read_as_they_are() {
        let cases: [(&[u8], &str); 4] = [
            (b"b/with space\t", "with space"),
            (b"\"b/tab\\tquote\\\"back\\\\\"", "tab\tquote\"back\\"),
            (b"\"b/\\303\\244\"", "\u{e4}"),
            (b"b/\xff", "\u{fffd}"),
        ];
        for (given, expected) in cases {
            assert_eq!(path_of(given).as_deref(), Some(expected));
        }
        assert_eq!(path_of(b"/dev/null"), None);
    }
}
