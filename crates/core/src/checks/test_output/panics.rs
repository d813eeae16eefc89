//! Where threads panicked, from the messages of Rust's standard library.
//!
//! Since Rust 1.73 the place comes first, and the message is on the next lines: `thread 'NAME' panicked at
//! PLACE:`. Since 1.91 the thread's number follows its name: `thread 'NAME' (7) panicked at PLACE:`. Before
//! 1.73 the message came before the place: `thread 'NAME' panicked at 'MESSAGE', PLACE`.

use crate::report::Place;
use std::collections::HashMap;

/// The most threads whose places are kept.
const MOST_THREADS: usize = 2000;
/// The most lines of a message in the form before Rust 1.73.
const LONGEST_MESSAGE: u32 = 200;

/// The last panic of each thread in a text.
///
/// A test can print a line that looks like a panic. The text alone does not say which one is real, so the
/// number of a thread decides, where Rust prints it: a line without a number is not real beside one with, and
/// of two threads of one name the first one counts. A test that also forges its thread's number deceives, but
/// only about the place: the verdict is the exit status.
#[derive(Debug, Default)]
pub struct Panics {
    /// By the thread's name: its number, and the place.
    places: HashMap<String, (Option<u64>, Place)>,
    /// The thread whose message has begun and whose place has not come yet, and for how many more lines to
    /// wait.
    open: Option<(Thread, u32)>,
    should_have: Option<Place>,
    overflowed: Option<String>,
    last: Option<Place>,
}

impl Panics {
    /// Reads a line.
    pub fn read(&mut self, line: &str) {
        if let Some((thread, lines)) = self.open.take() {
            if let Some(place) = after_message(line) {
                return self.keep(&thread, place);
            }
            self.open = lines.checked_sub(1).map(|lines| (thread, lines));
        }
        if let Some(place) = line.strip_prefix("note: test did not panic as expected at ") {
            self.should_have = full(place);
            return;
        }
        let Some((thread, rest)) = thread(line) else { return };
        if rest.starts_with("has overflowed its stack") {
            self.overflowed = Some(thread.name);
        } else if let Some(rest) = rest.strip_prefix("panicked at ") {
            match (full(rest), rest.starts_with('\'')) {
                (Some(place), false) => self.keep(&thread, place),
                (_, true) => match after_message(rest) {
                    Some(place) => self.keep(&thread, place),
                    None => self.open = Some((thread, LONGEST_MESSAGE)),
                },
                _ => {}
            }
        }
    }

    fn keep(&mut self, thread: &Thread, place: Place) {
        let is_full = self.places.len() == MOST_THREADS;
        match self.places.get_mut(&thread.name) {
            Some((number, _)) if number.is_some() && *number != thread.number => return,
            Some(known) => *known = (thread.number, place.clone()),
            None if is_full => {}
            None => {
                self.places.insert(thread.name.clone(), (thread.number, place.clone()));
            }
        }
        self.last = Some(place);
    }

    /// Whether a message has begun and its place has not come yet.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Where this thread panicked last.
    pub fn of(&self, thread: &str) -> Option<&Place> {
        self.places.get(thread).map(|(_, place)| place)
    }

    /// Where the test with this output failed: the place where it should have panicked, or the place where
    /// its own thread panicked. Some versions of libtest run a single test on the main thread.
    pub fn of_test(&self, name: &str) -> Option<&Place> {
        self.should_have.as_ref().or_else(|| self.of(name)).or_else(|| self.of("main"))
    }

    /// The last panic of any thread.
    pub fn last(&self) -> Option<&Place> {
        self.last.as_ref()
    }

    /// The thread whose stack overflowed.
    pub fn overflowed(&self) -> Option<&str> {
        self.overflowed.as_deref()
    }
}

/// Whether a line can be part of a panic, by its first byte. This quickly excludes most of the output.
pub fn may_tell(line: &[u8]) -> bool {
    matches!(line.first(), Some(b't' | b'n'))
}

/// The thread that a line is about.
#[derive(Debug)]
struct Thread {
    name: String,
    /// Rust prints it since version 1.91.
    number: Option<u64>,
}

/// Splits a line that begins with a thread's name: `thread 'NAME' (7) REST`.
fn thread(line: &str) -> Option<(Thread, &str)> {
    let line = line.strip_prefix("thread '")?;
    let end = line.find("' panicked at ").or_else(|| line.find("' has overflowed ")).or_else(|| {
        let end = line.find("' (")?;
        Some(end)
    })?;
    let (name, rest) = (line[..end].to_owned(), &line[end + 2..]);
    let Some(numbered) = rest.strip_prefix('(') else { return Some((Thread { name, number: None }, rest)) };
    let (number, rest) = numbered.split_once(") ")?;
    let number = Some(number.parse().ok()?);
    Some((Thread { name, number }, rest))
}

/// A place with line and column.
fn full(text: &str) -> Option<Place> {
    Place::parse(text).filter(|place| place.column.is_some())
}

/// The place after the end of a message: `MESSAGE', PLACE`.
fn after_message(text: &str) -> Option<Place> {
    full(text.rsplit_once("', ")?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Panics {
        let mut panics = Panics::default();
        text.lines().for_each(|line| panics.read(line));
        panics
    }

    fn place(panics: &Panics, thread: &str) -> Option<String> {
        panics.of(thread).map(ToString::to_string)
    }

    #[test]
    fn the_last_panic_of_a_thread_counts_in_every_form() {
        for (text, expected) in [
            ("thread 'a' (12) panicked at src/lib.rs:3:5:\nno", Some("src/lib.rs:3:5")),
            ("thread 'a' panicked at src/lib.rs:3:5:\nno", Some("src/lib.rs:3:5")),
            ("thread 'a' panicked at 'no', src/lib.rs:3:5", Some("src/lib.rs:3:5")),
            ("thread 'a' panicked at 'left\n  1', x\n 2', src/lib.rs:3:5\nnote: run", Some("src/lib.rs:3:5")),
            ("thread 'a' (1) panicked at a.rs:1:1:\nthread 'a' (1) panicked at b.rs:2:2:", Some("b.rs:2:2")),
            // A test prints a line of its own before or after its panic.
            ("thread 'a' (1) panicked at a.rs:1:1:\nthread 'a' panicked at b.rs:2:2:", Some("a.rs:1:1")),
            ("thread 'a' panicked at b.rs:2:2:\nthread 'a' (1) panicked at a.rs:1:1:", Some("a.rs:1:1")),
            ("thread 'a' (1) panicked at a.rs:1:1:\nthread 'a' (2) panicked at b.rs:2:2:", Some("a.rs:1:1")),
            ("thread 'a' (1) panicked at a.rs:1:1:\nthread 'b' (2) panicked at b.rs:2:2:", Some("a.rs:1:1")),
            ("log: the guest panicked at 12:30:45", None),
            ("thread 'a' panicked at 12", None),
            ("the thread 'a' panicked at a.rs:1:1:", None),
            ("thread 'a' (x) panicked at a.rs:1:1:", None),
        ] {
            assert_eq!(place(&read(text), "a").as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_test_failed_where_its_own_thread_panicked_or_where_it_should_have() {
        let mut panics = read("thread 'a' (1) panicked at a.rs:1:1:\nthread 'b' (2) panicked at b.rs:2:2:");
        let of = |panics: &Panics, name: &str| panics.of_test(name).map(ToString::to_string);
        assert_eq!(of(&panics, "a").as_deref(), Some("a.rs:1:1"));
        assert_eq!(of(&panics, "c"), None);
        assert_eq!(of(&read("thread 'main' panicked at m.rs:3:3:"), "c").as_deref(), Some("m.rs:3:3"));
        panics.read("note: test did not panic as expected at s.rs:4:4");
        assert_eq!(of(&panics, "a").as_deref(), Some("s.rs:4:4"));
    }

    #[test]
    fn a_stack_that_is_used_up_is_known_with_its_thread() {
        let panics =
            read("\nthread 'deep' (7) has overflowed its stack\nfatal runtime error: stack overflow");
        assert_eq!(panics.overflowed(), Some("deep"));
        assert_eq!(read("thread 'deep' has overflowed its stack").overflowed(), Some("deep"));
    }

    #[test]
    fn many_threads_take_no_more_than_a_bounded_memory() {
        let mut panics = Panics::default();
        for number in 0..10 * MOST_THREADS {
            panics.read(&format!("thread 't{number}' panicked at a.rs:1:1:"));
        }
        assert_eq!(panics.places.len(), MOST_THREADS);
    }
}
