//! Processes on Unix. `windows.rs` has the same functions for Windows.

use super::cancel::Requests;
use super::{Command, Ended};
use anyhow::Result;
use process_wrap::std::{ChildWrapper, CommandWrap};
use signal_hook::consts::{SIGABRT, SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::flag::{register, register_conditional_default, register_conditional_shutdown};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Takes requests to end from now on. A hangup or an interrupt that this process was started to ignore stays
/// ignored: `nohup` asks for that, and so does a shell for what it starts in the background. SIGTERM is the
/// agent's cancel, and is always taken.
pub(super) fn handle(requests: &Requests) -> Result<()> {
    let ignored = super::ignored_signals();
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        if signal != SIGTERM && ignored & (1 << (signal - 1)) != 0 {
            continue;
        }
        register_conditional_default(signal, Arc::clone(&requests.ends_at_once))?;
        register(signal, Arc::clone(&requests.received))?;
    }
    Ok(())
}

/// Whether no status was given to [`status_is_known`].
static UNKNOWN: AtomicBool = AtomicBool::new(true);
static ALWAYS: AtomicBool = AtomicBool::new(true);

/// Makes a write past the limit of a file's size (`ulimit -f`) an error from now on. The signal would end this
/// process without a word. What this process starts has the signal as before: `execve(2)` resets handlers.
pub(super) fn outlive_large_files() {
    // Nothing reads the flag: the handler alone makes `write` return.
    let _ = register(SIGXFSZ, Arc::default());
}

/// Makes this process end with `status` from now on where it would abort: the standard library does so where
/// there is no memory, and where the stack is used up. It says why before it aborts.
pub(super) fn end_with_where_it_aborts(status: i32) {
    let _ = register_conditional_shutdown(SIGABRT, status, &UNKNOWN);
}

/// Replaces the status of [`end_with_where_it_aborts`].
pub(super) fn status_is_known(status: i32) {
    // The handlers are called in the order in which they were registered.
    if register_conditional_shutdown(SIGABRT, status, &ALWAYS).is_ok() {
        UNKNOWN.store(false, Ordering::SeqCst);
    }
}

/// The program to start.
#[expect(clippy::unnecessary_wraps, reason = "Windows refuses some")]
pub(super) fn program(command: &Command) -> io::Result<OsString> {
    Ok(command.program.clone())
}

/// Adds the arguments, so that they arrive as they are.
pub(super) fn add_args(inner: &mut std::process::Command, command: &Command) {
    inner.args(&command.args);
}

/// Replaces this process by the command. Returns only where that fails.
pub(super) fn replace(inner: &mut std::process::Command) -> io::Result<i32> {
    Err(inner.exec())
}

/// Makes the process that will be started the leader of a process group, so that the whole tree can be
/// ended.
pub(super) fn lead_a_tree(wrap: &mut CommandWrap) {
    wrap.wrap(process_wrap::std::ProcessGroup::leader());
}

/// Does nothing: Linux has keepers, and another Unix has no way.
#[cfg(not(target_os = "linux"))]
pub(super) fn children_end_with_this_process() {}

/// Asks a tree to end.
pub(super) fn ask_to_end(child: &mut dyn ChildWrapper, _: Ended) {
    let _ = child.signal(SIGTERM);
}

/// Whether a process of the tree still runs after the leader has ended.
pub(super) fn is_anyone_left(child: &dyn ChildWrapper) -> bool {
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    group.is_some_and(|group| rustix::process::test_kill_process_group(group).is_ok())
}

/// How a process ended that this program did not end.
pub(super) fn ended(status: ExitStatus) -> Ended {
    status.signal().map_or_else(|| Ended::Exited(status.code().unwrap_or(-1)), Ended::Signaled)
}

/// Ends this process by a signal. Returns where the signal does not end it.
pub(super) fn end_by(signal: i32) {
    let _ = signal_hook::low_level::emulate_default_handler(signal);
}
