//! Lines of a repository that speak of the predecessor's submodule, which will not be there any more.

use super::Legacy;
use std::borrow::Cow;

/// Names that continue `rust-vmm-ci` and are not the submodule: this plugin's repository, a reference to this
/// plugin, and this program's commands.
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

/// Words by which files speak of submodules in general: dependabot, renovate, GitHub's checkout, git.
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

/// What a line says of the submodule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mention {
    /// It speaks of submodules in general: it has nothing to do where no other submodule is left.
    General,
    /// It calls one of the predecessor's Python files, which are checks of this program now.
    Call(&'static str),
    /// It names a file or folder of the submodule.
    Path,
    /// It speaks of the submodule, such as a link to its page.
    Name,
}

/// The texts that lines are searched for, for a submodule in this folder.
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

/// What a line says of the submodule in this folder; none where it says nothing of it.
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

/// Whether a line has the name, other than as a part of one of ours.
fn names(line: &str, name: &str) -> bool {
    let is_ours = |rest: &str| OURS.iter().any(|ours| rest.starts_with(ours));
    line.match_indices(name).any(|(at, _)| !is_ours(&line[at + name.len()..]))
}

/// Whether a line has the path of the folder, or of something in it. A page of the predecessor's own
/// repository is none.
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
