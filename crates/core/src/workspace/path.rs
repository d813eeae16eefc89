//! Paths in a repository. They start at its root and use `/`. The empty path is the root itself.

use std::path::Path;

/// Joins `relative` to the folder `base`. The result is `None` if the path leads out of the repository.
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

/// Whether `path` is `folder` itself or is below it.
pub fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path of the file `name` in a folder.
pub fn file_in(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Turns a path from a tool's output into a path from the repository's root. The tool may print an
/// absolute or a relative path, with `/` or with `\`. On Windows rustfmt makes paths canonical, so they
/// begin with `\\?\`, which the path of the root does not. A path outside the repository stays the same,
/// except that it has `/`.
pub fn from_root(root: &Path, file: &str) -> String {
    let plain = |path: &str| {
        let path = match path.strip_prefix(r"\\?\") {
            Some(rest) => {
                rest.strip_prefix(r"UNC\").map_or_else(|| rest.to_owned(), |share| format!(r"\\{share}"))
            }
            None => path.to_owned(),
        };
        path.replace('\\', "/")
    };
    let (root, file) = (plain(&root.to_string_lossy()), plain(file));
    let below = file.strip_prefix(root.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
    below.map_or_else(|| file.clone(), ToOwned::to_owned)
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
    fn a_file_that_a_tool_named_whole_is_one_of_the_repositorys_in_every_spelling() {
        for (root, file, path) in [
            ("/r", "/r/src/a.rs", "src/a.rs"),
            ("/r", "/rest/a.rs", "/rest/a.rs"),
            ("/", "/a.rs", "a.rs"),
            (r"C:\r", r"\\?\C:\r\src\a.rs", "src/a.rs"),
            (r"C:\r", r"C:\r\src/a.rs", "src/a.rs"),
            (r"C:\r", r"src\a.rs", "src/a.rs"),
            (r"C:\", r"\\?\C:\a.rs", "a.rs"),
            (r"C:\r", r"\\?\D:\a.rs", "D:/a.rs"),
            (r"\\h\s\r", r"\\?\UNC\h\s\r\a.rs", "a.rs"),
        ] {
            assert_eq!(from_root(Path::new(root), file), path, "{root} {file}");
        }
    }

    #[test]
    fn a_folder_holds_itself_and_what_is_below_it() {
        assert!(is_within("a", "a") && is_within("a/b", "a") && is_within("x", ""));
        assert!(!is_within("ab", "a"));
    }
}
