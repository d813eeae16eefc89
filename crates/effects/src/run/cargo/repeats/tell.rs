//! The shims tell the check what they do. They print lines with a mark that no test knows.
//!
//! The output of tests is on the same streams, and may look like anything. So each check makes a random mark.
//! The shim reads the mark from a file in the folder of its link, and prints it before its own words. The
//! reader takes the lines with the mark out of the output.

use crate::say;
use anyhow::{Context as _, Result};
pub use rust_vmm_ci_core::checks::test_output::DOC;
use std::fs;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;

/// The file with the mark.
const MARK: &str = "mark";
/// The first byte of a mark: the control character "record separator", which hardly any test prints.
const FIRST: u8 = 0x1e;
/// The words after the mark.
const BEGINS: &str = "begins ";
const LEFT_OUT: &str = "left out ";
const MERGED: &str = "merged ";

/// What a shim says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// From here on the output is that of a test program (its path), or of the examples of a crate (its name
    /// after [`DOC`]).
    Begins(String),
    /// A test program or examples were left out, because the same passed before.
    LeftOut(String),
    /// So many examples in documentation were compiled together with others.
    Merged(usize),
}

/// Says on both outputs that a program begins.
pub(super) fn begins(folder: &Path, what: &str) {
    if let Some(line) = line(folder, BEGINS, what) {
        say::out(&line);
        say::pass_on_error(line.as_bytes());
    }
}

/// Says that something was left out.
pub(super) fn left_out(folder: &Path, what: &str) {
    if let Some(line) = line(folder, LEFT_OUT, what) {
        say::out(line);
    }
}

/// Says how many examples were compiled together.
pub(super) fn merged(folder: &Path, count: usize) {
    if let Some(line) = line(folder, MERGED, &count.to_string()) {
        say::out(line);
    }
}

/// The line, or none where the folder has no mark.
fn line(folder: &Path, word: &str, what: &str) -> Option<String> {
    let mark = fs::read_to_string(folder.join(MARK)).ok()?;
    Some(format!("{mark}{word}{}\n", what.escape_debug()))
}

/// The random mark of a check.
#[derive(Clone, Debug)]
pub struct Mark(Vec<u8>);

impl Mark {
    /// Makes a random mark and writes it into the folder of the shims.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub fn draw(folder: &Path) -> Result<Self> {
        // The keys of a hasher come from the system's source of random numbers.
        let number = || RandomState::new().hash_one(0);
        let mark = format!("{}{:016x}{:016x} ", char::from(FIRST), number(), number());
        fs::write(folder.join(MARK), &mark).context("preparing to run tests")?;
        Ok(Self(mark.into_bytes()))
    }

    /// Divides a line into what a program has written and what a shim says after it. A program may have left
    /// its last line without an end.
    pub fn read<'l>(&self, line: &'l [u8]) -> (&'l [u8], Option<Told>) {
        if !line.contains(&FIRST) {
            return (line, None);
        }
        let Some(at) = line.windows(self.0.len()).position(|part| part == self.0) else {
            return (line, None);
        };
        let text = String::from_utf8_lossy(&line[at + self.0.len()..]);
        let text = text.trim_end();
        let merged = || text.strip_prefix(MERGED)?.parse().ok();
        let told = match (text.strip_prefix(BEGINS), text.strip_prefix(LEFT_OUT), merged()) {
            (Some(what), _, _) => Told::Begins(what.to_owned()),
            (_, Some(what), _) => Told::LeftOut(what.to_owned()),
            (_, _, Some(count)) => Told::Merged(count),
            _ => return (line, None),
        };
        (&line[..at], Some(told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shim_says_is_told_from_what_a_test_prints() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(line(folder.path(), BEGINS, "a"), None);
        let mark = Mark::draw(folder.path()).unwrap();
        let said = line(folder.path(), BEGINS, "/t/a").unwrap();
        let begins = Some(Told::Begins("/t/a".into()));
        assert_eq!(mark.read(said.as_bytes()), (&b""[..], begins.clone()));
        assert_eq!(mark.read(format!("no end{said}").as_bytes()), (&b"no end"[..], begins));
        let said = line(folder.path(), LEFT_OUT, "a\nb").unwrap();
        assert_eq!(mark.read(said.as_bytes()).1, Some(Told::LeftOut("a\\nb".into())));
        let said = line(folder.path(), MERGED, "49").unwrap();
        assert_eq!(mark.read(said.as_bytes()), (&b""[..], Some(Told::Merged(49))));
        for forged in ["rust-vmm-ci: the same has passed before: a\n", "\u{1e}0 left out a\n", "left out a\n"]
        {
            assert_eq!(mark.read(forged.as_bytes()), (forged.as_bytes(), None));
        }
        let other = Mark::draw(tempfile::tempdir().unwrap().path()).unwrap();
        assert_eq!(other.read(said.as_bytes()).1, None, "the mark of another check");
    }
}
