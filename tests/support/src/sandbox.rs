//! A machine of a test's own: an empty home, an environment without the caller's settings, a git without a
//! user, and git repositories made from a few files.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use crate::root;

/// A file of a repository: its path, its text.
pub type File<'a> = (&'a str, &'a str);

const GIT_CONFIG: &str = "\
[user]
\tname = Somebody
\temail = somebody@example.org
[init]
\tdefaultBranch = main
[commit]
\tgpgSign = false
[protocol \"file\"]
\tallow = always
[safe]
\tdirectory = *
";

/// A folder of a test's own, and commands that know nothing outside it but the tools. The folder is removed
/// with the last clone.
#[derive(Clone)]
pub struct Sandbox {
    root: Arc<TempDir>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// A machine that nobody has used.
    pub fn new() -> Self {
        let root = TempDir::new().expect("a temporary folder");
        fs::create_dir(root.path().join("home")).expect("an empty home");
        fs::write(root.path().join("gitconfig"), GIT_CONFIG).expect("git's configuration");
        Self { root: Arc::new(root) }
    }

    pub fn path(&self) -> &Path {
        self.root.path()
    }

    pub fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// A folder in here, made if it is not there.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(&path).expect("a folder");
        path
    }

    /// A command whose environment has none of the caller's settings. The toolchain and the crates that were
    /// downloaded are the real ones.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(is_of_the_machine)))
            .env("HOME", self.home())
            .env("CARGO_HOME", tool_home("CARGO_HOME", ".cargo"))
            .env("RUSTUP_HOME", tool_home("RUSTUP_HOME", ".rustup"))
            .env("GIT_CONFIG_GLOBAL", self.path().join("gitconfig"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0");
        command
    }

    /// A git repository of these files, committed.
    pub fn repository(&self, name: &str, files: &[File<'_>]) -> Repository {
        let repository = Repository { sandbox: self.clone(), path: self.folder(name) };
        repository.git(&["init", "--quiet"]);
        repository.commit(files);
        repository
    }

    /// This repository's plugin, as it is in the work tree, committed somewhere else.
    pub fn this_plugin(&self) -> Repository {
        let source = root();
        let repository = self.repository("rust-vmm-ci-buildkite-plugin", &[]);
        for name in ["plugin.yml", "hooks", "Cargo.toml"] {
            copy(&source.join(name), &repository.path().join(name));
        }
        repository.commit(&[]);
        repository
    }
}

/// Copies a file, or a folder and all that is in it.
fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        fs::create_dir_all(to).expect("a folder");
        for entry in fs::read_dir(from).expect("a folder of this repository") {
            let entry = entry.expect("an entry of a folder");
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    }
}

/// What a command keeps of the tests' environment: where programs are, and how the network is
/// reached. `RUSTUP_TOOLCHAIN` is there when a toolchain was chosen for the tests.
fn is_of_the_machine(name: &str) -> bool {
    const NAMES: [&str; 8] =
        ["PATH", "TMPDIR", "LANG", "RUSTUP_TOOLCHAIN", "SystemRoot", "SystemDrive", "TEMP", "TMP"];
    const PREFIXES: [&str; 4] = ["SSL_CERT_", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR"];
    NAMES.contains(&name)
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || name.to_ascii_lowercase().ends_with("_proxy")
}

fn tool_home(variable: &str, folder: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(
        || std::env::home_dir().expect("whoever runs the tests has a home").join(folder),
        PathBuf::from,
    )
}

/// A git repository in a sandbox.
pub struct Repository {
    sandbox: Sandbox,
    path: PathBuf,
}

impl Repository {
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.path.display())
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes these files, scripts among them as executable, and commits all that is there.
    pub fn commit(&self, files: &[File<'_>]) {
        for (name, text) in files {
            let path = self.path.join(name);
            fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder");
            #[cfg(unix)]
            if text.starts_with("#!") {
                crate::program::write(&path, text);
                continue;
            }
            fs::write(&path, text).expect("a file");
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "Change something"]);
    }

    /// Runs git in here; its output without the last newline.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = self
            .sandbox
            .command("git")
            .args(arguments)
            .current_dir(&self.path)
            .output()
            .expect("git is there");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}
