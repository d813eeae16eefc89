//! What a change is compared with: which branch or commit, and why that one. Pure.
//!
//! In this order: the check's option `base`; the base of a pull request; that of a merge queue; the
//! predecessor's `BASE_BRANCH`; the pipeline's default branch; the remote's `HEAD`; `main`. Where the
//! build is of that very branch, a push to it is what is looked at.

/// What is known of the surroundings; a variable that is empty is one that is not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// `BUILDKITE_BRANCH`: the branch of the build, in CI.
    pub branch: Option<String>,
    /// Whether `BUILDKITE_PULL_REQUEST` is a number (it is `false` where there is none).
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
    /// The branch that `origin/HEAD` stands for, from the clone.
    pub origin_head: Option<String>,
}

/// The variables that [`Surroundings::read`] asks for: a container must be given them.
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
    /// What variables say, of which `variable` gives the values; what git knows is still to be filled
    /// in.
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
            origin_head: None,
        }
    }

    /// Where a base is fetched from: a URL or a remote's name; none where there is no remote.
    fn source(&self) -> Option<String> {
        let only = || match self.remotes.as_slice() {
            [only] => Some(only.clone()),
            _ => self.remotes.iter().find(|remote| *remote == "origin").cloned(),
        };
        self.repository.clone().or_else(|| self.remote.clone()).or_else(only)
    }
}

/// What a change is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Base {
    /// A branch, as it is where it is fetched from.
    Branch {
        /// Its name there.
        name: String,
        /// Where it is fetched from.
        remote: Option<String>,
        /// What serves where it cannot be fetched, best first.
        local: Vec<String>,
    },
    /// A commit, by its full hash.
    Commit {
        /// The hash.
        hash: String,
        /// Where it is fetched from if it is not here.
        remote: Option<String>,
    },
    /// The branch before the push that this build is of.
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
    /// What could have named another and did not, in order.
    pub silent: Vec<String>,
}

/// Decides what a change is compared with. `option` is the check's own option `base`; `key` its key
/// path.
pub fn choose(option: Option<&str>, key: &str, known: &Surroundings) -> Choice {
    let variable = |index: usize| VARIABLES[index].to_owned();
    let candidates = [
        (key.to_owned(), option),
        (variable(2), known.pull_request_base.as_deref()),
        (variable(3), known.queue_commit.as_deref()),
        (variable(4), known.queue_branch.as_deref()),
        (variable(5), known.base_branch.as_deref()),
        (variable(6), known.default_branch.as_deref()),
        ("origin/HEAD".to_owned(), known.origin_head.as_deref()),
    ];
    let mut silent = Vec::new();
    for (named_by, value) in candidates {
        match value {
            Some(value) => return Choice { base: base(value, known), named_by, silent },
            None => silent.push(named_by),
        }
    }
    Choice { base: base("main", known), named_by: "the default".to_owned(), silent }
}

/// What a name written by a person or by Buildkite stands for: a commit's full hash, a branch, or
/// `REMOTE/BRANCH` of a remote that there is.
fn base(value: &str, known: &Surroundings) -> Base {
    if matches!(value.len(), 40 | 64) && value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Base::Commit { hash: value.to_ascii_lowercase(), remote: known.source() };
    }
    let of_remote =
        value.split_once('/').filter(|(remote, _)| known.remotes.iter().any(|name| name == remote));
    let (name, remote) = match of_remote {
        Some((remote, name)) => (name, Some(remote.to_owned())),
        None => (value, known.source()),
    };
    let queued = known.queue_branch.is_some() || known.queue_commit.is_some();
    if known.branch.as_deref() == Some(name) && !known.pull_request && !queued {
        return Base::Pushed { name: name.to_owned(), remote };
    }
    let tracked = remote.as_deref().filter(|remote| known.remotes.iter().any(|name| name == remote));
    let tracked = format!("refs/remotes/{}/{name}", tracked.unwrap_or("origin"));
    let local = vec![tracked, format!("refs/heads/{name}"), value.to_owned()];
    Base::Branch { name: name.to_owned(), remote, local }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Option, variables, `origin/HEAD`, and what is chosen.
    type Case<'a> = (Option<&'a str>, &'a [(&'a str, &'a str)], &'a str, String);

    const HASH: &str = "0123456789abcdef0123456789abcdef01234567";

    /// `remote name` of a branch, `remote hash` of a commit, `pushed name`; then what named it.
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
