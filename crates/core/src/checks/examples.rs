//! Examples in documentation, compiled as one program.
//!
//! Before edition 2024, rustdoc makes a program of each example. Linking these programs takes most of the
//! time. A *bundle* is one program with many examples. Each example still runs in a process of its own.
//! rustdoc still finds, names, filters, runs and judges the examples. Only the program that it calls instead
//! of rustc uses the bundle for its answer.
//!
//! If an example passes, that must prove that it works. An example may be merged only if it would compile,
//! link and run alone exactly as it does in the bundle. So this module merges an example only if nothing in
//! its text could notice the difference ([`Example::may_merge`]).

mod bundle;
mod keep;
mod macros;
mod text;

pub use bundle::{NO_EXAMPLE, as_documented, blamed, main_file, module_file, shows_its_module};
pub use keep::{is_macro, may_keep};
pub use text::may_tell_apart;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The smallest number of programs that bundles must save. Merging costs one more run of rustdoc and of its
/// calls (vmm-sys-util: 0.2 s of CPU time), and an example alone costs 0.09 s.
const FEWEST_SAVED: usize = 3;

/// An example as rustdoc gives it to rustc.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The path of rustc.
    pub compiler: String,
    /// The arguments, without the output and without the source.
    pub args: Vec<String>,
    /// The program's text.
    pub source: String,
    /// The path that rustdoc has for the documented file.
    pub file: String,
    /// The line of the documented file at which rustdoc tells rustc to start counting.
    pub line: i64,
}

/// One call of rustc by rustdoc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The path of rustc.
    pub compiler: String,
    /// The arguments, without the output, the source, and what only rustdoc's unstable options add.
    pub args: Vec<String>,
    /// The path of the program to create, if the call names one.
    pub output: Option<String>,
    /// Whether the source comes on standard input.
    pub from_input: bool,
}

impl Call {
    /// Reads a call. `read` returns the text of a file that holds arguments, one on each line (`@FILE`). None
    /// if a word is missing or a file cannot be read.
    pub fn read(words: &[String], read: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let (compiler, words) = words.split_first()?;
        let mut all = Vec::new();
        for word in words {
            match word.strip_prefix('@') {
                Some(file) => all.extend(read(file)?.lines().map(ToOwned::to_owned)),
                None => all.push(word.clone()),
            }
        }
        let mut call = Self { compiler: compiler.clone(), args: Vec::new(), output: None, from_input: false };
        let mut words = all.into_iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-o" => call.output = Some(words.next()?),
                "-" => call.from_input = true,
                // This program added these two itself. A call with other unstable options is never read.
                "-Zunstable-options" | "-Zallow-features=" => {}
                "-Z" => {
                    let option = words.next()?;
                    if option != "unstable-options" && option != "allow-features=" {
                        call.args.extend([word, option]);
                    }
                }
                _ => call.args.push(word),
            }
        }
        Some(call)
    }

    /// The arguments with which rustdoc would call rustc without this program.
    pub fn plain_args(&self) -> Vec<String> {
        let output = self.output.iter().flat_map(|output| ["-o", output]);
        let input = self.from_input.then_some("-");
        let added = output.chain(input).map(ToOwned::to_owned);
        self.args.iter().cloned().chain(added).collect()
    }

    /// Whether rustdoc itself lets the call use unstable features. That is so for the program that runs the
    /// examples that rustdoc has merged, in edition 2024. This program has no code of an example in it.
    pub fn makes_rustdocs_runner(&self) -> bool {
        self.args.iter().any(|arg| {
            let name = Path::new(arg).file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("doctest_runner_") && name.ends_with(".rs")
        })
    }

    /// Whether the call makes no program: rustdoc only wants to know whether the example compiles.
    pub fn only_checks(&self) -> bool {
        self.args.iter().any(|arg| arg == "--emit=metadata")
    }
}

impl Example {
    /// A text that differs if any part of the example differs.
    pub fn key(&self) -> String {
        self.key_of(&self.args)
    }

    /// A text for the example that does not depend on the set of features.
    pub fn key_without_args(&self) -> String {
        self.key_of(&[])
    }

    fn key_of(&self, args: &[String]) -> String {
        let mut hash = Sha256::new();
        let line = self.line.to_string();
        for part in [&self.compiler, &self.source, &self.file, &line].into_iter().chain(args) {
            hash.update(part.len().to_le_bytes());
            hash.update(part.as_bytes());
        }
        // It becomes a file's name, so it must not contain `/`.
        base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, hash.finalize())
    }

    /// Whether the example behaves the same in a bundle as alone, as far as its text shows. `documentation`
    /// is the text of the documented file, which shows the marks of the example.
    pub fn may_merge(&self, documentation: &str) -> bool {
        let edition = |arg: &String| {
            ["2018", "2021"].iter().any(|edition| arg == edition || *arg == format!("--edition={edition}"))
        };
        self.args.iter().any(edition)
            && !self.args.iter().any(|arg| arg.starts_with("--remap-path-prefix") || arg.starts_with("-Z"))
            && text::is_marked_as_ordinary(documentation, self.line, &self.source)
            && text::has_an_ordinary_main(&self.source)
            && text::cannot_tell(&macros::taken(&self.source).1)
    }

    /// The libraries in the call that the example mentions, with their files. Only these are linked, and what they
    /// link themselves.
    fn mentioned(&self) -> BTreeMap<&str, &str> {
        let words: BTreeSet<&str> = text::words(&self.source).collect();
        let named = externs(&self.args).map(|value| value.split_once('=').unwrap_or((value, "")));
        let named = named.map(|(name, file)| (name.rsplit(':').next().unwrap_or(name), file));
        named.filter(|(name, _)| words.contains(name)).collect()
    }
}

/// The files of the libraries that arguments of rustc name.
pub fn libraries(args: &[String]) -> impl Iterator<Item = &str> {
    externs(args).filter_map(|value| Some(value.split_once('=')?.1))
}

/// The values of `--extern`: `[OPTIONS:]NAME[=FILE]`.
fn externs(args: &[String]) -> impl Iterator<Item = &str> {
    let mut args = args.iter().map(String::as_str);
    std::iter::from_fn(move || {
        loop {
            let arg = args.next()?;
            match arg.strip_prefix("--extern") {
                Some("") => return args.next(),
                Some(value) if value.starts_with('=') => return Some(&value[1..]),
                _ => {}
            }
        }
    })
}

/// What examples of one program have in common: the compiler, its arguments, the libraries that they mention, and the
/// crates whose macros they take.
type Alike = (String, Vec<String>, [Vec<String>; 2]);

/// Groups examples that can share one program. The examples of a group are compiled with the same arguments
/// and have the same libraries linked. Otherwise an example could link only because of a library that another
/// example uses. They also take the macros of the same crates: otherwise an example could compile only because
/// of macros that another example takes. There are no groups if they save too few programs. `links` says of two
/// files of libraries whether the first always has the second linked.
pub fn groups(examples: Vec<Example>, links: impl Fn(&str, &str) -> bool) -> Vec<Vec<Example>> {
    let mut linked: BTreeMap<BTreeMap<String, String>, Vec<String>> = BTreeMap::new();
    let mut groups: BTreeMap<Alike, Vec<Example>> = BTreeMap::new();
    for example in examples {
        let mentioned = example.mentioned();
        let mentioned: BTreeMap<_, _> =
            mentioned.into_iter().map(|(name, file)| (name.to_owned(), file.to_owned())).collect();
        let libraries = linked.entry(mentioned).or_insert_with_key(|all| without_linked(all, &links)).clone();
        let macros = macros::taken(&example.source).0.into_iter().map(ToOwned::to_owned).collect();
        let key = (example.compiler.clone(), example.args.clone(), [libraries, macros]);
        groups.entry(key).or_default().push(example);
    }
    let groups: Vec<_> = groups.into_values().filter(|group| group.len() > 1).collect();
    let saved: usize = groups.iter().map(|group| group.len() - 1).sum();
    if saved < FEWEST_SAVED { Vec::new() } else { groups }
}

/// The names of the libraries that no other of them has linked anyway.
fn without_linked(all: &BTreeMap<String, String>, links: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let by_another = |file: &String| all.values().any(|other| other != file && links(other, file));
    all.iter().filter(|(_, file)| !by_another(file)).map(|(name, _)| name.clone()).collect()
}

#[cfg(test)]
mod tests;
