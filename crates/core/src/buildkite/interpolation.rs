//! How the agent reads `$` in a pipeline that it uploads with interpolation.
//!
//! The rules are those of the agent's library `interpolate`, v0.1.5 (`parser.go`):
//!
//! | text | meaning |
//! |---|---|
//! | `\\` | both backslashes, as they are; the second one escapes nothing |
//! | `$$`, `\$` | a plain `$`; what follows is plain text |
//! | `$(` | as it is |
//! | `$` and a letter | a variable: letters, digits and `_` |
//! | `${` and a letter | a variable, with an operation such as `:-` before the `}` |
//! | any other `$` or `\` | as it is: `$1`, `$_`, a `$` at the end |

use serde_json::{Map, Value};

/// A piece of a text.
enum Piece<'t> {
    /// Text that stays as it is.
    Text(&'t str),
    /// `$$` or `\$`: a plain `$`.
    Dollar,
    /// The `$` of a variable, and the variable's name.
    Variable(&'t str),
}

/// Splits a text into its pieces. A variable's name is not part of its piece: it follows as text.
fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, length) = match rest.as_bytes() {
            [] => return None,
            [b'\\', b'\\', ..] => (Piece::Text(&rest[..2]), 2),
            [b'\\' | b'$', b'$', ..] => (Piece::Dollar, 2),
            [b'$', ..] => match variable(&rest[1..]) {
                Some(name) => (Piece::Variable(name), 1),
                None => (Piece::Text(&rest[..1]), 1),
            },
            [b'\\', ..] => (Piece::Text(&rest[..1]), 1),
            _ => {
                let end = rest.find(['$', '\\']).unwrap_or(rest.len());
                (Piece::Text(&rest[..end]), end)
            }
        };
        rest = &rest[length..];
        Some(piece)
    })
}

/// The name of the variable at the beginning of the text that follows a `$`. None if there is no variable.
fn variable(behind: &str) -> Option<&str> {
    let name = behind.strip_prefix('{').unwrap_or(behind);
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    Some(&name[..end]).filter(|name| name.starts_with(char::is_alphabetic))
}

/// The first variable in a text that the agent would replace with its value.
pub fn first_variable(text: &str) -> Option<&str> {
    pieces(text).find_map(|piece| match piece {
        Piece::Variable(name) => Some(name),
        Piece::Text(_) | Piece::Dollar => None,
    })
}

/// Removes the escapes of `$` from every text in a value, keys included, as the agent does when it uploads a
/// pipeline. Variables stay, because their values are known only in the build, where the shell replaces them.
/// If a value such as a branch name were inserted at upload, the shell would read it as part of the command.
pub fn unescape(value: &mut Value) {
    each_text(value, &|text| text.contains('$').then(|| unescaped(text)));
}

/// Escapes every `$` in a value, keys included, so that the agent uploads the texts unchanged. One text
/// cannot be kept: a single `\` directly before a `$`. No escape produces it, and the `\` is lost.
pub fn escape(value: &mut Value) {
    let escaped = |text: &str| text.contains('$').then(|| text.replace('$', "$$"));
    each_text(value, &escaped);
}

fn unescaped(text: &str) -> String {
    let piece = |piece| match piece {
        Piece::Text(text) => text,
        Piece::Dollar | Piece::Variable(_) => "$",
    };
    pieces(text).map(piece).collect()
}

/// Changes every text in a value, keys included. `change` returns none if a text stays as it is.
fn each_text(value: &mut Value, change: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(changed) = change(text) {
                *text = changed;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Value::Object(map) => {
            map.values_mut().for_each(|value| each_text(value, change));
            if map.keys().any(|key| key.contains('$')) {
                let entries = std::mem::take(map).into_iter();
                *map =
                    entries.map(|(key, value)| (change(&key).unwrap_or(key), value)).collect::<Map<_, _>>();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_escaped_dollar_is_a_plain_one_and_all_else_stays() {
        for (written, meant) in [
            (r"no dollar \ at all", r"no dollar \ at all"),
            ("ROOT=$$PWD", "ROOT=$PWD"),
            ("echo $$$$ $$$X", "echo $$ $$X"),
            (r"awk '{print \$1}'", "awk '{print $1}'"),
            (r"two backslashes \\$X", r"two backslashes \\$X"),
            (r"three backslashes \\\$X", r"three backslashes \\$X"),
            (r"\\$$X", r"\\$X"),
            ("$(find . -name x) $1 $_ ${A} é$$é", "$(find . -name x) $1 $_ ${A} é$é"),
            ("${X:-$$y} $${X:-y}", "${X:-$y} ${X:-y}"),
            (r"$ \", r"$ \"),
            ("$", "$"),
            ("$$", "$"),
            ("$$$", "$$"),
        ] {
            assert_eq!(unescaped(written), meant, "{written}");
        }
    }

    #[test]
    fn the_texts_of_a_value_and_its_keys_are_read_so() {
        let mut value = json!({"a": ["$$A", {"\\$k": "\\$B"}], "c": 1});
        unescape(&mut value);
        assert_eq!(value, json!({"a": ["$A", {"$k": "$B"}], "c": 1}));
        let keys: Vec<_> = value.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["a", "c"]);
    }

    #[test]
    fn what_is_escaped_comes_back_from_the_agent_as_it_was() {
        for text in ["a$b", "$$", "${X:-y}", "$(x)", "$1", "$", r"\\$X", r"\\", r"\a", "no"] {
            let mut value = json!({text: [text]});
            escape(&mut value);
            let written = value[0].as_str().unwrap_or_default();
            assert_eq!(first_variable(written), None, "{text}");
            unescape(&mut value);
            assert_eq!(value, json!({text: [text]}));
        }
    }

    #[test]
    fn a_variable_is_what_the_agent_would_replace() {
        for (text, name) in [
            ("git log $BUILDKITE_COMMIT", Some("BUILDKITE_COMMIT")),
            ("echo ${X:-1}", Some("X")),
            (r"echo \\$X", Some("X")),
            (r"echo \\\$X", None),
            ("echo $$X $(y) $1 \\$Z $_ $", None),
            ("echo $$$X", Some("X")),
        ] {
            assert_eq!(first_variable(text), name, "{text}");
        }
    }
}
