//! Questions to programs: short, and the whole answer is read.

use super::cancel::HasChild;
use super::error::{Error, Said};
use super::output::{Pieces, Stream};
use super::supervise::{Ended, GLANCE, Watch};
use super::{Command, cancelled, spawn};
use anyhow::Result;
use std::cell::Cell;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a tree that answers a question is given between the request to end and the kill, and how long its
/// output is read after that. A question must have ended within two seconds of a cancel. The two times and the
/// time until a cancel is noticed are together well below that.
const GRACE: Duration = Duration::from_millis(500);
/// The time limit of a question that is asked after the job was cancelled. The report of a cancelled job still
/// asks git for the commit.
const AFTER_CANCEL: Duration = Duration::from_secs(1);
const _: () = assert!(GLANCE.as_millis() + 2 * GRACE.as_millis() < 2000 && AFTER_CANCEL.as_millis() < 2000);

/// How much of the beginning of a standard error is kept, and how much of its end, in bytes. It is read by people
/// and searched for known messages. Cargo quotes a line of a file whole, whatever its length.
const KEPT: usize = 256 << 10;

thread_local! {
    /// When the work of this thread must have ended.
    static LIMIT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Does work that has a time limit. Every question that the work asks on this thread ends at the limit.
/// Questions that go on despite a cancel do not, because they tidy up.
pub fn with_limit<R>(limit: Option<Instant>, work: impl FnOnce() -> R) -> R {
    struct Reset(Option<Instant>);
    impl Drop for Reset {
        fn drop(&mut self) {
            LIMIT.set(self.0);
        }
    }
    let _reset = Reset(LIMIT.replace(limit));
    work()
}

/// When the work of this thread must have ended ([`with_limit`]).
pub fn limit() -> Option<Instant> {
    LIMIT.get()
}

/// How a process that was asked a question ended, and what it wrote.
#[derive(Debug)]
pub struct Captured {
    /// How it ended.
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error; of a very long one the beginning and the end.
    pub stderr: Vec<u8>,
}

impl Captured {
    /// The standard output as text. Bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The standard error as text, without white space around it. Bytes that are not UTF-8 are replaced.
    pub fn complaint(&self) -> String {
        Said::of(&self.stderr).0
    }
}

/// Runs a command to its end and takes all that it writes. A status other than 0 is no error here.
///
/// The command ends at its deadline ([`Command::within`]), at the limit of the work that it is for
/// ([`with_limit`]), and within two seconds of a cancel, together
/// with all that it has started. A command that goes on despite a cancel ([`Command::despite_cancel`]) has
/// its deadline alone.
///
/// # Errors
/// An [`Error`] that is not [`Error::Failed`]: exit 3. [`Error::of`] finds it again.
pub fn capture(command: &Command) -> Result<Captured> {
    capture_with_input(command, Vec::new())
}

/// Does what [`capture`] does, with bytes on standard input.
///
/// # Errors
/// Those of [`capture`].
pub fn capture_with_input(command: &Command, input: Vec<u8>) -> Result<Captured> {
    Ok(ask_with_input(command, input)?)
}

/// Does what [`capture`] does, with the error as a type.
///
/// # Errors
/// Those of [`capture`].
pub fn ask(command: &Command) -> Result<Captured, Error> {
    ask_with_input(command, Vec::new())
}

/// Does what [`capture`] does, and takes a status other than 0 for an error.
///
/// # Errors
/// An [`Error`]: exit 3.
pub fn answer(command: &Command) -> Result<Captured> {
    Ok(ask_for_success(command)?)
}

/// Does what [`answer`] does, with the error as a type.
///
/// # Errors
/// Those of [`answer`].
pub fn ask_for_success(command: &Command) -> Result<Captured, Error> {
    let captured = ask(command)?;
    if captured.status.success() {
        return Ok(captured);
    }
    let said = Said::of(&captured.stderr);
    Err(Error::Failed { command: command.to_string(), status: captured.status, said })
}

fn ask_with_input(command: &Command, input: Vec<u8>) -> Result<Captured, Error> {
    let heeds_cancel = !command.despite_cancel;
    let begun_cancelled = heeds_cancel && cancelled();
    let within = if begun_cancelled { command.within.min(AFTER_CANCEL) } else { command.within };
    // A command that tidies up has a time limit of its own, also after the limit of the work.
    let limit = LIMIT.get().filter(|_| heeds_cancel);
    let until_limit = limit.map(|limit| limit.saturating_duration_since(Instant::now()));
    let within = until_limit.map_or(within, |left| left.min(within));
    // A limit that no moment of the clock can express means no deadline.
    let deadline = Instant::now().checked_add(within);
    let has_child = HasChild::new();
    let child = spawn(command, input, Stdio::piped)?;
    let (mut stdout, mut stderr, mut left_out) = (Vec::new(), Vec::new(), 0);
    let watch = Watch {
        deadline,
        heeds_cancel: heeds_cancel && !begun_cancelled,
        grace: command.grace.min(GRACE),
        stragglers: GRACE,
        pieces: Pieces::Chunks,
    };
    let mut take = |stream, piece: &[u8]| match stream {
        Stream::Stdout => stdout.extend_from_slice(piece),
        Stream::Stderr => keep_ends(&mut stderr, &mut left_out, piece),
    };
    let watched = watch.until_gone(child, &mut take, &mut |_| {});
    drop(has_child);
    let stderr = joined(stderr, left_out);
    let shown = || command.to_string();
    let (ended, status) =
        watched.map_err(|error| Error::Lost { command: shown(), error: std::sync::Arc::new(error) })?;
    match ended {
        Ended::TimedOut if begun_cancelled => {
            Err(Error::Cancelled { command: shown(), said: Said::of(&stderr) })
        }
        Ended::TimedOut => Err(Error::TimedOut { command: shown(), after: within, said: Said::of(&stderr) }),
        Ended::Cancelled => Err(Error::Cancelled { command: shown(), said: Said::of(&stderr) }),
        Ended::Exited(_) | Ended::Signaled(_) => Ok(Captured { status, stdout, stderr }),
    }
}

/// Adds a piece to what is kept of a long text: [`KEPT`] bytes of its beginning, and at least as many of its end. `left_out` counts
/// the bytes between the two.
fn keep_ends(kept: &mut Vec<u8>, left_out: &mut usize, piece: &[u8]) {
    kept.extend_from_slice(piece);
    // In large steps, so that the end is not moved for each piece.
    if kept.len() > 4 * KEPT {
        let end = kept.len() - KEPT;
        kept.drain(KEPT..end);
        *left_out += end - KEPT;
    }
}

/// The text that [`keep_ends`] kept, with a line that says how much is missing.
fn joined(mut kept: Vec<u8>, left_out: usize) -> Vec<u8> {
    if left_out > 0 {
        let line = format!("\n… {left_out} bytes are left out …\n");
        kept.splice(KEPT..KEPT, line.into_bytes());
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_text_the_beginning_and_the_end_are_kept() {
        let of = |length: usize, piece: usize| {
            let (mut kept, mut left_out) = (Vec::new(), 0);
            let text: Vec<u8> = (0..length).map(|at| b'a' + u8::try_from(at % 26).unwrap()).collect();
            text.chunks(piece).for_each(|piece| keep_ends(&mut kept, &mut left_out, piece));
            (text, joined(kept, left_out))
        };
        let (text, kept) = of(4 * KEPT, 1000);
        assert_eq!(kept, text);
        for piece in [1000, 10 * KEPT] {
            let (text, kept) = of(20 * KEPT, piece);
            assert!(kept.len() <= 5 * KEPT, "{}", kept.len());
            assert!(kept.starts_with(&text[..KEPT]) && kept.ends_with(&text[19 * KEPT..]));
            assert!(String::from_utf8_lossy(&kept).contains(" bytes are left out …\n"));
        }
    }
}
