//! Finds lines of a repository that mention the predecessor's submodule. They must change, because the
//! submodule will be removed.

use super::Legacy;
use std::borrow::Cow;

/// Endings after which `rust-vmm-ci` does not mean the submodule, but this plugin's repository, a reference
/// to this plugin, or a command of this program.
const OURS: [&str; 14] = [
    "-buildkite-plugin",
    "#v",
    " run",
    " list",
    " explain",
    " pipeline",
    " init",
    " migrate",
    " cache",
    " hook",
    " report",
    " reproduce",
    " doctor",
    " --",
];

/// Words with which files mention submodules in general, for dependabot, renovate, GitHub's checkout, and
/// git.
const GENERAL: [&str; 9] = [
    "gitsubmodule",
    "git-submodules",
    "submodules: true",
    "submodules: recursive",
    "git submodule",
    "submodule update",
    "submodule init",
    "--recurse-submodules",
    "clone --recursive",
];

/// The predecessor's files that other files call.
const FILES: [&str; 3] = ["autogenerate_pipeline.py", "test_run.py", "test_description.json"];

/// How a line mentions the submodule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mention {
    /// It mentions submodules in general. It has no effect if the repository has no other submodule.
    General,
    /// It calls one of the predecessor's Python files. The value is the check of this program that replaces
    /// the file.
    Call(&'static str),
    /// It names a file or folder of the submodule.
    Path,
    /// It mentions the submodule in another way, such as a link to its page.
    Name,
}

/// The texts to search for in lines. `folder` is the folder of the submodule.
pub fn texts(folder: &str) -> Vec<Cow<'static, str>> {
    let mut texts: Vec<Cow<'static, str>> = GENERAL.into_iter().map(Cow::Borrowed).collect();
    texts.extend(FILES[..2].iter().map(|file| Cow::Borrowed(*file)));
    texts.extend(Legacy::files().map(Cow::Borrowed));
    texts.push(Cow::Borrowed("rust-vmm-ci"));
    if !folder.contains("rust-vmm-ci") {
        texts.push(Cow::Owned(format!("{folder}/")));
    }
    texts
}

/// How a line mentions the submodule in this folder. None if it does not.
pub fn mention(line: &str, folder: &str) -> Option<Mention> {
    let own_folder = !folder.contains("rust-vmm-ci") && is_path(line, folder);
    let named = names(line, "rust-vmm-ci");
    if let Some(check) = Legacy::check_of(line) {
        return Some(Mention::Call(check.name()));
    }
    if own_folder || is_path(line, folder) || FILES[..2].iter().any(|file| line.contains(file)) {
        return Some(Mention::Path);
    }
    if GENERAL.iter().any(|text| line.contains(text)) {
        return Some(Mention::General);
    }
    named.then_some(Mention::Name)
}

/// Whether a line contains the name, except as part of one of [`OURS`].
fn names(line: &str, name: &str) -> bool {
    let is_ours = |rest: &str| OURS.iter().any(|ours| rest.starts_with(ours));
    line.match_indices(name).any(|(at, _)| !is_ours(&line[at + name.len()..]))
}

/// Whether a line contains the path of the folder or of something in it. The address of the predecessor's own
/// repository does not count.
fn is_path(line: &str, folder: &str) -> bool {
    let is_in_path = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    line.match_indices(folder).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + folder.len()..]);
        let page = before.ends_with("rust-vmm/") || before.ends_with("rust-vmm:");
        !page && !before.ends_with(is_in_path) && after.starts_with('/')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_speak_of_the_submodule_is_known() {
        for (line, expected) in [
            ("- package-ecosystem: gitsubmodule", Some(Mention::General)),
            ("    submodules: recursive", Some(Mention::General)),
            ("git submodule update --init", Some(Mention::General)),
            ("pytest rust-vmm-ci/integration_tests/test_coverage.py", Some(Mention::Call("coverage"))),
            ("pytest $(find . -name test_benchmark.py)", Some(Mention::Call("bench"))),
            ("./rust-vmm-ci/test_run.py", Some(Mention::Path)),
            ("/rust-vmm-ci @me", Some(Mention::Name)),
            ("exclude = [\"rust-vmm-ci\"]", Some(Mention::Name)),
            ("https://github.com/rust-vmm/rust-vmm-ci/blob/main/x", Some(Mention::Name)),
            ("rust-vmm-ci run clippy", None),
            ("- rust-vmm/rust-vmm-ci#v1.0.0:", None),
            ("https://github.com/rust-vmm/rust-vmm-ci-buildkite-plugin", None),
            ("cargo test --test coverage", None),
        ] {
            assert_eq!(mention(line, "rust-vmm-ci"), expected, "{line}");
        }
    }

    #[test]
    fn a_submodule_in_another_folder_is_known_by_its_path() {
        assert_eq!(mention("sh ci/run.sh", "ci"), Some(Mention::Path));
        assert_eq!(mention("docs/mci/x is magic", "ci"), None);
        assert!(texts("ci").iter().any(|text| text == "ci/"));
    }
}
