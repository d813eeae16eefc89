//! What keeps a target directory that outlived its job from giving a green build of old sources.
//!
//! cargo takes a source for unchanged while its modification time is older than what was built of
//! it. A checkout whose files changed and kept old times (another checkout, a restored cache) would be
//! "Finished" at once. So the target directory carries a list of what it was built of: a file whose
//! content differs from the list gets the time of now, one whose content is the same gets the time
//! that it had then, and so need not be built again after a fresh clone.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// The sources that a target directory was last used with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// When it was made, in nanoseconds since 1970.
    pub made: u64,
    /// By path from the checkout.
    pub files: BTreeMap<String, Source>,
    /// Where each symbolic link leads, by its path from the checkout.
    #[serde(default)]
    pub links: BTreeMap<String, String>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// SHA-256 of its content, in base 64.
    pub content: String,
    /// The modification time that it is to have, in nanoseconds since 1970.
    pub modified: u64,
}

/// The sources as they are now, with the times that they are to have.
///
/// `known` is the list of the last use; none where the target directory is empty.
///
/// # Errors
/// Why the list says nothing any more, so that the target directory is to be emptied: the clock stands
/// before it, or a link leads elsewhere (cargo looks through it at a file that may be old).
pub fn refresh(known: Option<&Sources>, now: u64, found: Sources) -> Result<Sources, &'static str> {
    let Sources { mut files, links, .. } = found;
    if let Some(known) = known {
        let newest = known.files.values().map(|source| source.modified).max().unwrap_or(0).max(known.made);
        if newest >= now {
            return Err("its list of sources is of a time to come");
        }
        if known.links != links {
            return Err("a symbolic link leads elsewhere than when it was built");
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

/// A time as nanoseconds since 1970, which last until 2554.
pub fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

/// The time of these nanoseconds since 1970.
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
