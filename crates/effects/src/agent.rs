//! Every call of `buildkite-agent`, found on PATH. Its command line is that of v3.138.1 (`clicommand/`
//! in its source).
//!
//! The agent takes its job and its token from the environment, and tries again by itself where
//! Buildkite does not answer (429, 5xx, a broken connection). Each call gives back what the agent
//! said, for the log; one that fails is an error with all of it. A report that does not arrive must
//! change no verdict: the callers log such an error and go on.

use crate::process::{self, Command};
use anyhow::Result;
use rust_vmm_ci_core::exit;
use rust_vmm_ci_core::report::annotation::Style;
use std::path::Path;

/// The agent's program.
const PROGRAM: &str = "buildkite-agent";
/// Variables that hold the agent's secrets (`clicommand/global.go`). With `BUILDKITE_AGENT_DEBUG_HTTP`
/// it prints its requests, token and all.
const SECRETS: [&str; 2] = ["BUILDKITE_AGENT_ACCESS_TOKEN", "BUILDKITE_AGENT_TOKEN"];
/// What makes a path more than a path to `artifact upload`: its delimiter and its globs.
const NOT_LITERAL: [char; 8] = [';', '*', '?', '[', ']', '{', '}', '\\'];

/// Whether there is an agent on PATH.
pub fn is_there() -> bool {
    which::which(PROGRAM).is_ok()
}

/// Adds the steps of a pipeline (JSON or YAML) to the build, as they are: no `$` in them is the
/// agent's to replace.
///
/// # Errors
/// Exit 3 where the agent is not there, refuses the pipeline, or Buildkite does.
pub fn upload(pipeline: &str) -> Result<String> {
    call(&command(["pipeline", "upload", "--no-interpolation"]), pipeline)
}

/// Puts an annotation of this context (at most 100 characters) on the build, in place of an earlier
/// one. The body (Markdown, at most 1 MiB) goes over standard input.
///
/// # Errors
/// Exit 3 where the agent is not there or Buildkite refuses.
pub fn annotate(body: &str, context: &str, style: Style) -> Result<String> {
    // An agent whose hooks set it would add our body to the last one's.
    let command = command(["annotate", "--context", context, "--style", style.as_str()])
        .env_remove("BUILDKITE_ANNOTATION_APPEND");
    call(&command, body)
}

/// Takes the annotation of this context off the build.
///
/// # Errors
/// Exit 3 where the agent is not there or Buildkite refuses; that there is none (404) is no error.
pub fn remove_annotation(context: &str) -> Result<String> {
    let removed = call(&command(["annotation", "remove", "--context", context]), "");
    match removed {
        Err(error) if error.to_string().contains(": 404 Not Found") => Ok(String::new()),
        removed => removed,
    }
}

/// Uploads files as artifacts of the job. `paths` are from `root`, with `/`; the artifacts are
/// called by them.
///
/// # Errors
/// Exit 3 where the agent is not there, a file is not, or Buildkite refuses. What can be uploaded is.
pub fn upload_artifacts(root: &Path, paths: &[String]) -> Result<String> {
    let mut said = Vec::new();
    let mut failed = None;
    for command in artifact_commands(paths) {
        match call(&command.dir(root), "") {
            Ok(words) => said.push(words),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or_else(|| Ok(said.join("\n")), Err)
}

/// One call for all paths that are nothing else, as every agent knows it, and one for each of the
/// others, with a flag that is new in v3.
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

/// Runs the agent with something on its standard input, which is a file's end where that is empty,
/// and gives back what it said.
fn call(command: &Command, input: &str) -> Result<String> {
    let captured = process::capture_with_input(command, input.as_bytes().to_vec())?;
    let said =
        without_secrets(captured.complaint(), SECRETS.iter().filter_map(|name| std::env::var(name).ok()));
    if captured.status.success() {
        return Ok(said);
    }
    Err(exit::infrastructure(format!("`{command}` failed ({}): {said}", captured.status)))
}

/// The text with every secret in it replaced.
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
        assert_eq!(exit::of(&error), exit::Exit::Infrastructure);
        let text = error.to_string();
        assert!(text.contains("exit status: 7") && text.ends_with("one\ntwo\nthree"), "{text}");
    }

    #[test]
    fn no_secret_is_in_what_the_agent_said() {
        let secrets = ["", "s3cret"].map(str::to_owned).into_iter();
        let said = "Authorization: Token s3cret (s3cret)".to_owned();
        assert_eq!(without_secrets(said, secrets), "Authorization: Token [redacted] ([redacted])");
    }
}
