//! Watches a process and ends its whole tree.

use super::cancel::HasChild;
use super::output::{self, Pieces, Stream};
use super::{Command, cancelled, spawn, system};
use anyhow::{Context as _, Result};
use process_wrap::std::ChildWrapper;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::{Duration, Instant};

/// How often this program looks at a process that writes nothing. A cancel or a deadline is noticed late by
/// this time at most. Each look costs some 50 µs, for as long as a job runs.
pub(super) const GLANCE: Duration = Duration::from_millis(100);
/// How often [`supervise_watching`] calls `on_look` at the least: what it does may cost more.
const LONGEST_LOOK: Duration = Duration::from_millis(500);
/// The first pause between two looks at a process whose outputs have ended or are not ours. Such a process may
/// end at any moment. The pauses double up to [`NAP`]. From there each is longer by a sixteenth, up to
/// [`GLANCE`], so that the end is noticed late by a sixteenth of the time at most.
const FIRST_NAP: Duration = Duration::from_micros(100);
/// See [`FIRST_NAP`].
const NAP: Duration = Duration::from_millis(2);
/// How long a tree is given between the request to end and the kill, unless its command says otherwise.
/// The agent gives a hook ten seconds, in which this program's own report must be written as well.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// How long an output is still read after the tree has ended, if a process outside the tree holds it open and
/// writes nothing.
const STRAGGLERS: Duration = Duration::from_secs(2);
/// How many pieces of output are still read after the tree has ended. The tree has left a few dozen at most: what
/// fits into the pipes. A process outside the tree may write for ever.
const REST: u32 = 200;
// A cancelled tree has ended within five seconds, unless its command asks for more.
const _: () = assert!(GLANCE.as_millis() + GRACE.as_millis() + STRAGGLERS.as_millis() < 5000);

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this status.
    Exited(i32),
    /// By a signal that this program did not send.
    #[cfg_attr(windows, allow(dead_code, reason = "there are none on Windows"))]
    Signaled(i32),
    /// By this program, at the deadline.
    TimedOut,
    /// By this program, because the job was cancelled.
    Cancelled,
}

/// Runs a command, passes its output on as it comes, in blocks of whole lines ([`super::lines`]), and ends its
/// whole tree.
///
/// # Errors
/// Where it cannot be started ([`super::Error`]): exit 3.
pub fn supervise(
    command: &Command,
    deadline: Option<Instant>,
    on_lines: &mut dyn FnMut(Stream, &[u8]),
) -> Result<Ended> {
    supervise_watching(command, deadline, on_lines, &mut |_| {})
}

/// Does what [`supervise`] does, and calls `on_look` with the leader's process id: ten times a second at first,
/// then less and less often, down to twice a second.
///
/// # Errors
/// Where it cannot be started ([`super::Error`]): exit 3.
pub fn supervise_watching(
    command: &Command,
    deadline: Option<Instant>,
    on_lines: &mut dyn FnMut(Stream, &[u8]),
    on_look: &mut dyn FnMut(u32),
) -> Result<Ended> {
    watch(command, deadline, Stdio::piped, on_lines, on_look)
}

/// Does what [`supervise`] does with this process's own outputs: for a person's command, which may write
/// as it likes.
///
/// # Errors
/// Where it cannot be started ([`super::Error`]): exit 3.
pub fn supervise_inheriting(command: &Command, deadline: Option<Instant>) -> Result<Ended> {
    watch(command, deadline, Stdio::inherit, &mut |_, _| {}, &mut |_| {})
}

fn watch(
    command: &Command,
    deadline: Option<Instant>,
    output: fn() -> Stdio,
    on_lines: &mut dyn FnMut(Stream, &[u8]),
    on_look: &mut dyn FnMut(u32),
) -> Result<Ended> {
    let _has_child = HasChild::new();
    let child = spawn(command, Vec::new(), output)?;
    let watch = Watch {
        deadline,
        heeds_cancel: !command.despite_cancel,
        grace: command.grace,
        stragglers: STRAGGLERS,
        pieces: Pieces::Lines,
    };
    let (ended, _) = watch.until_gone(child, on_lines, on_look).context("waiting for a child")?;
    Ok(ended)
}

/// How a process is watched.
pub(super) struct Watch {
    /// When it must have ended.
    pub deadline: Option<Instant>,
    /// Whether it ends when the job is cancelled.
    pub heeds_cancel: bool,
    /// How long its tree is given between the request to end and the kill.
    pub grace: Duration,
    /// How long an output is still read after the tree has ended, if a process outside the tree holds it open and
    /// writes nothing.
    pub stragglers: Duration,
    /// How its outputs are divided.
    pub pieces: Pieces,
}

impl Watch {
    /// Waits for a child, passes on what it writes, and ends its tree.
    pub fn until_gone(
        self,
        mut child: Box<dyn ChildWrapper>,
        on_piece: &mut dyn FnMut(Stream, &[u8]),
        on_look: &mut dyn FnMut(u32),
    ) -> io::Result<(Ended, ExitStatus)> {
        let pieces =
            output::read(child.as_mut(), self.pieces).inspect_err(|_| super::end_at_once(child.as_mut()))?;
        let begun = Instant::now();
        let mut looked = begun;
        let mut ending: Option<(Ended, Instant)> = None;
        let mut gone: Option<(Instant, ExitStatus)> = None;
        let mut open = true;
        let mut nap = FIRST_NAP;
        // Since the tree has ended: how many pieces of output came, and how often in a row none did.
        let (mut rest, mut silent) = (0, 0);
        loop {
            if open {
                match pieces.recv_timeout(GLANCE) {
                    Ok((stream, piece)) => {
                        on_piece(stream, &piece);
                        (rest, silent) = (rest + 1, 0);
                    }
                    Err(RecvTimeoutError::Timeout) => silent += 1,
                    Err(RecvTimeoutError::Disconnected) => open = false,
                }
            } else {
                thread::sleep(nap);
                nap = if nap < NAP { nap * 2 } else { (nap + nap / 16).min(GLANCE) };
            }
            if gone.is_none()
                && let Some(status) = child.try_wait()?
            {
                gone = Some((Instant::now(), status));
                (rest, silent) = (0, 0);
            }
            if let Some((since, status)) = gone {
                // A tree that was asked to end may have something to tidy up after its leader has ended.
                // Whatever else the leader left running would hold its outputs open, and must end.
                let asked = ending.is_some_and(|(_, asked)| asked.elapsed() < self.grace);
                if asked && system::is_anyone_left(child.as_ref()) {
                    continue;
                }
                let _ = child.start_kill();
                // Where the whole output is wanted, no time is taken: the threads that read may be slow on a busy
                // machine, and so may the reader of what this process passes on.
                let is_enough = match ending {
                    Some(_) => since.elapsed() > self.stragglers,
                    None => GLANCE * silent >= self.stragglers || rest > REST,
                };
                if !open || is_enough {
                    let ended = ending.map_or_else(|| system::ended(status), |(ending, _)| ending);
                    return Ok((ended, status));
                }
                continue;
            }
            if looked.elapsed() >= (begun.elapsed() / 32).clamp(GLANCE, LONGEST_LOOK) {
                looked = Instant::now();
                on_look(child.id());
            }
            if let Some((_, since)) = ending {
                if since.elapsed() > self.grace {
                    let _ = child.start_kill();
                }
            } else if let Some(why) = self.reason_to_end() {
                system::ask_to_end(child.as_mut(), why);
                ending = Some((why, Instant::now()));
            }
        }
    }

    /// Why the process must end now, where it must.
    fn reason_to_end(&self) -> Option<Ended> {
        if self.heeds_cancel && cancelled() {
            return Some(Ended::Cancelled);
        }
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline).then_some(Ended::TimedOut)
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_slow_reader_has_all_that_a_process_has_left() {
        let command = Command::new("sh").args(["-c", "head -c 300000 /dev/zero"]);
        let watch = Watch {
            deadline: None,
            heeds_cancel: false,
            grace: GRACE,
            stragglers: GLANCE,
            pieces: Pieces::Chunks,
        };
        let mut read = 0;
        let mut slowly = |_, piece: &[u8]| {
            read += piece.len();
            thread::sleep(2 * GLANCE);
        };
        let child = spawn(&command, Vec::new(), Stdio::piped).unwrap();
        watch.until_gone(child, &mut slowly, &mut |_| {}).unwrap();
        assert_eq!(read, 300_000);
    }
}
