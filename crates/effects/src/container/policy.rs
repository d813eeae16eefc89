//! The file of the agent's policy: `/etc/rust-vmm-ci/config.json`. What it says is read by
//! [`Policy::parse`].

use super::job::Job;
use anyhow::Result;
use rust_vmm_ci_core::buildkite::of_the_agent;
use rust_vmm_ci_core::config::Policy;
use rust_vmm_ci_core::exit;
use std::io::ErrorKind;
use std::path::Path;

/// Where the policy is.
pub const PATH: &str = "/etc/rust-vmm-ci/config.json";
/// The variable that names another file in its place.
pub const VARIABLE: &str = "RUST_VMM_CI_POLICY";
/// The variable that names the agent's list of the pipeline's variables.
const LIST: &str = "BUILDKITE_ENV_FILE";

/// The policy of this machine, from the variables of a job.
///
/// # Errors
/// Exit 3 where it is wrong, where the variable names a file that is not there, and as
/// [`refuse_agents_variables`]: a policy is the administrator's alone.
pub fn of_this_machine(job: &Job) -> Result<Policy> {
    refuse_agents_variables(job, true)?;
    read(job.variable(VARIABLE).map(Path::new))
}

/// Refuses a job whose pipeline sets a variable that only the agent's administrator may set. `on_host`: whether the
/// job's own code runs on the host. An agent without a list of the pipeline's variables has none to refuse.
///
/// # Errors
/// Exit 3 with the variable's name, and where the list cannot be read.
pub fn refuse_agents_variables(job: &Job, on_host: bool) -> Result<()> {
    let Some(file) = job.variable(LIST) else { return Ok(()) };
    let list = match std::fs::read(file) {
        Ok(list) => list,
        // The agent's container and the job's container of a pod have different files.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        // They may have different users too. A job in a pod has no host that it could reach.
        Err(error) if error.kind() == ErrorKind::PermissionDenied && is_in_pod(job) => return Ok(()),
        Err(error) => return Err(exit::infrastructure(format!("{LIST}: {file}: {error}"))),
    };
    match of_the_agent(&String::from_utf8_lossy(&list), on_host) {
        None => Ok(()),
        Some(name) => Err(exit::infrastructure(format!(
            "{name}: the pipeline sets this variable, and only the agent's administrator may, because programs on \
             the agent's machine obey it; take it out of the pipeline's `env`, or set it in the agent's \
             `environment` hook"
        ))),
    }
}

/// Whether the job runs in a pod of Kubernetes, as the agent says (`start --kubernetes-exec`).
fn is_in_pod(job: &Job) -> bool {
    job.variable("BUILDKITE_KUBERNETES_EXEC") == Some("true")
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
        Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => Ok(Policy::default()),
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
    fn a_pipeline_sets_no_variable_that_programs_on_the_host_obey() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        let refused = |text: &[u8], on_host| {
            std::fs::write(&list, text).unwrap();
            let variables = [(LIST.to_owned(), list.to_str().unwrap().to_owned())];
            let job = Job::of(Path::new("/checkout"), "/tmp".into(), variables.into());
            refuse_agents_variables(&job, on_host).err().map(|error| (exit::of(&error), error.to_string()))
        };
        let (exit, said) = refused(b"X=\"\xff\"\nDOCKER_HOST=\"tcp://x\"\n", false).unwrap();
        assert!(exit == exit::Exit::Infrastructure && said.starts_with("DOCKER_HOST: "), "{said}");
        assert_eq!(refused(b"DOCKER_HOST=\"tcp://x\"\n", true), None);
        assert_eq!(refused(b"RUSTFLAGS=\"-g\"\n", false), None);
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let error = read(Some(Path::new("/no/such/policy.json"))).unwrap_err();
        assert!(error.to_string().contains("/no/such/policy.json"), "{error}");
    }
}
