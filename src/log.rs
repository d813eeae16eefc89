//! The log of `-v`: what the program decides, and every process that it starts.

use rust_vmm_ci_effects::say;
use std::io::{self, Write};
use tracing::Level;

/// Shows the log from now on, on standard error.
pub fn show() {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(Level::DEBUG)
        .with_ansi(false)
        .with_level(false)
        .with_target(false)
        .without_time()
        .with_writer(|| Event)
        .finish();
    // It is set once in a process; a second time changes nothing.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Takes one event of the log: `tracing-subscriber` writes each with a single call.
struct Event;

impl Write for Event {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        say::debug(String::from_utf8_lossy(text).trim_end());
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
