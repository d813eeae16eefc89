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

/// Turns a path that a tool printed into a path from the repository's root. The tool worked in the folder
/// `dir`, and a relative path starts there: rustc works in the workspace's root. `.` and `..` are taken out.
/// A path outside the repository is absolute, with `/`.
pub fn from_folder(root: &Path, dir: &Path, file: &str) -> String {
    let file = file.replace('\\', "/");
    let is_absolute = file.starts_with('/') || file.get(1..3) == Some(":/");
    let whole = if is_absolute {
        file
    } else {
        format!("{}/{file}", dir.to_string_lossy().replace('\\', "/").trim_end_matches('/'))
    };
    from_root(root, &without_dots(&whole))
}

/// An absolute path without `.` and `..`.
fn without_dots(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." if parts.len() > 1 => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
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
    fn a_relative_path_starts_in_the_folder_in_which_the_tool_worked() {
        for (dir, file, path) in [
            ("/r", "src/a.rs", "src/a.rs"),
            ("/r/rust", "a/src/a.rs", "rust/a/src/a.rs"),
            ("/r/rust", "./a/../../b/x.rs", "b/x.rs"),
            ("/r/rust", "/r/rust/x.rs", "rust/x.rs"),
            ("/r/rust", "/home/x.rs", "/home/x.rs"),
            ("/r/rust", "../../x.rs", "/x.rs"),
            ("/", "x.rs", "/x.rs"),
        ] {
            assert_eq!(from_folder(Path::new("/r"), Path::new(dir), file), path, "{dir} {file}");
        }
        let windows = from_folder(Path::new(r"C:\r"), Path::new(r"C:\r\rust"), r"a\src\a.rs");
        assert_eq!(windows, "rust/a/src/a.rs");
    }

    #[test]
    fn a_folder_holds_itself_and_what_is_below_it() {
        assert!(is_within("a", "a") && is_within("a/b", "a") && is_within("x", ""));
        assert!(!is_within("ab", "a"));
    }
}
