//! Runs a repository's own step by the platform's shell.

use super::cargo::LastWords;
use super::context::{Context, Judgement, verdict};
use crate::process::{Command, Ended, Stream};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::model::Os;
use rust_vmm_ci_core::report::Finding;
use std::ffi::{OsStr, OsString};
use std::io::Write as _;
use std::path::Path;
use tempfile::TempPath;

/// A script, prepared for a system's shell.
pub struct Script {
    /// The shell with the script.
    pub command: Command,
    /// The batch file, where there is one. It is removed when this value is dropped.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is there to be dropped"))]
    file: Option<TempPath>,
}

impl Script {
    /// The command line that passes `script` to a system's shell. On Linux it is the docker plugin's, by
    /// which the predecessor's steps ran. On Windows it is the agent's own, which takes a single line.
    /// Several lines are written to a batch file. The agent does that with every command (its
    /// `internal/job/executor.go`, `writeBatchScript`). Here a single line is passed directly: a batch file
    /// would lose a single `%`, and characters beyond ASCII would be read by the machine's code page.
    ///
    /// # Errors
    /// Where the batch file cannot be written: exit 3.
    pub fn new(os: Os, script: &str) -> Result<Self> {
        let mut lines = script.lines().filter(|line| !line.trim().is_empty());
        let (first, more) = (lines.next().unwrap_or_default(), lines.next().is_some());
        let cmd = |line: &OsStr| Command::new("cmd.exe").args(["/S", "/C"]).arg(line);
        Ok(match os {
            Os::Linux => Self { command: Command::new("/bin/sh").args(["-e", "-c", script]), file: None },
            Os::Windows if !more => Self { command: cmd(first.as_ref()), file: None },
            Os::Windows => {
                let file = tempfile::Builder::new().prefix("rust-vmm-ci-").suffix(".bat").tempfile();
                let mut file = file.context("a batch file for the command")?;
                file.write_all(batch(script, is_batch_file).as_bytes())
                    .context("writing the command's batch file")?;
                // The file is closed, because cmd does not open a file that is open for writing.
                let file = file.into_temp_path();
                let quoted =
                    [OsStr::new("\""), file.as_os_str(), OsStr::new("\"")].into_iter().collect::<OsString>();
                Self { command: cmd(&quoted), file: Some(file) }
            }
        })
    }
}

/// A batch file of several lines that ends at the first line that fails. A line that starts another batch
/// file needs `CALL`: without it the lines after it would never run.
fn batch(script: &str, is_batch_file: impl Fn(&str) -> bool) -> String {
    let mut text = "@ECHO OFF\r\n".to_owned();
    for line in script.lines().filter(|line| !line.trim().is_empty()) {
        let call = if is_batch_file(program_of(line)) { "CALL " } else { "" };
        text.extend([call, line, "\r\nIF %ERRORLEVEL% NEQ 0 EXIT %ERRORLEVEL%\r\n"]);
    }
    text
}

/// The first word of a line, without its quotes.
fn program_of(line: &str) -> &str {
    let line = line.trim_start();
    let word = match line.strip_prefix('"') {
        Some(rest) => rest.split('"').next(),
        None => line.split_whitespace().next(),
    };
    word.unwrap_or_default()
}

/// Whether cmd would run a batch file by this name. The name may have the extension of one, or it may be
/// found on PATH without it, as `npm` is.
fn is_batch_file(program: &str) -> bool {
    let by_name = |path: &Path| {
        let extension = path.extension().unwrap_or_default();
        ["bat", "cmd"].iter().any(|batch| extension.eq_ignore_ascii_case(batch))
    };
    by_name(Path::new(program)) || which::which(program).is_ok_and(|found| by_name(&found))
}

/// Runs the step.
///
/// # Errors
/// Where the shell cannot be started: the check is broken.
pub fn run(context: &mut Context<'_>, script: &str) -> Result<Judgement> {
    let script_of_shell = Script::new(context.os, script)?;
    let mut shell = script_of_shell.command.clone().dir(&context.directory);
    for (name, value) in context.env {
        shell = shell.env(name, value);
    }
    context.say(&format!("$ {script}"));
    let mut words = LastWords::default();
    let ended = context.run_reading(&shell, &mut |stream, line| {
        if stream == Stream::Stderr {
            words.read(line);
        }
        true
    })?;
    if matches!(ended, Ended::Exited(status) if status != 0)
        && let Some(reason) = words.outage()
    {
        return Ok(Judgement::broken(reason));
    }
    let message = match ended {
        Ended::Exited(0) | Ended::Cancelled => None,
        Ended::Exited(status) => Some(format!("the command ended with status {status}")),
        Ended::Signaled(signal) => Some(format!("the command was killed by signal {signal}")),
        Ended::TimedOut => Some("the command ran over its time limit".to_owned()),
    };
    let findings = message.into_iter().map(Finding::error).collect();
    Ok(Judgement { verdict: verdict(ended), findings, ..Judgement::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_vmm_ci_core::report::Verdict;

    fn shown(os: Os, script: &str) -> String {
        Script::new(os, script).unwrap().command.to_string()
    }

    #[test]
    #[cfg_attr(windows, ignore = "uses sh")]
    fn a_registry_that_a_script_cannot_reach_is_no_fault_of_the_commit() {
        use crate::run::testing::judged;
        let folder = tempfile::tempdir().unwrap();
        let verdict = |script: &str| judged(folder.path(), |context| run(context, script)).0.unwrap().verdict;
        let unreachable =
            "printf 'error: failed to get `a`\\n\\nCaused by:\\n  [6] Could not resolve host\\n' >&2;";
        assert_eq!(verdict(&format!("{unreachable} exit 101")), Verdict::Broken);
        assert_eq!(verdict(unreachable), Verdict::Passed, "the status decides");
        assert_eq!(verdict("echo 'error: no' >&2; exit 101"), Verdict::Failed);
    }

    #[test]
    fn a_line_is_given_to_the_shell_as_it_is() {
        assert_eq!(shown(Os::Linux, "a\nb"), "/bin/sh -e -c 'a\nb'");
        assert_eq!(shown(Os::Windows, "\r\necho \"a\" 100%\r\n"), "cmd.exe /S /C 'echo \"a\" 100%'");
    }

    #[test]
    fn a_batch_file_by_any_name_is_called_so_that_the_next_line_runs() {
        let batch = batch("npm ci\n\"C:\\a b\\c.bat\" d\n\tx.cmd\ncargo x.bat\n", |program| {
            ["npm", r"C:\a b\c.bat", "x.cmd"].contains(&program)
        });
        let lines: Vec<_> = batch.lines().skip(1).step_by(2).collect();
        assert_eq!(lines, ["CALL npm ci", r#"CALL "C:\a b\c.bat" d"#, "CALL \tx.cmd", "cargo x.bat"]);
        assert!(is_batch_file("X.BAT") && is_batch_file(r"a\b.Cmd") && !is_batch_file("no-such-program"));
    }

    #[test]
    fn of_several_lines_a_batch_file_is_made_that_ends_at_the_first_failure() {
        let script = Script::new(Os::Windows, "set A=1\n\n b.CMD x\n").unwrap();
        let written = std::fs::read_to_string(script.file.as_ref().unwrap()).unwrap();
        let check = "IF %ERRORLEVEL% NEQ 0 EXIT %ERRORLEVEL%\r\n";
        assert_eq!(written, format!("@ECHO OFF\r\nset A=1\r\n{check}CALL  b.CMD x\r\n{check}"));
        let path = script.file.as_ref().unwrap().to_path_buf();
        assert!(script.command.args[2].to_string_lossy().contains(".bat\""));
        drop(script);
        assert!(!path.exists());
    }
}
