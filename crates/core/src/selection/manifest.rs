//! What a change of a manifest reaches besides the crate whose manifest it is.

use crate::workspace::path::join;
use semver::{Op, VersionReq};
use std::collections::{BTreeMap, BTreeSet};
use toml::{Table, Value};

/// An effect of a change of the root's manifest on crates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// On all of them: the key that differs.
    All(String),
    /// On those that inherit this key: the table in `[workspace]`, and the key in it.
    Inherited(&'static str, String),
    /// On those that use this package, which `[patch]` or `[replace]` replaces.
    Replaced(String),
    /// On the crate in this folder, which is named as a member now and was not before.
    Member(String),
}

/// The tables of a manifest that concern its own package alone.
const OF_A_PACKAGE: [&str; 16] = [
    "package",
    "project",
    "lib",
    "bin",
    "test",
    "bench",
    "example",
    "features",
    "dependencies",
    "dev-dependencies",
    "dev_dependencies",
    "build-dependencies",
    "build_dependencies",
    "target",
    "badges",
    "lints",
];

/// The keys of `[workspace]` that members inherit.
const INHERITED: [&str; 3] = ["dependencies", "package", "lints"];

/// The effects of a change of the root's manifest.
pub fn of_root(before: &Table, after: &Table) -> Vec<Effect> {
    let mut effects = Vec::new();
    for key in differing(before, after) {
        match key {
            "workspace" => {
                let empty = Table::new();
                let workspace = |root: &'_ Table| -> Table {
                    root.get("workspace").and_then(Value::as_table).unwrap_or(&empty).clone()
                };
                of_workspace(&workspace(before), &workspace(after), &mut effects);
            }
            "patch" => {
                let empty = Table::new();
                let patches = |root: &Table| root.get("patch").and_then(Value::as_table).cloned();
                let (old, new) = (patches(before).unwrap_or_default(), patches(after).unwrap_or_default());
                for source in differing(&old, &new) {
                    let of =
                        |all: &Table| all.get(source).and_then(Value::as_table).unwrap_or(&empty).clone();
                    effects.extend(replaced(&of(&old), &of(&new)));
                }
            }
            "replace" => {
                let of = |root: &Table| root.get("replace").and_then(Value::as_table).cloned();
                effects.extend(replaced(&of(before).unwrap_or_default(), &of(after).unwrap_or_default()));
            }
            key if OF_A_PACKAGE.contains(&key) => {}
            key => effects.push(Effect::All(format!("[{key}]"))),
        }
    }
    effects
}

fn of_workspace(before: &Table, after: &Table, effects: &mut Vec<Effect>) {
    for key in differing(before, after) {
        let inherited = INHERITED.into_iter().find(|table| *table == key);
        let tables = (before.get(key).and_then(Value::as_table), after.get(key).and_then(Value::as_table));
        match (inherited, tables) {
            // Lints are inherited as a whole.
            (Some("lints"), _) => effects.push(Effect::Inherited("lints", String::new())),
            (Some(table), (old, new)) => {
                let (old, new) = (old.cloned().unwrap_or_default(), new.cloned().unwrap_or_default());
                effects.extend(differing(&old, &new).map(|name| Effect::Inherited(table, name.to_owned())));
            }
            (None, _) if key == "members" => effects.extend(members(before.get(key), after.get(key))),
            (None, _) => effects.push(Effect::All(format!("[workspace] {key}"))),
        }
    }
}

/// The members that are named now and were not before. A glob may name any.
fn members(before: Option<&Value>, after: Option<&Value>) -> Vec<Effect> {
    let names = |value: Option<&Value>| -> Option<BTreeSet<String>> {
        let listed = value.map_or(Some(&[][..]), |value| value.as_array().map(Vec::as_slice))?;
        listed.iter().map(|name| join("", name.as_str()?)).collect()
    };
    let all = || vec![Effect::All("[workspace] members".into())];
    let (Some(old), Some(new)) = (names(before), names(after)) else { return all() };
    if old.symmetric_difference(&new).any(|name| name.contains(['*', '?', '['])) {
        return all();
    }
    new.difference(&old).map(|dir| Effect::Member(dir.clone())).collect()
}

/// The names of the packages that are replaced in one table and not in the other, or in another way.
fn replaced(before: &Table, after: &Table) -> Vec<Effect> {
    let mut effects = Vec::new();
    for name in differing(before, after) {
        // `package` has the name where the key is another. The keys of `[replace]` are `NAME:VERSION`.
        let renamed = [before, after].map(|table| table.get(name)?.get("package")?.as_str());
        let plain = name.rsplit(['#', '/']).next().unwrap_or(name);
        let plain = plain.split([':', '@']).next().unwrap_or(plain);
        let names = renamed.into_iter().flatten().chain([plain]);
        effects.extend(names.map(|name| Effect::Replaced(name.to_owned())));
    }
    effects
}

/// The keys whose values differ.
fn differing<'t>(before: &'t Table, after: &'t Table) -> impl Iterator<Item = &'t str> {
    let keys: BTreeSet<&str> = before.keys().chain(after.keys()).map(String::as_str).collect();
    keys.into_iter().filter(|key| before.get(*key) != after.get(*key))
}

/// Whether a member inherits a key of the workspace.
pub fn inherits(manifest: &Table, table: &str, key: &str) -> bool {
    let says = |value: Option<&Value>| {
        value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
    };
    match table {
        "lints" => says(manifest.get("lints")),
        "package" => says(manifest.get("package").and_then(|package| package.get(key))),
        _ => dependencies(manifest).any(|(name, value)| name == key && says(Some(value))),
    }
}

/// All dependencies of a manifest: of every kind and for every target.
fn dependencies(manifest: &Table) -> impl Iterator<Item = (&str, &Value)> {
    const KINDS: [&str; 5] =
        ["dependencies", "dev-dependencies", "dev_dependencies", "build-dependencies", "build_dependencies"];
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tables = std::iter::once(manifest).chain(targets.filter_map(Value::as_table));
    let tables = tables.flat_map(|table| KINDS.into_iter().filter_map(|kind| table.get(kind)));
    tables.filter_map(Value::as_table).flatten().map(|(name, value)| (name.as_str(), value))
}

/// A dependency whose changed requirement can change which version other crates get, where no lock file says
/// it. Cargo takes the newest version that fits all. So a requirement without an upper bound takes nothing
/// from others, and any other may.
pub fn binds_others(before: Option<&Table>, after: &Table) -> Option<String> {
    let none = Table::new();
    let old = requirements(before.unwrap_or(&none));
    let new = requirements(after);
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let empty = BTreeSet::new();
    let bound = |name: &&&String| {
        let (old, new) = (old.get(**name).unwrap_or(&empty), new.get(**name).unwrap_or(&empty));
        old.symmetric_difference(new).any(|requirement| !is_open(requirement))
    };
    names.iter().find(bound).map(|name| (*name).clone())
}

/// The requirements of a manifest, by the name of the package. Path dependencies have no other source here.
fn requirements(manifest: &Table) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let workspace = manifest.get("workspace").and_then(|workspace| workspace.get("dependencies"));
    let workspace = workspace.and_then(Value::as_table).into_iter().flatten();
    for (name, value) in dependencies(manifest).chain(workspace.map(|(name, value)| (name.as_str(), value))) {
        let text = |key: &str| value.get(key).and_then(Value::as_str);
        if text("path").is_some() || value.get("workspace").is_some() {
            continue;
        }
        let source = ["git", "registry", "branch", "tag", "rev"].into_iter().find_map(text);
        let requirement = match source {
            Some(_) => value.to_string(),
            None => value.as_str().or_else(|| text("version")).unwrap_or("*").to_owned(),
        };
        all.entry(text("package").unwrap_or(name).to_owned()).or_default().insert(requirement);
    }
    all
}

/// Whether a requirement has no upper bound within a major version.
fn is_open(requirement: &str) -> bool {
    let open = |op: &Op| matches!(op, Op::Caret | Op::Greater | Op::GreaterEq);
    VersionReq::parse(requirement).is_ok_and(|read| read.comparators.iter().all(|one| open(&one.op)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn a_root_manifest_reaches_by_what_differs_in_it() {
        let before = "[package]\nname = \"r\"\n[workspace]\nmembers = [\"a\", \"./b/\"]\n\
            [workspace.dependencies]\nx = \"1\"\ny = \"1\"\n[workspace.package]\nedition = \"2021\"\n\
            [workspace.lints.rust]\nunused = \"deny\"\n[patch.crates-io]\nz = { path = \"z\" }\n[profile.dev]\nlto = true\n";
        let effects = |from: &str, to: &str| {
            let after = before.replace(from, to);
            assert_ne!(after, before);
            of_root(&table(before), &table(&after))
        };
        assert_eq!(of_root(&table(before), &table(before)), []);
        assert_eq!(effects("name = \"r\"", "name = \"r\"\nversion = \"1.0.0\""), []);
        assert_eq!(effects("y = \"1\"", "y = \"2\""), [Effect::Inherited("dependencies", "y".into())]);
        assert_eq!(effects("2021", "2024"), [Effect::Inherited("package", "edition".into())]);
        assert_eq!(effects("deny", "warn"), [Effect::Inherited("lints", String::new())]);
        assert_eq!(effects("\"z\"", "\"../z\""), [Effect::Replaced("z".into())]);
        assert_eq!(effects("./b/", "b"), []);
        assert_eq!(effects("\"./b/\"", "\"b\", \"c/d\""), [Effect::Member("c/d".into())]);
        assert_eq!(effects("./b/", "b/*"), [Effect::All("[workspace] members".into())]);
        assert_eq!(effects("lto = true", "lto = false"), [Effect::All("[profile]".into())]);
        assert_eq!(
            effects("members", "resolver = \"2\"\nmembers"),
            [Effect::All("[workspace] resolver".into())]
        );
    }

    #[test]
    fn a_replaced_package_is_known_by_its_own_name() {
        let after = table("z2 = { package = \"z\", path = \"z\" }\n\"foo:0.1.0\" = { path = \"f\" }");
        let names = replaced(&Table::new(), &after);
        for name in ["z", "foo"] {
            assert!(names.contains(&Effect::Replaced(name.into())), "{names:?}");
        }
    }

    #[test]
    fn without_a_lock_file_an_upper_bound_binds_others() {
        let with = |requirement: &str| table(&format!("[dev-dependencies]\nx = {requirement}"));
        for (before, after, binds) in [
            ("\"0.7\"", "\"0.8\"", false),
            ("\"0.7\"", "{ version = \"0.8\", features = [\"f\"] }", false),
            ("\"0.7\"", "\"=0.7.1\"", true),
            ("\">=1, <=3\"", "\">=1, <=4\"", true),
            ("{ git = \"g\" }", "{ git = \"h\" }", true),
            ("{ path = \"a\" }", "{ path = \"b\" }", false),
            ("\"=1\"", "\"=1\"", false),
        ] {
            let found = binds_others(Some(&with(before)), &with(after));
            assert_eq!(found.is_some(), binds, "{before} {after}");
        }
        let inherited = |requirement: &str| table(&format!("[workspace.dependencies]\nx = {requirement}"));
        assert!(binds_others(Some(&inherited("\"1\"")), &inherited("\"~1.2\"")).is_some());
        assert!(binds_others(None, &with("\"<2\"")).is_some());
    }
}
