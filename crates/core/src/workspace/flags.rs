//! What in a workspace's own files makes it matter whether flags for rustc are given in `RUSTFLAGS`,
//! as the predecessor's commands give them, or followed without the variable.

use toml::Value;

/// The `cfg` by which a crate says that its documentation may be made with features that exclude
/// each other (predecessor's doc check).
pub const DOC_CFG: &str = "RUSTDOC_disable_feature_compat_errors";

/// What a workspace's files mention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// [`DOC_CFG`].
    pub doc_cfg: bool,
    /// The variables themselves: a build script sees them, and may build something else.
    pub variable: bool,
    /// The lint group `warnings`, at a level under which `-D warnings` on the command line does not
    /// deny what rustc reports as warnings, or denies what it does not report at all: rustc lets an
    /// attribute win over the command line, and the command line over a manifest's table (seen with
    /// 1.95, whose messages do not tell).
    pub warnings: bool,
}

impl Mentions {
    /// Both of them.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            doc_cfg: self.doc_cfg || other.doc_cfg,
            variable: self.variable || other.variable,
            warnings: self.warnings || other.warnings,
        }
    }

    /// What a Rust source mentions, in code or in comments: too much costs time only.
    pub fn of_source(text: &str) -> Self {
        let warns = text.match_indices("warn").any(|(at, word)| {
            let rest = text[at + word.len()..].trim_start();
            let arguments = rest.strip_prefix('(').and_then(|rest| rest.split(')').next());
            arguments.is_some_and(|lints| lints.split(',').any(|lint| lint.trim() == "warnings"))
        });
        Self { doc_cfg: text.contains(DOC_CFG), variable: text.contains("RUSTFLAGS"), warnings: warns }
    }

    /// What a manifest mentions, of a package or of a workspace.
    pub fn of_manifest(text: &str) -> Self {
        let table = text.parse::<toml::Table>().unwrap_or_default();
        let lints = [table.get("lints"), table.get("workspace").and_then(|workspace| workspace.get("lints"))];
        let rust = lints.into_iter().flatten().filter_map(|lints| lints.get("rust"));
        let warnings = rust.filter_map(Value::as_table).any(|rust| rust.contains_key("warnings"));
        Self { warnings, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_sets_the_level_of_all_warnings_is_known() {
        let cases = [
            ("#![warn(warnings)]", true),
            ("#![cfg_attr(test, warn( unused , warnings))]", true),
            ("#![warn(missing_docs)]\n// warnings", false),
            ("#![deny(warnings)]", false),
            ("warn!(\"warnings\")", false),
        ];
        for (text, expected) in cases {
            assert_eq!(Mentions::of_source(text).warnings, expected, "{text}");
        }
    }

    #[test]
    fn a_build_script_that_reads_the_flags_is_known() {
        assert!(Mentions::of_source("std::env::var(\"CARGO_ENCODED_RUSTFLAGS\")").variable);
        assert!(Mentions::of_source(&format!("#[cfg(not({DOC_CFG}))]")).doc_cfg);
    }

    #[test]
    fn a_manifest_that_sets_the_level_of_all_warnings_is_known() {
        let cases = [
            ("[lints.rust]\nwarnings = \"allow\"\n", true),
            ("[workspace.lints.rust]\nwarnings = { level = \"warn\", priority = -1 }\n", true),
            ("[lints.rust]\nunused = \"allow\"\n", false),
            ("[lints.clippy]\nwarnings = \"allow\"\n", false),
        ];
        for (text, expected) in cases {
            assert_eq!(Mentions::of_manifest(text).warnings, expected, "{text}");
        }
    }
}
