//! Reads the standard output of a test program that uses libtest, Rust's own harness.
//!
//! libtest captures what tests print and shows it at the end. First there is a section for each failed test
//! (`---- NAME stdout ----`). Then the names of the failed tests follow after a second `failures:`, and then
//! `test result:`. This last list is trusted, because everything that a test prints comes before it. If there
//! is no list, for instance because the program was killed, the lines `test NAME ... FAILED` count.

use super::excerpt::Excerpt;
use super::panics::Panics;
use super::{MOST_FAILURES, MOST_OUTPUT};
use crate::report::{MOST_TESTS, Place, Verdict};
use std::collections::{HashMap, HashSet};

/// The most lists that are kept, if a program prints several.
const MOST_LISTS: usize = 50;

/// Reads the standard output of one test program, or of the examples of one crate.
#[derive(Debug, Default)]
pub struct Libtest {
    shown: Vec<String>,
    known: HashSet<String>,
    sections: HashMap<String, Section>,
    /// The section that the next lines belong to.
    open: Option<String>,
    /// The names after a `failures:` that no `test result:` has confirmed yet.
    list: Option<Vec<String>>,
    lists: Vec<Vec<String>>,
    panics: Panics,
    told: Vec<ToldTest>,
}

/// A test and what the program said of it: passed, failed, or skipped.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldTest {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub verdict: Verdict,
    /// Its time in seconds, if the program said it.
    pub seconds: Option<f64>,
}

impl ToldTest {
    /// Reads `NAME ... ok`, `NAME ... FAILED` or `NAME ... ignored`. After the word there may be the reason for
    /// ignoring it, or its time (`<0.001s>`, with `--report-time`).
    fn parse(text: &str) -> Option<Self> {
        let (name, word) = text.rsplit_once(" ... ")?;
        let name = name.strip_suffix(" - should panic").unwrap_or(name);
        let (word, rest) = word.split_once([' ', ',']).unwrap_or((word, ""));
        let verdict = match word {
            "ok" => Verdict::Passed,
            "FAILED" => Verdict::Failed,
            "ignored" => Verdict::Skipped,
            _ => return None,
        };
        let seconds = rest.strip_prefix('<').and_then(|time| time.strip_suffix("s>"));
        let seconds = seconds.and_then(|time| time.parse().ok()).filter(|time: &f64| time.is_finite());
        Some(Self { name: name.to_owned(), verdict, seconds })
    }
}

/// What a failed test printed.
#[derive(Debug)]
struct Section {
    excerpt: Excerpt,
    panics: Panics,
    /// Whether there was an earlier section of the same name.
    is_again: bool,
    /// The place of the failure in that earlier section.
    earlier: Option<Place>,
}

/// A test that failed.
#[derive(Debug, PartialEq, Eq)]
pub struct FailedTest {
    /// Its name.
    pub name: String,
    /// Where it failed.
    pub place: Option<Place>,
    /// What it printed.
    pub rendered: Option<String>,
}

impl Libtest {
    /// Whether this line begins a new program, and the current one has ended or has shown no failure yet.
    pub fn ends_before(&self, line: &[u8]) -> bool {
        let begins =
            line.starts_with(b"running ") && (line.ends_with(b" tests\n") || line.ends_with(b" test\n"));
        begins && self.open.is_none() && self.list.is_none()
    }

    /// Reads a line.
    pub fn read(&mut self, line: &[u8]) {
        let may_tell = match line.first() {
            Some(b't' | b'n' | b'-' | b'f') => true,
            Some(b' ') => self.list.is_some(),
            _ => false,
        };
        let is_heading = (may_tell || self.panics.is_open()) && self.read_word(line);
        if !is_heading && let Some(section) = self.open.as_ref().and_then(|name| self.sections.get_mut(name))
        {
            section.excerpt.push(line);
        }
    }

    /// Reads a line that may be important. Returns whether it is a heading, so that it is not the output of a
    /// test.
    fn read_word(&mut self, line: &[u8]) -> bool {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        if let Some(section) = self.open.as_ref().and_then(|name| self.sections.get_mut(name)) {
            section.panics.read(text);
        }
        self.panics.read(text);
        // What stands in the output of a failed test is that test's own word.
        if self.open.is_none()
            && self.told.len() < MOST_TESTS
            && let Some(test) = text.strip_prefix("test ").and_then(ToldTest::parse)
        {
            self.told.push(test);
        }
        if let Some(name) = text.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.note_failed(name);
        } else if let Some(name) =
            text.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            self.open_section(name);
            return true;
        } else if text == "failures:" {
            (self.open, self.list) = (None, Some(Vec::new()));
        } else if text.starts_with("test result: ") {
            self.end_list();
        } else if let (Some(name), Some(list)) = (text.strip_prefix("    "), &mut self.list)
            && self.open.is_none()
            && list.len() < 10 * MOST_FAILURES
        {
            list.push(name.to_owned());
        }
        false
    }

    fn note_failed(&mut self, name: &str) {
        // libtest adds this to the name of a test that should panic.
        let name = name.strip_suffix(" - should panic").unwrap_or(name);
        if self.shown.len() < MOST_FAILURES && self.known.insert(name.to_owned()) {
            self.shown.push(name.to_owned());
        }
    }

    fn open_section(&mut self, name: &str) {
        self.list = None;
        self.open = Some(name.to_owned());
        if let Some(section) = self.sections.get_mut(name) {
            // A test printed one of the two sections itself. So the place is known only if both have the
            // same.
            let place = section.place(name);
            (section.is_again, section.earlier) = (true, place);
            section.panics = Panics::default();
        } else if self.sections.len() < MOST_FAILURES {
            let section = Section {
                excerpt: Excerpt::new(MOST_OUTPUT),
                panics: Panics::default(),
                is_again: false,
                earlier: None,
            };
            self.sections.insert(name.to_owned(), section);
        }
    }

    fn end_list(&mut self) {
        self.open = None;
        if let Some(list) = self.list.take().filter(|list| !list.is_empty()) {
            if self.lists.len() == MOST_LISTS {
                self.lists.remove(0);
            }
            self.lists.push(list);
        }
    }

    /// The tests that the program named as it ran them, whatever became of them.
    pub fn told(&self) -> &[ToldTest] {
        &self.told
    }

    /// The failed tests, and how many more there are. `several` says that the program prints several lists,
    /// as rustdoc does. Otherwise only the last list counts. `errors` are the panics on standard error, for
    /// tests that are not captured.
    pub fn failed(&self, several: bool, errors: &[&Panics]) -> (Vec<FailedTest>, usize) {
        let lists =
            if several { &self.lists[..] } else { self.lists.last().map_or(&[][..], std::slice::from_ref) };
        // The last list is the most trustworthy one, so its tests are always in the report.
        let mut seen = HashSet::new();
        let mut names: Vec<&String> =
            lists.iter().rev().flatten().filter(|name| seen.insert(name.as_str())).collect();
        if names.is_empty() {
            names = self.shown.iter().collect();
        }
        let alone = names.len() == 1;
        let more = names.len().saturating_sub(MOST_FAILURES);
        names.truncate(MOST_FAILURES);
        let failed = names.into_iter().map(|name| {
            let section = self.sections.get(name);
            let of_section = || match section {
                Some(section) if section.is_again => section.place(name),
                Some(section) => section.place(name).or_else(|| self.elsewhere(name, errors, alone)),
                None => self.elsewhere(name, errors, alone),
            };
            let rendered = section.map(|section| section.excerpt.text().trim().to_owned());
            FailedTest {
                place: place_in_name(name).or_else(of_section),
                rendered: rendered.filter(|text| !text.is_empty()),
                name: name.clone(),
            }
        });
        (failed.collect(), more)
    }

    /// The place where a test panicked, if its own section does not show it.
    fn elsewhere(&self, name: &str, errors: &[&Panics], alone: bool) -> Option<Place> {
        let of = |thread: &str| {
            errors.iter().find_map(|errors| errors.of(thread)).or_else(|| self.panics.of(thread))
        };
        of(name).or_else(|| of("main").filter(|_| alone)).cloned()
    }
}

impl Section {
    fn place(&self, name: &str) -> Option<Place> {
        let place = self.panics.of_test(name).cloned();
        if self.is_again && self.earlier != place { None } else { place }
    }
}

/// The place of a doctest, which is in its name: `src/lib.rs - add (line 5)`.
pub fn place_in_name(name: &str) -> Option<Place> {
    let (file, rest) = name.split_once(" - ")?;
    let line = rest.rsplit_once("(line ")?.1.split(')').next()?.parse().ok()?;
    Some(Place { file: file.replace('\\', "/"), line: Some(line), column: None })
}
