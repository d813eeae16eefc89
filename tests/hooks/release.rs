//! What a release leaves in the repository.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::eventually;
use support::process::Running;
use support::sandbox::Sandbox;
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

/// Builds nothing, and fails where another one is at work. It works until `hold` is gone.
const CARGO: &str = r#"#!/bin/sh
mkdir "$MACHINE/busy" || exit 1
while [ -e "$MACHINE/hold" ]; do sleep 0.1; done
for target; do :; done
mkdir -p "$CARGO_TARGET_DIR/$target/release"
cd "$CARGO_TARGET_DIR/$target/release"
printf '#!/bin/sh\n[ "$1" != man ] || mkdir "$2"\n' >rust-vmm-ci
chmod +x rust-vmm-ci
rmdir "$MACHINE/busy"
"#;
const RUSTC: &str =
    "#!/bin/sh\ncase $* in *libdir*) echo / ;; *sysroot*) echo /rust ;; *) echo rustc 1 ;; esac\n";
const LIMIT: Duration = Duration::from_secs(60);

/// A machine with a cargo and a rustc of ours, on which releases are made in a folder of its own.
struct Machine(Sandbox);

impl Machine {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        sandbox.folder("folder");
        fs::write(sandbox.path().join("hold"), "").unwrap();
        sandbox.repository("bin", &[("cargo", CARGO), ("rustc", RUSTC), ("cc", RUSTC)]);
        Self(sandbox)
    }

    fn holds(&self) {
        let busy = self.0.path().join("busy");
        assert!(eventually(LIMIT, || busy.is_dir().then_some(())).is_some(), "cargo was not started");
    }

    fn goes_on(&self) {
        fs::remove_file(self.0.path().join("hold")).unwrap();
    }

    /// The release of a clone of this name.
    fn release(&self, clone: &str) -> Running {
        const USUAL: &str = "/var/tmp/rust-vmm-ci-release";
        let read = |name: &str| fs::read_to_string(Path::new(ROOT).join(name)).unwrap();
        let script = read(".ci/release");
        assert!(script.contains(USUAL));
        let script = script.replace(USUAL, self.0.path().join("folder/release").to_str().unwrap());
        let files =
            [(".ci/release", script), (".ci/env", read(".ci/env")), ("Cargo.toml", read("Cargo.toml"))];
        let files = files.each_ref().map(|(name, text)| (*name, text.as_str()));
        let clone = self.0.repository(clone, &files);
        clone.commit(&[("hooks/lib/releases", "# Hashes.\n")]);
        let path = format!("{}:{}", self.0.path().join("bin").display(), std::env::var("PATH").unwrap());
        let mut command = self.0.command("bash");
        command.current_dir(clone.path()).args([".ci/release", "x86_64-unknown-linux-musl"]);
        command.env("PATH", path).env("MACHINE", self.0.path()).env("CARGO_HOME", self.0.home());
        Running::start(&mut command, clone.path().join("log"))
    }

    fn hashes(&self, clone: &str) -> String {
        let file = self.0.path().join(clone).join("hooks/lib/releases");
        fs::read_to_string(file).unwrap()
    }
}

#[test]
fn of_two_releases_at_once_the_second_waits_for_the_first() {
    let machine = Machine::new();
    let first = machine.release("first");
    machine.holds();
    let mut second = machine.release("second");
    second.wait_for("waiting for it", LIMIT);
    machine.goes_on();

    for release in [first, second] {
        let ended = release.finish(LIMIT);
        assert_eq!(ended.status, 0, "{}", ended.output);
    }
    assert_eq!(hashes(&machine.hashes("first")).len(), 1);
    assert_eq!(machine.hashes("first"), machine.hashes("second"));
}

#[test]
fn a_killed_release_does_not_block_the_next_one() {
    let machine = Machine::new();
    let killed = machine.release("first");
    machine.holds();
    killed.kill();
    machine.goes_on();
    let left = machine.0.path().join("folder/release");
    fs::write(left.join("left"), "").unwrap();

    let ended = machine.release("second").finish(LIMIT);

    assert_eq!(ended.status, 0, "{}", ended.output);
    assert!(!left.exists());
}
