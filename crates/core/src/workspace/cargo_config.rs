//! Finds the settings in Cargo's configuration that can change the verdict of a check.

use toml::{Table, Value};

/// Whether configuration files set flags for rustc, or a default target, for code that is built for
/// `triple`.
///
/// The variable `RUSTFLAGS` replaces such flags and does not add to them. So if flags are set, a check
/// needs that variable to reach the verdict of the predecessor. When in doubt the answer is yes, which
/// only costs time: a `cfg(…)` section counts as matching, and a file that does not parse counts as
/// setting flags.
///
/// `files` are the texts of the configuration files that Cargo would read, in any order.
pub fn has_flags<'t>(files: impl IntoIterator<Item = &'t str>, triple: &str) -> bool {
    any_sets(files, triple, &["rustflags", "target"], "rustflags")
}

/// Whether the environment variable `name` sets flags for rustc, or a default target, for code that is
/// built for `triple`.
pub fn variable_has_flags(name: &str, triple: &str) -> bool {
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET"].contains(&name)
        || name == of_target(triple, "RUSTFLAGS")
}

/// Whether configuration files set the runner of tests for `triple`, the rustdoc program, or a default
/// target. When in doubt the answer is yes, as in [`has_flags`].
pub fn sets_test_tools<'t>(files: impl IntoIterator<Item = &'t str>, triple: &str) -> bool {
    any_sets(files, triple, &["rustdoc", "target"], "runner")
}

/// Whether the environment variable `name` sets the runner of tests for `triple`, the rustdoc program,
/// or a default target.
pub fn variable_sets_test_tools(name: &str, triple: &str) -> bool {
    ["RUSTDOC", "CARGO_BUILD_RUSTDOC", "CARGO_BUILD_TARGET"].contains(&name)
        || name == of_target(triple, "RUNNER")
}

/// Whether a file has one of the keys `of_build` in `[build]`, or the key `of_target` in a section
/// `[target.…]` that applies to `triple`.
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

/// The environment variable from which Cargo reads a key of the section `[target.TRIPLE]`.
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
