//! Reads what a child writes.

use super::thread;
use process_wrap::std::ChildWrapper;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// The longest line that is passed on whole, in bytes. A longer one comes in parts, so that memory stays
/// bounded whatever a test prints.
const LONGEST_LINE: usize = 4 << 20;
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
    /// Into blocks of whole lines: as many as are there. To pass on each line by itself would take many times
    /// longer than the program takes to write it.
    Lines,
    /// As it comes.
    Chunks,
}

/// The pieces of both outputs, read by a thread for each. The channel is disconnected when both outputs
/// have ended.
///
/// # Errors
/// If the system cannot start a thread.
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
        let mut rest = Vec::new();
        loop {
            let mut piece = Vec::new();
            let read = match pieces {
                Pieces::Lines => read_lines(&mut source, &mut rest, &mut piece),
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

/// Takes the lines that are there, and waits only where there is no whole line. `rest` is the beginning of the
/// line after them.
fn read_lines(source: &mut impl BufRead, rest: &mut Vec<u8>, lines: &mut Vec<u8>) -> io::Result<usize> {
    lines.append(rest);
    loop {
        let begin = lines.len();
        let count = read_chunk(source, lines)?;
        if let Some(at) = lines[begin..].iter().rposition(|byte| *byte == b'\n') {
            rest.extend_from_slice(&lines[begin + at + 1..]);
            lines.truncate(begin + at + 1);
            return Ok(lines.len());
        }
        // The output has ended without a line end, or the line is too long.
        if count == 0 || lines.len() >= LONGEST_LINE {
            return Ok(lines.len());
        }
    }
}

/// The lines of a block, each with its line end.
pub fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    block.split_inclusive(|byte| *byte == b'\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The blocks that are read if a program writes these pieces.
    fn blocks(pieces: &[&[u8]]) -> Vec<String> {
        struct Pieces<'p>(Vec<&'p [u8]>);
        impl Read for Pieces<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                if self.0.is_empty() {
                    return Ok(0);
                }
                let piece = self.0.remove(0);
                buffer[..piece.len()].copy_from_slice(piece);
                Ok(piece.len())
            }
        }
        let mut source = BufReader::with_capacity(BUFFER, Pieces(pieces.to_vec()));
        let (mut rest, mut blocks) = (Vec::new(), Vec::new());
        loop {
            let mut block = Vec::new();
            if read_lines(&mut source, &mut rest, &mut block).unwrap() == 0 {
                return blocks;
            }
            blocks.push(String::from_utf8(block).unwrap());
        }
    }

    #[test]
    fn a_block_has_the_whole_lines_that_are_there() {
        assert_eq!(blocks(&[b"a\nb\nc", b"d\ne", b"f"]), ["a\nb\n", "cd\n", "ef"]);
        assert_eq!(blocks(&[b"a", b"\n", b"\n\n"]), ["a\n", "\n\n"]);
        assert_eq!(lines(b"a\n\nb").collect::<Vec<_>>(), [&b"a\n"[..], b"\n", b"b"]);
    }

    #[test]
    fn a_line_without_end_comes_in_parts() {
        let piece = vec![b'x'; BUFFER];
        let pieces = vec![&piece[..]; 2 * LONGEST_LINE / BUFFER];
        let lengths: Vec<usize> = blocks(&pieces).iter().map(String::len).collect();
        assert_eq!(lengths, [LONGEST_LINE, LONGEST_LINE]);
    }
}
