//! Enumerates the feature sets with which a package is checked.
//!
//! They are the sets that `cargo all-features` 1.12 enumerates. The input is the answer of
//! `cargo metadata`, with the settings in `[package.metadata.cargo-all-features]`.

use crate::model::FeatureMode;
use cargo_metadata::Package;
use serde_json::Value;
use std::collections::BTreeSet;

/// A set of features, in the order in which Cargo receives them.
pub type FeatureSet = Vec<String>;

/// The greatest number of sets of a package. More are refused: a machine that needs a fifth of a second for each
/// would need a quarter of an hour, the time that a step has.
const MOST_SETS: usize = 1 << 12;

/// The keys of `[package.metadata.cargo-all-features]` that change the enumeration.
#[derive(Debug, Default)]
struct Settings {
    skip_package: bool,
    skip_optional_dependencies: Option<bool>,
    skip_feature_sets: Vec<Vec<String>>,
    allowlist: Vec<String>,
    denylist: Vec<String>,
    extra_features: Vec<String>,
    always_include_features: Vec<String>,
    max_combination_size: Option<usize>,
}

impl Settings {
    fn of(package: &Package) -> Self {
        let table = &package.metadata["cargo-all-features"];
        let flag = |key: &str| table[key].as_bool();
        let size = |key: &str| table[key].as_u64().and_then(|size| usize::try_from(size).ok());
        Self {
            skip_package: flag("skip_package").unwrap_or(false),
            skip_optional_dependencies: flag("skip_optional_dependencies"),
            skip_feature_sets: table["skip_feature_sets"]
                .as_array()
                .into_iter()
                .flatten()
                .map(names)
                .collect(),
            allowlist: names(&table["allowlist"]),
            denylist: names(&table["denylist"]),
            extra_features: names(&table["extra_features"]),
            always_include_features: names(&table["always_include_features"]),
            max_combination_size: size("max_combination_size"),
        }
    }

    /// The first combination of keys that contradict each other. `cargo all-features` refuses these
    /// combinations in every package of the dependency graph.
    fn contradiction(&self) -> Option<String> {
        let beside_allowlist = [
            ("always_include_features", !self.always_include_features.is_empty()),
            ("denylist", !self.denylist.is_empty()),
            ("extra_features", !self.extra_features.is_empty()),
            ("skip_optional_dependencies", self.skip_optional_dependencies.is_some()),
            ("max_combination_size", self.max_combination_size.is_some()),
        ];
        if !self.allowlist.is_empty()
            && let Some((key, _)) = beside_allowlist.into_iter().find(|(_, given)| *given)
        {
            return Some(format!("`allowlist` and `{key}`"));
        }
        let always = &self.always_include_features;
        if self.skip_feature_sets.iter().flatten().any(|feature| always.contains(feature)) {
            return Some("a feature in both `skip_feature_sets` and `always_include_features`".into());
        }
        let denied = self.denylist.iter().any(|feature| always.contains(feature));
        denied.then(|| "a feature in both `denylist` and `always_include_features`".into())
    }
}

fn names(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(|name| name.as_str().map(ToOwned::to_owned)).collect()
}

/// An error text if the settings of any package contradict each other. `cargo all-features` then
/// refuses to run. It reads every package in the dependency graph, so `packages` must have them all.
pub fn contradiction(packages: &[Package]) -> Option<String> {
    packages.iter().find_map(|package| {
        let what = Settings::of(package).contradiction()?;
        Some(format!("{}: [package.metadata.cargo-all-features] has {what}", package.name))
    })
}

/// Whether the settings of a package exclude it from `cargo all-features` (`skip_package`).
pub fn is_skipped(package: &Package) -> bool {
    Settings::of(package).skip_package
}

/// The feature sets of one workspace member, in the order of `cargo all-features`. The list is empty
/// if the settings exclude the package and `heeds_skip` says that this counts. `cargo all-features` heeds
/// `skip_package` in the root of a workspace, and not in the folder of a member.
///
/// # Errors
/// There are more than 4,096 sets. The error says what limits their number.
pub fn sets(package: &Package, mode: FeatureMode, heeds_skip: bool) -> Result<Vec<FeatureSet>, String> {
    let settings = Settings::of(package);
    if settings.skip_package && heeds_skip {
        return Ok(Vec::new());
    }
    let features = candidates(package, &settings);
    let largest = settings.max_combination_size.unwrap_or(features.len()).min(features.len());
    let sizes: Vec<usize> = match mode {
        FeatureMode::Each => BTreeSet::from([0, 1.min(largest), features.len()]).into_iter().collect(),
        _ => (0..=largest).collect(),
    };
    let count = sizes.iter().fold(0_usize, |sum, size| sum.saturating_add(choose(features.len(), *size)));
    if count > MOST_SETS {
        return Err(format!(
            "{}: {} features make {count} combinations, and at most {MOST_SETS} are run; set \
             `max_combination_size` or `denylist` in [package.metadata.cargo-all-features] of its Cargo.toml, or \
             the option `features: {}`",
            package.name,
            features.len(),
            if features.len() < MOST_SETS && mode != FeatureMode::Each { "each" } else { "all" }
        ));
    }
    let skipped = |set: &[String]| {
        settings.skip_feature_sets.iter().any(|skip| skip.iter().all(|feature| set.contains(feature)))
    };
    let mut sets = Vec::new();
    for size in sizes {
        combinations(&features, size, &mut Vec::new(), &mut |set| {
            if !skipped(set) {
                sets.push(set.iter().chain(&settings.always_include_features).cloned().collect());
            }
        });
    }
    Ok(sets)
}

/// The features that are combined: first optional dependencies, then features, then those in
/// `extra_features`.
fn candidates(package: &Package, settings: &Settings) -> Vec<String> {
    if !settings.allowlist.is_empty() {
        return settings.allowlist.clone();
    }
    // Cargo adds the feature `foo = ["dep:foo"]` for each optional dependency `foo`. If `dep:foo` also
    // stands in another feature, then a person wrote the feature `foo`, and the dependency is not a
    // feature itself.
    let mut implicit = BTreeSet::new();
    let mut used_by_name = BTreeSet::new();
    for (feature, implied) in &package.features {
        for dependency in implied.iter().filter_map(|value| value.strip_prefix("dep:")) {
            if implied.len() == 1 && dependency == feature {
                implicit.insert(feature.as_str());
            } else {
                used_by_name.insert(dependency);
            }
        }
    }
    implicit.retain(|feature| !used_by_name.contains(feature));

    let allowed = |feature: &&str| {
        !settings.denylist.iter().chain(&settings.always_include_features).any(|denied| denied == feature)
    };
    let mut candidates = Vec::new();
    if !settings.skip_optional_dependencies.unwrap_or(false) {
        let optional = package.dependencies.iter().filter(|dependency| dependency.optional);
        let names =
            optional.map(|dependency| dependency.rename.as_ref().unwrap_or(&dependency.name).as_str());
        candidates.extend(names.filter(allowed).filter(|name| !used_by_name.contains(name)));
    }
    let features = package.features.keys().map(String::as_str);
    // By custom the names of internal features begin with `__`. `default` would only repeat features
    // that are combined anyway.
    let features = features.filter(|name| *name != "default" && !name.starts_with("__"));
    candidates.extend(features.filter(allowed).filter(|name| !implicit.contains(name)));
    candidates.extend(settings.extra_features.iter().map(String::as_str).filter(allowed));
    candidates.into_iter().map(ToOwned::to_owned).collect()
}

/// Calls `each` with every choice of `size` items. Items keep their order.
fn combinations(items: &[String], size: usize, chosen: &mut Vec<String>, each: &mut impl FnMut(&[String])) {
    if size == 0 {
        return each(chosen);
    }
    for (index, item) in items.iter().enumerate() {
        if items.len() - index < size {
            break;
        }
        chosen.push(item.clone());
        combinations(&items[index + 1..], size - 1, chosen, each);
        chosen.pop();
    }
}

/// The number of ways to choose `k` of `n` things. It is only a lower bound if a `usize` is too small.
fn choose(n: usize, k: usize) -> usize {
    (0..k.min(n - k)).fold(1_usize, |product, i| product.saturating_mul(n - i) / (i + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn package(features: &Value, optional: &[&str], settings: &Value) -> Package {
        let dependencies: Vec<Value> = optional
            .iter()
            .map(|name| {
                json!({"name": name, "req": "*", "optional": true, "uses_default_features": true, "features": [],
                       "kind": null, "source": null, "rename": null, "target": null, "registry": null})
            })
            .collect();
        serde_json::from_value(json!({
            "name": "sample", "version": "0.1.0", "id": "path+file:///sample#0.1.0", "manifest_path": "/sample/Cargo.toml",
            "dependencies": dependencies, "targets": [], "features": features, "edition": "2021",
            "metadata": {"cargo-all-features": settings}, "authors": [], "categories": [], "keywords": [],
        }))
        .unwrap()
    }

    fn joined(features: &Value, optional: &[&str], settings: &Value) -> Vec<String> {
        let sets = sets(&package(features, optional, settings), FeatureMode::Powerset, true).unwrap();
        sets.iter().map(|set| set.join("+")).collect()
    }

    #[test]
    fn every_subset_is_enumerated_but_for_default_and_internal_features() {
        let features = json!({"a": [], "b": ["a"], "default": ["a"], "__x": []});
        assert_eq!(joined(&features, &[], &json!({})), ["", "a", "b", "a+b"]);
    }

    #[test]
    fn an_optional_dependency_is_a_feature_unless_it_is_used_as_dep_elsewhere() {
        assert_eq!(joined(&json!({"helper": ["dep:helper"]}), &["helper"], &json!({})), ["", "helper"]);
        assert_eq!(joined(&json!({"x": ["dep:helper"]}), &["helper"], &json!({})), ["", "x"]);
    }

    #[test]
    fn an_implicit_feature_that_is_used_elsewhere_counts_as_written() {
        let features = json!({"helper": ["dep:helper"], "x": ["dep:helper", "y"], "y": []});
        assert_eq!(
            joined(&features, &["helper"], &json!({})),
            ["", "helper", "x", "y", "helper+x", "helper+y", "x+y", "helper+x+y"]
        );
    }

    #[test]
    fn the_metadata_shape_the_enumeration() {
        let features = json!({"a": [], "b": [], "c": []});
        let cases = [
            (json!({"skip_feature_sets": [["a", "b"]]}), "|a|b|c|a+c|b+c"),
            (json!({"skip_feature_sets": [[]]}), "-"),
            (json!({"denylist": ["b"]}), "|a|c|a+c"),
            (json!({"allowlist": ["a"]}), "|a"),
            (json!({"always_include_features": ["c"]}), "c|a+c|b+c|a+b+c"),
            (json!({"max_combination_size": 1}), "|a|b|c"),
            (json!({"extra_features": ["d"], "denylist": ["a", "b", "c"]}), "|d"),
            (json!({"skip_package": true}), "-"),
        ];
        for (settings, expected) in cases {
            let sets = joined(&features, &[], &settings);
            let found = if sets.is_empty() { "-".to_owned() } else { sets.join("|") };
            assert_eq!(found, expected, "{settings}");
        }
    }

    #[test]
    fn a_package_that_is_skipped_has_its_sets_in_its_own_folder() {
        let package = package(&json!({"a": []}), &[], &json!({"skip_package": true}));
        let sets = sets(&package, FeatureMode::Powerset, false).unwrap();
        assert_eq!(sets.iter().map(|set| set.join("+")).collect::<Vec<_>>(), ["", "a"]);
    }

    #[test]
    fn skipping_optional_dependencies_also_skips_the_written_out_feature() {
        let settings = json!({"skip_optional_dependencies": true});
        assert_eq!(joined(&json!({"helper": ["dep:helper"], "a": []}), &["helper"], &settings), ["", "a"]);
    }

    #[test]
    fn each_takes_none_one_and_all() {
        let package = package(&json!({"a": [], "b": [], "c": []}), &[], &json!({}));
        let sets = sets(&package, FeatureMode::Each, true).unwrap();
        assert_eq!(sets.iter().map(|set| set.join("+")).collect::<Vec<_>>(), ["", "a", "b", "c", "a+b+c"]);
    }

    #[test]
    fn contradicting_metadata_are_refused_as_the_tool_refuses_them() {
        let settings = json!({"allowlist": ["a"], "denylist": ["b"]});
        let found = contradiction(&[package(&json!({}), &[], &settings)]).unwrap();
        assert!(found.contains("`allowlist` and `denylist`"), "{found}");
        assert_eq!(contradiction(&[package(&json!({}), &[], &json!({"allowlist": ["a"]}))]), None);
    }

    #[test]
    fn more_combinations_than_can_be_run_are_refused() {
        let features: serde_json::Map<String, Value> =
            (0..20).map(|i| (format!("f{i}"), json!([]))).collect();
        let package = package(&Value::Object(features), &[], &json!({}));
        assert!(sets(&package, FeatureMode::Powerset, true).unwrap_err().contains("1048576 combinations"));
        assert_eq!(sets(&package, FeatureMode::Each, true).unwrap().len(), 22);
        let features: serde_json::Map<String, Value> =
            (0..10_000).map(|i| (format!("f{i}"), json!([]))).collect();
        let each = sets(&self::package(&Value::Object(features), &[], &json!({})), FeatureMode::Each, true);
        let refusal = each.unwrap_err();
        assert!(refusal.contains("10002 combinations") && refusal.contains("`features: all`"), "{refusal}");
    }
}
