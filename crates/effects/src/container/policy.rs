//! The file of the agent's policy: `/etc/rust-vmm-ci/config.json`. What it says is read by
//! [`Policy::parse`].

use anyhow::Result;
use rust_vmm_ci_core::config::Policy;
use rust_vmm_ci_core::exit;
use std::path::Path;

/// Where the policy is.
pub const PATH: &str = "/etc/rust-vmm-ci/config.json";
/// The variable that names another file in its place.
pub const VARIABLE: &str = "RUST_VMM_CI_POLICY";

/// The policy of a file, or the empty one where the file is not there. A `named` file must be there.
///
/// # Errors
/// Exit 3 with the file and the key: the mistake is the administrator's and not the repository's.
pub fn read(named: Option<&Path>) -> Result<Policy> {
    let file = named.unwrap_or(Path::new(PATH));
    if named.is_none() && !file.is_absolute() {
        // On Windows such a path begins at the current drive, where anybody may make the folder.
        return Ok(Policy::default());
    }
    match std::fs::read_to_string(file) {
        Ok(text) => Policy::parse(&file.display().to_string(), &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
            Ok(Policy::default())
        }
        Err(error) => Err(exit::infrastructure(format!("the agent's policy {}: {error}", file.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let error = read(Some(Path::new("/no/such/policy.json"))).unwrap_err();
        assert!(error.to_string().contains("/no/such/policy.json"), "{error}");
    }
}
