//! The file of the agent's policy: `/etc/rust-vmm-ci/config.json`. What it says is read by
//! [`Policy::parse`].

use super::engine::{env_file, names_in};
use super::job::Job;
use anyhow::Result;
use rust_vmm_ci_core::config::Policy;
use rust_vmm_ci_core::exit;
use std::path::Path;

/// Where the policy is.
pub const PATH: &str = "/etc/rust-vmm-ci/config.json";
/// The variable that names another file in its place.
pub const VARIABLE: &str = "RUST_VMM_CI_POLICY";

/// The policy of this machine, from the variables of a job.
///
/// # Errors
/// Exit 3 where it is wrong, where the variable names a file that is not there, and where the pipeline has set
/// the variable: a policy is the administrator's alone.
pub fn of_this_machine(job: &Job) -> Result<Policy> {
    let named = job.variable(VARIABLE);
    let of_pipeline = env_file(job).is_some_and(|text| names_in(&text).any(|name| name == VARIABLE));
    if named.is_some() && of_pipeline {
        return Err(exit::infrastructure(format!(
            "{VARIABLE}: the pipeline sets this variable, and only the agent's administrator may; take it out of \
             the pipeline's `env`"
        )));
    }
    read(named.map(Path::new))
}

/// The policy of a file, or the empty one where the file is not there. A `named` file must be there.
///
/// # Errors
/// Exit 3 with the file and the key: the mistake is the administrator's and not the repository's.
fn read(named: Option<&Path>) -> Result<Policy> {
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
    fn a_pipeline_cannot_choose_the_policy() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str| {
            let path = scratch.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let policy = at("policy.json", r#"{"cache": "none"}"#);
        let list = |text: &str| {
            let list = at("list", text);
            let variables = [(VARIABLE.to_owned(), policy.clone()), ("BUILDKITE_ENV_FILE".to_owned(), list)];
            of_this_machine(&Job::of(Path::new("/checkout"), "/tmp".into(), variables.into()))
        };
        assert!(list("A=\"b\"\n").unwrap().cache.is_some());
        let error = list("A=\"b\"\nRUST_VMM_CI_POLICY=\"/x\"\n").unwrap_err();
        assert_eq!(exit::of(&error), exit::Exit::Infrastructure);
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let error = read(Some(Path::new("/no/such/policy.json"))).unwrap_err();
        assert!(error.to_string().contains("/no/such/policy.json"), "{error}");
    }
}
