//! Checks whether the hooks or the option `version` accept the version of this binary.

use crate::exit::usage;
use crate::model::shown;
use anyhow::Result;
use semver::{Version, VersionReq};

/// Compares the binary's version with the option `version`. Without that option, compares it with the version
/// of the hooks: the major version must be the same, and the binary must not be older. The hooks' version is
/// in `RUST_VMM_CI_HOOKS_VERSION`, with or without `v`. On a person's machine it is unset.
///
/// # Errors
/// Exit 2, with what to upgrade. Also exit 2 if the hooks' version is not a version.
pub fn require_version(required: Option<&VersionReq>, hooks: Option<&str>, binary: &Version) -> Result<()> {
    if let Some(required) = required {
        if required.matches(binary) {
            return Ok(());
        }
        return Err(usage(format!(
            "version: this step requires rust-vmm-ci {required}, and this is {binary}: install one that \
             meets it on the agent (docs/agents.md), or change the option `version`"
        )));
    }
    let Some(hooks) = hooks.map(str::trim).filter(|hooks| !hooks.is_empty()) else { return Ok(()) };
    let hooks: Version = hooks.strip_prefix('v').unwrap_or(hooks).parse().map_err(|error| {
        usage(format!(
            "RUST_VMM_CI_HOOKS_VERSION: expected a version such as 1.2.3, got {}: {error}",
            shown::value(hooks)
        ))
    })?;
    if binary.major < hooks.major || (binary.major == hooks.major && *binary < hooks) {
        return Err(usage(format!(
            "this rust-vmm-ci is {binary}, older than the plugin's hooks ({hooks}): upgrade it on the \
             agent (docs/agents.md), or name the plugin's v{binary} in the pipeline"
        )));
    }
    if binary.major > hooks.major {
        return Err(usage(format!(
            "this rust-vmm-ci is {binary}, and the plugin's hooks are {hooks}: name the plugin's \
             v{binary} in the pipeline, or say with the option `version` that this binary will do: \
             version: \"{}\"",
            binary.major
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error for a binary. Empty if its version is accepted.
    fn told(required: Option<&str>, hooks: Option<&str>, binary: &str) -> String {
        let required = required.map(|text| text.parse().unwrap());
        let binary = binary.parse().unwrap();
        require_version(required.as_ref(), hooks, &binary)
            .map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn a_binary_of_the_hooks_major_version_that_is_not_older_will_do() {
        for (hooks, binary) in
            [("1.0.0", "1.0.0"), ("v1.0.0", "1.2.0"), ("1.1.0-rc.1", "1.1.0"), ("0.1.0", "0.2.0")]
        {
            assert_eq!(told(None, Some(hooks), binary), "", "{hooks} {binary}");
        }
        assert_eq!(told(None, None, "1.0.0"), "");
        assert_eq!(told(None, Some(""), "1.0.0"), "");
    }

    #[test]
    fn an_older_binary_is_to_be_upgraded() {
        for binary in ["1.1.9", "0.9.0", "1.2.0-rc.1"] {
            let told = told(None, Some("v1.2.0"), binary);
            assert!(told.contains(&format!("{binary}, older than the plugin's hooks (1.2.0)")), "{told}");
            assert!(told.contains("upgrade it on the agent"), "{told}");
        }
    }

    #[test]
    fn a_binary_of_the_next_major_version_asks_for_its_own_hooks() {
        let told = told(None, Some("1.2.0"), "2.0.1");
        assert!(told.contains("name the plugin's v2.0.1"), "{told}");
    }

    #[test]
    fn the_option_stands_in_place_of_the_hooks_version() {
        assert_eq!(told(Some(">=1.2, <3"), Some("1.0.0"), "2.0.0"), "");
        let told = told(Some(">=1.2"), Some("1.0.0"), "1.1.0");
        assert!(
            told.starts_with("version: this step requires rust-vmm-ci >=1.2, and this is 1.1.0"),
            "{told}"
        );
    }

    #[test]
    fn hooks_without_a_version_are_told() {
        assert!(
            told(None, Some("main"), "1.0.0").starts_with("RUST_VMM_CI_HOOKS_VERSION: expected a version")
        );
    }
}
