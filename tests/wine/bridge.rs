//! cargo, rustc, git, curl and certutil for programs under Wine, which can start a Linux program but not wait for it.
//!
//! One source, two programs, compiled by rustc alone. For Windows, laid on PATH under each tool's
//! name, it hands its arguments, folder, variables and standard input over; what comes back is the
//! tool's output and status. For Linux, `bridge TOOLCHAIN COMMAND...` runs the command with the real
//! tools at its disposal, and a tool whose caller is gone is killed, as its whole tree would be.

#[cfg(unix)]
#[path = "bridge_linux.rs"]
mod side;
#[cfg(windows)]
#[path = "bridge_windows.rs"]
mod side;

use std::io::{self, Read, Write};
use std::process::ExitCode;

/// Tells the tools where the Linux side listens.
const PORT: &str = "RUST_VMM_CI_TEST_BRIDGE";

/// The kinds of frames: a sign that the other side is still there; bytes of an output; the status.
const STILL_THERE: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;

fn main() -> ExitCode {
    side::main()
}

fn write_frame(to: &mut impl Write, kind: u8, bytes: &[u8]) -> io::Result<()> {
    let mut frame = vec![kind];
    frame.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    frame.extend(bytes);
    to.write_all(&frame)
}

fn read_frame(from: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    from.read_exact(&mut head)?;
    let mut bytes = vec![0; u32::from_le_bytes(head[1..].try_into().unwrap()) as usize];
    from.read_exact(&mut bytes)?;
    Ok((head[0], bytes))
}
