//! What `$` means in the predecessor's inputs.
//!
//! Its output went through `buildkite-agent pipeline upload` **with** interpolation: `$$` and `\$`
//! are a plain `$` at run time. Ours goes without, so the escapes are taken away here, by the rules of
//! the agent's `interpolate` library.

use serde_json::Value;
use std::borrow::Cow;

/// A text as it was at run time. What refers to a variable stays: the shell knows it by then, and a
/// value pasted in at upload (a branch's name) would be read as part of the command.
pub fn at_run_time(text: &str) -> Cow<'_, str> {
    if !text.contains('$') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\']) {
        plain.push_str(&rest[..at]);
        let (shown, taken) = match &rest.as_bytes()[at..] {
            [b'\\', b'\\', ..] => ("\\\\", 2),
            [b'\\' | b'$', b'$', ..] => ("$", 2),
            [b'$', ..] => ("$", 1),
            _ => ("\\", 1),
        };
        plain.push_str(shown);
        rest = &rest[at + taken..];
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// Every text within a value, as it was at run time.
pub fn value_at_run_time(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Cow::Owned(plain) = at_run_time(text) {
                *text = plain;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(value_at_run_time),
        Value::Object(map) => map.values_mut().for_each(value_at_run_time),
        _ => {}
    }
}

/// The first variable of a text that the predecessor's upload replaced by its value there: a `$`
/// before a name or a brace, without an escape.
pub fn interpolated(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\']) {
        let taken = match &rest.as_bytes()[at..] {
            [b'\\', b'\\', ..] | [b'\\' | b'$', b'$', ..] => 2,
            [b'$', ..] => {
                let name = rest[at + 1..].trim_start_matches('{');
                let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
                if name[..end].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                    return Some(&name[..end]);
                }
                1
            }
            _ => 1,
        };
        rest = &rest[at + taken..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_dollar_is_a_dollar_at_run_time() {
        for (written, meant) in [
            ("no dollar \\ at all", "no dollar \\ at all"),
            ("ROOT=$$PWD", "ROOT=$PWD"),
            ("echo $$$$", "echo $$"),
            (r"awk '{print \$1}'", "awk '{print $1}'"),
            (r"a \\$X", r"a \\$X"),
            ("$(find . -name x) $1 ${A} é$$é", "$(find . -name x) $1 ${A} é$é"),
            (r"$ \", r"$ \"),
        ] {
            assert_eq!(at_run_time(written), meant, "{written}");
        }
    }

    #[test]
    fn every_text_within_a_value_is_read_so() {
        let mut value = serde_json::json!({"a": ["$$A", {"b": "\\$B"}], "c": 1});
        value_at_run_time(&mut value);
        assert_eq!(value, serde_json::json!({"a": ["$A", {"b": "$B"}], "c": 1}));
    }

    #[test]
    fn a_variable_that_was_replaced_at_upload_is_found() {
        for (text, name) in [
            ("git log $BUILDKITE_COMMIT", Some("BUILDKITE_COMMIT")),
            ("echo ${X:-1}", Some("X")),
            ("echo $$X $(y) $1 \\$Z", None),
        ] {
            assert_eq!(interpolated(text), name, "{text}");
        }
    }
}
