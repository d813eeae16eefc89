//! What a person sees on a terminal of 80 columns. The terminal is a real one, which `script` (util-linux) makes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::path::PathBuf;
use support::sandbox::Sandbox;

const COLUMNS: usize = 80;
const MANIFEST: &str = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const LIBRARY: &str = "//! A crate.\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn sound() {}\n\n    #[test]\n    \
                       fn judged() {\n        assert_eq!(1, 2);\n    }\n}\n";

/// A checkout with a test that fails.
struct Terminal {
    sandbox: Sandbox,
    root: PathBuf,
}

impl Terminal {
    /// None where there is no `script`. The test has been reported as skipped then.
    fn new() -> Option<Self> {
        if !std::path::Path::new("/usr/bin/script").is_file() {
            support::skip("script of util-linux, which makes a terminal");
            return None;
        }
        let sandbox = Sandbox::new();
        let files =
            [("Cargo.toml", MANIFEST), ("src/lib.rs", LIBRARY), (".gitignore", "target\nCargo.lock\n")];
        let root = sandbox.repository("source", &files).path().to_owned();
        Some(Self { sandbox, root })
    }

    /// What `rust-vmm-ci` with these words writes to the terminal.
    fn shows(&self, words: &str) -> String {
        let line = format!("stty cols {COLUMNS} rows 24; exec {} {words}", env!("CARGO_BIN_EXE_rust-vmm-ci"));
        let mut command = self.sandbox.command("/usr/bin/script");
        command.args(["--quiet", "--command", &line, "/dev/null"]).current_dir(&self.root);
        command.env("TERM", "xterm").env("NO_COLOR", "1").env("SHELL", "/bin/sh").env_remove("CI");
        command.env("BUILDKITE_PLUGIN_CONFIGURATION", r#"{"docker": false}"#);
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        anstream::adapter::strip_str(&String::from_utf8_lossy(&output.stdout)).to_string()
    }

    /// As [`Self::shows`]. No line may be longer than the terminal, which would break it inside a word.
    fn shows_whole_words(&self, words: &str) -> String {
        let shown = self.shows(words);
        for line in shown.split(['\n', '\r']) {
            let columns = line.chars().count();
            assert!(columns <= COLUMNS, "{words}: {columns} columns: {line:?}\n{shown}");
        }
        shown
    }
}

#[test]
fn the_list_is_readable_and_has_every_command_whole() {
    let Some(terminal) = Terminal::new() else { return };
    let shown = terminal.shows_whole_words("list");
    let words: Vec<&str> = shown.split_whitespace().collect();
    for word in ["clippy-x86_64", "--all-targets", "warnings", "commit-format", "unittests-gnu-x86_64"] {
        assert!(words.contains(&word), "{word}: {shown}");
    }
}

#[test]
fn an_explanation_and_the_doctors_lines_break_between_words() {
    let Some(terminal) = Terminal::new() else { return };
    assert!(terminal.shows_whole_words("explain clippy").contains("is a step"));
    let shown = terminal.shows_whole_words("doctor");
    assert!(shown.contains("git") && shown.contains("fault"), "{shown}");
    let shown =
        terminal.shows_whole_words("explain a-check-that-nobody-has-ever-described-in-any-file-of-it");
    assert!(shown.contains("rust-vmm-ci: "), "{shown}");
}

#[test]
fn a_run_ends_with_its_failures_and_the_command_for_the_one_test() {
    let Some(terminal) = Terminal::new() else { return };
    let shown = terminal.shows_whole_words("run style unittests-gnu commit-format");
    assert!(shown.contains(" of 3: "), "{shown}");
    let words: Vec<&str> = shown.split_whitespace().collect();
    assert!(
        words.join(" ").contains("repeat: rust-vmm-ci run unittests-gnu '--test=tests::judged'"),
        "{shown}"
    );
    let (table, failures) = (shown.rfind("verdict"), shown.rfind("failed: unittests-gnu"));
    assert!(table.is_some() && table < failures && failures < shown.rfind("1 failed"), "{shown}");
}
