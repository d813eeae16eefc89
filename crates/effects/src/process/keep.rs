//! What a keeper does: it starts one command, is the parent of every orphan below it, and ends what it
//! keeps. `keeper.rs` starts keepers and says why there are any.
//!
//! A keeper is one thread that waits for three things: an order, the end of the process that started it
//! (its end of the line is then closed), and the end of a child.

use super::super::system;
use super::{ASK, ENDED, Ends, KILL, NOT_STARTED, STARTED};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions};
use signal_hook::consts::SIGCHLD;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long the command may take to end by itself when the process that started the keeper has ended.
/// `docker run` passes the request to end on to its container, which lives outside the tree.
const GRACE: Duration = Duration::from_millis(500);
/// How long a keeper waits for a process that does not end though it was killed: another user's, or one
/// that waits for a disk.
const GIVES_UP: Duration = Duration::from_secs(2);
/// How often the keeper looks for new orphans while it kills a tree, in nanoseconds.
const LOOK: i64 = 2_000_000;
/// How often the keeper checks whether a grace period is over, in nanoseconds.
const GLANCE: i64 = 50_000_000;
/// The exit status of a keeper that a person has started.
const NOT_FOR_PEOPLE: i32 = 2;

/// Keeps the command in these arguments, and returns the exit status of the keeper. The status of the
/// command goes over the line.
pub(super) fn keep(args: impl Iterator<Item = OsString>) -> i32 {
    // The line is the standard input. The command must not have it.
    let Ok(line) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3) else { return NOT_FOR_PEOPLE };
    let mut line = UnixStream::from(line);
    if line.peer_addr().is_err() {
        return NOT_FOR_PEOPLE;
    }
    let _ = rustix::thread::set_name(c"rust-vmm-ci");
    // The command's input is written into a file, if only one in memory.
    system::outlive_large_files();
    match Keeper::start(args, &mut line) {
        Ok(Some(mut keeper)) => {
            let status = keeper.until_all_have_ended(&mut line);
            // The process at the other end may be gone.
            let _ = say(&mut line, ENDED, status);
        }
        Ok(None) => {}
        Err(error) => {
            let number = error.raw_os_error().unwrap_or(rustix::io::Errno::INVAL.raw_os_error());
            let _ = say(&mut line, NOT_STARTED, number);
        }
    }
    0
}

fn say(line: &mut UnixStream, word: u8, number: i32) -> io::Result<()> {
    let [a, b, c, d] = number.to_le_bytes();
    line.write_all(&[word, a, b, c, d])
}

struct Keeper {
    ends: Ends,
    /// The command.
    leader: Pid,
    /// Is readable when a child has ended.
    children_ended: UnixStream,
    /// How the command ended, as `wait(2)` says it.
    status: Option<i32>,
    /// When the process that started the keeper ended.
    alone: Option<Instant>,
    /// Whether the command was asked to end.
    asked: bool,
    /// When the keeper began to kill everything.
    killing: Option<Instant>,
}

impl Keeper {
    /// Starts the command. There is no keeper where nobody waits for the command any more.
    fn start(mut args: impl Iterator<Item = OsString>, line: &mut UnixStream) -> io::Result<Option<Self>> {
        let missing = || io::Error::from(rustix::io::Errno::INVAL);
        let ends =
            if args.next().ok_or_else(missing)? == Ends::Group.word() { Ends::Group } else { Ends::Tree };
        let length = args.next().and_then(|length| length.to_str()?.parse().ok()).ok_or_else(missing)?;
        let program = args.next().ok_or_else(missing)?;
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
        let (children_ended, child_ended) = UnixStream::pair()?;
        children_ended.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGCHLD, child_ended)?;
        let Some(stdin) = input(line, length)? else { return Ok(None) };
        #[allow(clippy::disallowed_methods, reason = "this is a part of the place that the lint leads to")]
        let mut command = std::process::Command::new(program);
        // The command leads a group of its own: what it sends to its group must not reach the keeper.
        let child = command.args(args).stdin(stdin).process_group(0).spawn()?;
        let leader = Pid::from_child(&child);
        // If the process at the other end is gone, the wait for an order notices it.
        let _ = say(line, STARTED, leader.as_raw_pid());
        let keeper =
            Self { ends, leader, children_ended, status: None, alone: None, asked: false, killing: None };
        Ok(Some(keeper))
    }

    /// Waits until all processes that this keeper ends have ended. Returns the command's status.
    fn until_all_have_ended(&mut self, line: &mut UnixStream) -> i32 {
        loop {
            let any_left = self.reap();
            if let Some(status) = self.status {
                let others_may_go_on = self.asked && self.killing.is_none();
                if any_left && !others_may_go_on {
                    self.kill();
                }
                let only_the_group = self.ends == Ends::Group && self.alone.is_none() && !others_may_go_on;
                let given_up = self.killing.is_some_and(|since| since.elapsed() > GIVES_UP);
                if !any_left || only_the_group || given_up {
                    return status;
                }
            } else if self.killing.is_some() {
                self.kill();
            }
            self.wait(line);
            if self.alone.is_some_and(|since| since.elapsed() > GRACE) && self.killing.is_none() {
                self.kill();
            }
        }
    }

    /// Takes the status of every child that has ended. Returns whether a child is left.
    fn reap(&mut self) -> bool {
        loop {
            match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((child, status))) if child == self.leader => self.status = Some(status.as_raw()),
                Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Waits for an order, for the end of the process that started this one, or for the end of a child.
    fn wait(&mut self, line: &mut UnixStream) {
        let nanoseconds = match (self.killing, self.alone) {
            (Some(_), _) => Some(LOOK),
            (None, Some(_)) => Some(GLANCE),
            (None, None) => None,
        };
        let timeout = nanoseconds.map(|tv_nsec| Timespec { tv_sec: 0, tv_nsec });
        let line_is_open = self.alone.is_none();
        let mut waits = vec![PollFd::new(&self.children_ended, PollFlags::IN)];
        if line_is_open {
            waits.push(PollFd::new(&*line, PollFlags::IN));
        }
        if poll(&mut waits, timeout.as_ref()).is_err() {
            // A signal came, or the kernel has no memory at the moment. The loop then looks again.
            std::thread::sleep(Duration::from_millis(1));
        }
        let spoken = waits.get(1).is_some_and(|line| !line.revents().is_empty());
        let _ = self.children_ended.read(&mut [0; 64]);
        if spoken {
            self.obey(line);
        }
    }

    fn obey(&mut self, line: &mut UnixStream) {
        let mut order = [0];
        match line.read(&mut order) {
            Ok(1..) if order == [ASK] => self.ask(),
            Ok(1..) if order == [KILL] => self.kill(),
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => {
                self.alone = Some(Instant::now());
                self.ask();
            }
        }
    }

    fn ask(&mut self) {
        self.asked = true;
        let _ = rustix::process::kill_process_group(self.leader, Signal::TERM);
    }

    /// Kills the command's group, and every child. The children of those that end come to this process,
    /// and are killed when this is called again.
    fn kill(&mut self) {
        self.killing.get_or_insert_with(Instant::now);
        let _ = rustix::process::kill_process_group(self.leader, Signal::KILL);
        if self.ends == Ends::Group && self.alone.is_none() {
            return;
        }
        for child in children().unwrap_or_default() {
            let _ = rustix::process::kill_process(child, Signal::KILL);
        }
    }
}

/// The command's standard input: the next bytes of the line. There is none where the line ends before.
fn input(line: &mut UnixStream, length: u64) -> io::Result<Option<Stdio>> {
    if length == 0 {
        return Ok(Some(Stdio::null()));
    }
    let file = rustix::fs::memfd_create(c"input", rustix::fs::MemfdFlags::CLOEXEC)?;
    let mut file = File::from(file);
    let copied = io::copy(&mut line.take(length), &mut file)?;
    file.rewind()?;
    Ok((copied == length).then(|| file.into()))
}

/// The children of this process. There is no answer where `/proc` does not tell.
pub(super) fn children() -> Option<Vec<Pid>> {
    let own = rustix::process::getpid().as_raw_pid();
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    let is_child = |pid: &i32| {
        let stat = fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        parent(&stat) == Some(own)
    };
    Some(pids.filter(is_child).filter_map(Pid::from_raw).collect())
}

/// The process id of the parent, by `proc_pid_stat(5)`. The name before it may hold any character.
fn parent(stat: &[u8]) -> Option<i32> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = std::str::from_utf8(&stat[end + 1..]).ok()?.split_whitespace();
    fields.nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_is_read_whatever_the_process_is_called() {
        assert_eq!(parent(b"7 (a ) 1 b) S 42 7 7 0 -1"), Some(42));
        assert_eq!(parent(b"7 (\xff) Z 1 7"), Some(1));
        assert_eq!(parent(b""), None);
    }
}
