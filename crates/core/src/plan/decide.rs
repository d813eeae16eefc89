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
            let stays = |found: &&CrateFacts| written.is_none_or(|written| is_of_crate(written, &found.name));
            let of_crate = of_crate.filter(|found| legacy.is_some() || stays(found));
            of_crate.map_or(Subject::Whole, |found| Subject::Crate(&found.name))
        };
        Some(selection.decide(subject, name, (item.path, item.name())))
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

/// Whether a command of Cargo's in a crate's folder concerns this crate and no other one.
fn is_of_crate(command: &str, name: &str) -> bool {
    let own = ["{crate}", name];
    let mut words = command.split_whitespace();
    while let Some(word) = words.next() {
        let (key, value) = word.split_once('=').map_or((word, None), |(key, value)| (key, Some(value)));
        match key {
            // What stands after it is for the program that Cargo starts.
            "--" => break,
            "--workspace" | "--all" | "--manifest-path" => return false,
            "--package" | "-p" if !value.or_else(|| words.next()).is_some_and(|of| own.contains(&of)) => {
                return false;
            }
            _ => {}
        }
    }
    true
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
        for command in [
            "cargo test",
            "cd a && cargo test -p {crate}",
            "cargo test --package=a -- --all -p b",
            "cargo test -p a",
        ] {
            assert!(is_of_crate(command, "a"), "{command}");
        }
        for command in [
            "cargo all-features test --workspace",
            "cargo fmt --all",
            "cargo build -p b",
            "cargo build -p {crate} --package=b",
            "cargo test --manifest-path=b/Cargo.toml",
            "cargo test -p",
        ] {
            assert!(!is_of_crate(command, "a"), "{command}");
        }
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
