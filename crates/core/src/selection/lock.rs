//! What a change of `Cargo.lock` reaches. The format is that of Cargo's `cargo::core::resolver::encode`: a
//! package has a name, a version and a source, and its dependencies are written as `name`, `name version` or
//! `name version (source)`, as short as they are unambiguous. A member has no source.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use toml::{Table, Value};

/// What identifies a package: name, version, source.
type Key = (String, String, String);

/// A package of a lock file.
#[derive(Debug, PartialEq, Eq)]
struct Package {
    checksum: Option<String>,
    dependencies: BTreeSet<Key>,
}

/// A lock file.
#[derive(Debug)]
pub struct Lock {
    packages: BTreeMap<Key, Package>,
    /// The rest of the file, such as the version of its format.
    rest: Table,
}

/// The members that a change of the lock file reaches.
#[derive(Debug, PartialEq, Eq)]
pub enum Reached {
    /// All: the reason.
    All(String),
    /// By name, each with the package whose change reaches it.
    Members(BTreeMap<String, String>),
}

impl Lock {
    /// Reads a lock file. None if it is not as Cargo writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest: Table = text.parse().ok()?;
        let listed = match rest.remove("package") {
            Some(Value::Array(listed)) => listed,
            Some(_) => return None,
            None => Vec::new(),
        };
        let mut keys: Vec<Key> = Vec::new();
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for package in &listed {
            let text = |key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
            let key = (text("name")?, text("version")?, text("source").unwrap_or_default());
            by_name.entry(key.0.clone()).or_default().push(keys.len());
            keys.push(key);
        }
        let mut packages = BTreeMap::new();
        for (package, key) in listed.iter().zip(&keys) {
            let mut dependencies = BTreeSet::new();
            for written in package.get("dependencies").and_then(Value::as_array).into_iter().flatten() {
                let mut words = written.as_str()?.splitn(3, ' ');
                let (name, version, source) = (words.next()?, words.next(), words.next());
                let source = source.map(|source| source.trim_matches(['(', ')']));
                let fits = |index: &&usize| {
                    let (_, known, from) = &keys[**index];
                    version.is_none_or(|version| version == known)
                        && source.is_none_or(|source| source == from)
                };
                // More than one may fit in a file that a person wrote. All of them are taken.
                let fitting = by_name.get(name)?.iter().filter(fits);
                dependencies.extend(fitting.map(|index| keys[*index].clone()));
            }
            let checksum = package.get("checksum").and_then(Value::as_str).map(str::to_owned);
            packages.insert(key.clone(), Package { checksum, dependencies });
        }
        Some(Self { packages, rest })
    }

    /// Finds the packages without a source that use one of these packages, directly or not. Each gets what is
    /// said of the nearest, and keeps what it has already.
    fn find_users(&self, marked: &BTreeMap<Key, String>, reached: &mut BTreeMap<String, String>) {
        let mut used_by: HashMap<&Key, Vec<&Key>> = HashMap::new();
        for (key, package) in &self.packages {
            for on in &package.dependencies {
                used_by.entry(on).or_default().push(key);
            }
        }
        let mut seen: BTreeSet<&Key> = BTreeSet::new();
        let mut pending: VecDeque<(&Key, &str)> =
            marked.iter().map(|(key, why)| (key, why.as_str())).collect();
        while let Some((key, why)) = pending.pop_front() {
            if !seen.insert(key) {
                continue;
            }
            if key.2.is_empty() {
                reached.entry(key.0.clone()).or_insert_with(|| why.to_owned());
            }
            pending.extend(used_by.get(key).into_iter().flatten().map(|user| (*user, why)));
        }
    }

    /// The versions of the packages with a name, for people.
    fn versions(&self, name: &str) -> String {
        let named = self.packages.keys().filter(|key| key.0 == name);
        named.map(|key| key.1.as_str()).collect::<Vec<_>>().join(" and ")
    }
}

/// What a package's entry differs in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Version,
    Uses,
    Own,
}

/// The members that are reached when a lock file changes. The packages in `replaced` count as changed.
pub fn reached(before: &Lock, after: &Lock, replaced: &BTreeSet<String>) -> Reached {
    if before.rest != after.rest {
        return Reached::All("more than packages differs in it".into());
    }
    let mut members = BTreeMap::new();
    let sides = [(after, before), (before, after)];
    // The best reason is another version, then another package that a package uses, then a member's own entry.
    for rank in [Rank::Version, Rank::Uses, Rank::Own] {
        for (one, other) in sides {
            let mut marked = BTreeMap::new();
            for (key, package) in &one.packages {
                let known = other.packages.get(key);
                if known == Some(package) && !replaced.contains(&key.0) {
                    continue;
                }
                let (old, new) = (before.versions(&key.0), after.versions(&key.0));
                let (of, why) = match (old.as_str(), new.as_str()) {
                    _ if key.2.is_empty() => (Rank::Own, format!("{} and what it uses", key.0)),
                    ("", new) => (Rank::Version, format!("{} {new} is new", key.0)),
                    (old, "") => (Rank::Version, format!("{} {old} is gone", key.0)),
                    (old, new) if old != new => (Rank::Version, format!("{} {old} → {new}", key.0)),
                    (_, new) if replaced.contains(&key.0) => {
                        (Rank::Version, format!("{} {new} is replaced", key.0))
                    }
                    (_, new) if known.is_none_or(|known| known.checksum != package.checksum) => {
                        (Rank::Version, format!("{} {new} is another", key.0))
                    }
                    (_, new) => (Rank::Uses, format!("{} {new} uses others", key.0)),
                };
                if of == rank {
                    marked.insert(key.clone(), why);
                }
            }
            one.find_users(&marked, &mut members);
        }
    }
    Reached::Members(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A lock file of members `a` (uses x), `b` (uses y, which uses x) and `c` (uses nothing).
    fn lock(x: &str, y: &str) -> String {
        format!(
            "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"0.1.0\"\ndependencies = [\"x\"]\n\n\
             [[package]]\nname = \"b\"\nversion = \"0.1.0\"\ndependencies = [\"y\"]\n\n\
             [[package]]\nname = \"c\"\nversion = \"0.1.0\"\n\n\
             [[package]]\nname = \"x\"\n{x}\n\n[[package]]\nname = \"y\"\n{y}\ndependencies = [\"x\"]\n"
        )
    }

    const ONE: &str = "version = \"1.0.0\"\nsource = \"r\"\nchecksum = \"1\"";
    const TWO: &str = "version = \"2.0.0\"\nsource = \"r\"\nchecksum = \"2\"";

    fn told(before: &str, after: &str) -> Vec<String> {
        match reached(&Lock::parse(before).unwrap(), &Lock::parse(after).unwrap(), &BTreeSet::new()) {
            Reached::All(why) => vec![why],
            Reached::Members(members) => members.iter().map(|(name, why)| format!("{name}: {why}")).collect(),
        }
    }

    #[test]
    fn a_package_reaches_the_members_that_use_it_directly_or_not() {
        let same: [String; 0] = [];
        assert_eq!(told(&lock(ONE, ONE), &lock(ONE, ONE)), same);
        assert_eq!(told(&lock(ONE, ONE), &lock(ONE, TWO)), ["b: y 1.0.0 → 2.0.0"]);
        assert_eq!(told(&lock(ONE, ONE), &lock(TWO, ONE)), ["a: x 1.0.0 → 2.0.0", "b: x 1.0.0 → 2.0.0"]);
    }

    #[test]
    fn another_source_or_checksum_is_another_package() {
        let git = "version = \"1.0.0\"\nsource = \"git\"";
        assert_eq!(told(&lock(ONE, ONE), &lock(ONE, git)), ["b: y 1.0.0 is another"]);
        let sum = ONE.replace("\"1\"", "\"9\"");
        assert_eq!(told(&lock(ONE, ONE), &lock(ONE, &sum)), ["b: y 1.0.0 is another"]);
    }

    #[test]
    fn what_is_no_package_reaches_all_members() {
        let newer = lock(ONE, ONE).replace("version = 4", "version = 5");
        assert_eq!(told(&lock(ONE, ONE), &newer), ["more than packages differs in it"]);
        assert!(Lock::parse("package = 1").is_none() && Lock::parse("<<<<").is_none());
        assert!(Lock::parse("[[package]]\nname = \"a\"\nversion = \"1\"\ndependencies = [\"z\"]").is_none());
    }
}
