//! Commands that call one of the predecessor's Python files. This program has a check for each file.
//!
//! Repositories use these forms: `pytest [-s] FILE`, `pytest $(find . -name "FILE")`, `cd CRATE && …`,
//! `ROOT=$PWD && …`, `PACKAGE=name pytest …`, `--test-scope=crate`, `--profile=devel`. If there is anything
//! else around the call, a shell runs that part.

use std::ops::Range;

/// The files, and the checks that replace them.
const FILES: [(&str, LegacyCheck); 3] = [
    ("test_coverage.py", LegacyCheck::Coverage),
    ("test_commit_format.py", LegacyCheck::CommitFormat),
    ("test_benchmark.py", LegacyCheck::Bench),
];

/// A check that replaces a Python file of the predecessor's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacyCheck {
    /// `test_coverage.py`
    Coverage,
    /// `test_commit_format.py`
    CommitFormat,
    /// `test_benchmark.py`
    Bench,
}

impl LegacyCheck {
    /// The name of the check.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Coverage => "coverage",
            Self::CommitFormat => "commit-format",
            Self::Bench => "bench",
        }
    }

    /// The file that it replaces.
    pub fn file(self) -> &'static str {
        FILES.iter().find(|(_, check)| *check == self).map_or("", |(file, _)| file)
    }
}

/// A call of one of the files.
#[derive(Clone, Debug, PartialEq)]
pub struct Legacy {
    /// The check that replaces the file.
    pub check: LegacyCheck,
    /// The folder that the command changed into: the folder of a crate. The check of commit messages has
    /// none, because its file changed back to the root by itself.
    pub directory: Option<String>,
    /// `--test-scope=crate`: only the crate in the folder, not its workspace.
    pub crate_scope: bool,
    /// The value of the variable `PACKAGE`.
    pub package: Option<String>,
    /// `--profile=devel`: the measured score is written into the file.
    pub update: bool,
    /// The other variables that the command sets for the call.
    pub env: Vec<(String, String)>,
    /// The texts before and after the call, if a shell must run them.
    pub around: Option<(String, String)>,
}

impl Legacy {
    /// The files that checks replace.
    pub fn files() -> impl Iterator<Item = &'static str> {
        FILES.into_iter().map(|(file, _)| file)
    }

    /// The check that replaces a command, without reading the whole command.
    pub fn check_of(command: &str) -> Option<LegacyCheck> {
        FILES.into_iter().find(|(file, _)| command.contains(file)).map(|(_, check)| check)
    }

    /// Reads the call in a command whose placeholders are replaced. None if the command calls none of the
    /// files.
    pub fn parse(command: &str) -> Option<Self> {
        let (file, check) = FILES.into_iter().find(|(file, _)| command.contains(file))?;
        let segments = segments(command);
        let call = segments.iter().position(|range| command[range.clone()].contains(file))?;
        let mut legacy = Self {
            check,
            directory: None,
            crate_scope: false,
            package: None,
            update: false,
            env: Vec::new(),
            around: None,
        };
        let mut needs_shell = segments.len() > call + 1;
        for range in &segments[..call] {
            needs_shell |= !legacy.read_before(command[range.clone()].trim());
        }
        let plain = legacy.read_call(&command[segments[call].clone()]);
        needs_shell |= !plain;
        if needs_shell {
            let range = &segments[call];
            let text = &command[range.clone()];
            let end = if plain { text.trim_end().len() } else { call_end(text) };
            let start = text.len() - text.trim_start().len();
            legacy.around =
                Some((command[..range.start + start].into(), command[range.start + end..].into()));
            legacy.directory = None;
        }
        if check == LegacyCheck::CommitFormat {
            legacy.directory = None;
        }
        Some(legacy)
    }

    /// Reads the call itself. False if a shell must run the text after it.
    fn read_call(&mut self, text: &str) -> bool {
        let end = call_end(text);
        let Ok(words) = shell_words::split(&text[..end]) else { return false };
        let mut words = words.into_iter().peekable();
        while let Some((name, value)) = words.peek().and_then(|word| word.split_once('=')) {
            if !is_name(name) {
                break;
            }
            let (name, value) = (name.to_owned(), value.to_owned());
            self.set(name, value);
            words.next();
        }
        let words: Vec<String> = words.collect();
        for (index, word) in words.iter().enumerate() {
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value)),
                None => (word.as_str(), words.get(index + 1).map(String::as_str)),
            };
            match (flag, value) {
                ("--test-scope", Some("crate")) => self.crate_scope = true,
                ("--profile", Some("devel")) => self.update = true,
                _ => {}
            }
        }
        text[end..].trim().is_empty()
    }

    /// Reads a command before the call. False if a shell must run that command.
    fn read_before(&mut self, text: &str) -> bool {
        let Ok(words) = shell_words::split(text) else { return false };
        match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["cd", folder] if !folder.contains(['$', '`', '*']) => {
                self.directory = Some(folder.to_owned());
                true
            }
            ["export", assignment] => match assignment.split_once('=') {
                Some((name, value)) if is_name(name) && !value.contains(['$', '`']) => {
                    self.set(name.to_owned(), value.to_owned());
                    true
                }
                _ => false,
            },
            // `ROOT=$PWD` is only used to find the file.
            [assignment] => assignment
                .split_once('=')
                .is_some_and(|(name, value)| is_name(name) && matches!(value, "$PWD" | "$(pwd)" | "`pwd`")),
            _ => false,
        }
    }

    fn set(&mut self, name: String, value: String) {
        if name == "PACKAGE" {
            self.package = Some(value).filter(|value| !value.is_empty());
        } else {
            self.env.push((name, value));
        }
    }
}

/// Whether a word can be the name of a variable.
fn is_name(word: &str) -> bool {
    !word.is_empty()
        && !word.starts_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Where a call ends within its segment: before a pipe, `||`, `&` or a redirection.
fn call_end(text: &str) -> usize {
    outside_quotes(text).find(|(_, c)| matches!(c, '|' | '&' | '>' | '<')).map_or(text.len(), |(at, _)| at)
}

/// Splits a text into the commands that `&&`, `;` and line ends join, outside quotes and substitutions.
fn segments(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, c) in outside_quotes(text) {
        if at < start {
            continue;
        }
        let width = match c {
            ';' | '\n' => 1,
            '&' if text[at..].starts_with("&&") => 2,
            _ => continue,
        };
        found.push(start..at);
        start = at + width;
    }
    found.push(start..text.len());
    found.retain(|range| !text[range.clone()].trim().is_empty());
    found
}

/// The characters that are neither in quotes nor in a `$( … )`.
fn outside_quotes(text: &str) -> impl Iterator<Item = (usize, char)> {
    let mut quote = None;
    let mut depth = 0_usize;
    let mut escaped = false;
    text.char_indices().filter(move |(_, c)| {
        if std::mem::take(&mut escaped) {
            return false;
        }
        match (quote, c) {
            (Some('\''), '\'') | (Some('"'), '"') => quote = None,
            (Some('\''), _) => {}
            (_, '\\') => escaped = true,
            (None, '\'' | '"') => quote = Some(*c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) => return depth == 0,
            (Some(_), _) => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(command: &str) -> Legacy {
        Legacy::parse(command).unwrap()
    }

    fn plain(check: LegacyCheck) -> Legacy {
        let (directory, package) = (None, None);
        Legacy { check, directory, crate_scope: false, package, update: false, env: vec![], around: None }
    }

    #[test]
    fn every_plain_form_of_a_call_is_our_check() {
        for (command, check) in [
            ("pytest -s rust-vmm-ci/integration_tests/test_benchmark.py", LegacyCheck::Bench),
            ("pytest rust-vmm-ci/integration_tests/test_benchmark.py -s", LegacyCheck::Bench),
            (r#"pytest $(find . -type f -name "test_coverage.py")"#, LegacyCheck::Coverage),
            (r#"pytest $(find . -type f -name "test_commit_format.py");"#, LegacyCheck::CommitFormat),
            ("python3 -m pytest --no-cleanup test_coverage.py", LegacyCheck::Coverage),
        ] {
            assert_eq!(parse(command), plain(check), "{command}");
        }
        assert_eq!(Legacy::parse("cargo test --test test_coverage"), None);
    }

    #[test]
    fn folder_scope_profile_package_and_variables_are_kept() {
        let crate_scoped = r#"ROOT=$PWD && cd vm-memory && pytest --test-scope=crate $(find "$ROOT" -path "*/integration_tests/test_coverage.py")"#;
        assert_eq!(
            parse(crate_scoped),
            Legacy { directory: Some("vm-memory".into()), crate_scope: true, ..plain(LegacyCheck::Coverage) }
        );
        assert_eq!(
            parse("export REMOTE=origin; PACKAGE=vm-fdt BASE_BRANCH='x y' pytest test_benchmark.py"),
            Legacy {
                package: Some("vm-fdt".into()),
                env: vec![("REMOTE".into(), "origin".into()), ("BASE_BRANCH".into(), "x y".into())],
                ..plain(LegacyCheck::Bench)
            }
        );
        assert_eq!(
            parse("pytest --profile devel --test-scope workspace test_coverage.py"),
            Legacy { update: true, ..plain(LegacyCheck::Coverage) }
        );
        let of_crate = Legacy { directory: Some("a".into()), ..plain(LegacyCheck::Bench) };
        assert_eq!(parse("cd a && pytest test_benchmark.py"), of_crate);
        assert_eq!(parse("cd a && pytest test_commit_format.py"), plain(LegacyCheck::CommitFormat));
    }

    #[test]
    fn what_stands_around_a_call_is_left_to_the_shell() {
        let around = |before: &str, after: &str| Some((before.to_owned(), after.to_owned()));
        let installs = parse("apt install -y lcov && cd a && pytest test_coverage.py | tee log");
        assert_eq!(
            (installs.directory, installs.around),
            (None, around("apt install -y lcov && cd a && ", "| tee log"))
        );
        let then = parse("pytest test_coverage.py; echo $?");
        assert_eq!(then.around, around("", "; echo $?"));
        let computed = parse("cd $(dirname x) && pytest test_coverage.py || true");
        assert_eq!(computed.around, around("cd $(dirname x) && ", "|| true"));
    }
}
