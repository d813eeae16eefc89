//! A configuration of git without what lets somebody in: for a container with a stranger's code.

use super::address::without_password;
use super::secrets::is_secret;
use std::fmt::Write as _;

/// The sections that hold passwords, headers with tokens, or the names of files and programs that do
/// (git-config(1)).
const LEFT_OUT: [&str; 6] = ["credential", "http", "imap", "include", "includeif", "sendemail"];

/// An entry of git's list of a configuration (`git config --null --list`): the key, and the value if there is one.
pub type Entry = (String, Option<String>);

/// The file with these entries, and without what lets somebody in: passwords in addresses, headers and tokens,
/// sections that name where they are. None where there is nothing of it, so that the file can stay as it is.
pub fn without_credentials(entries: &[Entry]) -> Option<String> {
    let mut text = String::new();
    let mut same = true;
    for (key, value) in entries {
        let Some((section, subsection, name)) = parts(key) else { continue };
        let plain = value.as_deref().map(without_password);
        // The address that a `url` section replaces is its name.
        let of_password = subsection.is_some_and(|subsection| without_password(subsection) != subsection);
        let is_header =
            ["extraheader", "cookiefile", "proxy"].contains(&name) || is_secret(&name.replace('-', "_"));
        if LEFT_OUT.contains(&section) || of_password || is_header {
            same = false;
            continue;
        }
        same &= plain.as_deref() == value.as_deref();
        let subsection = subsection.map_or_else(String::new, |subsection| format!(" {}", quoted(subsection)));
        let value = plain.map_or_else(String::new, |value| format!(" = {}", quoted(&value)));
        let _ = writeln!(text, "[{section}{subsection}]\n\t{name}{value}");
    }
    (!same).then_some(text)
}

/// Section, subsection and name of a key. The subsection may have dots in it.
fn parts(key: &str) -> Option<(&str, Option<&str>, &str)> {
    let (section, rest) = key.split_once('.')?;
    Some(match rest.rsplit_once('.') {
        Some((subsection, name)) => (section, Some(subsection), name),
        None => (section, None, rest),
    })
}

fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(all: &[(&str, &str)]) -> Vec<Entry> {
        all.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))).collect()
    }

    #[test]
    fn a_configuration_without_credentials_stays_as_it_is() {
        let plain = [
            ("core.bare", "false"),
            ("remote.origin.url", "https://host/r.git"),
            ("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*"),
            ("remote.up.url", "git@host:r.git"),
            ("url.https://host/.insteadof", "git@host:"),
        ];
        assert_eq!(without_credentials(&entries(&plain)), None);
    }

    #[test]
    fn whatever_lets_somebody_in_is_left_out_and_the_rest_stays() {
        for (key, value) in [
            ("remote.origin.url", "https://user:t0ken@host/r.git"),
            ("remote.origin.pushurl", "https://t0ken@host/r.git"),
            ("remote.origin.proxy", "http://user:t0ken@proxy"),
            ("http.extraheader", "Authorization: basic t0ken"),
            ("http.https://host/.extraheader", "Authorization: basic t0ken"),
            ("credential.helper", "!echo password=t0ken"),
            ("url.https://user:t0ken@host/.insteadof", "https://host/"),
            ("include.path", "t0ken"),
            ("includeif.gitdir:x.path", "t0ken"),
            ("github.oauth-token", "t0ken"),
            ("gitlab.token", "t0ken"),
        ] {
            let text = without_credentials(&entries(&[("core.bare", "false"), (key, value)]));
            let text = text.unwrap_or_else(|| panic!("{key} stays"));
            assert!(
                !text.contains("t0ken") && text.starts_with("[core]\n\tbare = \"false\"\n"),
                "{key}: {text}"
            );
        }
    }

    #[test]
    fn the_text_is_a_configuration_whatever_is_in_it() {
        let all = entries(&[("branch.a\"b.c\\.description", "x\ty\nz \"q\""), ("http.x", "1")]);
        let expected = "[branch \"a\\\"b.c\\\\\"]\n\tdescription = \"x\\ty\\nz \\\"q\\\"\"\n";
        assert_eq!(without_credentials(&all).as_deref(), Some(expected));
        let flag = [("core.bare".to_owned(), None), ("http.x".to_owned(), None)];
        assert_eq!(without_credentials(&flag).as_deref(), Some("[core]\n\tbare\n"));
    }
}
