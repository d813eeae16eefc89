//! What the program says. Everything that it prints goes through here, so that `-q` and `-v` are decided in
//! one place, and so that a failed write changes no verdict: the reader may have gone away, or the disk
//! may be full.

use rust_vmm_ci_core::model::secrets::Redactor;
use rust_vmm_ci_core::model::shown;
use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// What every message of the program begins with; results do not have it.
const PREFIX: &str = "rust-vmm-ci: ";

/// Whether notes and progress are left out (`-q`).
static QUIET: AtomicBool = AtomicBool::new(false);

/// Whether a result could not be written, though its reader was there.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether a result was not written, for example because the disk is full. A reader that went away does not count.
pub fn lost_output() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Leaves out notes and progress from now on: `-q`.
pub fn be_quiet() {
    QUIET.store(true, Ordering::Relaxed);
}

/// Whether notes and progress are left out.
pub fn is_quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// The redactor for this process: it knows the secrets in its environment. Everything that is shown passes
/// through it.
pub fn redactor() -> &'static Redactor {
    static REDACTOR: OnceLock<Redactor> = OnceLock::new();
    REDACTOR.get_or_init(|| {
        let variables = std::env::vars_os();
        Redactor::of(variables.map(|(name, value)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned().into_bytes())
        }))
    })
}

/// A text without the secrets in it.
pub fn redacted(text: &str) -> Cow<'_, str> {
    redactor().text(text)
}

/// Writes a result to standard output, unchanged: the caller has escaped what came from outside
/// (`model::shown`), and may have added colours.
pub fn out(text: impl Display) {
    // The reader may be gone. The verdict stays the same.
    let text = text.to_string();
    let written =
        write!(io::stdout().lock(), "{}", redacted(&text)).and_then(|()| io::stdout().lock().flush());
    if written.is_err_and(|error| error.kind() != io::ErrorKind::BrokenPipe) {
        LOST.store(true, Ordering::Relaxed);
    }
}

/// The columns of the terminal that the program writes to; none where it writes to something else. Under a
/// Buildkite agent the output looks like a terminal, but is a log.
pub fn width() -> Option<usize> {
    static WIDTH: OnceLock<Option<usize>> = OnceLock::new();
    *WIDTH.get_or_init(|| {
        if std::env::var_os("BUILDKITE").is_some_and(|value| value == "true") || !io::stdout().is_terminal() {
            return None;
        }
        let (terminal_size::Width(columns), _) = terminal_size::terminal_size()?;
        // Nothing can be read in fewer.
        Some(usize::from(columns).max(20))
    })
}

/// Writes a text for a person to standard output as [`out`] does. On a terminal no word is broken
/// ([`shown::wrapped`]).
pub fn text(text: impl Display) {
    let text = text.to_string();
    out(width().map_or_else(|| text.clone(), |width| shown::wrapped(&text, width)));
}

/// Writes a result for a person to standard output, with a line end. Control characters are shown as symbols,
/// except line ends and tabs. On a terminal no word is broken.
pub fn line(line: impl Display) {
    text(format_args!("{}\n", shown::block(&line.to_string())));
}

/// Says what happens now, on a line of standard output. `-q` leaves it out. Line ends are shown as symbols
/// too: the line may open a group in a job's log, and what it names must not.
pub fn progress(text: impl Display) {
    if !is_quiet() {
        self::text(format_args!("{}\n", shown::line(&text.to_string())));
    }
}

/// Passes a line of a program's output on to standard output, byte for byte, without secrets.
pub fn pass_on_out(bytes: &[u8]) {
    let _ = io::stdout().lock().write_all(&redactor().bytes(bytes));
}

/// Passes a line of a program's output on to standard error, byte for byte, without secrets.
pub fn pass_on_error(bytes: &[u8]) {
    let _ = io::stderr().lock().write_all(&redactor().bytes(bytes));
}

/// Says what the program decided or asked, on a line of standard error: the log of `-v`. Control characters
/// are shown as symbols, line ends too.
pub fn debug(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{PREFIX}debug: {}", shown::line(&redacted(text)));
}

/// Writes a note to standard error: something that a person should know and that is no error. Control
/// characters are shown as symbols.
pub fn note(text: impl Display) {
    if !is_quiet() {
        error(format_args!("note: {text}"));
    }
}

/// Says what is wrong, to standard error. Control characters are shown as symbols, and a very long text is cut
/// ([`shown::message`]).
pub fn error(text: impl Display) {
    let text = text.to_string();
    let text = format!("{PREFIX}{}", shown::message(&redacted(&text)));
    let width = width().filter(|_| io::stderr().is_terminal());
    let text = width.map_or_else(|| text.clone(), |width| shown::wrapped(&text, width));
    let _ = writeln!(io::stderr().lock(), "{text}");
}
