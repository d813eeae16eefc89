//! What a repository's and a person's cargo configuration say that bears on verdicts.

use toml::{Table, Value};

/// Whether flags for rustc, or another default target, are in effect for code that is built for
/// `triple`. `RUSTFLAGS` in a description replaces such flags (facts: it does not add to them), so a
/// check must then be given that variable for the predecessor's verdict. A `cfg(…)` section is taken
/// to apply, and a file that does not parse to say something: the careful answer costs time only.
///
/// `files` are the texts of the configuration files that cargo would read, in any order.
pub fn has_flags<'t>(files: impl IntoIterator<Item = &'t str>, triple: &str) -> bool {
    files.into_iter().any(|text| text.parse::<Table>().map_or(true, |table| table_has_flags(&table, triple)))
}

fn table_has_flags(table: &Table, triple: &str) -> bool {
    let section = |value: Option<&Value>, key: &str| value.and_then(|value| value.get(key)).is_some();
    let build = table.get("build");
    let targets = table.get("target").and_then(Value::as_table);
    section(build, "rustflags")
        || section(build, "target")
        || targets.into_iter().flatten().any(|(name, value)| {
            (name == triple || name.starts_with("cfg(")) && value.get("rustflags").is_some()
        })
}

/// Whether variables of the environment put such flags into effect: `name` and `value` of each.
pub fn variable_has_flags(name: &str, triple: &str) -> bool {
    let for_target = format!("CARGO_TARGET_{}_RUSTFLAGS", triple.to_uppercase().replace('-', "_"));
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET"].contains(&name)
        || name == for_target
}

#[cfg(test)]
mod tests {
    use super::*;

    const GNU: &str = "x86_64-unknown-linux-gnu";

    #[test]
    fn flags_for_another_target_are_not_in_effect() {
        let cases = [
            ("[target.aarch64-unknown-linux-musl]\nrustflags = [\"-C\", \"x\"]\n", false),
            ("[target.x86_64-unknown-linux-gnu]\nrustflags = [\"-C\", \"x\"]\n", true),
            ("[target.x86_64-unknown-linux-gnu]\nlinker = \"cc\"\n", false),
            ("[target.'cfg(unix)']\nrustflags = \"-C x\"\n", true),
            ("[build]\nrustflags = []\n", true),
            ("[build]\ntarget = \"x\"\n", true),
            ("[build]\njobs = 1\n", false),
            ("[net\n", true),
        ];
        for (text, expected) in cases {
            assert_eq!(has_flags([text], GNU), expected, "{text}");
        }
    }

    #[test]
    fn a_targets_variable_is_in_effect_for_it_alone() {
        assert!(variable_has_flags("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", GNU));
        assert!(!variable_has_flags("CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS", GNU));
        assert!(variable_has_flags("RUSTFLAGS", GNU));
        assert!(!variable_has_flags("CARGO_TARGET_DIR", GNU));
    }
}
