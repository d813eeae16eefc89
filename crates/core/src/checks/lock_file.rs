//! Finds out how a package came into a lock file: through which members and dependencies. Pure.
//!
//! The format is cargo's, in all its versions. A dependency is the name of a package. Its version is added if
//! there are several packages of that name, and its source if the version is not enough.

use serde::Deserialize;
use std::collections::VecDeque;

/// A lock file.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct LockFile {
    #[serde(default, rename = "package")]
    packages: Vec<Package>,
}

#[derive(Clone, Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

impl LockFile {
    /// Reads a lock file. None if the text is not a lock file.
    pub fn parse(text: &str) -> Option<Self> {
        toml::from_str(text).ok()
    }

    /// The crates from registries: the name of the file that cargo keeps, and its SHA-256 in hexadecimal.
    pub fn crates(&self) -> impl Iterator<Item = (String, &str)> {
        self.packages.iter().filter_map(|package| {
            let file = format!("{}-{}.crate", package.name, package.version);
            Some((file, package.checksum.as_deref()?))
        })
    }

    /// The shortest path from one of the repository's own packages to a package. Both are included, each as
    /// `NAME VERSION`. None if there is no path.
    pub fn path_to(&self, name: &str, version: &str) -> Option<Vec<String>> {
        let is_meant = |package: &Package| package.name == name && package.version == version;
        let own = (0..self.packages.len()).filter(|index| self.packages[*index].source.is_none());
        let mut queue: VecDeque<usize> = own.collect();
        let mut before: Vec<Option<usize>> = vec![None; self.packages.len()];
        let mut seen: Vec<bool> = self.packages.iter().map(|package| package.source.is_none()).collect();
        while let Some(index) = queue.pop_front() {
            let package = &self.packages[index];
            if is_meant(package) {
                let way = std::iter::successors(Some(index), |index| before[*index]);
                let mut way: Vec<String> = way.map(|index| self.packages[index].shown()).collect();
                way.reverse();
                return Some(way);
            }
            for next in package.dependencies.iter().filter_map(|dependency| self.find(dependency)) {
                if !seen[next] {
                    seen[next] = true;
                    before[next] = Some(index);
                    queue.push_back(next);
                }
            }
        }
        None
    }

    /// The package that the text of a dependency means.
    fn find(&self, dependency: &str) -> Option<usize> {
        let mut words = dependency.splitn(3, ' ');
        let (name, version) = (words.next()?, words.next());
        let source = words.next().map(|source| source.trim_matches(['(', ')']));
        self.packages.iter().position(|package| {
            package.name == name
                && version.is_none_or(|version| package.version == version)
                && source.is_none_or(|source| package.source.as_deref() == Some(source))
        })
    }
}

impl Package {
    fn shown(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
        version = 3
        [[package]]
        name = "app"
        version = "0.1.0"
        dependencies = ["far", "mid 1.0.0", "mid 2.0.0 (registry+https://example.org/b)"]
        [[package]]
        name = "far"
        version = "1.0.0"
        source = "registry+https://example.org/a"
        dependencies = ["mid 1.0.0"]
        [[package]]
        name = "mid"
        version = "1.0.0"
        source = "registry+https://example.org/a"
        dependencies = ["deep", "mid 2.0.0 (registry+https://example.org/a)"]
        [[package]]
        name = "mid"
        version = "2.0.0"
        source = "registry+https://example.org/a"
        [[package]]
        name = "mid"
        version = "2.0.0"
        source = "registry+https://example.org/b"
        dependencies = ["app"]
        [[package]]
        name = "deep"
        version = "3.0.0"
        source = "registry+https://example.org/a"
        [[package]]
        name = "unused"
        version = "1.0.0"
        source = "registry+https://example.org/a"
    "#;

    #[test]
    fn the_shortest_way_from_a_member_is_found() {
        let lock = LockFile::parse(LOCK).unwrap();
        let way = |name, version| lock.path_to(name, version).map(|way| way.join(" > "));
        assert_eq!(way("deep", "3.0.0").as_deref(), Some("app 0.1.0 > mid 1.0.0 > deep 3.0.0"));
        assert_eq!(way("mid", "2.0.0").as_deref(), Some("app 0.1.0 > mid 2.0.0"));
        assert_eq!(way("app", "0.1.0").as_deref(), Some("app 0.1.0"));
        assert_eq!(way("unused", "1.0.0"), None);
        assert_eq!(way("deep", "1.0.0"), None);
    }

    #[test]
    fn what_is_no_lock_file_is_none() {
        assert!(LockFile::parse("package = 1").is_none());
        assert!(LockFile::parse("\u{0}").is_none());
        assert!(LockFile::parse("").unwrap().path_to("a", "1").is_none());
    }
}
