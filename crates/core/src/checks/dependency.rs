//! A dependency that cargo compiles, and the same dependency that cargo only checks.
//!
//! To build tests, cargo compiles each dependency. For clippy and for documentation it has each dependency checked,
//! which gives the dependency's metadata only. When rustc compiles, it writes the same metadata first. So the
//! metadata of a compiled dependency can be the result of its check, if both calls of rustc mean the same. This
//! module reads the calls, and the lists that rustc writes of what it has read.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What cargo has rustc do with a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Metadata and code.
    Compiled,
    /// Metadata only.
    Checked,
}

/// A call of rustc by cargo for a library that comes from a registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// What rustc does.
    pub kind: Kind,
    folder: String,
    name: String,
    /// What cargo adds to the names of the files: a hash that differs between a library that is compiled and the same
    /// one that is checked.
    extra: String,
    words: Vec<Word>,
}

/// A word of the call that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Word {
    Plain(String),
    /// A library that the unit uses: its name, and its file.
    Library(String, String),
}

impl Unit {
    /// Reads a call: the compiler and its arguments. `registry` is the folder with the sources of all registries. None
    /// for every other call, and for a call with an option whose effect is not known to be the same for both kinds.
    pub fn read(call: &[String], registry: &str) -> Option<Self> {
        let (compiler, arguments) = call.split_first()?;
        let (mut kind, mut name, mut folder, mut extra) = (None, None, None, None);
        let (mut is_library, mut is_silent, mut is_of_registry, mut says_artifacts) =
            (false, false, false, false);
        let mut words = vec![Word::Plain(compiler.clone())];
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next();
            let mut plain = |text: &str| words.push(Word::Plain(text.to_owned()));
            match argument.as_str() {
                "--emit=dep-info,metadata,link" => kind = Some(Kind::Compiled),
                "--emit=dep-info,metadata" => kind = Some(Kind::Checked),
                "--out-dir" => folder = Some(value()?.clone()),
                "--crate-name" => {
                    name = Some(value()?.clone());
                    plain(name.as_ref()?);
                }
                "--crate-type" => is_library = value()? == "lib" && !is_library,
                "--cap-lints" => is_silent = value()? == "allow",
                "-C" => match value()? {
                    option if ["metadata=", "embed-bitcode="].iter().any(|name| option.starts_with(name)) => {
                    }
                    option => match option.strip_prefix("extra-filename=") {
                        Some(hash) => extra = Some(hash.to_owned()),
                        None => plain(&format!("-C {option}")),
                    },
                },
                "--extern" => {
                    let (name, file) = value()?.split_once('=')?;
                    words.push(Word::Library(name.to_owned(), file.to_owned()));
                }
                _ if argument.starts_with(['@', '+']) || argument.starts_with("-Z") => return None,
                "--test" => return None,
                _ => {
                    is_of_registry |= argument.starts_with(registry) && argument.ends_with(".rs");
                    says_artifacts |= argument.starts_with("--json=") && argument.contains("artifacts");
                    plain(argument);
                }
            }
        }
        let unit = Self { kind: kind?, folder: folder?, name: name?, extra: extra?, words };
        let counts = is_library && is_silent && is_of_registry && says_artifacts && !unit.extra.is_empty();
        counts.then_some(unit)
    }

    /// A text that is the same for two units if the metadata of one can stand for that of the other. It holds the
    /// call without what differs between the kinds and has no effect on metadata, and all variables but a few: a
    /// procedural macro may read any. `identity` is a text that is the same for two names of the same file; none if
    /// the file is not there. `variables` are the variables of the process.
    pub fn key(
        &self,
        identity: impl Fn(&str) -> Option<String>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Option<String> {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        };
        // What a unit uses is looked for beside it, by the names that cargo gave when it was compiled.
        add(&self.folder);
        for word in &self.words {
            match word {
                Word::Plain(text) => add(text),
                Word::Library(name, file) => {
                    add(name);
                    add(&identity(file)?);
                }
            }
        }
        let mut variables: Vec<_> = variables.filter(|(name, _)| counts(name)).collect();
        variables.sort();
        for (name, value) in variables {
            add(&name);
            add(&value);
        }
        // It becomes a file's name, so it must not contain `/`.
        Some(base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, hash.finalize()))
    }

    /// The path of the metadata that rustc writes.
    pub fn metadata(&self) -> String {
        format!("{}/lib{}{}.rmeta", self.folder, self.name, self.extra)
    }

    /// The path of the list that rustc writes of what it has read.
    pub fn list(&self) -> String {
        format!("{}/{}{}.d", self.folder, self.name, self.extra)
    }

    /// The path of the folder in which cargo keeps what rustc has said about the unit of a package (Cargo 1.74 to 1.95).
    pub fn said(&self, package: &str) -> String {
        format!("{}/../.fingerprint/{package}{}", self.folder, self.extra)
    }

    /// The list of another unit, as rustc would write it for this one.
    pub fn list_of(&self, other: &Self, list: &str) -> String {
        list.replace(&format!("{}{}", other.name, other.extra), &format!("{}{}", self.name, self.extra))
    }

    /// The messages by which rustc tells cargo that it has written both files.
    pub fn messages(&self) -> String {
        let message = |file: &str, what: &str| {
            serde_json::json!({"$message_type": "artifact", "artifact": file, "emit": what}).to_string()
                + "\n"
        };
        message(&self.list(), "dep-info") + &message(&self.metadata(), "metadata")
    }
}

/// Whether a variable may have an effect on a unit. The others differ between the commands of one job, because cargo,
/// clippy and rustup set them for their own use.
fn counts(name: &str) -> bool {
    const OF_TOOLS: [&str; 7] = [
        "CARGO_HOME",
        "CARGO_MAKEFLAGS",
        "LD_LIBRARY_PATH",
        "PATH",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTDOCFLAGS",
        "RUST_RECURSION_COUNT",
    ];
    !OF_TOOLS.contains(&name) && !["CLIPPY_", "RUSTUP_"].iter().any(|start| name.starts_with(start))
}

/// The files that rustc has read, as its list says.
pub fn files(list: &str) -> impl Iterator<Item = String> {
    // One line for each file, which says that nothing makes it.
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.strip_suffix(':')?.replace("\\ ", " ")))
}

/// The variables that rustc has read, with their values, as its list says. A variable without a value was not set.
pub fn variables(list: &str) -> impl Iterator<Item = (String, Option<String>)> {
    list.lines().filter_map(|line| {
        let variable = line.strip_prefix("# env-dep:")?;
        let (name, value) = match variable.split_once('=') {
            Some((name, value)) => (name, Some(unescaped(value))),
            None => (variable, None),
        };
        Some((unescaped(name), value))
    })
}

/// A text without rustc's escapes for lines and backslashes.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('n') => plain.push('\n'),
                Some('r') => plain.push('\r'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            _ => plain.push(character),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMPILED: &str = "/rustc --crate-name a_b --edition=2021 /c/registry/src/i/a-b-1/src/lib.rs --error-format=json \
         --json=diagnostic-rendered-ansi,artifacts --crate-type lib --emit=dep-info,metadata,link -C embed-bitcode=no \
         -C debuginfo=1 --cfg feature=\"x\" -C metadata=11 -C extra-filename=-12 --out-dir /t/debug/deps \
         -L dependency=/t/debug/deps --extern c=/t/debug/deps/libc-3.rmeta --cap-lints allow";

    fn read(call: &str) -> Option<Unit> {
        let words: Vec<String> = call.split_whitespace().map(ToOwned::to_owned).collect();
        Unit::read(&words, "/c/registry/src/")
    }

    fn checked() -> String {
        let checked =
            COMPILED.replace("metadata,link", "metadata").replace("-12", "-22").replace("=11", "=21");
        checked.replace("libc-3", "libc-4")
    }

    fn key(call: &str, variables: &[(&str, &str)]) -> Option<String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        // Both files of `c` are one file.
        read(call).unwrap().key(|file| Some(file.replace("libc-4", "libc-3")), variables)
    }

    #[test]
    fn a_compiled_library_and_the_same_one_that_is_checked_have_one_key() {
        let (compiled, other) = (read(COMPILED).unwrap(), read(&checked()).unwrap());
        assert_eq!((compiled.kind, other.kind), (Kind::Compiled, Kind::Checked));
        assert_eq!(key(COMPILED, &[]), key(&checked(), &[("CARGO_MAKEFLAGS", "-j"), ("RUSTUP_HOME", "/h")]));
        assert_eq!(compiled.metadata(), "/t/debug/deps/liba_b-12.rmeta");
        assert_eq!(other.list(), "/t/debug/deps/a_b-22.d");
        let list =
            "/t/debug/deps/a_b-12.d: /c/lib.rs\n\n/t/debug/deps/liba_b-12.rmeta: /c/lib.rs\n\n/c/lib.rs:\n";
        assert_eq!(other.list_of(&compiled, list), list.replace("-12", "-22"));
        assert_eq!(
            other.messages().lines().next().unwrap(),
            r#"{"$message_type":"artifact","artifact":"/t/debug/deps/a_b-22.d","emit":"dep-info"}"#
        );
    }

    #[test]
    fn whatever_may_change_metadata_is_in_the_key() {
        let same = key(COMPILED, &[]);
        for (before, after) in [
            ("/rustc", "/other/rustc"),
            ("a_b", "a_c"),
            ("=2021", "=2018"),
            ("\"x\"", "\"y\""),
            ("debuginfo=1", "debuginfo=2"),
            ("/t/debug/deps ", "/t/other/deps "),
            ("libc-3", "libc-5"),
            ("--extern c=", "--extern d="),
            ("-1/src", "-2/src"),
            ("--cfg", "--check-cfg"),
        ] {
            assert_ne!(key(&COMPILED.replace(before, after), &[]), same, "{after}");
        }
        let flag = |flag: &str| key(&COMPILED.replace("--cfg", &format!("-C {flag} --cfg")), &[]);
        assert!(flag("rpath") != same && flag("rpath") != flag("debug-assertions"));
        for variable in ["CARGO_PKG_VERSION", "OUT_DIR", "RUSTC_BOOTSTRAP", "ANY"] {
            assert_ne!(key(COMPILED, &[(variable, "1")]), same, "{variable}");
        }
        assert_eq!(
            read(COMPILED).unwrap().key(|_| None, std::iter::empty()),
            None,
            "a library that is not there"
        );
    }

    #[test]
    fn every_other_call_is_left_to_rustc() {
        for (before, after) in [
            ("/c/registry/src/", "/checkout/src/"),
            ("--crate-type lib", "--crate-type proc-macro"),
            ("--crate-type lib", "--crate-type lib --crate-type cdylib"),
            ("metadata,link", "metadata,llvm-ir"),
            ("--cap-lints allow", "--cap-lints warn"),
            (" --cap-lints allow", ""),
            (",artifacts", ""),
            ("--cfg", "-Zunstable --cfg"),
            ("--cfg", "@file --cfg"),
            ("--cfg", "--test --cfg"),
            ("=/t/debug/deps/libc-3.rmeta", ""),
            ("-C extra-filename=-12", ""),
            ("--out-dir /t/debug/deps", ""),
        ] {
            assert_eq!(read(&COMPILED.replace(before, after)), None, "{after}");
        }
        assert_eq!(read("/rustc -vV"), None);
        assert_eq!(read("/rustc - --crate-name ___ --print=file-names"), None);
    }

    #[test]
    fn a_list_names_files_and_variables() {
        let list =
            "/t/a.d: /c/a b.rs /c/b.rs\n\n/c/a\\ b.rs:\n/c/b.rs:\n\n# env-dep:A=1=2\\n\\\\\n# env-dep:B\n";
        assert_eq!(files(list).collect::<Vec<_>>(), ["/c/a b.rs", "/c/b.rs"]);
        let expected = [("A".to_owned(), Some("1=2\n\\".to_owned())), ("B".to_owned(), None)];
        assert_eq!(variables(list).collect::<Vec<_>>(), expected);
    }
}
