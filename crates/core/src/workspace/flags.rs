//! Finds code that behaves differently if flags for rustc come in the variable `RUSTFLAGS`.
//!
//! The predecessor's commands set that variable. This program reaches the same verdict without it, except
//! for the workspaces that this module finds.

use toml::Value;

/// A `cfg` that the predecessor's check `doc` sets. A crate uses it to allow features in its
/// documentation that otherwise exclude each other.
pub const DOC_CFG: &str = "RUSTDOC_disable_feature_compat_errors";

/// The flags of the predecessor's commands that deny warnings.
pub const DENY: &str = "-D warnings";

/// Whether a value of `RUSTFLAGS` is one of the predecessor's, whose effect can be reached without the
/// variable.
pub fn are_known(rustflags: &str) -> bool {
    rustflags == DENY || rustflags == format!("--cfg {DOC_CFG}")
}

/// What the files of a workspace mention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mentions {
    /// The name [`DOC_CFG`].
    pub doc_cfg: bool,
    /// The name `RUSTFLAGS`. A build script can read the variable and then build something else.
    pub variable: bool,
    /// The lint group `warnings`, at a level of its own. An attribute wins over `-D warnings` on the
    /// command line, which then does not deny the reported warnings. The command line wins over the
    /// table in a manifest, and then denies warnings that rustc would not report. rustc's messages do
    /// not show either case (observed with Rust 1.95).
    pub warnings: bool,
    /// A source that is perhaps not read: a path that leads out of the package's folder or into a hidden
    /// one, or a file with another extension than `.rs`.
    pub elsewhere: bool,
}

impl Mentions {
    /// What `self` or `other` mentions.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            doc_cfg: self.doc_cfg || other.doc_cfg,
            variable: self.variable || other.variable,
            warnings: self.warnings || other.warnings,
            elsewhere: self.elsewhere || other.elsewhere,
        }
    }

    /// What a Rust source mentions. A mention in a comment counts too, which only costs time.
    pub fn of_source(text: &str) -> Self {
        let warns = text.match_indices("warn").any(|(at, word)| {
            let rest = text[at + word.len()..].trim_start();
            let arguments = rest.strip_prefix('(').and_then(|rest| rest.split(')').next());
            arguments.is_some_and(|lints| lints.split(',').any(|lint| lint.trim() == "warnings"))
        });
        Self {
            doc_cfg: text.contains(DOC_CFG),
            variable: text.contains("RUSTFLAGS"),
            warnings: warns,
            elsewhere: leads_elsewhere(text),
        }
    }

    /// What the manifest of a package or of a workspace mentions.
    pub fn of_manifest(text: &str) -> Self {
        let table = text.parse::<toml::Table>().unwrap_or_default();
        let lints = [table.get("lints"), table.get("workspace").and_then(|workspace| workspace.get("lints"))];
        let rust = lints.into_iter().flatten().filter_map(|lints| lints.get("rust"));
        let warnings = rust.filter_map(Value::as_table).any(|rust| rust.contains_key("warnings"));
        Self { warnings, ..Self::default() }
    }
}

/// Whether a source takes in another one by a path that leads out of what is read.
fn leads_elsewhere(text: &str) -> bool {
    let after = |sign: &str, open: &str| -> Vec<String> {
        let values = text.match_indices(sign).filter_map(|(at, _)| {
            let value = text[at + sign.len()..].trim_start().strip_prefix(open)?.trim_start();
            value.strip_prefix('"')?.split('"').next().map(str::to_owned)
        });
        values.collect()
    };
    let is_out = |path: &String| path.starts_with(['/', '.']) || path.contains("/.") || path.contains(':');
    after("path", "=").iter().any(|path| path.ends_with(".rs") && is_out(path))
        || after("include!", "(").iter().any(|path| !path.ends_with(".rs") || is_out(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_outside_of_what_is_read_is_known_by_its_path() {
        for (text, expected) in [
            ("#[path = \"../../shared/a.rs\"]\nmod a;", true),
            ("#[cfg_attr(x, path = \"/abs/a.rs\")] mod a;", true),
            ("#[path=\".hidden/a.rs\"] mod a;", true),
            ("#[path = \"arch/x86.rs\"] mod a;", false),
            ("include!(\"../a.rs\");", true),
            ("include!(\"table.in\");", true),
            ("include!(\"table.rs\");", false),
            ("include!(concat!(env!(\"OUT_DIR\"), \"/a.rs\"));", false),
            ("let path = \"../a.txt\";", false),
        ] {
            assert_eq!(Mentions::of_source(text).elsewhere, expected, "{text}");
        }
    }

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
