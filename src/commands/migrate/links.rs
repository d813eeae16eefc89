//! The links of a repository that lead into the submodule. Without it they lead nowhere.

use anyhow::Result;
use rust_vmm_ci_core::model::shown::line;
use rust_vmm_ci_core::predecessor::generator::LIST;
use rust_vmm_ci_core::workspace::path::{is_within, join};
use rust_vmm_ci_effects::git::{Entry, Git, Kind};

/// A link into the submodule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its path, from the repository's root.
    pub path: String,
    /// What it leads to, from the repository's root.
    pub target: String,
}

impl Link {
    /// What the link was, in words.
    pub fn was(&self, folder: &str) -> String {
        if self.target == format!("{folder}/{LIST}") {
            return "it led to the submodule's list, which are the standard checks".to_owned();
        }
        format!("it led to {}, which is gone; what used it needs another file", line(&self.target))
    }
}

/// The links that lead into a folder, directly or through each other.
///
/// # Errors
/// Exit 3 where git fails.
pub fn into(git: &Git, index: &[Entry], folder: &str) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    for entry in index.iter().filter(|entry| entry.kind == Kind::Link) {
        let target = git.target_of(entry)?;
        let parent = entry.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if let Some(target) = join(parent, &target) {
            links.push(Link { path: entry.path.clone(), target });
        }
    }
    Ok(leading_into(links, folder))
}

/// Those of the links that lead into a folder, or to another such link or through it.
fn leading_into(mut links: Vec<Link>, folder: &str) -> Vec<Link> {
    let mut found: Vec<Link> = Vec::new();
    loop {
        let leads = |link: &Link| {
            is_within(&link.target, folder) || found.iter().any(|other| is_within(&link.target, &other.path))
        };
        let (new, rest): (Vec<Link>, Vec<Link>) = links.into_iter().partition(leads);
        if new.is_empty() {
            found.sort_by(|one, other| one.path.cmp(&other.path));
            return found;
        }
        found.extend(new);
        links = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_through_other_links_lead_into_the_submodule_too() {
        let link = |path: &str, target: &str| Link { path: path.into(), target: target.into() };
        let links = vec![
            link("b.py", "sub/ci/test_run.py"),
            link("sub/ci", "rust-vmm-ci"),
            link("README.md", "docs/README.md"),
            link("x", "rust-vmm-ci-notes"),
        ];
        let found = leading_into(links, "rust-vmm-ci");
        let paths: Vec<&str> = found.iter().map(|link| link.path.as_str()).collect();
        assert_eq!(paths, ["b.py", "sub/ci"]);
    }
}
