//! Every start of a process.
//!
//! Two ways: [`capture`] for short questions (git, the agent, rustup), whose answer is read whole,
//! and [`supervise`] for a check's own work, whose lines are passed on as they come, and whose whole
//! tree ends on a time limit, on a cancel, and when the leader has ended: a process group on Unix, a
//! Job Object on Windows, both by the crate `process-wrap`.
//!
//! What differs between the two stands in `process/unix.rs` and `process/windows.rs`.
//!
//! Children get no standard input: under the agent it is a PTY and looks like a person.

#[cfg(test)]
mod children;
mod command;
#[cfg(target_os = "linux")]
#[path = "process/linux.rs"]
mod linux;
#[cfg(unix)]
#[path = "process/unix.rs"]
mod system;
#[cfg(windows)]
#[path = "process/windows.rs"]
mod system;
#[cfg(all(test, unix))]
mod tests;

pub use command::Command;

use anyhow::{Context, Result};
use process_wrap::std::{ChildWrapper, CommandWrap};
use rust_vmm_ci_core::exit;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

/// What a captured process said.
#[derive(Debug)]
pub struct Captured {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output, whole.
    pub stdout: Vec<u8>,
    /// Its standard error, whole.
    pub stderr: Vec<u8>,
}

impl Captured {
    /// The standard output as text, bytes that are no UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The standard error as text, without white space around it.
    pub fn complaint(&self) -> String {
        String::from_utf8_lossy(&self.stderr).trim().to_owned()
    }
}

/// Runs a command to its end and takes all that it says.
///
/// # Errors
/// Where it cannot be started: exit 3, with the program's name.
pub fn capture(command: &Command) -> Result<Captured> {
    capture_with_input(command, Vec::new())
}

/// As [`capture`], with bytes on standard input.
///
/// # Errors
/// Where it cannot be started: exit 3, with the program's name.
pub fn capture_with_input(command: &Command, input: Vec<u8>) -> Result<Captured> {
    let mut expression = duct::cmd(program(command)?, command.args.clone())
        .stdin_bytes(input)
        .stdout_capture()
        .stderr_capture()
        .unchecked();
    // Of two settings of a variable duct heeds the inner one, and the last is meant.
    for (name, value) in command.env.iter().rev() {
        expression = match value {
            Some(value) => expression.env(name, value),
            None => expression.env_remove(name),
        };
    }
    if let Some(dir) = &command.dir {
        expression = expression.dir(dir);
    }
    let output = expression.run().map_err(|error| not_started(command, &error))?;
    Ok(Captured { status: output.status, stdout: output.stdout, stderr: output.stderr })
}

/// As [`capture`], but a status other than 0 is an error with the child's own words.
///
/// # Errors
/// Exit 3 where it cannot be started or fails.
pub fn answer(command: &Command) -> Result<Captured> {
    let captured = capture(command)?;
    if captured.status.success() {
        return Ok(captured);
    }
    Err(exit::infrastructure(format!("`{command}` failed ({}): {}", captured.status, captured.complaint())))
}

/// Runs a command to its end with this process's input, both outputs into a file as they come.
///
/// # Errors
/// Where it cannot be started: exit 3, with the program's name.
pub fn run_into(command: &Command, file: &Path) -> Result<ExitStatus> {
    let expression = duct::cmd(program(command)?, command.args.clone()).stderr_to_stdout().stdout_path(file);
    Ok(expression.unchecked().run().map_err(|error| not_started(command, &error))?.status)
}

/// Becomes the command: for this program in the place of another, which must not add to what the
/// other costs. Where the system cannot, runs it to its end with this process's inputs and outputs,
/// and returns its exit status.
///
/// # Errors
/// Where it cannot be started: exit 3, with the program's name.
#[allow(clippy::disallowed_methods, reason = "this is the place that the lint leads to")]
pub fn replace(command: &Command) -> Result<i32> {
    let mut inner = std::process::Command::new(program(command)?);
    system::add_args(&mut inner, command);
    adjust(&mut inner, command);
    system::replace(&mut inner).map_err(|error| not_started(command, &error))
}

/// The program that is started for a command.
fn program(command: &Command) -> Result<OsString> {
    tracing::debug!("starting `{command}` in {:?}", command.dir.as_deref().unwrap_or(Path::new(".")));
    system::program(command).map_err(|error| not_started(command, &error))
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

/// Why a program could not be started.
fn not_started(command: &Command, error: &std::io::Error) -> anyhow::Error {
    let folder = command.dir.as_ref().map_or(String::new(), |dir| format!(" in {}", dir.display()));
    exit::infrastructure(format!("cannot start `{}`{folder}: {error}", command.program.to_string_lossy()))
}

/// How a supervised process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal that was not ours.
    #[cfg_attr(windows, allow(dead_code, reason = "there are none on Windows"))]
    Signaled(i32),
    /// By us: it ran over its time.
    TimedOut,
    /// By us: the job was cancelled.
    Cancelled,
}

/// Which of a process's outputs a line stood on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// The longest line that is passed on whole, in bytes; a longer one comes in parts, so that memory
/// stays bounded whatever a test prints.
const LONGEST_LINE: u64 = 4 << 20;
/// Lines that may wait for the reader.
const LINES_IN_FLIGHT: usize = 4;
/// How often a quiet process is looked after. It is what a cancel or a time limit may come late by; each
/// look costs some 50 µs, for as long as a job runs.
const GLANCE: Duration = Duration::from_millis(100);
/// How often [`supervise_watching`] looks at least: what it calls may cost more.
const LONGEST_LOOK: Duration = Duration::from_millis(500);
/// How often one is looked after at first whose outputs have ended, or are not ours: it ends any moment.
/// The longer it does not, the more a look may come late: by a sixteenth of the time, up to [`GLANCE`].
const NAP: Duration = Duration::from_millis(2);
/// What a tree is given between the request to end and the kill. The agent gives a hook ten
/// seconds, and our own report must fit in as well.
const GRACE: Duration = Duration::from_secs(2);
/// How long an output is waited for that a process outside the group holds open.
const STRAGGLERS: Duration = Duration::from_secs(2);

/// Runs a command, passes each line of its output on as it comes (with its line end), and sees to it
/// that its whole tree has ended.
///
/// # Errors
/// Where it cannot be started: exit 3.
pub fn supervise(
    command: &Command,
    deadline: Option<Instant>,
    on_line: &mut dyn FnMut(Stream, &[u8]),
) -> Result<Ended> {
    supervise_watching(command, deadline, on_line, &mut |_| {})
}

/// As [`supervise`]; `on_look` is called with the leader's process id, ten times a second at first and
/// the less often the longer it runs, down to twice a second.
///
/// # Errors
/// Where it cannot be started: exit 3.
pub fn supervise_watching(
    command: &Command,
    deadline: Option<Instant>,
    on_line: &mut dyn FnMut(Stream, &[u8]),
    on_look: &mut dyn FnMut(u32),
) -> Result<Ended> {
    let child = spawn(command, Stdio::piped)?;
    see_to_its_end(child, command, deadline, on_line, on_look)
}

/// As [`supervise`], with this process's own outputs: for a person's command, which may write as it
/// likes.
///
/// # Errors
/// Where it cannot be started: exit 3.
pub fn supervise_inheriting(command: &Command, deadline: Option<Instant>) -> Result<Ended> {
    let child = spawn(command, Stdio::inherit)?;
    see_to_its_end(child, command, deadline, &mut |_, _| {}, &mut |_| {})
}

/// Waits for a child, passes its lines on, and ends its tree.
fn see_to_its_end(
    mut child: Box<dyn ChildWrapper>,
    command: &Command,
    deadline: Option<Instant>,
    on_line: &mut dyn FnMut(Stream, &[u8]),
    on_look: &mut dyn FnMut(u32),
) -> Result<Ended> {
    let lines = read_lines(child.as_mut());
    let begun = Instant::now();
    let mut looked = begun;
    let mut ending: Option<(Ended, Instant)> = None;
    let mut gone: Option<(Instant, ExitStatus)> = None;
    let mut open = true;
    let mut nap = NAP;
    loop {
        if open {
            match lines.recv_timeout(GLANCE) {
                Ok((stream, line)) => on_line(stream, &line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => open = false,
            }
        } else {
            thread::sleep(nap);
            nap = (nap + nap / 16).min(GLANCE);
        }
        if gone.is_none()
            && let Some(status) = child.try_wait().context("waiting for a child")?
        {
            gone = Some((Instant::now(), status));
        }
        if let Some((since, status)) = gone {
            // What the leader left running would hold its output open, and is nobody's any more; but
            // what was asked to end may have a tree of its own to end first.
            let asked = ending.is_some_and(|(_, asked)| asked.elapsed() < command.grace);
            if asked && system::is_anyone_left(child.as_ref()) {
                continue;
            }
            let _ = child.start_kill();
            if !open || since.elapsed() > STRAGGLERS {
                return Ok(ending.map_or_else(|| system::ended(status), |(ending, _)| ending));
            }
            continue;
        }
        if looked.elapsed() >= (begun.elapsed() / 32).clamp(GLANCE, LONGEST_LOOK) {
            looked = Instant::now();
            on_look(child.id());
        }
        let why = match ending {
            None if cancelled() && !command.despite_cancel => Ended::Cancelled,
            None if deadline.is_some_and(|deadline| Instant::now() >= deadline) => Ended::TimedOut,
            None => continue,
            Some((_, since)) => {
                if since.elapsed() > command.grace {
                    let _ = child.start_kill();
                }
                continue;
            }
        };
        system::ask_to_end(child.as_mut(), why);
        ending = Some((why, Instant::now()));
    }
}

/// Starts a command as the leader of a tree of its own.
fn spawn(command: &Command, output: fn() -> Stdio) -> Result<Box<dyn ChildWrapper>> {
    let mut wrap = CommandWrap::with_new(program(command)?, |inner| {
        system::add_args(inner, command);
        inner.stdin(Stdio::null()).stdout(output()).stderr(output());
        adjust(inner, command);
    });
    system::lead_a_tree(&mut wrap);
    wrap.spawn().map_err(|error| not_started(command, &error))
}

/// The lines of both outputs, as threads read them; disconnected when both have ended.
fn read_lines(child: &mut dyn ChildWrapper) -> Receiver<(Stream, Vec<u8>)> {
    let (sender, receiver) = sync_channel(LINES_IN_FLIGHT);
    if let Some(stdout) = child.stdout().take() {
        read_stream(Stream::Stdout, stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr().take() {
        read_stream(Stream::Stderr, stderr, sender);
    }
    receiver
}

/// Reads one output on a thread of its own until it ends or nobody listens.
fn read_stream(stream: Stream, source: impl Read + Send + 'static, sender: SyncSender<(Stream, Vec<u8>)>) {
    thread::spawn(move || {
        let mut source = BufReader::with_capacity(64 << 10, source);
        loop {
            let mut line = Vec::new();
            match source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) if sender.send((stream, line)).is_err() => break,
                Ok(_) => {}
            }
        }
    });
}

/// What this process and its children have used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU seconds, of children those that have ended and been waited for.
    pub cpu: f64,
    /// CPU seconds of this process alone.
    pub own_cpu: f64,
    /// The most memory that this process alone held, in bytes.
    pub own_memory: u64,
}

/// What was used so far, where the system tells at no cost.
pub fn usage() -> Option<Usage> {
    #[cfg(target_os = "linux")]
    return linux::usage();
    #[cfg(not(target_os = "linux"))]
    return None;
}

/// How many compilers run in the tree of a process, and how many of them wait for their linker; nothing
/// where the system does not tell.
#[cfg_attr(not(target_os = "linux"), allow(unused_variables, reason = "only Linux is asked"))]
pub fn compilers(leader: u32) -> Option<(usize, usize)> {
    #[cfg(target_os = "linux")]
    return linux::compilers(leader);
    #[cfg(not(target_os = "linux"))]
    return None;
}

/// The flag that a signal sets.
fn cancel_flag() -> &'static Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    FLAG.get_or_init(Arc::default)
}

/// Makes a request to end (the agent's cancel: SIGTERM, on Windows Ctrl-Break; a person's Ctrl-C) end
/// the children in order.
///
/// # Errors
/// Where the system refuses a handler.
pub fn heed_signals() -> Result<()> {
    system::heed_requests(cancel_flag()).context("handling signals")
}

/// Whether the job was cancelled.
pub fn cancelled() -> bool {
    cancel_flag().load(Ordering::Relaxed)
}
