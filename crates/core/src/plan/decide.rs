//! Asks the selection whether a change reaches a step.

use super::Planner;
use super::facts::CrateFacts;
use super::item::{Item, Kind};
use crate::checks::commit_format;
use crate::selection::{Decision, Subject};

/// Attributes of a step by which a person, and not this program, says when it runs.
const OWN: [&str; 3] = ["if_changed", "skip", "if"];

/// Cargo's subcommands that read a workspace and nothing else. An alias or another program can do anything.
const SUBCOMMANDS: [&str; 17] = [
    "all-features",
    "audit",
    "bench",
    "build",
    "check",
    "clippy",
    "deny",
    "doc",
    "fmt",
    "hack",
    "kani",
    "llvm-cov",
    "metadata",
    "miri",
    "nextest",
    "rustdoc",
    "test",
];

/// Arguments of Cargo's with which a call reads more than a package: the workspace, or files anywhere.
const WIDE: [&str; 8] = [
    "--all",
    "--config",
    "--lockfile-path",
    "--manifest-path",
    "--workspace",
    // These read the lock file, or the graph of all packages.
    "audit",
    "deny",
    "metadata",
];

impl Planner<'_> {
    /// Whether the change reaches a step of this item. None where nobody asked, and where a person has said
    /// when the step runs.
    pub(super) fn decide(&self, item: &Item<'_>, of_crate: Option<&CrateFacts>) -> Option<Decision> {
        let selection = self.facts.selection.as_ref()?;
        if OWN.iter().any(|name| item.test.attributes.contains_key(*name)) {
            return None;
        }
        let command = self.config.checks.get(item.name()).and_then(|options| options.command.as_deref());
        let written = command.or((item.kind != Kind::Standard).then_some(item.test.command.as_str()));
        let legacy = item.legacy.as_ref().filter(|_| command.is_none()).map(|legacy| legacy.check);
        let name = legacy.map_or_else(|| item.name(), |legacy| legacy.name());
        let subject = if name == commit_format::NAME && command.is_none() {
            Subject::Unknown("it judges commits, which every change has")
        } else if legacy.is_none() && written.is_some_and(|written| !is_cargos(written)) {
            Subject::Unknown("its command is not only Cargo's, and may read any file")
        } else {
            let of_crate =
                of_crate.filter(|found| legacy.is_some() || self.is_of_crate(item, written, found));
            of_crate.map_or(Subject::Whole, |found| Subject::Crate(&found.name))
        };
        Some(selection.decide(subject, name, (item.path, item.name())))
    }

    /// Whether a step for a crate concerns this crate and no other one. `written` is the command that somebody
    /// wrote for it. None for the command of a standard check, which gets the crate's package.
    fn is_of_crate(&self, item: &Item<'_>, written: Option<&str>, found: &CrateFacts) -> bool {
        let path = item.test.crate_path.as_deref().unwrap_or(&found.dir);
        let own = Own { name: &found.name, dir: &found.dir, path };
        let options = self.config.checks.get(item.name());
        let start = match options.and_then(|options| options.working_directory.as_deref()) {
            Some(folder) if own.is_folder(folder) => Folder::Own,
            Some(_) => Folder::Other,
            None if item.kind == Kind::Standard && found.dir != "." => Folder::Own,
            None => Folder::Root,
        };
        // The options add these to a call of Cargo, wherever that runs.
        let added = options.is_none_or(|options| {
            let named = item.kind == Kind::Standard || options.packages.iter().all(|of| *of == found.name);
            named && own.is_call_for(options.args.iter().map(String::as_str), Folder::Own)
        });
        added && start != Folder::Other && written.is_none_or(|written| own.has(written, start))
    }
}

/// Whether a shell command only calls Cargo's subcommands, in folders that it names without `..`.
fn is_cargos(command: &str) -> bool {
    if command.contains("..") || command.contains(['`', '\n', '<', '>']) || command.contains("$(") {
        return false;
    }
    let mut calls = 0;
    let fine = command.split(['&', '|', ';']).filter(|part| !part.trim().is_empty()).all(|part| {
        let mut words = part.split_whitespace().skip_while(|word| is_assignment(word));
        match words.next() {
            Some("cd" | "export" | "set") | None => true,
            Some("cargo") => {
                calls += 1;
                let known = |word: &str| SUBCOMMANDS.contains(&word);
                words.find(|word| !word.starts_with('+')).is_some_and(known)
            }
            Some(_) => false,
        }
    });
    fine && calls > 0
}

/// The folder that a part of a command runs in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Folder {
    /// The root of the repository.
    Root,
    /// The crate's own.
    Own,
    /// Another one, or nobody knows.
    Other,
}

/// A crate, as commands name it.
struct Own<'a> {
    name: &'a str,
    /// Its folder, from the root.
    dir: &'a str,
    /// What `{crate_path}` stands for.
    path: &'a str,
}

impl Own<'_> {
    /// Whether a folder, named in the root, is the crate's own. In the root itself Cargo takes the default
    /// members of the workspace.
    fn is_folder(&self, written: &str) -> bool {
        let folder = if written == "{crate_path}" { self.path } else { written };
        self.dir != "." && folder.trim_start_matches("./").trim_end_matches('/') == self.dir
    }

    /// Whether a command of Cargo's concerns this crate and no other one. It starts in this folder.
    fn has(&self, command: &str, mut folder: Folder) -> bool {
        for list in command.split(';') {
            let mut may_stay = false;
            for (index, part) in list.split("&&").enumerate() {
                // Behind `|` and `&`, a change of the folder has no effect, or another one.
                let Some(words) = shell_words::split(part).ok().filter(|_| !part.contains(['|', '&'])) else {
                    return false;
                };
                let mut words = words.iter().map(String::as_str).skip_while(|word| is_assignment(word));
                match words.next() {
                    Some("cd") => {
                        let is_own = words.next().is_some_and(|to| self.is_folder(to));
                        let goes = is_own && words.next().is_none() && folder == Folder::Root;
                        folder = if goes { Folder::Own } else { Folder::Other };
                        may_stay |= index > 0;
                    }
                    Some("cargo") if !self.is_call_for(words, folder) => return false,
                    _ => {}
                }
            }
            // A part that fails leaves out the rest of its list, but not what stands behind `;`.
            if may_stay {
                folder = Folder::Other;
            }
        }
        true
    }

    /// Whether one call of Cargo, by its arguments, concerns this crate and no other one.
    fn is_call_for<'w>(&self, words: impl Iterator<Item = &'w str>, folder: Folder) -> bool {
        let mut is_named = folder == Folder::Own;
        let mut formats = false;
        // What stands after `--` is for the program that Cargo starts.
        let mut words = words.take_while(|word| *word != "--");
        while let Some(word) = words.next() {
            let (key, value) = word.split_once('=').map_or((word, None), |(key, value)| (key, Some(value)));
            match key {
                "--package" | "-p" => {
                    if !value.or_else(|| words.next()).is_some_and(|of| of == "{crate}" || of == self.name) {
                        return false;
                    }
                    is_named = true;
                }
                _ if WIDE.contains(&key) || word.contains('$') => return false,
                // `-qp b` and `-pb`.
                _ if key.starts_with('-') && !key.starts_with("--") && key.contains('p') => return false,
                "fmt" => formats = true,
                // `cargo fmt -p a b` formats both.
                _ if formats && !key.starts_with('-') => return false,
                _ => {}
            }
        }
        is_named && folder != Folder::Other
    }
}

/// Whether a word sets a variable for the command after it, or is a part of such a value in quotes.
fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name || word.ends_with(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_reads_other_crates_is_not_the_crates_own() {
        let own = Own { name: "a", dir: "c/a", path: "c/a" };
        for command in [
            "cd {crate_path} && cargo test",
            "cd c/a/ && cargo test",
            "cd {crate_path}; cargo test",
            "set -e; cd {crate_path} && cargo test -p {crate}",
            "export X=1 && cd {crate_path} && cargo clippy -- -D warnings && cargo test -- --all -p b",
            "cd {crate_path} && RUSTFLAGS=\"$X -D warnings\" cargo all-features build --release",
            "cargo test --package=a -- --all -p b",
            "cargo test -p 'a'",
            "cargo fmt -p a -- --check && cargo test -p {crate}",
        ] {
            assert!(own.has(command, Folder::Root), "{command}");
        }
        for command in ["cargo test", "cargo test -p a", "cargo test -- -p b"] {
            assert!(own.has(command, Folder::Own), "{command}");
            assert!(!own.has(command, Folder::Other), "{command}");
        }
        for command in [
            // The folder is not the crate's.
            "cargo test",
            "cd {crate_path} && cargo test && cd /workdir/b && cargo test",
            "cd c/b && cargo test -p a",
            "cd c && cd {crate_path} && cargo test",
            "cd {crate_path} && cd src && cargo test",
            "cd {crate_path} b && cargo test",
            "cargo check -p a && cd {crate_path}; cargo test",
            "cd {crate_path} | cargo test",
            "cd {crate_path} & cargo test",
            "false || cd {crate_path} && cargo test",
            "cargo test # -p a",
            // Another call does more than the first.
            "cd {crate_path} && cargo clippy -- -D warnings && cargo test --workspace",
            "cd {crate_path} && cargo test -- --nocapture && cargo test -p b",
            "cd {crate_path} && cargo test -- --nocapture; cargo test -p b",
            "cargo test -p a && cargo test",
        ] {
            assert!(!own.has(command, Folder::Root), "{command}");
        }
        for call in [
            "all-features test --workspace",
            "test \"--workspace\"",
            "fmt --all",
            "fmt -p a b",
            "build -p b",
            "build -p {crate} --package=b",
            "build -pb",
            "build -qp b",
            "test --manifest-path=b/Cargo.toml",
            "test --config b/x.toml",
            "test $ARGS",
            "test -p",
            "audit",
            "deny check",
            "metadata",
            "+nightly audit",
        ] {
            let command = format!("cd {{crate_path}} && cargo {call}");
            assert!(!own.has(&command, Folder::Root), "{command}");
        }
    }

    #[test]
    fn the_folder_of_a_crate_is_never_the_root_or_what_a_test_says_instead() {
        let root = Own { name: "a", dir: ".", path: "." };
        assert!(!root.has("cd {crate_path} && cargo test", Folder::Root));
        assert!(root.has("cargo test -p a", Folder::Root));
        let elsewhere = Own { name: "a", dir: "a", path: "b" };
        assert!(!elsewhere.has("cd {crate_path} && cargo test", Folder::Root));
        assert!(elsewhere.has("cd a && cargo test", Folder::Root));
    }

    #[test]
    fn a_command_that_is_not_only_cargos_is_not_trusted() {
        for command in [
            "cargo test",
            "cd {crate_path} && RUSTFLAGS=\"-D warnings\" cargo all-features build --release",
            "cd crates/a && cargo +nightly miri test; cargo fmt --all -- --check",
        ] {
            assert!(is_cargos(command), "{command}");
        }
        for command in [
            "./test.sh",
            "cargo run -p xtask",
            "cargo test && make",
            "cd .. && cargo test",
            "cargo test --manifest-path ../a/Cargo.toml",
            "cargo test $(cat names)",
            "RUSTFLAGS=x ./y",
            "",
        ] {
            assert!(!is_cargos(command), "{command}");
        }
    }
}
