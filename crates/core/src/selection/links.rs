//! Symbolic links: what a change reaches through them.

use super::change::Before;
use super::paths::{Changed, name, parent};
use crate::workspace::Files;

/// The tracked links, each with where it leads when all links on the way are followed.
#[derive(Debug)]
pub struct Links<'a>(Vec<Tracked<'a>>);

#[derive(Debug)]
struct Tracked<'a> {
    path: &'a str,
    /// None if it leads to nothing, or out of the repository.
    to: Option<String>,
    is_folder: bool,
}

impl<'a> Links<'a> {
    /// Reads where tracked links lead.
    pub fn read(paths: &'a [String], files: &dyn Files) -> Self {
        let read = |path: &'a String| {
            let found = files.links(parent(path)).unwrap_or_default();
            let found = found.into_iter().find(|link| link.name == name(path));
            let is_folder = found.as_ref().is_some_and(|link| link.is_folder);
            Tracked { path, to: found.and_then(|link| link.to), is_folder }
        };
        Self(paths.iter().map(read).collect())
    }

    /// Whether a changed path is a link that paths elsewhere may lead through, so that nobody knows what changes
    /// with it. A link to a file that is new leads nowhere but to this file, and led nowhere before.
    pub fn may_lead_on(&self, path: &str, before: &(dyn Fn(&str) -> Before + Sync)) -> bool {
        let link = self.0.iter().find(|link| link.path == path).filter(|_| self.0.len() > 1);
        link.is_some_and(|link| link.to.is_none() || link.is_folder || before(path) != Before::Absent)
    }

    /// The links that lead to a changed path, each with this path. Such a link is as good as changed itself.
    /// `lost` is a changed path that is gone: a link without a target may have led there.
    pub fn to_changed(&self, changed: &Changed<'a>, lost: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
        let through = |link: &Tracked<'_>| {
            let others = self.0.iter().filter(|other| other.path != link.path && other.to == link.to);
            others.map(|other| other.path).find(|path| changed.within(path) == Some(path))
        };
        let cause = |link: &Tracked<'a>| match &link.to {
            Some(to) => changed.within(to).or_else(|| through(link)),
            None => lost,
        };
        self.0.iter().filter_map(|link| Some((link.path, cause(link)?))).collect()
    }
}
