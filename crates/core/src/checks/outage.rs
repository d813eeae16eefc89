//! Distinguishes a fault of the machine or the network from a fault of the commit, by the messages of Cargo,
//! rustc and rustup. All messages that show such a fault are in this file.
//!
//! The messages are those of Cargo 1.95 and rustup 1.29, as they were observed, and those in the sources that
//! each entry names. An unknown message counts as a fault of the commit, and the check fails.

use crate::report::{Finding, Level};

/// The meaning of one message.
struct Sign {
    /// Texts that must all be in one line.
    texts: &'static [&'static str],
    means: Means,
}

/// What does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    Network,
    Tool,
    Disk,
    Folder,
}

impl Means {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Network => "a registry or a git server could not be reached",
            Self::Tool => "a tool could not be started",
            Self::Disk => "the disk is full",
            Self::Folder => "a file or folder may not be written",
        }
    }
}

const fn sign(texts: &'static [&'static str], means: Means) -> Sign {
    Sign { texts, means }
}

const SIGNS: &[Sign] = &[
    // cargo: src/cargo/sources/registry/http_remote.rs, src/cargo/util/network/http.rs
    sign(&["failed to download from `"], Means::Network),
    sign(&["failed to get successful HTTP response from `"], Means::Network),
    sign(&["but --offline was specified"], Means::Network),
    sign(&["you are in the offline mode (--offline)"], Means::Network),
    sign(&["you're using offline mode (--offline)"], Means::Network),
    // curl: lib/strerror.c, with the number that Cargo puts before it
    sign(&["[5] Could not resolve proxy"], Means::Network),
    sign(&["[6] Could not resolve host"], Means::Network),
    sign(&["[7] Could not connect to server"], Means::Network),
    sign(&["[28] Timeout was reached"], Means::Network),
    sign(&["[35] SSL connect error"], Means::Network),
    sign(&["[52] Server returned nothing"], Means::Network),
    sign(&["[56] Failure when receiving data from the peer"], Means::Network),
    // libgit2: src/libgit2/streams/socket.c, src/libgit2/transports/http.c
    sign(&["failed to connect to ", "class=Os"], Means::Network),
    sign(&["failed to connect to ", "class=Net"], Means::Network),
    sign(&["failed to resolve address for "], Means::Network),
    sign(&["unexpected http status code: 5"], Means::Network),
    sign(&["timed out", "class=Net"], Means::Network),
    // cargo: src/cargo/sources/git/utils.rs
    sign(&["network failure seems to have happened"], Means::Network),
    // git: http.c, remote-curl.c and connect.c, if `net.git-fetch-with-cli` is set
    sign(&["fatal: unable to access '", "Could"], Means::Network),
    sign(&["fatal: unable to access '", "Failed to connect"], Means::Network),
    sign(&["fatal: unable to access '", "returned error: 5"], Means::Network),
    sign(&["ssh: connect to host "], Means::Network),
    sign(&["ssh: Could not resolve hostname "], Means::Network),
    // cargo-semver-checks: src/rustdoc_gen.rs, around the library tame-index's reading of the registry
    sign(&["failed to read index metadata for crate '"], Means::Network),
    // cargo: crates/cargo-util/src/process_error.rs. Before anything else, cargo asks every rustc for its
    // version.
    sign(&["could not execute process `", "(never executed)"], Means::Tool),
    sign(&["process didn't exit successfully: `", " -vV` ("], Means::Tool),
    // Nothing that rustc compiles sends it SIGKILL: the system does when it has no more memory.
    sign(
        &["process didn't exit successfully: `", " --crate-name ", "(signal: 9, SIGKILL: kill)"],
        Means::Tool,
    ),
    // rustup: src/errors.rs
    sign(&["error: toolchain '", "is not installed"], Means::Tool),
    sign(&["is not installed for the ", "toolchain '"], Means::Tool),
    sign(&["error: rustup could not choose a version of"], Means::Tool),
    // sccache: src/main.rs
    sign(&["sccache: error: "], Means::Tool),
    // The operating system's messages: ENOSPC and EDQUOT on Linux, ERROR_DISK_FULL on Windows.
    sign(&["No space left on device (os error 28)"], Means::Disk),
    sign(&["Disk quota exceeded (os error 122)"], Means::Disk),
    sign(&["There is not enough space on the disk. (os error 112)"], Means::Disk),
    // EACCES and EROFS: Cargo's own files. A source is read by rustc, whose errors are messages.
    sign(&["Permission denied (os error 13)"], Means::Folder),
    sign(&["Read-only file system (os error 30)"], Means::Folder),
    // A new target directory is made under a name of the library tempfile's (src/error.rs).
    sign(&["(os error ", ") at path \""], Means::Folder),
];

/// Why Cargo's standard error is not a verdict on the commit. None if it is a verdict.
///
/// Below `--- stdout` and `--- stderr` Cargo shows what a build script printed. That text is not read.
pub fn of_cargo(words: &str) -> Option<String> {
    let own = words.lines().take_while(|line| !line.trim_start().starts_with("--- std"));
    let (mut found, mut failed) = (None, false);
    for line in own {
        failed |= line.starts_with("error");
        // A warning is about an attempt that Cargo has repeated.
        let is_own = line.starts_with("error") || line.starts_with(' ') || is_of_a_tool(line);
        if found.is_none() && is_own {
            let sign = SIGNS.iter().find(|sign| sign.texts.iter().all(|text| line.contains(text)));
            found = sign.map(|sign| format!("{}: {}", sign.means.as_str(), line.trim()));
        }
    }
    found.filter(|_| failed)
}

/// Whether a line is from git, ssh or sccache. Cargo passes such lines on.
fn is_of_a_tool(line: &str) -> bool {
    ["fatal: ", "ssh: ", "sccache: "].iter().any(|start| line.starts_with(start))
}

/// The beginnings of what Cargo says of arguments that it does not take (clap, `src/error/format.rs`).
const MISTAKES: [&str; 6] = [
    "error: unexpected argument '",
    "error: invalid value '",
    "error: a value is required for '",
    "error: the argument '",
    "error: equal sign is needed when assigning values to '",
    "error: unrecognized subcommand '",
];

/// What a tool says of arguments that it does not take, if its words are about that: Cargo, or the harness of
/// Rust's tests (`library/test/src/lib.rs`, which passes on the words of getopts). None if they are about something
/// else.
pub fn mistake(words: &str) -> Option<&str> {
    let error = words.lines().find(|line| line.starts_with("error"))?;
    let of_cargo = MISTAKES.iter().any(|start| error.starts_with(start))
        && words.lines().any(|line| line == "For more information, try '--help'.");
    let of_harness = error.starts_with("error: Unrecognized option: '");
    (of_cargo || of_harness).then(|| error.trim_start_matches("error: "))
}

/// The toolchain that rustup does not have, if its words are about that.
pub fn missing_toolchain(words: &str) -> Option<&str> {
    let (_, rest) = words.split_once("toolchain '")?;
    let (name, _) = rest.split_once("' is not installed")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || ['.', '_', '-'].contains(&c);
    (!name.is_empty() && !name.starts_with('-') && name.chars().all(is_name)).then_some(name)
}

/// Why findings are not a verdict on the commit. That is so if no error has a place in a source, and all
/// errors say that something on the machine does not work. None if they are a verdict.
pub fn of_findings(findings: &[Finding]) -> Option<String> {
    let errors = findings.iter().filter(|finding| finding.level == Level::Error);
    let reasons: Option<Vec<String>> = errors.map(of_error).collect();
    reasons?.into_iter().next()
}

/// The same for one error of rustc (`compiler/rustc_codegen_ssa/src/back/link.rs` for the linker).
fn of_error(error: &Finding) -> Option<String> {
    if error.file.is_some() {
        return None;
    }
    let (message, rendered) = (error.message.as_str(), error.rendered.as_deref().unwrap_or_default());
    let means = if message.starts_with("linker `") && message.ends_with("` not found") {
        Means::Tool
    } else if message.contains("Permission denied (os error 13)")
        || message.contains("Read-only file system (os error 30)")
    {
        Means::Folder
    } else if message.contains("No space left on device (os error 28)")
        || (message.starts_with("linking with `") && rendered.contains(": No space left on device"))
    {
        Means::Disk
    } else {
        return None;
    };
    Some(format!("{}: {message}", means.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "    Updating `down` index\nerror: failed to get `itoa` as a dependency of package `a v0.1.0`\n";

    #[test]
    fn what_cannot_be_reached_is_no_fault_of_the_commit() {
        for (words, expected) in [
            ("\nCaused by:\n  [7] Could not connect to server (Failed to connect to a)\n", "a registry"),
            (
                "\nCaused by:\n  failed to connect to 127.0.0.1: Connection refused; class=Os (2)\n",
                "a registry",
            ),
            ("\nCaused by:\n  failed to download from `http://a/config.json`\n", "a registry"),
            ("error: could not execute process `/w rustc -vV` (never executed)\n", "a tool"),
            ("error: process didn't exit successfully: `w /r/bin/rustc -vV` (exit status: 1)\n", "a tool"),
            ("error: toolchain 'foo' is not installed\n", "a tool"),
            (
                "error: could not compile `a`\n\nCaused by:\n  process didn't exit successfully: `rustc --crate-name a` (signal: 9, SIGKILL: kill)\n",
                "a tool",
            ),
            ("error: 'cargo-clippy' is not installed for the custom toolchain 'x'.\n", "a tool"),
            ("\nCaused by:\n  No space left on device (os error 28)\n", "the disk is full"),
            ("\nCaused by:\n  Permission denied (os error 13)\n", "a file or folder may not be written"),
        ] {
            let reason = of_cargo(&format!("{HEAD}{words}"));
            assert!(
                reason.as_ref().is_some_and(|reason| reason.starts_with(expected)),
                "{words}: {reason:?}"
            );
        }
        let git = "fatal: unable to access 'http://a/x.git/': Failed to connect to a port 1\nerror: failed\n";
        assert!(of_cargo(git).is_some());
    }

    #[test]
    fn what_the_commit_asks_for_and_nobody_has_is_its_fault() {
        for words in [
            "error: no matching package named `nothing` found\n",
            "error: failed to parse manifest at `/a/Cargo.toml`\n",
            "error: failed to load source\n\nCaused by:\n  revspec 'x' not found; class=Reference (4)\n",
            "error: failed to load source\n\nCaused by:\n  unexpected http status code: 404; class=Http (34)\n",
            "error: failed to run `rustc` to learn about target-specific information\n",
            "error: could not compile `a` (lib) due to 1 previous error\n",
        ] {
            assert_eq!(of_cargo(words), None, "{words}");
        }
    }

    #[test]
    fn what_a_build_script_prints_and_what_was_tried_again_decides_nothing() {
        let script = "error: failed to run custom build command for `a v0.1.0`\n\nCaused by:\n  process didn't \
            exit successfully: `/t/build-script-build` (exit status: 1)\n  --- stderr\n  No space left on \
            device (os error 28)\n";
        assert_eq!(of_cargo(script), None);
        let again = "warning: spurious network error (3 tries remaining): [7] Could not connect to server\n\
            error: could not compile `a`\n";
        assert_eq!(of_cargo(again), None);
        assert_eq!(of_cargo("  [7] Could not connect to server\n"), None);
    }

    #[test]
    fn a_mistake_in_arguments_is_known_by_the_words_of_cargo_and_of_the_harness() {
        let help = "\nUsage: cargo build\n\nFor more information, try '--help'.\n";
        let said = format!("error: unexpected argument '--nope' found\n{help}");
        assert_eq!(mistake(&said), Some("unexpected argument '--nope' found"));
        assert_eq!(mistake("error: Unrecognized option: 'nope'\n"), Some("Unrecognized option: 'nope'"));
        assert_eq!(mistake("error: unexpected argument 'x' found\n"), None);
        assert_eq!(mistake("error: could not compile `a`\n"), None);
    }

    #[test]
    fn a_toolchain_that_is_not_installed_is_named_as_rustup_installs_it() {
        let of =
            |name: &str| format!("`rustc` failed: error: toolchain '{name}' is not installed\nhelp: run");
        assert_eq!(missing_toolchain(&of("1.61.0-x86_64")), Some("1.61.0-x86_64"));
        assert_eq!(missing_toolchain(&of("x; rm")), None);
        assert_eq!(missing_toolchain("error: no rustup"), None);
    }

    #[test]
    fn an_error_of_rustc_that_is_about_the_machine_has_no_place_and_stands_alone() {
        let linker = Finding::error("linker `nolink` not found");
        assert!(of_findings(std::slice::from_ref(&linker)).is_some());
        let full = Finding {
            rendered: Some("ld: final link failed: No space left on device".into()),
            ..Finding::error("linking with `cc` failed: exit status: 1")
        };
        assert!(of_findings(&[full]).is_some_and(|reason| reason.starts_with("the disk is full")));
        let own = Finding { file: Some("src/lib.rs".into()), ..Finding::error("linker `a` not found") };
        assert_eq!(of_findings(std::slice::from_ref(&own)), None);
        assert_eq!(of_findings(&[linker, own]), None);
        assert_eq!(of_findings(&[]), None);
    }
}
