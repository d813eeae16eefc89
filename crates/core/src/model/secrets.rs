//! Takes secrets out of text: the one redactor that everything shown passes through.
//!
//! Secrets are the values of variables whose names say so, by the agent's own rule (`--redacted-vars` of
//! `buildkite-agent start`) and some names more, and passwords in addresses.

use super::address::REDACTED;
use std::borrow::Cow;

/// The endings of names of secrets. All but the last two are the agent's.
const ENDINGS: [&str; 8] = [
    "_PASSWORD",
    "_SECRET",
    "_TOKEN",
    "_PRIVATE_KEY",
    "_ACCESS_KEY",
    "_SECRET_KEY",
    "_CONNECTION_STRING",
    "_API_KEY",
];
/// A shorter value is no secret, by the agent's rule (`redact.LengthMin`): it would take words out of every
/// text. In bytes.
const SHORTEST: usize = 6;
/// The longest user and password that are looked for in an address, in bytes.
const LONGEST_USER: usize = 4096;

/// Whether the name of a variable says that its value is a secret.
pub fn is_secret(name: &str) -> bool {
    let upper = name.to_uppercase();
    ENDINGS.iter().any(|ending| upper.ends_with(ending) || upper == ending[1..])
}

/// Takes secrets out of text.
#[derive(Clone, Default)]
pub struct Redactor {
    /// The values, the longest first.
    values: Vec<Vec<u8>>,
}

impl Redactor {
    /// A redactor for the secrets in these variables: pairs of name and value.
    pub fn of<N: AsRef<str>>(variables: impl IntoIterator<Item = (N, Vec<u8>)>) -> Self {
        let mut values: Vec<Vec<u8>> = Vec::new();
        for (name, value) in variables {
            if is_secret(name.as_ref()) {
                // Output comes in lines, so each line of a key is one.
                values.extend(value.split(|byte| *byte == b'\n').map(|line| line.trim_ascii().to_vec()));
            }
        }
        values.retain(|value| value.len() >= SHORTEST);
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self { values }
    }

    /// The text without secrets.
    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self.bytes(text.as_bytes()) {
            Cow::Borrowed(_) => Cow::Borrowed(text),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        }
    }

    /// The bytes without secrets. A secret that is cut in two by the caller is not found.
    pub fn bytes<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let mut text = Cow::Borrowed(text);
        for value in &self.values {
            if find(&text, value).is_some() {
                text = Cow::Owned(replaced(&text, value));
            }
        }
        if let Some(without) = without_passwords(&text) {
            text = Cow::Owned(without);
        }
        text
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.values.len())
    }
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    let first = *what.first()?;
    let mut from = 0;
    while let Some(at) = text.get(from..)?.iter().position(|byte| *byte == first) {
        if text[from + at..].starts_with(what) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

fn replaced(text: &[u8], what: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = find(rest, what) {
        result.extend_from_slice(&rest[..at]);
        result.extend_from_slice(REDACTED.as_bytes());
        rest = &rest[at + what.len()..];
    }
    result.extend_from_slice(rest);
    result
}

/// The text with every `SCHEME://USER:PASSWORD@` without its password; none where there is none. A user of
/// `http` and `https` without a password is a token.
fn without_passwords(text: &[u8]) -> Option<Vec<u8>> {
    let (mut result, mut has_any) = (Vec::new(), false);
    let mut rest = text;
    while let Some(at) = find(rest, b"://") {
        let begin = at + 3;
        let user = &rest[begin..(begin + LONGEST_USER).min(rest.len())];
        let end = user.iter().position(|byte| b"/?#\"'<>`".contains(byte) || byte.is_ascii_whitespace());
        let user = &user[..end.unwrap_or(user.len())];
        let last = user.iter().rposition(|byte| *byte == b'@');
        let secret = last.filter(|last| *last > 0).and_then(|last| {
            let colon = user[..last].iter().position(|byte| *byte == b':');
            let is_web = rest[..at].ends_with(b"http") || rest[..at].ends_with(b"https");
            colon.map(|colon| colon + 1).or_else(|| is_web.then_some(0))
        });
        let (Some(last), Some(secret)) = (last, secret) else {
            result.extend_from_slice(&rest[..begin]);
            rest = &rest[begin..];
            continue;
        };
        has_any = true;
        result.extend_from_slice(&rest[..begin + secret]);
        result.extend_from_slice(REDACTED.as_bytes());
        rest = &rest[begin + last..];
    }
    if !has_any {
        return None;
    }
    result.extend_from_slice(rest);
    Some(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(variables: &[(&str, &str)]) -> Redactor {
        Redactor::of(variables.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())))
    }

    #[test]
    fn values_of_secret_variables_are_taken_out() {
        let redactor = redactor(&[
            ("BUILDKITE_AGENT_ACCESS_TOKEN", "abcdef123"),
            ("DB_PASSWORD", "abcdef"),
            ("SHORT_TOKEN", "abc"),
            ("CARGO_REGISTRY_TOKEN", "one-line\nother-line\n"),
            ("PLAIN", "plain-value"),
        ]);
        let said = redactor.text("abcdef123 abcdef abc plain-value one-line x other-line").into_owned();
        assert_eq!(said, "[redacted] [redacted] abc plain-value [redacted] x [redacted]");
        assert!(matches!(redactor.text("nothing"), Cow::Borrowed(_)));
        assert_eq!(redactor.bytes(b"\xff abcdef \xff").as_ref(), b"\xff [redacted] \xff");
        assert!(!format!("{redactor:?}").contains("abcdef"));
    }

    #[test]
    fn names_tell_secrets() {
        for name in ["A_PASSWORD", "a_secret", "TOKEN", "X_PRIVATE_KEY", "AWS_SECRET_ACCESS_KEY", "API_KEY"] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["BUILDKITE_STEP_KEY", "PATH", "TOKENS", "X_KEY"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn passwords_of_addresses_are_taken_out() {
        let redactor = Redactor::default();
        for (text, expected) in [
            ("git fetch https://u:p4ss@host/r.git x", "git fetch https://u:[redacted]@host/r.git x"),
            ("'https://u:p@ss@host'", "'https://u:[redacted]@host'"),
            ("http://a:b@c/ and ssh://d:e@f/", "http://a:[redacted]@c/ and ssh://d:[redacted]@f/"),
            ("https://host:1/a@b ://", "https://host:1/a@b ://"),
            ("https://token@host/ a:b@c", "https://[redacted]@host/ a:b@c"),
            ("ssh://git@host/ https://host/@x", "ssh://git@host/ https://host/@x"),
            ("https://:p@host", "https://:[redacted]@host"),
        ] {
            assert_eq!(redactor.text(text), expected, "{text}");
        }
    }
}
