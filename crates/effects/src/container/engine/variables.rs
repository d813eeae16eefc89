//! The environment variables that a container gets. They are passed by name (`docker run --env NAME`),
//! so that no value stands on a command line.

use super::super::job::Job;
use super::super::settings::Settings;
use anyhow::Result;
use rust_vmm_ci_core::buildkite::{is_name, names_in};
use rust_vmm_ci_core::exit;
use std::collections::BTreeSet;
use std::path::Path;

/// The variables that every container gets: those that our own program reads, those that say which
/// change the build is for, and those of the predecessor. None of them is a secret.
const ALWAYS: [&str; 37] = [
    "AARCH64_LINUX_AGENT_TAGS",
    "BASE_BRANCH",
    "BUILDKITE",
    "BUILDKITE_BRANCH",
    "BUILDKITE_BUILD_ID",
    "BUILDKITE_BUILD_NUMBER",
    "BUILDKITE_BUILD_URL",
    "BUILDKITE_COMMIT",
    "BUILDKITE_JOB_ID",
    "BUILDKITE_LABEL",
    "BUILDKITE_MERGE_QUEUE_BASE_BRANCH",
    "BUILDKITE_MERGE_QUEUE_BASE_COMMIT",
    "BUILDKITE_ORGANIZATION_SLUG",
    "BUILDKITE_PARALLEL_JOB",
    "BUILDKITE_PARALLEL_JOB_COUNT",
    "BUILDKITE_PIPELINE_DEFAULT_BRANCH",
    "BUILDKITE_PIPELINE_SLUG",
    "BUILDKITE_PLUGINS",
    "BUILDKITE_PLUGIN_CONFIGURATION",
    "BUILDKITE_PLUGIN_NAME",
    "BUILDKITE_PULL_REQUEST",
    "BUILDKITE_PULL_REQUEST_BASE_BRANCH",
    "BUILDKITE_REPO",
    "BUILDKITE_RETRY_COUNT",
    "BUILDKITE_STEP_ID",
    "BUILDKITE_STEP_KEY",
    "BUILDKITE_TAG",
    "BUILDKITE_TIMEOUT",
    "CARGO_TERM_COLOR",
    "CI",
    "DEFAULT_AGENT_TAG_HYPERVISOR",
    "DOCKER_PLUGIN_CONFIG",
    "NO_COLOR",
    "REMOTE",
    "TESTS_TO_SKIP",
    "TIMEOUTS_MIN",
    "X86_LINUX_AGENT_TAGS",
];
/// The name of this plugin in the variables that the agent sets for its hooks.
const OUR_NAME: &str = "RUST_VMM_CI";
/// The variables that the option `propagate-aws-auth-tokens` passes (docker plugin's list).
const AWS: [&str; 11] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_STS_REGIONAL_ENDPOINTS",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ROLE_ARN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];
/// The variables that the option `propagate-gcp-auth-tokens` passes (docker plugin's list).
const GCP: [&str; 3] =
    ["GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE", "BUILDKITE_OIDC_TMPDIR"];
/// The endings of the names of secrets: those that the agent hides in logs (`--redacted-vars`), and `_KEY`.
const SECRET_ENDINGS: [&str; 5] = ["_TOKEN", "_SECRET", "_KEY", "_PASSWORD", "_CONNECTION_STRING"];
/// Names that have such an ending and are not secrets.
const NO_SECRETS: [&str; 2] = ["BUILDKITE_STEP_KEY", "BUILDKITE_GROUP_KEY"];
/// The variables of the agent that are neither a secret nor a way to the agent's API.
const AGENTS_HARMLESS: [&str; 2] = ["BUILDKITE_AGENT_ID", "BUILDKITE_AGENT_NAME"];

/// The environment of a container.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Words for `docker run --env`, in order: `NAME`, or `NAME=value` as an option has it.
    pub words: Vec<String>,
    /// Paths of the host that variables name. They are mounted under the same path.
    pub mounts: Vec<String>,
}

/// The environment of a job's container. `env_file` is the text of the file that `BUILDKITE_ENV_FILE`
/// names.
///
/// # Errors
/// Exit 2 with the key path, if an option names a variable that is not set.
pub fn passed(settings: &Settings, job: &Job, env_file: Option<&str>) -> Result<Passed> {
    let mut passed = Passed::default();
    // This variable holds the options of every plugin. The job needs ours alone, and an agent that is
    // new enough passes ours in a variable of their own.
    let has_own_options = job.variable("BUILDKITE_PLUGIN_CONFIGURATION").is_some()
        && job.variable("BUILDKITE_PLUGIN_NAME") == Some(OUR_NAME);
    passed.names(ALWAYS.into_iter().filter(|name| !(has_own_options && *name == "BUILDKITE_PLUGINS")), job);
    if settings.flag("propagate-environment") {
        // The docker plugin's rule: these are the variables of the pipeline and not those that hooks set.
        let text = env_file.ok_or_else(|| {
            exit::usage(
                "docker.propagate-environment: the agent gives no list of variables \
                 (BUILDKITE_ENV_FILE); name the variables in `environment`",
            )
        });
        match text {
            Ok(text) => passed.names(names_in(text).filter(|name| !is_secret(name)), job),
            Err(error) if job.variable("BUILDKITE_JOB_ID").is_some() => return Err(error),
            Err(_) => {}
        }
    }
    if let Some(list) = settings.text("env-propagation-list") {
        let names = job.variable(list).ok_or_else(|| {
            exit::usage(format!("docker.env-propagation-list: the variable `{list}` is not set"))
        })?;
        passed.names(names.split_whitespace(), job);
    }
    if settings.flag("propagate-aws-auth-tokens") {
        passed.names(AWS, job);
        passed.mounts.extend(job.variable("AWS_WEB_IDENTITY_TOKEN_FILE").map(str::to_owned));
    }
    if settings.flag("propagate-gcp-auth-tokens") {
        passed.names(GCP, job);
        passed.mounts.extend(job.variable("BUILDKITE_OIDC_TMPDIR").map(str::to_owned));
    }
    for (at, word) in settings.list("environment").iter().enumerate() {
        match word.split_once('=').map_or(word.as_str(), |(name, _)| name) {
            name if is_name(name) => passed.push(word),
            _ => {
                let what = "expected NAME or NAME=value";
                return Err(exit::usage(format!("docker.environment[{at}]: {what}, got \"{word}\"")));
            }
        }
    }
    Ok(passed)
}

/// The names of the variables that a job's container gets by options and by this program, each once.
///
/// # Errors
/// As [`passed`].
pub fn names_passed(settings: &Settings, job: &Job, env_file: Option<&str>) -> Result<Vec<String>> {
    let passed = passed(settings, job, env_file)?;
    let name = |word: &String| word.split_once('=').map_or(word.as_str(), |(name, _)| name).to_owned();
    let names: BTreeSet<String> = passed.words.iter().map(name).collect();
    Ok(names.into_iter().collect())
}

impl Passed {
    fn names<'a>(&mut self, names: impl IntoIterator<Item = &'a str>, job: &Job) {
        for name in names {
            if job.variables.contains_key(name) {
                self.push(name);
            }
        }
    }

    fn push(&mut self, word: &str) {
        if !self.words.iter().any(|known| known == word) {
            self.words.push(word.to_owned());
        }
    }
}

/// Whether the name of a variable tells that it is a secret or a way to the agent's API.
fn is_secret(name: &str) -> bool {
    let upper = name.to_uppercase();
    let bare = SECRET_ENDINGS.iter().any(|ending| upper == ending[1..]);
    let agents = upper.starts_with("BUILDKITE_AGENT_") && !AGENTS_HARMLESS.contains(&upper.as_str());
    let ending = SECRET_ENDINGS.iter().any(|ending| upper.ends_with(ending));
    agents || bare || (ending && !NO_SECRETS.contains(&upper.as_str()))
}

/// Replaces `$NAME` and `${NAME}` by the values of the job's variables, as the options `expand-…-vars` of
/// the docker plugin do, but without a shell.
///
/// # Errors
/// Exit 2 with the key path, if a variable is not set.
pub fn expand(key: &str, text: &str, job: &Job) -> Result<String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let plain = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, remainder) = braced.unwrap_or_else(|| after.split_at(plain));
        if !is_name(name) {
            return Err(exit::usage(format!("{key}: expected a variable's name after `$` in \"{text}\"")));
        }
        let value = job.variables.get(name);
        let value = value.ok_or_else(|| exit::usage(format!("{key}: the variable `{name}` is not set")))?;
        expanded.push_str(value);
        rest = remainder;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The text of the agent's list of the pipeline's variables, if there is one.
pub fn env_file(job: &Job) -> Option<String> {
    std::fs::read_to_string(Path::new(job.variable("BUILDKITE_ENV_FILE")?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_vmm_ci_core::config::DockerChoice;
    use rust_vmm_ci_core::config::Policy;
    use serde_json::{Map, Value, json};
    use std::path::PathBuf;

    fn job(variables: &[(&str, &str)]) -> Job {
        let variables = variables.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Job::of(Path::new("/checkout"), PathBuf::from("/tmp"), variables)
    }

    fn words(options: Value, job: &Job, env_file: Option<&str>) -> Result<Vec<String>> {
        let options: Map<String, Value> = serde_json::from_value(options).unwrap();
        let settings = Settings::of(&DockerChoice::Options(options), &Map::new(), &Policy::default())?;
        passed(&settings.unwrap(), job, env_file).map(|passed| passed.words)
    }

    #[test]
    fn a_container_gets_what_our_binary_reads_and_nothing_else() {
        let job = job(&[("BUILDKITE_COMMIT", "abc"), ("BUILDKITE_AGENT_ACCESS_TOKEN", "t"), ("HOME", "/h")]);
        assert_eq!(words(json!({}), &job, None).unwrap(), ["BUILDKITE_COMMIT"]);
    }

    #[test]
    fn other_plugins_options_stay_outside_where_ours_are_known() {
        let all = [
            ("BUILDKITE_PLUGINS", "[…]"),
            ("BUILDKITE_PLUGIN_CONFIGURATION", "{}"),
            ("BUILDKITE_PLUGIN_NAME", "RUST_VMM_CI"),
        ];
        let names = ["BUILDKITE_PLUGIN_CONFIGURATION", "BUILDKITE_PLUGIN_NAME"];
        assert_eq!(words(json!({}), &job(&all), None).unwrap(), names);
        assert_eq!(words(json!({}), &job(&all[..1]), None).unwrap(), ["BUILDKITE_PLUGINS"]);
    }

    #[test]
    fn the_environment_is_passed_by_name_and_without_secrets() {
        let names =
            ["A", "DEPLOY_TOKEN", "X_SECRET", "api_key", "Token", "BUILDKITE_STEP_KEY", "DB_PASSWORD"];
        let agent = ["BUILDKITE_AGENT_ACCESS_TOKEN", "BUILDKITE_AGENT_ENDPOINT", "BUILDKITE_AGENT_NAME"];
        let all: Vec<_> = names.iter().chain(&agent).map(|name| (*name, "value")).collect();
        let mut file = String::new();
        for (name, _) in &all {
            file.push_str(&format!("{name}=\"a\\nb\"\n"));
        }
        let passed = words(json!({"propagate-environment": true}), &job(&all), Some(&file)).unwrap();
        assert_eq!(passed, ["BUILDKITE_STEP_KEY", "A", "BUILDKITE_AGENT_NAME"]);
    }

    #[test]
    fn a_secret_that_is_named_one_by_one_is_passed() {
        let job = job(&[("DEPLOY_TOKEN", "t"), ("LIST", "DEPLOY_TOKEN OTHER_KEY"), ("OTHER_KEY", "k")]);
        let named = json!({"environment": ["DEPLOY_TOKEN", "A=b=c"]});
        assert_eq!(words(named, &job, None).unwrap(), ["DEPLOY_TOKEN", "A=b=c"]);
        let listed = json!({"env-propagation-list": "LIST"});
        assert_eq!(words(listed, &job, None).unwrap(), ["DEPLOY_TOKEN", "OTHER_KEY"]);
    }

    #[test]
    fn what_is_no_variable_is_refused_with_its_place() {
        let says = |options: Value| {
            words(options, &job(&[("BUILDKITE_JOB_ID", "j")]), None).unwrap_err().to_string()
        };
        assert!(says(json!({"environment": ["A", "B C=d"]})).starts_with("docker.environment[1]: expected"));
        assert!(says(json!({"env-propagation-list": "L"})).contains("`L` is not set"));
        assert!(says(json!({"propagate-environment": true})).contains("BUILDKITE_ENV_FILE"));
    }

    #[test]
    fn variables_are_expanded_without_a_shell() {
        let job = job(&[("A", "x$(id)"), ("B_1", "y")]);
        assert_eq!(expand("k", "a${A}b/$B_1:c", &job).unwrap(), "ax$(id)b/y:c");
        assert_eq!(expand("k", "$C", &job).unwrap_err().to_string(), "k: the variable `C` is not set");
        assert!(expand("k", "$(id)", &job).unwrap_err().to_string().contains("expected a variable's name"));
    }
}
