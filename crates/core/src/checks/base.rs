//! The base of a change: the branch or commit that it is compared with, and why that one. Pure.
//!
//! The first of these that names a base is used: the check's option `base`; the base of a pull request; the
//! base of a merge queue, from Buildkite's variables or from GitHub's name for the queue's branch; the
//! predecessor's `BASE_BRANCH`; the pipeline's default branch; the remote's `HEAD`; `main`. If the build is
//! of that branch itself, the change is the latest push to it.

use crate::model::address;

/// What is known of the environment. An empty variable counts as not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `BUILDKITE_BRANCH`: the branch of the build, in CI.
    pub branch: Option<String>,
    /// Whether `BUILDKITE_PULL_REQUEST` is a number (it is `false` if there is no pull request).
    pub pull_request: bool,
    /// `BUILDKITE_PULL_REQUEST_BASE_BRANCH`.
    pub pull_request_base: Option<String>,
    /// `BUILDKITE_MERGE_QUEUE_BASE_COMMIT`.
    pub queue_commit: Option<String>,
    /// `BUILDKITE_MERGE_QUEUE_BASE_BRANCH`.
    pub queue_branch: Option<String>,
    /// `BASE_BRANCH` (predecessor's).
    pub base_branch: Option<String>,
    /// `BUILDKITE_PIPELINE_DEFAULT_BRANCH`.
    pub default_branch: Option<String>,
    /// `BUILDKITE_REPO`: the repository's URL, in CI.
    pub repository: Option<String>,
    /// `REMOTE` (predecessor's): a remote's name or URL.
    pub remote: Option<String>,
    /// The names of the repository's remotes.
    pub remotes: Vec<String>,
    /// The remotes that have an address: name and address.
    pub addresses: Vec<(String, String)>,
    /// The branch that `origin/HEAD` stands for, from the clone.
    pub origin_head: Option<String>,
}

/// The variables that [`Surroundings::read`] asks for. A container must receive them.
pub const VARIABLES: [&str; 9] = [
    "BUILDKITE_BRANCH",
    "BUILDKITE_PULL_REQUEST",
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH",
    "BUILDKITE_MERGE_QUEUE_BASE_COMMIT",
    "BUILDKITE_MERGE_QUEUE_BASE_BRANCH",
    "BASE_BRANCH",
    "BUILDKITE_PIPELINE_DEFAULT_BRANCH",
    "BUILDKITE_REPO",
    "REMOTE",
];

impl Surroundings {
    /// Reads the variables. `variable` returns their values. The caller fills in what git knows.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Self {
        let read = |name: &str| variable(name).filter(|value| !value.is_empty());
        let [
            branch,
            pull_request,
            pull_request_base,
            queue_commit,
            queue_branch,
            base_branch,
            default_branch,
            repository,
            remote,
        ] = VARIABLES.map(read);
        Self {
            branch,
            pull_request: pull_request.is_some_and(|number| number != "false"),
            pull_request_base,
            queue_commit,
            queue_branch,
            base_branch,
            default_branch,
            repository,
            remote,
            remotes: Vec::new(),
            addresses: Vec::new(),
            origin_head: None,
        }
    }

    /// Where a base is fetched from: a URL or the name of a remote. None if there is no remote.
    fn source(&self) -> Option<String> {
        let only = || match self.remotes.as_slice() {
            [only] => Some(only.clone()),
            _ => self.remotes.iter().find(|remote| *remote == "origin").cloned(),
        };
        let repository = self.repository.as_deref().map(|address| {
            // If a remote is used by its name, git itself finds the password for it.
            let named = self.addresses.iter().find(|(_, known)| address::same(known, address));
            named.map_or(address, |(name, _)| name).to_owned()
        });
        repository.or_else(|| self.remote.clone()).or_else(only)
    }

    /// The base that is in the name of a merge queue's branch. GitHub's rule for the name is
    /// `gh-readonly-queue/BASE/pr-NUMBER-COMMIT`, where the commit is that of the base. Only a build without
    /// a pull request uses it, because the branch of a pull request can have any name.
    fn queue(&self) -> Option<&str> {
        let branch = self.branch.as_deref().filter(|_| !self.pull_request)?;
        let (base, last) = branch.strip_prefix("gh-readonly-queue/")?.rsplit_once("/pr-")?;
        let (number, commit) = last.split_once('-').unwrap_or((last, ""));
        if base.is_empty() || number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(if is_hash(commit) { commit } else { base })
    }
}

/// Whether a text is the full hash of a commit.
fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What a change is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// A branch of the repository that it is fetched from.
    Branch {
        /// Its name there.
        name: String,
        /// Where it is fetched from.
        remote: Option<String>,
        /// Local names to use if it cannot be fetched, the best one first.
        local: Vec<String>,
    },
    /// A commit, by its full hash.
    Commit {
        /// The hash.
        hash: String,
        /// Where it is fetched from if the clone does not have it.
        remote: Option<String>,
    },
    /// The state of the branch before the push that this build is for.
    Pushed {
        /// The branch.
        name: String,
        /// Where more of its history comes from.
        remote: Option<String>,
    },
}

/// A base, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The base.
    pub base: Base,
    /// What named it.
    pub named_by: String,
    /// The sources that were asked before and named no base, in order.
    pub silent: Vec<String>,
}

/// Decides what a change is compared with. `option` is the check's own option `base`, and `key` is its key
/// path.
pub fn choose(option: Option<&str>, key: &str, known: &Surroundings) -> Choice {
    let variable = |index: usize| VARIABLES[index].to_owned();
    let (person, buildkite) = (true, false);
    let queue_name = "the name of the merge queue's branch".to_owned();
    let candidates = [
        (key.to_owned(), option, person),
        (variable(2), known.pull_request_base.as_deref(), buildkite),
        (variable(3), known.queue_commit.as_deref(), buildkite),
        (variable(4), known.queue_branch.as_deref(), buildkite),
        (queue_name.clone(), known.queue(), buildkite),
        (variable(5), known.base_branch.as_deref(), person),
        (variable(6), known.default_branch.as_deref(), buildkite),
        ("origin/HEAD".to_owned(), known.origin_head.as_deref(), buildkite),
    ];
    let mut silent = Vec::new();
    for (named_by, value, by_person) in candidates {
        match value {
            Some(value) => return Choice { base: base(value, by_person, known), named_by, silent },
            None if named_by == queue_name => {}
            None => silent.push(named_by),
        }
    }
    Choice { base: base("main", buildkite, known), named_by: "the default".to_owned(), silent }
}

/// Reads a name: the full hash of a commit, or a branch. A person can also write `REMOTE/BRANCH` with an
/// existing remote. Buildkite and git name branches only: there `release/1.0` is a branch, even if a remote
/// is called `release`.
fn base(value: &str, by_person: bool, known: &Surroundings) -> Base {
    if is_hash(value) {
        return Base::Commit { hash: value.to_ascii_lowercase(), remote: known.source() };
    }
    let of_remote = value
        .split_once('/')
        .filter(|(remote, _)| by_person && known.remotes.iter().any(|name| name == remote));
    let (name, remote) = match of_remote {
        Some((remote, name)) => (name, Some(remote.to_owned())),
        None => (value, known.source()),
    };
    let queued = known.queue_branch.is_some() || known.queue_commit.is_some() || known.queue().is_some();
    if known.branch.as_deref() == Some(name) && !known.pull_request && !queued {
        return Base::Pushed { name: name.to_owned(), remote };
    }
    let tracked = remote.as_deref().filter(|remote| known.remotes.iter().any(|name| name == remote));
    let tracked = format!("refs/remotes/{}/{name}", tracked.unwrap_or("origin"));
    let mut local = vec![tracked, format!("refs/heads/{name}")];
    // Git would read the name of a remote as that remote's `HEAD`.
    local.extend(known.remotes.iter().all(|remote| remote != value).then(|| value.to_owned()));
    Base::Branch { name: name.to_owned(), remote, local }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The option, the variables, `origin/HEAD`, and the expected choice.
    type Case<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)], &'a str, String);

    const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

    /// The choice as text: `remote name` for a branch, `remote hash` for a commit, `pushed name`, then what
    /// named it.
    fn chosen(option: Option<&str>, variables: &[(&str, &str)], remotes: &[&str], head: &str) -> String {
        let read = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let known = Surroundings {
            remotes: remotes.iter().map(|name| (*name).to_owned()).collect(),
            origin_head: Some(head.to_owned()).filter(|head| !head.is_empty()),
            ..Surroundings::read(read)
        };
        let choice = choose(option, "checks.commit-format.base", &known);
        let base = match choice.base {
            Base::Branch { name, remote, .. } => format!("{} {name}", remote.unwrap_or_default()),
            Base::Commit { hash, remote } => format!("{} {hash}", remote.unwrap_or_default()),
            Base::Pushed { name, .. } => format!("pushed {name}"),
        };
        format!("{base}, {}", choice.named_by)
    }

    #[test]
    fn the_first_that_names_a_base_decides() {
        let pull = [
            ("BUILDKITE_REPO", "URL"),
            ("BUILDKITE_BRANCH", "main"),
            ("BUILDKITE_PULL_REQUEST", "7"),
            ("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "main"),
            ("BASE_BRANCH", "other"),
            ("REMOTE", "other"),
        ];
        let queue = [
            ("BUILDKITE_REPO", "URL"),
            ("BUILDKITE_BRANCH", "gh-readonly-queue/main/pr-1-0123"),
            ("BUILDKITE_PULL_REQUEST", "false"),
            ("BUILDKITE_PULL_REQUEST_BASE_BRANCH", ""),
            ("BUILDKITE_MERGE_QUEUE_BASE_BRANCH", "main"),
            ("BUILDKITE_MERGE_QUEUE_BASE_COMMIT", HASH),
        ];
        let push = [
            ("BUILDKITE_REPO", "URL"),
            ("BUILDKITE_BRANCH", "main"),
            ("BUILDKITE_PULL_REQUEST", "false"),
            ("BUILDKITE_PIPELINE_DEFAULT_BRANCH", "main"),
        ];
        let branch =
            [("BUILDKITE_REPO", "URL"), ("BUILDKITE_BRANCH", "work"), ("BUILDKITE_PULL_REQUEST", "false")];
        let laptop = [("BASE_BRANCH", "dev"), ("REMOTE", "upstream")];
        let option = "checks.commit-format.base";
        let cases: Vec<Case<'_>> = vec![
            (Some("stable"), &pull, "main", format!("URL stable, {option}")),
            (Some(HASH), &pull, "main", format!("URL {HASH}, {option}")),
            (None, &pull, "main", "URL main, BUILDKITE_PULL_REQUEST_BASE_BRANCH".into()),
            (None, &queue, "main", format!("URL {HASH}, BUILDKITE_MERGE_QUEUE_BASE_COMMIT")),
            (None, &queue[..5], "main", "URL main, BUILDKITE_MERGE_QUEUE_BASE_BRANCH".into()),
            (None, &push, "", "pushed main, BUILDKITE_PIPELINE_DEFAULT_BRANCH".into()),
            (Some("main"), &push, "", format!("pushed main, {option}")),
            (None, &push[..3], "main", "pushed main, origin/HEAD".into()),
            (None, &push[..3], "trunk", "URL trunk, origin/HEAD".into()),
            (None, &branch, "", "URL main, the default".into()),
            (None, &laptop, "main", "upstream dev, BASE_BRANCH".into()),
            (None, &[], "trunk", "origin trunk, origin/HEAD".into()),
            (Some("fork/a/b"), &[], "trunk", format!("fork a/b, {option}")),
            (Some("a/b"), &[], "trunk", format!("origin a/b, {option}")),
        ];
        for (option, variables, head, expected) in cases {
            assert_eq!(chosen(option, variables, &["fork", "origin"], head), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_merge_queues_branch_names_its_base() {
        let branch = |name: &'static str| [("BUILDKITE_BRANCH", name), ("BUILDKITE_REPO", "URL")];
        let named = "the name of the merge queue's branch";
        let commit = "gh-readonly-queue/release/1.0/pr-7-0123456789abcdef0123456789abcdef01234567";
        assert_eq!(chosen(None, &branch(commit), &["origin"], "main"), format!("URL {HASH}, {named}"));
        for (name, base) in [
            ("gh-readonly-queue/release/1.0/pr-7-0123", "release/1.0"),
            ("gh-readonly-queue/a/pr-1/b/pr-7", "a/pr-1/b"),
        ] {
            assert_eq!(chosen(None, &branch(name), &["origin"], "main"), format!("URL {base}, {named}"));
        }
        for name in ["gh-readonly-queue/pr-7", "gh-readonly-queue/main/pr-x", "gh-readonly-queue//pr-7"] {
            assert_eq!(chosen(None, &branch(name), &["origin"], "main"), "URL main, origin/HEAD", "{name}");
        }
        let pull = [branch(commit)[0], ("BUILDKITE_PULL_REQUEST", "7")];
        assert_eq!(chosen(None, &pull, &["origin"], "main"), "origin main, origin/HEAD");
    }

    #[test]
    fn a_branch_that_is_named_like_a_remote_is_a_branch_where_buildkite_names_it() {
        let remotes = ["origin", "release"];
        for variable in ["BUILDKITE_PULL_REQUEST_BASE_BRANCH", "BUILDKITE_MERGE_QUEUE_BASE_BRANCH"] {
            let said = chosen(None, &[(variable, "release/1.0")], &remotes, "");
            assert_eq!(said, format!("origin release/1.0, {variable}"));
        }
        let by_person = chosen(None, &[("BASE_BRANCH", "release/1.0")], &remotes, "");
        assert_eq!(by_person, "release 1.0, BASE_BRANCH");
        let known = Surroundings {
            remotes: vec!["release".into()],
            pull_request_base: Some("release".into()),
            ..Surroundings::default()
        };
        let Base::Branch { local, .. } = choose(None, "k", &known).base else { panic!() };
        assert_eq!(local, ["refs/remotes/release/release", "refs/heads/release"]);
    }

    #[test]
    fn the_repository_is_fetched_by_the_name_of_its_remote() {
        let known = Surroundings {
            repository: Some("https://x:token@host/a.git".into()),
            addresses: vec![
                ("other".into(), "https://host/b.git".into()),
                ("up".into(), "https://host/a.git".into()),
            ],
            ..Surroundings::default()
        };
        let Base::Branch { remote, .. } = choose(None, "k", &known).base else { panic!() };
        assert_eq!(remote.as_deref(), Some("up"));
    }

    #[test]
    fn without_origin_the_only_remote_serves() {
        assert_eq!(chosen(None, &[], &["upstream"], ""), "upstream main, the default");
        assert_eq!(chosen(None, &[], &["a", "b"], ""), " main, the default");
    }

    #[test]
    fn what_could_have_named_a_base_is_told() {
        let choice = choose(None, "checks.x.base", &Surroundings::default());
        assert_eq!(choice.silent.len(), 7);
        assert_eq!(choice.silent[0], "checks.x.base");
        let Base::Branch { local, .. } = choice.base else { panic!("{choice:?}") };
        assert_eq!(local, ["refs/remotes/origin/main", "refs/heads/main", "main"]);
    }
}
