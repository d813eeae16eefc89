//! A kept target directory must not make cargo pass a build of old sources.
//!
//! Cargo treats a source as unchanged if its modification time is older than the result of the build.
//! Files can change and still have old times, for example in another checkout or a restored cache. Cargo
//! would then report "Finished" without building anything. So the target directory contains a list of
//! the sources that it was built from. A file whose content differs from the list gets the present time.
//! A file whose content is the same gets the time in the list, so it is not built again after a fresh
//! clone.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// The sources that a target directory was last used with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// When the list was made, in nanoseconds since 1970.
    pub made: u64,
    /// The files by their path in the checkout.
    pub files: BTreeMap<String, Source>,
    /// The target of each symbolic link, by the path of the link in the checkout.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
}

/// A file of the checkout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The SHA-256 of its content in base 64.
    pub content: String,
    /// The modification time that it should have, in nanoseconds since 1970.
    pub modified: u64,
}

/// The present sources with the times that they should have. `known` is the list of the last use. There
/// is none if the target directory is empty.
///
/// # Errors
/// With the reason, if the list cannot be trusted and the target directory must be emptied: the clock is
/// behind the list, or a link has another target. Cargo follows links, and the file there may be old.
pub fn refresh(known: Option<&Sources>, now: u64, found: Sources) -> Result<Sources, &'static str> {
    let Sources { mut files, links, .. } = found;
    if let Some(known) = known {
        let newest = known.files.values().map(|source| source.modified).max().unwrap_or(0).max(known.made);
        if newest >= now {
            return Err("its list of sources was made later than now");
        }
        if known.links != links {
            return Err("a symbolic link has another target than at the last build");
        }
        for (path, source) in &mut files {
            source.modified = match known.files.get(path) {
                Some(same) if same.content == source.content => same.modified,
                _ => now,
            };
        }
    }
    Ok(Sources { made: now, files, links })
}

/// A time as nanoseconds since 1970. The type lasts until the year 2554.
pub fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The time that is this many nanoseconds after 1970.
pub fn time(nanoseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(files: BTreeMap<String, Source>, made: u64) -> Sources {
        Sources { made, files, ..Sources::default() }
    }

    fn files(all: &[(&str, &str, u64)]) -> BTreeMap<String, Source> {
        let source = |(path, content, modified): &(&str, &str, u64)| {
            ((*path).to_owned(), Source { content: (*content).to_owned(), modified: *modified })
        };
        all.iter().map(source).collect()
    }

    #[test]
    fn a_file_that_changed_and_kept_an_old_time_gets_the_time_of_now() {
        let known = of(files(&[("same", "a", 10), ("changed", "b", 10)]), 100);
        let found = files(&[("same", "a", 90), ("changed", "c", 10), ("new", "d", 5)]);
        let fresh = refresh(Some(&known), 200, of(found, 0)).unwrap();
        assert_eq!(fresh.files, files(&[("same", "a", 10), ("changed", "c", 200), ("new", "d", 200)]));
        assert_eq!(fresh.made, 200);
    }

    #[test]
    fn a_change_that_is_taken_back_is_a_change() {
        let at = |known: Option<&Sources>, now, content| {
            refresh(known, now, of(files(&[("f", content, 1)]), 0)).unwrap()
        };
        let first = at(None, 100, "a");
        let second = at(Some(&first), 200, "b");
        let third = at(Some(&second), 300, "a");
        assert_eq!(third.files["f"].modified, 300);
    }

    #[test]
    fn a_list_from_the_future_says_nothing() {
        let known = of(BTreeMap::new(), 300);
        assert!(refresh(Some(&known), 200, Sources::default()).is_err());
    }

    #[test]
    fn a_link_that_leads_elsewhere_makes_the_list_worthless() {
        let to = |target: &str| Sources {
            links: [("lib.rs".to_owned(), target.to_owned())].into(),
            ..Sources::default()
        };
        let first = refresh(None, 100, to("a.rs")).unwrap();
        let second = refresh(Some(&first), 200, to("a.rs")).unwrap();
        assert!(refresh(Some(&second), 300, to("b.rs")).is_err());
    }
}
