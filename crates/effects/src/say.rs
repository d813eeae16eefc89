//! What the program says. Everything that it prints goes through here: a reader that has gone away, or a
//! full disk behind standard output, changes no verdict, and `-q` and `-v` are decided in one place.

use rust_vmm_ci_core::model::shown::block;
use std::fmt::Display;
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// The beginning of every line that is the program's own and no result.
const PREFIX: &str = "rust-vmm-ci: ";

/// Whether notes and progress are left out (`-q`).
static QUIET: AtomicBool = AtomicBool::new(false);

/// Leaves out notes and progress from now on: `-q`.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether notes and progress are left out.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Writes a result to standard output, as it is: its caller has escaped what came from outside
/// (`model::shown`), and may have coloured it.
pub fn out(text: impl Display) {
    // Whoever reads may be gone; the verdict stands.
    let _ = write!(io::stdout().lock(), "{text}").and_then(|()| io::stdout().lock().flush());
}

/// As [`out`], with a line end.
pub fn line(text: impl Display) {
    out(format_args!("{text}\n"));
}

/// Says what a person should know, though it is no error, to standard error. Control characters are
/// shown as symbols.
pub fn note(text: impl Display) {
    if !is_quiet() {
        error(format_args!("note: {text}"));
    }
}

/// Says what is wrong, to standard error. Control characters are shown as symbols.
pub fn error(text: impl Display) {
    let text = text.to_string();
    let _ = writeln!(io::stderr().lock(), "{PREFIX}{}", block(&text));
}
