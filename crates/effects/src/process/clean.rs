//! What a cleaner does: it removes what a killed process of this program would leave on disk. A cleaner is
//! this program again, as a keeper is (`keeper.rs`). It outlives the process that started it.
//!
//! There are two kinds. One makes a temporary folder and removes it. The other runs a command. Both do nothing
//! until the process that started them has ended, and nothing at all if that process says [`DONE`].

use super::super::system;
use super::{COMMAND, DONE, FOLDER};
use rustix::fs::{Mode, OFlags};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How long a cleaner waits before it runs its command. The keepers have then killed what still worked on the
/// same thing: they give it half a second.
const OTHERS_END: Duration = Duration::from_millis(700);
/// How long a cleaner tries to remove a folder in which something is still written, and how long its command
/// may take.
const GIVES_UP: Duration = Duration::from_secs(10);
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);
/// The exit status of a cleaner that a person has started.
const NOT_FOR_PEOPLE: i32 = 2;

/// Does what these arguments say, and returns the exit status of the cleaner. Nobody reads it.
pub(super) fn clean(mut args: impl Iterator<Item = OsString>) -> i32 {
    let Ok(line) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3) else { return NOT_FOR_PEOPLE };
    let line = UnixStream::from(line);
    if line.peer_addr().is_err() {
        return NOT_FOR_PEOPLE;
    }
    let _ = rustix::thread::set_name(c"rust-vmm-ci");
    system::outlive_large_files();
    let (kind, first) = (args.next(), args.next());
    let done = match (kind, first) {
        (Some(kind), Some(parent)) if kind == FOLDER => {
            folder(line, &PathBuf::from(parent), &args.next().unwrap_or_default())
        }
        (Some(kind), Some(program)) if kind == COMMAND => command(line, &program, args),
        _ => return NOT_FOR_PEOPLE,
    };
    i32::from(done.is_err())
}

/// Makes a folder, says its path, and removes it when the process at the other end was killed.
fn folder(mut line: UnixStream, parent: &PathBuf, prefix: &OsString) -> io::Result<()> {
    // The library makes it for this user alone, under a name that nobody can foresee.
    let path = tempfile::Builder::new().prefix(prefix).tempdir_in(parent)?.keep();
    // As long as the folder is open, no other one has its number.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = File::from(rustix::fs::open(&path, flags, Mode::empty())?).metadata();
    let name = path.as_os_str().as_bytes();
    let length = u32::try_from(name.len()).unwrap_or_default();
    // If the process at the other end is gone, the wait notices it.
    let _ = line.write_all(&length.to_le_bytes()).and_then(|()| line.write_all(name));
    if is_done(&mut line) {
        return Ok(());
    }
    let made = made?;
    let is_it =
        || fs::symlink_metadata(&path).is_ok_and(|now| now.dev() == made.dev() && now.ino() == made.ino());
    let since = Instant::now();
    while is_it() && since.elapsed() < GIVES_UP {
        // A process that has not ended yet may write into it.
        if fs::remove_dir_all(&path).is_err() {
            std::thread::sleep(PAUSE);
        }
    }
    Ok(())
}

/// Runs a command when the process at the other end was killed.
fn command(mut line: UnixStream, program: &OsString, args: impl Iterator<Item = OsString>) -> io::Result<()> {
    if is_done(&mut line) {
        return Ok(());
    }
    std::thread::sleep(OTHERS_END);
    #[allow(clippy::disallowed_methods, reason = "this is a part of the place that the lint leads to")]
    let mut command = std::process::Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.process_group(0).spawn()?;
    let since = Instant::now();
    while child.try_wait()?.is_none() {
        if since.elapsed() > GIVES_UP {
            child.kill()?;
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Waits for the process at the other end. Returns whether it has done the work itself.
fn is_done(line: &mut UnixStream) -> bool {
    let mut word = [0];
    line.read_exact(&mut word).is_ok() && word == [DONE]
}
