//! `rust-vmm-ci reproduce`: what failed is repeated from its report alone.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;
use support::sandbox::Sandbox;

const MANIFEST: &str = "[package]\nname = \"sample\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
const LIBRARY: &str = "//! A crate.\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn sound() {}\n\n    #[test]\n    \
                       fn judged() {\n        assert_eq!(1, 2);\n    }\n}\n";

struct Checkout {
    sandbox: Sandbox,
    root: PathBuf,
}

impl Checkout {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let files =
            [("Cargo.toml", MANIFEST), ("src/lib.rs", LIBRARY), (".gitignore", "target\nCargo.lock\n")];
        let source = sandbox.repository("source", &files);
        let root = sandbox.path().join("checkout");
        let clone = ["clone", "-q", &source.url(), root.to_str().unwrap()];
        assert!(sandbox.command("git").args(clone).status().unwrap().success());
        Self { sandbox, root }
    }

    fn rust_vmm_ci(&self, args: &[&str]) -> (i32, String) {
        let mut command = self.sandbox.command(env!("CARGO_BIN_EXE_rust-vmm-ci"));
        command.args(args).current_dir(&self.root);
        command.env("BUILDKITE_PLUGIN_CONFIGURATION", r#"{"docker": false}"#);
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
        (status.code().unwrap(), text.into_owned())
    }

    /// Runs a check that fails and returns its report.
    fn report(&self) -> PathBuf {
        let path = self.sandbox.path().join("report.json");
        let (status, said) = self.rust_vmm_ci(&["run", "unittests-gnu", "--report", path.to_str().unwrap()]);
        assert_eq!(status, 1, "{said}");
        path
    }

    /// The report, with one value in it changed.
    fn changed(&self, pointer: &str, value: &str) -> String {
        let mut report: Value = serde_json::from_slice(&std::fs::read(self.report()).unwrap()).unwrap();
        *report.pointer_mut(pointer).unwrap() = value.into();
        let path = self.sandbox.path().join("changed.json");
        std::fs::write(&path, report.to_string()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What stands beside the checkout.
    fn beside(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.sandbox.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| name.contains("reproduce")).collect()
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_test_that_failed_fails_again_in_a_worktree_that_is_gone_after() {
    let checkout = Checkout::new();
    let report = checkout.report();
    // What the person has changed meanwhile is not what the job checked.
    std::fs::write(checkout.root.join("src/lib.rs"), "").unwrap();
    let (status, said) = checkout.rust_vmm_ci(&["reproduce", text(&report)]);
    assert_eq!(status, 1, "{said}");
    for part in ["rust-vmm-ci run unittests-gnu '--test=tests::judged'", "src/lib.rs:10", "running 1 test"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(checkout.beside(), [""; 0]);
    assert_eq!(std::fs::read_to_string(checkout.root.join("src/lib.rs")).unwrap(), "");
    let worktrees =
        checkout.sandbox.command("git").args(["worktree", "list"]).current_dir(&checkout.root).output();
    assert_eq!(String::from_utf8_lossy(&worktrees.unwrap().stdout).lines().count(), 1);
}

#[test]
fn a_commit_that_is_not_here_is_named_with_the_command_that_brings_it() {
    let checkout = Checkout::new();
    let other = "0123456789abcdef0123456789abcdef01234567";
    let (status, said) = checkout.rust_vmm_ci(&["reproduce", &checkout.changed("/commit", other)]);
    assert_eq!(status, 2, "{said}");
    assert!(said.contains(&format!("`git fetch origin {other}`")), "{said}");
}

#[test]
fn what_a_stranger_wrote_into_a_report_runs_nothing() {
    let checkout = Checkout::new();
    let mark = checkout.root.join("mark");
    let script = format!("touch {}", mark.display());
    for (pointer, value) in [
        ("/outcomes/0/name", format!("$({script})")),
        ("/outcomes/0/command", script.clone()),
        ("/commit", format!("--upload-pack={script}")),
        ("/outcomes/0/name", "--config=/etc/passwd".to_owned()),
    ] {
        let report = checkout.changed(pointer, &value);
        let (status, said) = checkout.rust_vmm_ci(&["reproduce", &report]);
        assert_eq!(status, if pointer.ends_with("command") { 1 } else { 2 }, "{pointer}: {said}");
        assert!(!mark.exists(), "{pointer}: {said}");
        assert_eq!(checkout.beside(), [""; 0]);
    }
}
