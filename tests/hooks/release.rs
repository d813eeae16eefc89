//! What a release leaves in the repository.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn hashes(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

fn git(folder: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(["-C", folder]).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn only_the_commit_of_a_release_has_hashes() {
    let text = fs::read_to_string(Path::new(ROOT).join("hooks/lib/releases")).unwrap();
    for line in hashes(&text) {
        let (hash, triple) = line.split_once("  ").unwrap();
        assert!(hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
        assert!(triple.split('-').count() >= 3, "{line}");
    }
    if hashes(&text).is_empty() {
        return;
    }
    // With these hashes, a later commit would use the old binary. Hashes that are not committed belong to a
    // release that is being made.
    let newest = git(ROOT, &["rev-parse", "HEAD"]);
    let with_hashes = git(ROOT, &["log", "-1", "--format=%H", "--", "hooks/lib/releases"]);
    let committed = git(ROOT, &["diff", "--quiet", "HEAD", "--", "hooks/lib/releases"]).is_some();
    assert!(!committed || newest == with_hashes, "run .ci/release --after VERSION");
}

#[test]
fn after_a_release_the_version_is_raised_and_the_hashes_are_gone() {
    let folder = TempDir::new().unwrap();
    for file in ["Cargo.toml", "Cargo.lock", ".ci/release", ".ci/env", "hooks/lib/releases"] {
        let to = folder.path().join(file);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(Path::new(ROOT).join(file), to).unwrap();
    }
    let releases = folder.path().join("hooks/lib/releases");
    let header = fs::read_to_string(&releases).unwrap();
    let header: String =
        header.lines().filter(|line| line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    let hash = "a".repeat(64);
    fs::write(&releases, format!("{header}# Made by rustc 1.\n{hash}  x86_64-unknown-linux-musl\n")).unwrap();
    let run = |version: &str| {
        Command::new(folder.path().join(".ci/release"))
            .args(["--after", version])
            .output()
            .unwrap()
            .status
            .code()
    };

    assert_eq!(run("soon"), Some(2));
    assert_eq!(run(env!("CARGO_PKG_VERSION")), Some(2));
    assert_eq!(run("77.8.9"), Some(0));

    assert_eq!(fs::read_to_string(&releases).unwrap(), header);
    let manifest = fs::read_to_string(folder.path().join("Cargo.toml")).unwrap();
    assert!(manifest.contains("[package]\nname = \"rust-vmm-ci\"\nversion = \"77.8.9\"\n"), "{manifest}");
    let lock = fs::read_to_string(folder.path().join("Cargo.lock")).unwrap();
    assert!(lock.contains("name = \"rust-vmm-ci\"\nversion = \"77.8.9\"\n"), "{lock}");
}
