//! Every call of `buildkite-agent`, which is looked for on PATH. The command line is that of v3.138.1
//! (`clicommand/` in its source).
//!
//! The agent takes its job and its token from the environment. If Buildkite does not answer (429, 5xx,
//! a broken connection), the agent itself tries again. Each call returns what the agent printed, for
//! the log. If a call fails, the error has all of it. A report that does not arrive must not change a
//! verdict: the callers print such an error and go on.

use crate::process::{self, Command};
use anyhow::Result;
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::report::annotation::Style;
use std::path::Path;
use std::process::ExitStatus;
use thiserror::Error;

/// The agent's program.
const PROGRAM: &str = "buildkite-agent";
/// The variables that hold the agent's secrets (`clicommand/global.go`). With
/// `BUILDKITE_AGENT_DEBUG_HTTP` the agent prints its requests, with the token in them.
const SECRETS: [&str; 2] = ["BUILDKITE_AGENT_ACCESS_TOKEN", "BUILDKITE_AGENT_TOKEN"];
/// The time limit of a promise. A promise has no use once the job has ended.
const PROMISE_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);
/// The characters that `artifact upload` does not take as part of a path: its delimiter, and those of
/// glob patterns.
const NOT_LITERAL: [char; 8] = [';', '*', '?', '[', ']', '{', '}', '\\'];

/// Why a call of the agent failed.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The agent could not be started, or its output could not be read.
    #[error("{0:#}")]
    NotStarted(anyhow::Error),
    /// Buildkite answered with 404: the object of the call does not exist.
    #[error("`{}` failed ({}): {}", .0.command, .0.status, .0.printed)]
    NotFound(Failed),
    /// The agent ended with another status than 0, for any other reason.
    #[error("`{}` failed ({}): {}", .0.command, .0.status, .0.printed)]
    Failed(Failed),
}

/// How a call failed.
#[derive(Debug)]
pub struct Failed {
    /// The command line.
    pub command: String,
    /// How the agent ended.
    pub status: ExitStatus,
    /// What it printed on standard error, without secrets.
    pub printed: String,
}

impl AgentError {
    /// Reads why the agent failed. The exit status does not say why: it is 1 for every refusal of Buildkite.
    /// The last line that the agent prints comes from its API client (`api/client.go`, `ErrorResponse`):
    /// `METHOD URL: STATUS`.
    fn of(failed: Failed) -> Self {
        if failed.printed.contains(": 404 Not Found") { Self::NotFound(failed) } else { Self::Failed(failed) }
    }

    /// The same as an error of the program: exit 3.
    fn infrastructure(self) -> anyhow::Error {
        match self {
            Self::NotStarted(error) => error,
            failed => exit::infrastructure(failed.to_string()),
        }
    }
}

/// Whether there is an agent on PATH.
pub fn is_there() -> bool {
    which::which(PROGRAM).is_ok()
}

/// Adds the steps of a pipeline (JSON or YAML) to the build, as they are: the agent replaces no
/// variable in them.
///
/// # Errors
/// Exit 3 if the agent is not there, or if it or Buildkite refuses the pipeline.
pub fn upload(pipeline: &str) -> Result<String> {
    call(&command(["pipeline", "upload", "--no-interpolation"]), pipeline).map_err(AgentError::infrastructure)
}

/// Puts an annotation with this context (at most 100 characters) on the build. It replaces an earlier
/// one with the same context. The body is Markdown, at most 1 MiB; the agent reads it from standard
/// input.
///
/// # Errors
/// Exit 3 if the agent is not there or Buildkite refuses.
pub fn annotate(body: &str, context: &str, style: Style) -> Result<String> {
    // If a hook of the agent sets this variable, the agent appends our body to the earlier one.
    let command = command(["annotate", "--context", context, "--style", style.as_str()])
        .env_remove("BUILDKITE_ANNOTATION_APPEND");
    call(&command, body).map_err(AgentError::infrastructure)
}

/// Removes the annotation with this context from the build. It is no error if there is none.
///
/// # Errors
/// Exit 3 if the agent is not there or Buildkite refuses.
pub fn remove_annotation(context: &str) -> Result<String> {
    match call(&command(["annotation", "remove", "--context", context]), "") {
        Err(AgentError::NotFound(_)) => Ok(String::new()),
        removed => removed.map_err(AgentError::infrastructure),
    }
}

/// Promises that this job will end with this status, which is not 0, while it goes on. The promise is binding.
/// Agents know this command since 3.128.
///
/// # Errors
/// Exit 3 if the agent is not there, does not know the command, or Buildkite refuses.
pub fn promise_failure(status: i32, reason: &str) -> Result<()> {
    let status = status.to_string();
    let command = command(["job", "promise-failure", &status, "--reason", reason]).within(PROMISE_WITHIN);
    call(&command, "").map_err(AgentError::infrastructure).map(drop)
}

/// Sets an attribute of this job's step. The agent reads the value from standard input.
///
/// # Errors
/// Exit 3 if the agent is not there, does not know the command, or Buildkite refuses.
pub fn update_step(attribute: &str, value: &str) -> Result<()> {
    // If a hook of the agent sets this variable, the agent adds our value to the earlier one.
    let command = command(["step", "update", attribute]).env_remove("BUILDKITE_STEP_UPDATE_APPEND");
    call(&command, value).map_err(AgentError::infrastructure).map(drop)
}

/// Sets a value in the meta-data of the build. The agent reads it from standard input.
///
/// # Errors
/// Exit 3 if the agent is not there or Buildkite refuses.
pub fn set_meta_data(key: &str, value: &str) -> Result<()> {
    call(&command(["meta-data", "set", key]), value).map_err(AgentError::infrastructure).map(drop)
}

/// The keys of the build's meta-data that begin with this text, in order.
///
/// # Errors
/// Exit 3 if the agent is not there or Buildkite refuses.
pub fn meta_data_keys(beginning: &str) -> Result<Vec<String>> {
    let printed = answer(&command(["meta-data", "keys"])).map_err(AgentError::infrastructure)?;
    let mut keys: Vec<String> =
        printed.lines().filter(|key| key.starts_with(beginning)).map(str::to_owned).collect();
    keys.sort();
    Ok(keys)
}

/// A value of the build's meta-data; none if there is no such key.
///
/// # Errors
/// Exit 3 if the agent is not there or Buildkite refuses.
pub fn meta_data(key: &str) -> Result<Option<String>> {
    let printed = answer(&command(["meta-data", "get", key, "--default", ""]));
    // Version 4 of the agent adds a line end.
    let text = printed.map_err(AgentError::infrastructure)?.trim_end_matches(['\r', '\n']).to_owned();
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Downloads the artifacts of the build whose names match a pattern into a folder.
///
/// # Errors
/// Exit 3 if the agent is not there, Buildkite refuses, or no artifact matches.
pub fn download_artifacts(pattern: &str, folder: &Path) -> Result<()> {
    let command = command(["artifact", "download", pattern, "."]).dir(folder);
    call(&command, "").map_err(AgentError::infrastructure).map(drop)
}

/// Uploads files as artifacts of the job. `paths` are relative to `root`, with `/`; each artifact has
/// its path as its name.
///
/// # Errors
/// Exit 3 if the agent or a file is not there, or if Buildkite refuses. The other files are uploaded
/// all the same.
pub fn upload_artifacts(root: &Path, paths: &[String]) -> Result<String> {
    let mut said = Vec::new();
    let mut failed = None;
    for command in artifact_commands(paths) {
        match call(&command.dir(root), "") {
            Ok(words) => said.push(words),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or_else(|| Ok(said.join("\n")), |error| Err(error.infrastructure()))
}

/// The calls that upload these paths: one for all plain paths, in the form that every agent knows, and
/// one for each of the others, with the flag `--literal`, which older agents do not know.
fn artifact_commands(paths: &[String]) -> Vec<Command> {
    let (odd, plain): (Vec<_>, Vec<_>) =
        paths.iter().cloned().partition(|path| path.contains(NOT_LITERAL) || path.starts_with(['-', '~']));
    let upload = |path: String| command(["artifact", "upload"]).args(["--", &path]);
    let mut commands = Vec::new();
    if !plain.is_empty() {
        commands.push(upload(plain.join(";")));
    }
    commands.extend(odd.into_iter().map(|path| {
        command(["artifact", "upload", "--literal", "--delimiter", ""]).args(["--", path.as_str()])
    }));
    commands
}

/// The agent with arguments.
fn command<const N: usize>(args: [&str; N]) -> Command {
    Command::new(PROGRAM).args(args)
}

/// Runs the agent with this text on its standard input, and returns what it printed on standard error.
fn call(command: &Command, input: &str) -> Result<String, AgentError> {
    run(command, input).map(|(_, printed)| printed)
}

/// Runs the agent and returns its standard output.
fn answer(command: &Command) -> Result<String, AgentError> {
    run(command, "").map(|(captured, _)| captured.text())
}

fn run(command: &Command, input: &str) -> Result<(process::Captured, String), AgentError> {
    let captured = process::capture_with_input(command, input.as_bytes().to_vec());
    let captured = captured.map_err(AgentError::NotStarted)?;
    let secrets = SECRETS.iter().filter_map(|name| std::env::var(name).ok());
    let printed = without_secrets(captured.complaint(), secrets);
    if captured.status.success() {
        return Ok((captured, printed));
    }
    Err(AgentError::of(Failed { command: command.to_string(), status: captured.status, printed }))
}

/// The text, with every secret in it replaced.
fn without_secrets(text: String, secrets: impl Iterator<Item = String>) -> String {
    secrets.filter(|secret| !secret.is_empty()).fold(text, |text, secret| text.replace(&secret, "[redacted]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_are_only_paths_go_up_in_one_call() {
        let paths = ["target/a b.html", "x.json"].map(str::to_owned);
        let commands: Vec<String> = artifact_commands(&paths).iter().map(ToString::to_string).collect();
        assert_eq!(commands, ["buildkite-agent artifact upload -- 'target/a b.html;x.json'"]);
    }

    #[test]
    fn a_path_that_looks_like_a_pattern_goes_up_by_itself() {
        let paths = ["plain", "a;b", "c*", "-d"].map(str::to_owned);
        let commands: Vec<String> = artifact_commands(&paths).iter().map(ToString::to_string).collect();
        let odd = |path| format!("buildkite-agent artifact upload --literal --delimiter '' -- {path}");
        assert_eq!(commands[0], "buildkite-agent artifact upload -- plain");
        assert_eq!(commands[1..], [odd("'a;b'"), odd("'c*'"), odd("-d")]);
    }

    #[test]
    fn nothing_to_upload_is_no_call() {
        assert_eq!(artifact_commands(&[]), []);
        assert_eq!(upload_artifacts(Path::new("."), &[]).unwrap(), "");
    }

    #[cfg(unix)]
    #[test]
    fn what_the_agent_is_given_and_says_arrives_whole() {
        let shell = |script: &str| Command::new("sh").args(["-c", script]);
        assert_eq!(call(&shell("cat >&2"), "a\n\nb\n").unwrap(), "a\n\nb");
        let error = call(&shell("echo one >&2; cat >&2; exit 7"), "two\nthree\n").unwrap_err();
        assert!(matches!(error, AgentError::Failed(_)), "{error:?}");
        let error = error.infrastructure();
        assert_eq!(exit::of(&error), exit::Exit::Infrastructure);
        let text = error.to_string();
        assert!(text.contains("exit status: 7") && text.ends_with("one\ntwo\nthree"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn what_does_not_exist_is_told_from_other_failures() {
        let printing = |text: &str| {
            let shell = Command::new("sh").args(["-c", "cat >&2; exit 1"]);
            call(&shell, text).unwrap_err()
        };
        let missing = "fatal: failed to remove annotation: DELETE http://x/v3/a: 404 Not Found: none";
        assert!(matches!(printing(missing), AgentError::NotFound(_)));
        let refused = "fatal: failed to remove annotation: DELETE http://x/v3/404: 422 Unprocessable";
        assert!(matches!(printing(refused), AgentError::Failed(_)));
        let absent = call(&Command::new("no-such-program"), "").unwrap_err();
        assert!(matches!(absent, AgentError::NotStarted(_)), "{absent:?}");
        assert_eq!(exit::of(&absent.infrastructure()), exit::Exit::Infrastructure);
    }

    #[test]
    fn no_secret_is_in_what_the_agent_said() {
        let secrets = ["", "s3cret"].map(str::to_owned).into_iter();
        let said = "Authorization: Token s3cret (s3cret)".to_owned();
        assert_eq!(without_secrets(said, secrets), "Authorization: Token [redacted] ([redacted])");
    }
}
