//! Reads what a child writes.

use super::thread;
use process_wrap::std::ChildWrapper;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// The longest line that is passed on whole, in bytes. A longer one comes in parts, so that memory stays
/// bounded whatever a test prints.
const LONGEST_LINE: u64 = 4 << 20;
/// How much of an output is read at once, in bytes.
const BUFFER: usize = 64 << 10;
/// How many pieces of output may wait for the reader.
const IN_FLIGHT: usize = 4;

/// Which of a process's outputs a line stood on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How an output is divided into the pieces that are passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pieces {
    /// By its lines, each with its line end.
    Lines,
    /// As it comes.
    Chunks,
}

/// The pieces of both outputs, read by a thread for each. The channel is disconnected when both outputs
/// have ended.
///
/// # Errors
/// Where the system has no thread to give.
pub(super) fn read(child: &mut dyn ChildWrapper, pieces: Pieces) -> io::Result<Receiver<(Stream, Vec<u8>)>> {
    let (sender, receiver) = sync_channel(IN_FLIGHT);
    if let Some(stdout) = child.stdout().take() {
        read_stream(Stream::Stdout, stdout, pieces, sender.clone())?;
    }
    if let Some(stderr) = child.stderr().take() {
        read_stream(Stream::Stderr, stderr, pieces, sender)?;
    }
    Ok(receiver)
}

/// Reads one output on a thread of its own, until it ends or nobody listens.
fn read_stream(
    stream: Stream,
    source: impl Read + Send + 'static,
    pieces: Pieces,
    sender: SyncSender<(Stream, Vec<u8>)>,
) -> io::Result<()> {
    thread("output", move || {
        let mut source = BufReader::with_capacity(BUFFER, source);
        loop {
            let mut piece = Vec::new();
            let read = match pieces {
                Pieces::Lines => source.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut piece),
                Pieces::Chunks => read_chunk(&mut source, &mut piece),
            };
            match read {
                Ok(0) | Err(_) => break,
                Ok(_) if sender.send((stream, piece)).is_err() => break,
                Ok(_) => {}
            }
        }
    })
    .map(drop)
}

/// Takes what is there, and waits only where there is nothing.
fn read_chunk(source: &mut impl BufRead, chunk: &mut Vec<u8>) -> io::Result<usize> {
    let available = loop {
        match source.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            available => break available?,
        }
    };
    chunk.extend_from_slice(available);
    let count = available.len();
    source.consume(count);
    Ok(count)
}
