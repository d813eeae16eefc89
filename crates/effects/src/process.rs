//! Every start of a process.
//!
//! There are two kinds. A *question* ([`capture`]) is short, and its whole answer is read: git, the agent,
//! `cargo metadata`. *Work* ([`supervise`]) may take long, and its output is passed on as it comes, in blocks
//! of whole lines. Both lead a process tree of their own (a process group on Unix, a Job Object on Windows,
//! both by the crate `process-wrap`). The whole tree ends at the deadline, on a cancel, and when its leader has
//! ended.
//!
//! `process/unix.rs` and `process/windows.rs` hold what differs between the systems.
//!
//! A child gets no standard input unless it is given one. Under the agent, standard input is a PTY, and a
//! child would take it for a person.

mod cancel;
#[cfg(test)]
mod children;
mod command;
mod error;
#[cfg(target_os = "linux")]
mod keeper;
#[cfg(not(target_os = "linux"))]
#[path = "process/no_keeper.rs"]
mod keeper;
#[cfg(target_os = "linux")]
#[path = "process/linux.rs"]
mod linux;
mod output;
mod question;
mod supervise;
#[cfg(unix)]
#[path = "process/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "process/windows.rs"]
mod system;
mod temporary;
#[cfg(all(test, unix))]
mod tests;

pub use cancel::{cancelled, heed_signals};
pub use command::Command;
pub use error::{Error, Said};
pub use output::{Stream, lines};
pub use question::{Captured, answer, ask, ask_for_success, capture, capture_with_input, limit, with_limit};
pub use supervise::{Ended, supervise, supervise_inheriting, supervise_watching};
pub use temporary::{TemporaryFolder, Undo};

use anyhow::{Context as _, Result};
use process_wrap::std::{ChildWrapper, CommandWrap};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{ExitStatus, Stdio};

/// Whether there is a program of this name on PATH.
pub fn is_there(program: &str) -> bool {
    which::which(program).is_ok()
}

/// Runs a command to its end with this process's standard input, and writes both outputs into a file. The
/// command stays in this process's own tree.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::NotStarted`], and an error where the file cannot be made: exit 3.
pub fn run_into(command: &Command, file: &Path) -> Result<ExitStatus> {
    run_with_files(command, None, file)
}

/// Runs a command to its end, which reads one file and writes its output and errors into another.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::NotStarted`]: exit 3.
pub fn run_reading_into(command: &Command, input: &Path, file: &Path) -> Result<ExitStatus> {
    let input = File::open(input).with_context(|| format!("reading {}", input.display()))?;
    run_with_files(command, Some(input), file)
}

fn run_with_files(command: &Command, input: Option<File>, file: &Path) -> Result<ExitStatus> {
    let output = File::create(file).with_context(|| format!("making {}", file.display()))?;
    let errors = output.try_clone().with_context(|| format!("making {}", file.display()))?;
    let mut inner = plain(command)?;
    inner.stdout(output).stderr(errors);
    if let Some(input) = input {
        inner.stdin(input);
    }
    Ok(inner.status().map_err(|error| Error::starting(command, error))?)
}

/// Replaces this process by the command. Where the system cannot do that, it runs the command to its end
/// with this process's inputs and outputs, and returns the exit status.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::NotStarted`]: exit 3.
pub fn replace(command: &Command) -> Result<i32> {
    let mut inner = plain(command)?;
    Ok(system::replace(&mut inner).map_err(|error| Error::starting(command, error))?)
}

/// Does what [`replace`] does, with a file as the command's standard input.
///
/// # Errors
/// Those of [`replace`], and an error where the file cannot be read: exit 3.
pub fn replace_reading(command: &Command, file: &Path) -> Result<i32> {
    let mut inner = plain(command)?;
    inner.stdin(File::open(file).with_context(|| format!("reading {}", file.display()))?);
    Ok(system::replace(&mut inner).map_err(|error| Error::starting(command, error))?)
}

/// Runs a command to its end with this process's inputs and outputs. The command stays in this process's
/// own tree.
///
/// # Errors
/// [`Error::NotFound`] or [`Error::NotStarted`]: exit 3.
pub fn run_here(command: &Command) -> Result<ExitStatus> {
    let mut inner = plain(command)?;
    Ok(inner.status().map_err(|error| Error::starting(command, error))?)
}

/// The status with which this process ends as another one has ended. Where a signal has ended the other, the same
/// signal ends this process.
pub fn end_as(status: ExitStatus) -> i32 {
    if let Ended::Signaled(signal) = system::ended(status) {
        system::end_by(signal);
    }
    status.code().unwrap_or(101)
}

/// The command as the standard library starts it, in no tree of its own.
#[allow(clippy::disallowed_methods, reason = "this is the place that the lint leads to")]
fn plain(command: &Command) -> Result<std::process::Command, Error> {
    let mut inner = std::process::Command::new(program(command)?);
    system::add_args(&mut inner, command);
    adjust(&mut inner, command);
    Ok(inner)
}

#[cfg(test)]
thread_local! {
    /// How many programs this thread has started, or tried to.
    pub(crate) static STARTED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The program that is started for a command.
fn program(command: &Command) -> Result<OsString, Error> {
    #[cfg(test)]
    STARTED.set(STARTED.get() + 1);
    tracing::debug!("starting `{command}` in {:?}", command.dir.as_deref().unwrap_or(Path::new(".")));
    system::program(command).map_err(|error| Error::starting(command, error))
}

/// Gives a process the command's environment and folder.
fn adjust(inner: &mut std::process::Command, command: &Command) {
    for (name, value) in &command.env {
        match value {
            Some(value) => inner.env(name, value),
            None => inner.env_remove(name),
        };
    }
    if let Some(dir) = &command.dir {
        inner.current_dir(dir);
    }
}

/// Starts a command as the leader of a tree of its own, with bytes on its standard input.
fn spawn(command: &Command, input: Vec<u8>, output: fn() -> Stdio) -> Result<Box<dyn ChildWrapper>, Error> {
    let program = program(command)?;
    if let Some(kept) = keeper::spawn(command, &input, output) {
        return kept;
    }
    let mut wrap = CommandWrap::with_new(program, |inner| {
        system::add_args(inner, command);
        inner.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
        inner.stdout(output()).stderr(output());
        adjust(inner, command);
    });
    system::lead_a_tree(&mut wrap);
    let not_started = |error| Error::starting(command, error);
    let mut child = wrap.spawn().map_err(not_started)?;
    if let Some(mut stdin) = child.stdin().take() {
        // A child may end before it has read all of its input. That is no error.
        let written = thread("input", move || drop(stdin.write_all(&input)));
        written.inspect_err(|_| end_at_once(child.as_mut())).map_err(not_started)?;
    }
    Ok(child)
}

/// Ends a tree that cannot be watched.
fn end_at_once(child: &mut dyn ChildWrapper) {
    let _ = child.start_kill();
    let _ = child.wait();
}

/// Starts a thread. Every thread of this program that outlives its function starts here: the standard library's
/// own function panics if the system cannot start a thread.
///
/// # Errors
/// If the system cannot start a thread.
pub fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<std::thread::JoinHandle<T>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}

/// Acts as a keeper or a cleaner where this process was started as one, and returns its exit status. It must
/// stand first in `main`: both are this program again, and must be small and quick.
pub fn act_as_keeper(args: impl Iterator<Item = OsString>) -> Option<i32> {
    keeper::act(args)
}

/// Makes what this process starts end with it from now on, however it ends. On Linux, only a program that calls
/// [`act_as_keeper`] first may call this.
pub fn end_children_with_this_process() {
    keeper::use_keepers();
}

/// Makes this process end with `status` from now on where it would abort, because there is no memory or the
/// stack is used up. A write past the limit of a file's size becomes an error.
pub fn end_with_where_it_aborts(status: i32) {
    system::outlive_large_files();
    system::end_with_where_it_aborts(status);
}

/// Makes this process end with `status` where it would abort: the verdict stands, whatever goes wrong in
/// reporting it.
pub fn status_is_known(status: i32) {
    system::status_is_known(status);
}

/// The signals that this process was started to ignore: bit 0 stands for signal 1. Only Linux tells.
#[cfg(unix)]
fn ignored_signals() -> u64 {
    #[cfg(target_os = "linux")]
    return linux::ignored_signals();
    #[cfg(not(target_os = "linux"))]
    return 0;
}

/// The processor time and memory that this process and its children have used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU seconds of this process and of those children that have ended and been waited for.
    pub cpu: f64,
    /// CPU seconds of this process alone.
    pub own_cpu: f64,
    /// The most memory that this process alone has held, in bytes.
    pub own_memory: u64,
}

/// What has been used so far. Only Linux gives these figures at no cost. Elsewhere there is no answer.
pub fn usage() -> Option<Usage> {
    #[cfg(target_os = "linux")]
    return linux::usage();
    #[cfg(not(target_os = "linux"))]
    return None;
}

/// How many compilers run in the tree of a process, and how many of them wait for their linker. There is
/// no answer where the system does not tell.
#[cfg_attr(not(target_os = "linux"), allow(unused_variables, reason = "only Linux is asked"))]
pub fn compilers(leader: u32) -> Option<(usize, usize)> {
    #[cfg(target_os = "linux")]
    return linux::compilers(leader);
    #[cfg(not(target_os = "linux"))]
    return None;
}
