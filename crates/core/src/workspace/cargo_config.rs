//! What a repository's and a person's cargo configuration say that bears on verdicts.

use toml::{Table, Value};

/// Whether flags for rustc, or another default target, are in effect for code that is built for
/// `triple`. `RUSTFLAGS` in a description replaces such flags (facts: it does not add to them), so a
/// check must then be given that variable for the predecessor's verdict. A `cfg(…)` section is taken
/// to apply, and a file that does not parse to say something: the careful answer costs time only.
///
/// `files` are the texts of the configuration files that cargo would read, in any order.
pub fn has_flags<'t>(files: impl IntoIterator<Item = &'t str>, triple: &str) -> bool {
    any_sets(files, triple, &["rustflags", "target"], "rustflags")
}

/// Whether variables of the environment put such flags into effect: `name` and `value` of each.
pub fn variable_has_flags(name: &str, triple: &str) -> bool {
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET"].contains(&name)
        || name == of_target(triple, "RUSTFLAGS")
}

/// Whether the files say what runs the tests of code that is built for `triple`, or what makes its
/// documentation, or for which target it is built. The careful answer is as for [`has_flags`].
pub fn sets_test_tools<'t>(files: impl IntoIterator<Item = &'t str>, triple: &str) -> bool {
    any_sets(files, triple, &["rustdoc", "target"], "runner")
}

/// Whether a variable of the environment says so.
pub fn variable_sets_test_tools(name: &str, triple: &str) -> bool {
    ["RUSTDOC", "CARGO_BUILD_RUSTDOC", "CARGO_BUILD_TARGET"].contains(&name)
        || name == of_target(triple, "RUNNER")
}

/// Whether a file has a key of `[build]`, or one of the target's section.
fn any_sets<'t>(
    files: impl IntoIterator<Item = &'t str>,
    triple: &str,
    of_build: &[&str],
    of_target: &str,
) -> bool {
    files.into_iter().any(|text| {
        let Ok(table) = text.parse::<Table>() else { return true };
        let build = table.get("build");
        let targets = table.get("target").and_then(Value::as_table);
        of_build.iter().any(|key| build.is_some_and(|build| build.get(key).is_some()))
            || targets.into_iter().flatten().any(|(name, value)| {
                (name == triple || name.starts_with("cfg(")) && value.get(of_target).is_some()
            })
    })
}

/// The variable that cargo reads a key of a target's section from.
fn of_target(triple: &str, key: &str) -> String {
    format!("CARGO_TARGET_{}_{key}", triple.to_uppercase().replace('-', "_"))
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

    #[test]
    fn a_runner_or_a_rustdoc_of_somebodys_own_is_known() {
        let cases = [
            ("[target.x86_64-unknown-linux-gnu]\nrunner = \"qemu\"\n", true),
            ("[target.'cfg(unix)']\nrunner = [\"env\"]\n", true),
            ("[target.aarch64-unknown-linux-gnu]\nrunner = \"qemu\"\n", false),
            ("[build]\nrustdoc = \"mine\"\n", true),
            ("[build]\nrustflags = []\n", false),
        ];
        for (text, expected) in cases {
            assert_eq!(sets_test_tools([text], GNU), expected, "{text}");
        }
        assert!(variable_sets_test_tools("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", GNU));
        assert!(variable_sets_test_tools("RUSTDOC", GNU));
        assert!(!variable_sets_test_tools("RUSTDOCFLAGS", GNU));
    }
}
