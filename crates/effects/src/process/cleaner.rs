//! Starts cleaners. `clean.rs` says what they are.

use super::super::{Command, adjust, system};
use super::{CAN_KEEP, KEEPERS, this_program};
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// The first argument of a cleaner. After it comes its kind.
pub(super) const CLEAN: &str = "keep-clean";
/// The kind that makes a folder and removes it. After it come the folder above and the name's beginning.
pub(super) const FOLDER: &str = "folder";
/// The kind that runs a command. After it comes the command.
pub(super) const COMMAND: &str = "command";
/// What a cleaner is told: there is nothing to clean.
pub(super) const DONE: u8 = b'd';

/// A cleaner that waits.
#[derive(Debug)]
pub(in super::super) struct Cleaner {
    child: Child,
    /// The way to the cleaner. When this process ends, the kernel closes it.
    line: UnixStream,
}

impl Cleaner {
    fn start(tell: impl FnOnce(&mut std::process::Command)) -> io::Result<Self> {
        let missing = || io::Error::from(io::ErrorKind::NotFound);
        let program = CAN_KEEP.load(Ordering::Relaxed).then(this_program).flatten().ok_or_else(missing)?;
        let (line, theirs) = UnixStream::pair()?;
        #[allow(clippy::disallowed_methods, reason = "this is a part of the place that the lint leads to")]
        let mut inner = std::process::Command::new(program);
        inner.arg0("rust-vmm-ci").arg(CLEAN);
        tell(&mut inner);
        // It outlives this process, whose reader must not wait for it. A signal to this process's group must
        // not reach it.
        inner.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let mut keepers = KEEPERS.lock().unwrap_or_else(PoisonError::into_inner);
        let child = inner.spawn()?;
        keepers.push(number(&child));
        Ok(Self { child, line })
    }

    /// Tells the cleaner that there is nothing to clean, and waits for its end.
    pub(in super::super) fn is_done(&mut self) {
        // A cleaner that somebody has killed hears nothing.
        let _ = self.line.write_all(&[DONE]);
        let _ = self.child.wait();
        let number = number(&self.child);
        KEEPERS.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| *known != number);
    }
}

fn number(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap_or_default()
}

/// Has a cleaner make a folder. There is none where this program uses no keepers, and where the cleaner fails.
pub(in super::super) fn keep_folder(parent: &Path, prefix: &str) -> Option<(PathBuf, Cleaner)> {
    let started = Cleaner::start(|inner| {
        inner.arg(FOLDER).arg(parent).arg(prefix).current_dir("/");
    });
    let mut cleaner = started.ok()?;
    match read_path(&mut cleaner.line) {
        Ok(path) => Some((path, cleaner)),
        Err(_) => {
            cleaner.is_done();
            None
        }
    }
}

fn read_path(line: &mut UnixStream) -> io::Result<PathBuf> {
    let mut length = [0; 4];
    line.read_exact(&mut length)?;
    let mut name = vec![0; usize::try_from(u32::from_le_bytes(length)).unwrap_or_default()];
    line.read_exact(&mut name)?;
    Ok(OsString::from_vec(name).into())
}

/// Has a cleaner run a command when this process is killed. There is none where this program uses no keepers.
pub(in super::super) fn undo(command: &Command) -> Option<Cleaner> {
    let started = Cleaner::start(|inner| {
        inner.arg(COMMAND).arg(&command.program);
        system::add_args(inner, command);
        adjust(inner, command);
    });
    started.ok()
}
