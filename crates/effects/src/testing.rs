//! What tests of every module share.

#[cfg(unix)]
use crate::process::{self, Command};
#[cfg(unix)]
use std::path::Path;
use std::time::{Duration, Instant};

/// Says that a test was skipped, and what this machine lacks. Under `REQUIRE_ALL=1`, which CI sets, it fails: a
/// skipped test must not look like a passed one.
#[track_caller]
pub fn skip(lacks: &str) {
    println!("skipped: {lacks}");
    assert!(std::env::var_os("REQUIRE_ALL").is_none_or(|value| value != "1"), "{lacks}");
}

/// Writes a program, executable. A process of its own writes it: a process that another test starts at this moment
/// would have a file open that this one writes, and the system runs no program that is open for writing (`ETXTBSY`,
/// `execve(2)`).
#[cfg(unix)]
#[track_caller]
pub fn write_program(path: &Path, text: &str) {
    let write = Command::new("sh").args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"]).arg(path);
    let written = process::capture_with_input(&write, text.as_bytes().to_vec()).unwrap();
    assert!(written.status.success(), "{}: {}", path.display(), written.complaint());
}

/// Asks again and again until it is so, for a minute at most. Returns whether it is so.
pub fn eventually(mut is_so: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    loop {
        if is_so() {
            return true;
        }
        if begin.elapsed() > Duration::from_secs(60) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
