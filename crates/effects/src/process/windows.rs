//! Processes on Windows. `unix.rs` has the same functions for Unix.
//!
//! The agent cancels a job by sending Ctrl-Break to the hook's console group (its
//! `internal/process/signal_windows.go`). It ends its Job Object when the grace period is over, or where
//! there is no console. The children of this program are in that console group too, and so the request
//! reaches them at the same time.

use super::cancel::Requests;
use super::{Command, Ended, cancelled};
use anyhow::Result;
use process_wrap::std::{ChildWrapper, CommandWrap};
use std::ffi::OsString;
use std::io;
use std::os::windows::process::CommandExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The status of a process that Ctrl-C or Ctrl-Break ended: `STATUS_CONTROL_C_EXIT`.
const CONTROL_C_EXIT: i32 = 0xC000_013A_u32.cast_signed();

/// Takes requests to end from now on: Ctrl-Break, Ctrl-C, and the closing of the console.
pub(super) fn handle(requests: &Requests) -> Result<()> {
    let (received, ends_at_once) = (Arc::clone(&requests.received), Arc::clone(&requests.ends_at_once));
    ctrlc::set_handler(move || {
        if ends_at_once.load(Ordering::SeqCst) {
            std::process::exit(CONTROL_C_EXIT);
        }
        received.store(true, Ordering::Relaxed);
    })?;
    Ok(())
}

/// Does nothing: Windows has no such limit.
pub(super) fn outlive_large_files() {}

/// Does nothing: no program can change the status with which Windows ends it where it aborts
/// (`__fastfail`).
pub(super) fn end_with_where_it_aborts(_: i32) {}

/// Does nothing, as [`end_with_where_it_aborts`].
pub(super) fn status_is_known(_: i32) {}

/// The program to start: the one that a shell would find by this name.
///
/// # Errors
/// Where it is a batch file to which these arguments cannot be passed unchanged (CVE-2024-24576): cmd
/// reads a batch file's command line, and has no escape for them.
pub(super) fn program(command: &Command) -> io::Result<OsString> {
    let program = found(command);
    let batch = Path::new(&program)
        .extension()
        .is_some_and(|extension| ["bat", "cmd"].iter().any(|batch| extension.eq_ignore_ascii_case(batch)));
    let refused = |what: String| {
        let file = program.display();
        let text = format!("it is the batch file {file}, which cmd runs, and {what}; name a program instead");
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    };
    if batch && program.to_string_lossy().contains('%') {
        return refused("cmd would replace variables in its path".into());
    }
    let ends_a_line = |arg: &&OsString| arg.to_string_lossy().contains(['\r', '\n']);
    match command.args.iter().find(ends_a_line) {
        Some(arg) if batch => {
            refused(format!("cmd would end its line within the argument {:?}", arg.to_string_lossy()))
        }
        _ => Ok(program),
    }
}

fn found(command: &Command) -> OsString {
    let path = Path::new(&command.program);
    if path.components().count() > 1 {
        return command.program.clone();
    }
    // The standard library looks for `.exe` only; a shell would find `.bat` and `.cmd` too.
    let own = command.env.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("PATH"));
    let paths = own.map_or_else(|| std::env::var_os("PATH"), |(_, value)| value.clone());
    // Relative entries of PATH start from the temporary folder, so that they never lead into the checkout.
    let found = which::which_in(path, paths, std::env::temp_dir());
    found.map_or_else(|_| command.program.clone(), Into::into)
}

/// Adds the arguments, so that they arrive as they are.
pub(super) fn add_args(inner: &mut std::process::Command, command: &Command) {
    let is_shell = Path::new(&command.program)
        .file_name()
        .is_some_and(|name| ["cmd", "cmd.exe"].iter().any(|shell| name.eq_ignore_ascii_case(shell)));
    match command.args.as_slice() {
        // cmd does not split its command line as programs do. With `/S`, the text between the first quote
        // and the last is the script, unchanged.
        [s, c, script] if is_shell && s == "/S" && c == "/C" => {
            let mut quoted = OsString::from("\"");
            quoted.push(script);
            quoted.push("\"");
            inner.args([s, c]).raw_arg(quoted);
        }
        // For a batch file the standard library escapes as cmd expects it.
        arguments => drop(inner.args(arguments)),
    }
}

/// Runs the command to its end: Windows cannot replace a process by another program.
pub(super) fn replace(inner: &mut std::process::Command) -> io::Result<i32> {
    Ok(inner.status()?.code().unwrap_or(-1))
}

/// Makes every process below this one end with it, however it ends: this process joins a Job Object of which
/// it has the only handle, and the system ends the processes of a job when its last handle is closed. On an
/// error they end with their commands only.
pub(super) fn children_end_with_this_process() {
    let joined = win32job::Job::create().and_then(|job| {
        let mut limits = job.query_extended_limit_info()?;
        limits.limit_kill_on_job_close();
        job.set_extended_limit_info(&limits)?;
        job.assign_current_process()?;
        // The system closes the handle at the end of this process.
        Ok(job.into_handle())
    });
    if let Err(error) = joined {
        tracing::debug!("what this process starts may outlive it: {error}");
    }
}

/// Puts the process that will be started into a Job Object, so that the whole tree can be ended.
pub(super) fn lead_a_tree(wrap: &mut CommandWrap) {
    wrap.wrap(process_wrap::std::JobObject);
}

/// Asks a tree to end. On a cancel the console has asked it already. At a deadline there is no way to ask,
/// and so the tree is killed.
pub(super) fn ask_to_end(child: &mut dyn ChildWrapper, why: Ended) {
    if why != Ended::Cancelled {
        let _ = child.start_kill();
    }
}

/// Whether a process of the tree still runs after the leader has ended. None does: the request to end
/// reached all of them.
pub(super) fn is_anyone_left(_: &dyn ChildWrapper) -> bool {
    false
}

/// How a process ended that this program did not end.
pub(super) fn ended(status: ExitStatus) -> Ended {
    let code = status.code().unwrap_or(-1);
    // The console asks a child at the same time as this process, and the child may be quicker.
    if code == CONTROL_C_EXIT || (code != 0 && cancelled()) {
        return Ended::Cancelled;
    }
    Ended::Exited(code)
}

/// Does nothing: Windows has no signals.
pub(super) fn end_by(_: i32) {}
