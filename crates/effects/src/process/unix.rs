//! Processes on Unix. `windows.rs` has the same functions for Windows.

use super::cancel::Requests;
use super::{Command, Ended};
use anyhow::Result;
use process_wrap::std::{ChildWrapper, CommandWrap};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::ExitStatus;
use std::sync::Arc;

/// Takes requests to end from now on.
pub(super) fn handle(requests: &Requests) -> Result<()> {
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        signal_hook::flag::register_conditional_default(signal, Arc::clone(&requests.ends_at_once))?;
        signal_hook::flag::register(signal, Arc::clone(&requests.received))?;
    }
    Ok(())
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
