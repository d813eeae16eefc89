//! Paths within a repository: from its root, with `/`, and the root itself as the empty path.

/// The path that `relative` is from the folder `base`; none where it leads out of the repository.
pub fn join(base: &str, relative: &str) -> Option<String> {
    let relative = relative.replace('\\', "/");
    if relative.starts_with('/') || relative.contains(':') {
        return None;
    }
    let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// Whether a path is a folder or stands below it.
pub fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path of a file in a folder.
pub fn file_in(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_brought_to_one_form() {
        for (base, relative, path) in [
            ("", "a/", Some("a")),
            ("", ".", Some("")),
            ("a/b", "../c/./d", Some("a/c/d")),
            ("a", "..", Some("")),
            ("a", "../..", None),
            ("", "/etc", None),
            ("", "C:\\x", None),
            ("", "a\\b", Some("a/b")),
        ] {
            assert_eq!(join(base, relative).as_deref(), path, "{base} {relative}");
        }
    }

    #[test]
    fn a_folder_holds_itself_and_what_is_below_it() {
        assert!(is_within("a", "a") && is_within("a/b", "a") && is_within("x", ""));
        assert!(!is_within("ab", "a"));
    }
}
