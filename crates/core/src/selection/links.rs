//! Symbolic links: what a change reaches through them.

use super::change::Before;
use super::paths::{Changed, name, parent};
use crate::workspace::{Files, Link};
use std::collections::HashMap;

/// The tracked links, each with where it leads when all links on the way are followed.
#[derive(Debug)]
pub struct Links<'a> {
    all: Vec<Tracked<'a>>,
    /// Their indices, by their paths.
    by_path: HashMap<&'a str, usize>,
}

#[derive(Debug)]
struct Tracked<'a> {
    path: &'a str,
    /// None if it leads to nothing, or out of the repository.
    to: Option<String>,
    is_folder: bool,
}

impl<'a> Links<'a> {
    /// Reads where tracked links lead. Each folder is listed once.
    pub fn read(paths: &'a [String], files: &dyn Files) -> Self {
        let mut listed: HashMap<&str, HashMap<String, Link>> = HashMap::new();
        let read = |path: &'a String| {
            let folder = listed.entry(parent(path)).or_insert_with(|| {
                let found = files.links(parent(path)).unwrap_or_default();
                found.into_iter().map(|link| (link.name.clone(), link)).collect()
            });
            let found = folder.get(name(path));
            let is_folder = found.is_some_and(|link| link.is_folder);
            Tracked { path, to: found.and_then(|link| link.to.clone()), is_folder }
        };
        let all: Vec<Tracked<'_>> = paths.iter().map(read).collect();
        let by_path = all.iter().enumerate().map(|(index, link)| (link.path, index)).collect();
        Self { all, by_path }
    }

    /// Whether a changed path is a link that paths elsewhere may lead through, so that nobody knows what changes
    /// with it. A link to a file that is new leads nowhere but to this file, and led nowhere before.
    pub fn may_lead_on(&self, path: &str, before: &(dyn Fn(&str) -> Before + Sync)) -> bool {
        let link = self.by_path.get(path).map(|index| &self.all[*index]).filter(|_| self.all.len() > 1);
        link.is_some_and(|link| link.to.is_none() || link.is_folder || before(path) != Before::Absent)
    }

    /// The links that lead to a changed path, each with this path. Such a link is as good as changed itself.
    /// `lost` is a changed path that is gone: a link without a target may have led there.
    pub fn to_changed(&self, changed: &Changed<'a>, lost: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
        // The changed links to each target. Two are enough: one of them is not the link that is asked about.
        let mut by_target: HashMap<&str, Vec<&'a str>> = HashMap::new();
        for link in self.all.iter().filter(|link| changed.within(link.path) == Some(link.path)) {
            let Some(to) = &link.to else { continue };
            let known = by_target.entry(to).or_default();
            if known.len() < 2 {
                known.push(link.path);
            }
        }
        let through =
            |link: &Tracked<'_>, to: &str| by_target.get(to)?.iter().copied().find(|path| *path != link.path);
        let cause = |link: &Tracked<'a>| match &link.to {
            Some(to) => changed.within(to).or_else(|| through(link, to)),
            None => lost,
        };
        self.all.iter().filter_map(|link| Some((link.path, cause(link)?))).collect()
    }
}
