//! Starts each command below a *keeper*, so that nothing of it outlives this process or its check.
//!
//! A keeper is this program again (`keep.rs`): the parent of one command, and the parent that the kernel
//! gives to each orphan below it (`PR_SET_CHILD_SUBREAPER`, `prctl(2)`). So no process can leave it, not
//! even one in a session of its own. A socket joins it to this process. When this process ends, however it
//! ends, the kernel closes the socket, and the keeper ends everything.
//!
//! Why not `PR_SET_PDEATHSIG`: it follows the thread that started the child and not the process, a child of
//! a child does not have it, and setting it needs `unsafe`.

#[path = "clean.rs"]
mod clean;
#[path = "cleaner.rs"]
mod cleaner;
#[path = "keep.rs"]
pub(super) mod keep;

use cleaner::{CLEAN, COMMAND, DONE, FOLDER};
pub(super) use cleaner::{Cleaner, keep_folder, undo};

use super::{Command, Error, adjust, system};
use process_wrap::std::{ChildWrapper, CommandWrap, ProcessGroup};
use rustix::process::{Pid, Signal};
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The first argument of a keeper. After it come what it ends ([`Ends`]), the length of the command's
/// standard input in bytes, and the command.
pub(super) const KEEP: &str = "keep-process";
/// How long a keeper may take to kill its tree, until it is killed itself.
const KILLS_WITHIN: Duration = Duration::from_secs(2);

/// An order to a keeper: ask the command to end.
pub(super) const ASK: u8 = b't';
/// An order to a keeper: kill what it ends.
pub(super) const KILL: u8 = b'k';
/// What a keeper says: the command runs, with this process id.
pub(super) const STARTED: u8 = b's';
/// What a keeper says: the command was not started, with the system's number of the error.
pub(super) const NOT_STARTED: u8 = b'f';
/// What a keeper says: everything has ended, and this is the command's status as `wait(2)` gives it.
pub(super) const ENDED: u8 = b'e';

/// What a keeper ends when its command has ended. When this process ends, it ends everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// Everything below it.
    Tree,
    /// The command's process group. Podman's containers live on below the command that started them.
    Group,
}

/// Whether commands are started below keepers: [`use_keepers`] was called.
static CAN_KEEP: AtomicBool = AtomicBool::new(false);
/// The keepers and cleaners that live. Any other child of this process has lost its keeper.
static KEEPERS: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// Acts as a keeper or a cleaner where this process was started as one, and returns its exit status.
pub(super) fn act(args: impl Iterator<Item = OsString>) -> Option<i32> {
    let mut args = args.skip(1);
    match args.next()?.to_str()? {
        KEEP => Some(keep::keep(args)),
        CLEAN => Some(clean::clean(args)),
        _ => None,
    }
}

/// Starts commands below keepers from now on: [`act`] stands first in this program's `main`.
pub(super) fn use_keepers() {
    CAN_KEEP.store(true, Ordering::Relaxed);
    // If a keeper is killed, the processes below it become children of this process, which then ends them.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// This program's file. Where it was replaced while it runs, the kernel still has the old one.
fn this_program() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?;
    Some(if path.exists() { path } else { "/proc/self/exe".into() })
}

/// Starts a command below a keeper. Returns nothing where this program uses no keepers, and where
/// `/proc` does not name its file.
pub(super) fn spawn(
    command: &Command,
    input: &[u8],
    output: fn() -> Stdio,
) -> Option<Result<Box<dyn ChildWrapper>, Error>> {
    let program = CAN_KEEP.load(Ordering::Relaxed).then(this_program)??;
    let kept = start(command, program, input, output).map_err(|error| Error::starting(command, error));
    Some(kept.map(|kept| Box::new(kept) as Box<dyn ChildWrapper>))
}

fn start(command: &Command, keeper: PathBuf, input: &[u8], output: fn() -> Stdio) -> io::Result<Kept> {
    let (mut line, theirs) = UnixStream::pair()?;
    let ends = if command.leaves_daemons { Ends::Group } else { Ends::Tree };
    let mut wrap = CommandWrap::with_new(keeper, |inner| {
        inner.arg0("rust-vmm-ci").arg(KEEP).arg(ends.word()).arg(input.len().to_string());
        inner.arg(&command.program);
        system::add_args(inner, command);
        inner.stdin(OwnedFd::from(theirs)).stdout(output()).stderr(output());
        adjust(inner, command);
    });
    wrap.wrap(ProcessGroup::leader());
    let child = {
        let mut keepers = KEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
        let child = wrap.spawn()?;
        keepers.push(pid(child.as_ref()));
        child
    };
    // The keeper's end of the line must be closed here, so that the keeper's end is noticed.
    drop(wrap);
    let mut kept = Kept { child, line: Mutex::new(line.try_clone()?), leader: 0, killed: None, ended: None };
    line.write_all(input).or_else(|error| {
        // A keeper that could not start the command does not read its input; it says why.
        if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) }
    })?;
    match said(&mut line) {
        Some((STARTED, leader)) => {
            kept.leader = leader.unsigned_abs();
            Ok(kept)
        }
        Some((NOT_STARTED, number)) => {
            let _ = kept.wait();
            Err(io::Error::from_raw_os_error(number))
        }
        _ => {
            let _ = kept.start_kill();
            let status = kept.wait()?;
            Err(io::Error::other(format!("its keeper, another process of this program, ended ({status})")))
        }
    }
}

impl Ends {
    /// The word in a keeper's arguments.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Tree => "tree",
            Self::Group => "group",
        }
    }
}

/// What the keeper said next: a word and its number. There is none where the keeper has ended.
fn said(line: &mut UnixStream) -> Option<(u8, i32)> {
    let mut message = [0; 5];
    line.read_exact(&mut message).ok()?;
    let [word, number @ ..] = message;
    Some((word, i32::from_le_bytes(number)))
}

fn pid(child: &dyn ChildWrapper) -> i32 {
    i32::try_from(child.id()).unwrap_or_default()
}

/// A command below its keeper.
#[derive(Debug)]
struct Kept {
    /// The keeper.
    child: Box<dyn ChildWrapper>,
    /// The way to the keeper.
    line: Mutex<UnixStream>,
    /// The process id of the command.
    leader: u32,
    /// When the keeper was told to kill.
    killed: Option<Instant>,
    /// How the command ended.
    ended: Option<ExitStatus>,
}

impl Kept {
    fn order(&self, order: u8) -> io::Result<()> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).write_all(&[order])
    }

    /// The command's status, where the keeper has ended with this one.
    fn settle(&mut self, keeper: ExitStatus) -> ExitStatus {
        let line = self.line.get_mut().unwrap_or_else(PoisonError::into_inner);
        let status = match said(line) {
            Some((ENDED, status)) => ExitStatus::from_raw(status),
            // Somebody has killed the keeper.
            _ => {
                self.lose();
                keeper
            }
        };
        let keeper = pid(self.child.as_ref());
        KEEPERS.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| *known != keeper);
        self.ended = Some(status);
        status
    }

    /// Ends the processes that a killed keeper has left.
    fn lose(&self) {
        let keepers = KEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
        let leader = i32::try_from(self.leader).ok().and_then(Pid::from_raw);
        if let Some(leader) = leader {
            let _ = rustix::process::kill_process_group(leader, Signal::KILL);
        }
        let since = Instant::now();
        while since.elapsed() < KILLS_WITHIN {
            let strays: Vec<Pid> = keep::children().unwrap_or_default();
            let mut strays =
                strays.into_iter().filter(|child| !keepers.contains(&child.as_raw_pid())).peekable();
            if strays.peek().is_none() {
                return;
            }
            for stray in strays {
                let _ = rustix::process::kill_process(stray, Signal::KILL);
                let _ = rustix::process::waitpid(Some(stray), rustix::process::WaitOptions::NOHANG);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl ChildWrapper for Kept {
    fn inner(&self) -> &dyn ChildWrapper {
        self.child.as_ref()
    }

    fn inner_mut(&mut self) -> &mut dyn ChildWrapper {
        self.child.as_mut()
    }

    fn into_inner(self: Box<Self>) -> Box<dyn ChildWrapper> {
        self.child
    }

    fn id(&self) -> u32 {
        self.leader
    }

    fn start_kill(&mut self) -> io::Result<()> {
        if self.ended.is_some() {
            return Ok(());
        }
        match self.killed {
            None => {
                self.killed = Some(Instant::now());
                self.order(KILL)
            }
            Some(since) if since.elapsed() > KILLS_WITHIN => self.child.start_kill(),
            Some(_) => Ok(()),
        }
    }

    fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_some() {
            return Ok(self.ended);
        }
        let keeper = self.child.try_wait()?;
        Ok(keeper.map(|keeper| self.settle(keeper)))
    }

    fn wait(&mut self) -> io::Result<ExitStatus> {
        if let Some(ended) = self.ended {
            return Ok(ended);
        }
        let keeper = self.child.wait()?;
        Ok(self.settle(keeper))
    }

    /// Asks the command to end, whatever the signal: only SIGTERM is ever sent.
    fn signal(&self, _: i32) -> io::Result<()> {
        self.order(ASK)
    }
}
