//! Processes as Windows has them; `unix.rs` is the twin.
//!
//! The agent cancels by Ctrl-Break to the hook's console group (its
//! `internal/process/signal_windows.go`), and by ending its Job Object when the grace period is over
//! or where there is no console. Our children are of that group: they are asked when we are.

use super::{Command, Ended, cancelled};
use anyhow::Result;
use process_wrap::std::{ChildWrapper, CommandWrap};
use std::ffi::OsString;
use std::io;
use std::os::windows::process::CommandExt as _;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a process ends with that Ctrl-C or Ctrl-Break ended: `STATUS_CONTROL_C_EXIT`.
const CONTROL_C_EXIT: i32 = 0xC000_013A_u32.cast_signed();

/// Sets the flag when this process is asked to end: by Ctrl-Break, Ctrl-C, or the console's end.
pub(super) fn heed_requests(flag: &Arc<AtomicBool>) -> Result<()> {
    let flag = Arc::clone(flag);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))?;
    Ok(())
}

/// The program to start: the one that a shell would find by this name.
///
/// # Errors
/// Where it is a batch file that cannot be given its arguments as they are (CVE-2024-24576): cmd
/// reads its command line, and for these there is no escape.
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
    // The library looks for `.exe` alone, where a shell would find `.bat` and `.cmd` too.
    let own = command.env.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case("PATH"));
    let paths = own.map_or_else(|| std::env::var_os("PATH"), |(_, value)| value.clone());
    // An absolute folder, which entries of PATH that are not are taken from: never the checkout.
    let found = which::which_in(path, paths, std::env::temp_dir());
    found.map_or_else(|_| command.program.clone(), Into::into)
}

/// Hands the arguments over, so that they arrive as they are.
pub(super) fn add_args(inner: &mut std::process::Command, command: &Command) {
    let is_shell = Path::new(&command.program)
        .file_name()
        .is_some_and(|name| ["cmd", "cmd.exe"].iter().any(|shell| name.eq_ignore_ascii_case(shell)));
    match command.args.as_slice() {
        // It does not take its command line apart as programs do: with `/S`, what stands between
        // the first quote and the last is the script, as it is.
        [s, c, script] if is_shell && s == "/S" && c == "/C" => {
            let mut quoted = OsString::from("\"");
            quoted.push(script);
            quoted.push("\"");
            inner.args([s, c]).raw_arg(quoted);
        }
        // For a batch file the library escapes as cmd has it.
        arguments => drop(inner.args(arguments)),
    }
}

/// Runs the command to its end: there is no becoming another program.
pub(super) fn replace(inner: &mut std::process::Command) -> io::Result<i32> {
    Ok(inner.status()?.code().unwrap_or(-1))
}

/// Makes the process that will be started the leader of a tree that can be ended whole:
/// a Job Object.
pub(super) fn lead_a_tree(wrap: &mut CommandWrap) {
    wrap.wrap(process_wrap::std::JobObject);
}

/// Asks a tree to end: who is cancelled has been asked already, by the console, and for a time limit
/// there is no request. There it is the end.
pub(super) fn ask_to_end(child: &mut dyn ChildWrapper, why: Ended) {
    if why != Ended::Cancelled {
        let _ = child.start_kill();
    }
}

/// Whether a process of the tree goes on after its leader: the request to end was the end of all.
pub(super) fn is_anyone_left(_: &dyn ChildWrapper) -> bool {
    false
}

/// How a process ended that we did not stop.
pub(super) fn ended(status: ExitStatus) -> Ended {
    let code = status.code().unwrap_or(-1);
    // It was asked when we were, and may have been quicker.
    if code == CONTROL_C_EXIT || (code != 0 && cancelled()) {
        return Ended::Cancelled;
    }
    Ended::Exited(code)
}
