//! Measures what one cargo command spends its time on, from what cargo writes meanwhile.

use crate::process::Stream;
use rust_vmm_ci_core::report::Timings;
use std::time::Instant;

/// How cargo's line begins when it begins to wait for a lock (seen with Rust 1.95).
const BLOCKING: &str = "Blocking waiting for file lock";
/// How cargo's line begins when everything is built.
const FINISHED: &str = "Finished ";

/// What a cargo command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It builds.
    Build,
    /// It builds and then runs programs.
    Run,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Compile,
    Waiting,
    Run,
}

/// Measures one cargo command, from [`Stopwatch::start`] on.
#[derive(Debug)]
pub struct Stopwatch {
    purpose: Purpose,
    part: Part,
    since: Instant,
    timings: Timings,
    look: Look,
}

/// The last look at the compilers.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    /// The share of the compilers that linked, from 0 to 1.
    linking: f64,
}

impl Stopwatch {
    /// Measures a command that starts now.
    pub fn start(purpose: Purpose, now: Instant) -> Self {
        let look = Look { at: now, linking: 0.0 };
        Self { purpose, part: Part::Compile, since: now, timings: Timings::default(), look }
    }

    /// Takes a line of the command's output.
    pub fn line(&mut self, stream: Stream, line: &[u8], now: Instant) {
        // From here on programs write, and their lines may look like cargo's.
        if self.part == Part::Run {
            return;
        }
        let line = String::from_utf8_lossy(line);
        let line = anstream::adapter::strip_str(&line).to_string();
        let said = |what: &str| stream == Stream::Stderr && line.trim_start().starts_with(what);
        let part = if said(BLOCKING) {
            Part::Waiting
        } else if self.purpose == Purpose::Run && (stream == Stream::Stdout || said(FINISHED)) {
            Part::Run
        } else {
            Part::Compile
        };
        if part != self.part {
            self.end_part(now);
            self.part = part;
        }
    }

    /// Takes how many compilers run at this moment, and how many of them wait for their linker.
    pub fn look(&mut self, compilers: usize, linking: usize, now: Instant) {
        if self.part != Part::Compile {
            return;
        }
        #[allow(clippy::cast_precision_loss, reason = "a machine has no 2^52 processes")]
        let share = if compilers == 0 { 0.0 } else { linking as f64 / compilers as f64 };
        if compilers > 0 {
            self.timings.link.get_or_insert(0.0);
        }
        self.add_link(share, now);
    }

    /// What the time was spent on, at the command's end.
    pub fn stop(mut self, now: Instant) -> Timings {
        self.end_part(now);
        let link = self.timings.link.map(|link| link.min(self.timings.compile));
        Timings { compile: self.timings.compile - link.unwrap_or_default(), link, ..self.timings }
    }

    fn end_part(&mut self, now: Instant) {
        let seconds = (now - self.since).as_secs_f64();
        match self.part {
            Part::Compile => {
                self.timings.compile += seconds;
                self.add_link(self.look.linking, now);
            }
            Part::Waiting => self.timings.waiting += seconds,
            Part::Run => self.timings.run += seconds,
        }
        self.since = now;
        self.look = Look { at: now, linking: 0.0 };
    }

    /// Adds to the time of linking: the time since the last look, by the mean of the shares that the last
    /// look and this one saw.
    fn add_link(&mut self, linking: f64, now: Instant) {
        if let Some(link) = &mut self.timings.link {
            *link += (now - self.look.at).as_secs_f64() * f64::midpoint(self.look.linking, linking);
        }
        self.look = Look { at: now, linking };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A line of standard error, of standard output, or a look: at a second.
    enum Event {
        Err(&'static str),
        Out(&'static str),
        Look(usize, usize),
    }
    use Event::{Err, Look, Out};

    fn measured(purpose: Purpose, events: &[(f64, Event)], end: f64) -> Timings {
        let begin = Instant::now();
        let at = |second: f64| begin + Duration::from_secs_f64(second);
        let mut watch = Stopwatch::start(purpose, begin);
        for (second, event) in events {
            match event {
                Err(line) => watch.line(Stream::Stderr, line.as_bytes(), at(*second)),
                Out(line) => watch.line(Stream::Stdout, line.as_bytes(), at(*second)),
                Look(compilers, linking) => watch.look(*compilers, *linking, at(*second)),
            }
        }
        let timings = watch.stop(at(end));
        let round = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
        Timings {
            compile: round(timings.compile),
            link: timings.link.map(round),
            run: round(timings.run),
            waiting: round(timings.waiting),
        }
    }

    #[test]
    fn a_wait_for_a_lock_ends_with_cargos_next_word() {
        let wait = "    \x1b[36mBlocking\x1b[0m waiting for file lock on artifact directory\n";
        let plain = "    Blocking waiting for file lock on package cache\n";
        for line in [wait, plain] {
            let events = [(1.0, Err(line)), (4.0, Err("   Compiling a v0.1.0\n")), (9.0, Out("{}"))];
            let timings = measured(Purpose::Build, &events, 10.0);
            assert_eq!(timings, Timings { compile: 7.0, waiting: 3.0, ..Timings::default() }, "{line}");
        }
    }

    #[test]
    fn what_cargo_runs_begins_when_it_has_finished_or_with_the_first_word_of_a_program() {
        let finished = Err("    \x1b[32mFinished\x1b[0m `test` profile [unoptimized] target(s) in 3.00s\n");
        for first in [finished, Out("running 1 test\n")] {
            let events = [
                (2.0, Err("   Compiling a v0.1.0\n")),
                (3.0, first),
                (4.0, Err("Blocking waiting for file lock\n")),
            ];
            let timings = measured(Purpose::Run, &events, 10.0);
            assert_eq!(timings, Timings { compile: 3.0, run: 7.0, ..Timings::default() });
        }
        let built = measured(Purpose::Build, &[(3.0, Err("    Finished `dev` profile\n"))], 4.0);
        assert_eq!(built, Timings { compile: 4.0, ..Timings::default() });
    }

    #[test]
    fn a_build_is_shared_out_between_compiling_and_linking_by_what_the_looks_saw() {
        // Half linking from 1 to 2, whole from 3 to the end; between looks the mean of both counts.
        let events = [(1.0, Look(2, 1)), (2.0, Look(2, 1)), (3.0, Look(1, 1)), (4.0, Look(1, 1))];
        let timings = measured(Purpose::Build, &events, 5.0);
        let link = 0.25 + 0.5 + 0.75 + 1.0 + 1.0;
        assert_eq!(timings, Timings { compile: 5.0 - link, link: Some(link), ..Timings::default() });
    }

    #[test]
    fn linking_is_not_known_where_no_compiler_was_seen_and_none_while_programs_run() {
        assert_eq!(measured(Purpose::Build, &[(1.0, Look(0, 0))], 2.0).link, None);
        let events = [(1.0, Look(1, 0)), (2.0, Out("running 1 test\n")), (3.0, Look(1, 1))];
        let timings = measured(Purpose::Run, &events, 4.0);
        assert_eq!(timings, Timings { compile: 2.0, link: Some(0.0), run: 2.0, waiting: 0.0 });
    }
}
