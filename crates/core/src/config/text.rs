//! Reads JSON and YAML texts, and makes texts from outside safe to show.

use serde_json::Value;

/// Reads JSON. The text may begin with the mark that editors on Windows write (U+FEFF), as for the YAML
/// parser. An error is a sentence with line and column.
pub fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| printable(&error.to_string()))
}

/// Reads YAML, which includes JSON. Anchors and merge keys are resolved. An error is a sentence with line and
/// column. Only `true` and `false` are booleans, as in the agent's parser: `on` and `no` are text.
pub fn yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let told = error.render_with_formatter(&serde_saphyr::UserMessageFormatter);
        printable(&told)
    })
}

/// The text with escapes for its control characters, because a terminal or a log would obey them.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn anchors_and_merge_keys_are_resolved_and_words_stay_words() {
        let text = "a: &a {x: 1, on: yes}\nb: {<<: *a, y: true}\n";
        assert_eq!(
            yaml(text),
            Ok(json!({"a": {"x": 1, "on": "yes"}, "b": {"x": 1, "on": "yes", "y": true}}))
        );
    }

    #[test]
    fn a_files_mark_and_line_ends_as_on_windows_do_no_harm() {
        let expected = Ok(json!({"a": "b", "c": ["d"]}));
        assert_eq!(json("\u{feff}{\r\n\"a\": \"b\",\r\n\"c\": [\"d\"]}\r\n"), expected);
        assert_eq!(yaml("\u{feff}a: b\r\nc:\r\n  - d\r\n"), expected);
        assert_eq!(yaml("\u{feff}a: |-\r\n  b\r\n  c\r\n"), Ok(json!({"a": "b\nc"})));
    }

    #[test]
    fn an_error_says_where() {
        assert_eq!(json("{\"a\": }").unwrap_err(), "expected value at line 1 column 7");
        assert_eq!(yaml("a: [1").unwrap_err(), "unclosed bracket '[' at line 1, column 4");
        assert_eq!(
            yaml("a: 1\na: 2").unwrap_err(),
            "duplicate mapping key `a` is not allowed here at line 2, column 1"
        );
    }

    #[test]
    fn a_text_that_is_meant_to_exhaust_the_parser_is_refused() {
        let deep = "[".repeat(100_000);
        assert!(json(&deep).unwrap_err().starts_with("recursion limit exceeded"));
        assert!(yaml(&deep).is_err());
        let bomb = (1..30).fold("a0: &a0 [x]\n".to_owned(), |text, at| {
            let before = at - 1;
            text + &format!("a{at}: &a{at} [*a{before}, *a{before}, *a{before}]\n")
        });
        assert!(yaml(&bomb).is_err());
    }
}
