//! Shows a person what checks write while they run: in log groups in Buildkite, as progress lines on a
//! terminal, and as plain lines elsewhere.
//!
//! The lines of one check are shown as they come. The lines of the checks beside it are kept until that check
//! has ended, on disk where they are many. So the lines of two checks are never mixed, and memory stays
//! bounded.

use crate::process;
use crate::say;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use rust_vmm_ci_core::model::shown::wrapped;
use rust_vmm_ci_core::report::{Outcome, Verdict};
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tempfile::SpooledTempFile;

/// How much of a check's log is kept in memory before it goes to disk, in bytes.
const SPOOL: usize = 1 << 20;
/// How often a progress line's spinner turns.
const TURN: Duration = Duration::from_millis(120);

/// Where the output goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The log of a Buildkite job.
    Buildkite,
    /// A person's terminal.
    Terminal,
    /// A pipe or a file.
    Plain,
    /// Wherever it goes: only the logs of checks that fail, once they have ended (`-q`).
    Failures,
}

/// The run's output.
pub struct Console {
    kind: Kind,
    color: bool,
    bars: MultiProgress,
    /// How many checks there will be; 0 where that is not known.
    count: usize,
    stage: Mutex<Stage>,
}

/// Which check's lines are shown now, and which logs wait.
struct Stage {
    out: Box<dyn Write + Send>,
    /// The number of the check whose lines are shown as they come.
    speaker: Option<usize>,
    /// The logs of checks that have ended meanwhile.
    waiting: Vec<Vec<Piece>>,
    /// The number of the next check.
    next: usize,
}

/// A part of a log that waits.
enum Piece {
    Text(String),
    Spool(SpooledTempFile),
}

impl Console {
    /// A console that writes to `out`.
    pub fn new(kind: Kind, color: bool, out: Box<dyn Write + Send>) -> Self {
        let stage = Stage { out, speaker: None, waiting: Vec::new(), next: 0 };
        Self { kind, color, bars: MultiProgress::new(), count: 0, stage: Mutex::new(stage) }
    }

    /// The console of so many checks: a progress line says which of them it is.
    #[must_use]
    pub fn of_checks(self, count: usize) -> Self {
        Self { count, ..self }
    }

    /// What a progress line begins with: `check 3 of 12: LABEL`.
    fn prefix(&self, id: usize, label: &str) -> String {
        if self.count > 1 { format!("check {} of {}: {label}", id + 1, self.count) } else { label.to_owned() }
    }

    /// Whether tools may colour what they write.
    pub fn color(&self) -> bool {
        self.color
    }

    /// Begins a check's log.
    pub fn begin(&self, label: &str) -> CheckLog<'_> {
        let label = printable(label);
        let mut stage = self.stage();
        let id = stage.next;
        stage.next += 1;
        let live = !matches!(self.kind, Kind::Terminal | Kind::Failures) && stage.speaker.is_none();
        let heading = self.heading(&label);
        let mut spool = None;
        if live {
            stage.speaker = Some(id);
            stage.write(heading.as_bytes());
        } else {
            spool = Some(SpooledTempFile::new(SPOOL));
        }
        let bar = (self.kind == Kind::Terminal).then(|| self.bar(&self.prefix(id, &label)));
        CheckLog { console: self, id, heading, spool, bar, label }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heading(&self, label: &str) -> String {
        match self.kind {
            Kind::Buildkite => format!("--- :rust: {label}\n"),
            Kind::Terminal => String::new(),
            Kind::Plain | Kind::Failures => format!("== {label}\n"),
        }
    }

    fn bar(&self, label: &str) -> ProgressBar {
        let bar = self.bars.add(ProgressBar::new_spinner());
        // The template has no mistake and therefore parses. Otherwise the default would be used.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {wide_msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_prefix(label.to_owned());
        // `enable_steady_tick` panics if the system cannot start a thread. Without one the bar only turns when
        // there is something new.
        let turning = bar.downgrade();
        let _ = process::thread("progress", move || {
            while let Some(bar) = turning.upgrade().filter(|bar| !bar.is_finished()) {
                bar.tick();
                drop(bar);
                std::thread::sleep(TURN);
            }
        });
        bar
    }
}

impl Stage {
    /// Writes and ignores an error: where the reader has closed the output, the verdict still holds.
    fn write(&mut self, bytes: &[u8]) {
        let _ = self.out.write_all(bytes).and_then(|()| self.out.flush());
    }

    fn write_pieces(&mut self, pieces: Vec<Piece>) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.write(text.as_bytes()),
                Piece::Spool(mut spool) => {
                    let mut buffer = vec![0; 64 << 10];
                    let _ = spool.seek(SeekFrom::Start(0));
                    while let Ok(count @ 1..) = spool.read(&mut buffer) {
                        self.write(&buffer[..count]);
                    }
                }
            }
        }
    }
}

/// A check's log.
pub struct CheckLog<'c> {
    console: &'c Console,
    id: usize,
    heading: String,
    label: String,
    spool: Option<SpooledTempFile>,
    bar: Option<ProgressBar>,
}

impl CheckLog<'_> {
    /// Adds lines with their line ends.
    pub fn line(&mut self, line: &[u8]) {
        let line = &*say::redactor().bytes(line);
        // The console of Windows refuses text that is not UTF-8. A log takes any bytes.
        let text;
        let line = match self.console.kind {
            Kind::Terminal => {
                let whole = String::from_utf8_lossy(line);
                text =
                    say::width().map_or_else(|| whole.clone().into_owned(), |width| wrapped(&whole, width));
                text.as_bytes()
            }
            Kind::Buildkite | Kind::Plain | Kind::Failures => line,
        };
        match &mut self.spool {
            // On a full disk the log is lost, but the verdict still holds.
            Some(spool) => drop(spool.write_all(line)),
            None => self.console.stage().write(line),
        }
    }

    /// Shows what the check does now: the number of the step, the number of steps, and a name.
    pub fn progress(&mut self, index: usize, count: usize, what: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{index}/{count} {}", printable(what)));
        }
    }

    /// Ends the log with the check's outcome.
    pub fn end(mut self, outcome: &Outcome) {
        let unwell = matches!(outcome.verdict, Verdict::Failed | Verdict::Broken);
        if self.console.kind == Kind::Failures && !unwell {
            return;
        }
        let mut closing = String::new();
        if unwell && self.console.kind == Kind::Buildkite {
            closing.push_str("^^^ +++\n");
        }
        let line = verdict_line(&self.label, outcome);
        let line = match (self.console.kind, say::width()) {
            (Kind::Terminal, Some(width)) => wrapped(&line, width),
            _ => line,
        };
        closing.push_str(&say::redacted(&line));
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            self.console.bars.remove(&bar);
        }
        let mut pieces = Vec::new();
        if let Some(spool) = self.spool.take() {
            // On a terminal the log of a check that has passed is not shown.
            if self.console.kind != Kind::Terminal || unwell {
                pieces.push(Piece::Text(std::mem::take(&mut self.heading)));
                pieces.push(Piece::Spool(spool));
            }
        }
        pieces.push(Piece::Text(closing));
        if self.console.kind == Kind::Terminal {
            self.console.bars.suspend(|| self.console.stage().write_pieces(pieces));
            return;
        }
        let mut stage = self.console.stage();
        match stage.speaker {
            Some(speaker) if speaker != self.id => stage.waiting.push(pieces),
            _ => {
                stage.write_pieces(pieces);
                stage.speaker = None;
                for waiting in std::mem::take(&mut stage.waiting) {
                    stage.write_pieces(waiting);
                }
            }
        }
    }
}

/// The last line of a check's log: `clippy: failed (3.1 s), 2 findings`, and the reason where there is one.
fn verdict_line(label: &str, outcome: &Outcome) -> String {
    let soft = if outcome.soft_fail && outcome.verdict == Verdict::Failed { " softly" } else { "" };
    let mut line = format!("{label}: {}{soft} ({:.1} s)", outcome.verdict.as_str(), outcome.seconds);
    match outcome.findings.len() {
        0 => {}
        1 => line.push_str(", 1 finding"),
        count => line.push_str(&format!(", {count} findings")),
    }
    for text in [&outcome.reason, &outcome.remedy].into_iter().flatten() {
        line.push_str(&format!("; {}", printable(text)));
    }
    line.push('\n');
    line
}

/// The text with a space for each control character: those could move a terminal's cursor or open a log
/// group.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn outcome(verdict: Verdict) -> Outcome {
        Outcome { verdict, ..Outcome::default() }
    }

    fn text(sink: &Sink) -> String {
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_checks_lines_are_never_mixed_with_anothers() {
        let sink = Sink::default();
        let console = Console::new(Kind::Buildkite, false, Box::new(sink.clone()));
        let (mut first, mut second) = (console.begin("a"), console.begin("b"));
        first.line(b"a1\n");
        second.line(b"b1\n");
        first.line(b"a2\n");
        second.end(&outcome(Verdict::Failed));
        first.end(&outcome(Verdict::Passed));
        assert_eq!(
            text(&sink),
            "--- :rust: a\na1\na2\na: passed (0.0 s)\n--- :rust: b\nb1\n^^^ +++\nb: failed (0.0 s)\n"
        );
    }

    #[test]
    fn a_terminal_is_given_text_alone_and_a_log_what_was_said() {
        for (kind, shown) in [(Kind::Terminal, "gr\u{fffd}n\n".as_bytes()), (Kind::Plain, b"gr\xfcn\n")] {
            let sink = Sink::default();
            let console = Console::new(kind, false, Box::new(sink.clone()));
            let mut log = console.begin("a");
            // A program on Windows writes this in its code page.
            log.line(b"gr\xfcn\n");
            log.end(&outcome(Verdict::Failed));
            let all = sink.0.lock().unwrap().clone();
            assert!(all.windows(shown.len()).any(|part| part == shown), "{all:?}");
        }
    }

    #[test]
    fn a_console_for_failures_shows_the_logs_of_failed_checks_only() {
        let sink = Sink::default();
        let console = Console::new(Kind::Failures, false, Box::new(sink.clone()));
        let (mut passes, mut fails) = (console.begin("a"), console.begin("b"));
        passes.line(b"a1\n");
        fails.line(b"b1\n");
        passes.end(&outcome(Verdict::Passed));
        fails.end(&outcome(Verdict::Failed));
        assert_eq!(text(&sink), "== b\nb1\nb: failed (0.0 s)\n");
    }

    #[test]
    fn a_progress_line_says_which_check_of_how_many_it_is() {
        let console = Console::new(Kind::Terminal, false, Box::new(Sink::default())).of_checks(12);
        assert_eq!(console.prefix(2, "clippy"), "check 3 of 12: clippy");
        assert_eq!(console.of_checks(1).prefix(0, "clippy"), "clippy");
    }

    #[test]
    fn a_label_cannot_open_a_group_of_its_own() {
        let sink = Sink::default();
        let console = Console::new(Kind::Plain, false, Box::new(sink.clone()));
        console.begin("a\n+++ b\u{1b}[2J").end(&outcome(Verdict::Passed));
        assert_eq!(text(&sink), "== a +++ b [2J\na +++ b [2J: passed (0.0 s)\n");
    }
}
