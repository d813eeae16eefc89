//! Addresses of repositories, and the passwords in them.

use std::borrow::Cow;

/// What stands in the place of something that is not shown.
pub const REDACTED: &str = "[redacted]";

/// An address without the user and the password in it: `https://user:password@host/path` becomes
/// `https://host/path`. The user of ssh stays, because the address needs it. A text that is no such address
/// stays the same.
pub fn without_password(address: &str) -> Cow<'_, str> {
    match parts(address) {
        Some((scheme, user, rest)) if scheme != "ssh" || user.contains(':') => {
            let name = user.split(':').next().unwrap_or_default();
            let user = if scheme == "ssh" { format!("{name}@") } else { String::new() };
            format!("{scheme}://{user}{rest}").into()
        }
        _ => address.into(),
    }
}

/// The user and the password of an address of the web, as they are written in it.
pub fn user_and_password(address: &str) -> Option<(&str, &str)> {
    let (scheme, user, _) = parts(address)?;
    ["http", "https"].contains(&scheme).then(|| user.split_once(':').unwrap_or((user, "")))
}

/// Whether two addresses are the same but for users and passwords.
pub fn same(one: &str, other: &str) -> bool {
    without_password(one) == without_password(other)
}

/// Scheme, user with password, and the rest, of an address that has a user.
fn parts(address: &str) -> Option<(&str, &str, &str)> {
    let (scheme, rest) = address.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let at = rest[..end].rfind('@')?;
    Some((scheme, &rest[..at], &rest[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_its_password_and_nothing_else() {
        for (address, expected) in [
            ("https://x-access-token:s3cr3t@host:1/a/b.git", "https://host:1/a/b.git"),
            ("https://token@host/a", "https://host/a"),
            ("https://a:b@c@host/a", "https://host/a"),
            ("https://a:b@host", "https://host"),
            ("https://host/a@b", "https://host/a@b"),
            ("ssh://git@host/a", "ssh://git@host/a"),
            ("ssh://git:pw@host/a", "ssh://git@host/a"),
            ("git@host:a/b", "git@host:a/b"),
            ("origin", "origin"),
            ("/a/b", "/a/b"),
        ] {
            assert_eq!(without_password(address), expected, "{address}");
        }
        assert_eq!(user_and_password("https://a:b@host/"), Some(("a", "b")));
        assert_eq!(user_and_password("https://host/"), None);
    }

    #[test]
    fn addresses_are_compared_without_passwords() {
        assert!(same("https://a:b@host/r", "https://host/r") && !same("https://host/r", "https://host/s"));
    }
}
