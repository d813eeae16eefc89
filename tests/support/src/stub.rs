//! Programs on PATH that only note how they were called: see `program.rs`.

use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::OnceLock;
use std::{env, fs};

use crate::{root, scratch};

/// A stub that can be called.
pub struct Stub(PathBuf);

impl Stub {
    /// Puts the stub at `path`, whose file name is the part it plays.
    pub fn at(path: &Path) -> Self {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Copied where a link cannot be: the temporary folder may be another file system.
        if fs::hard_link(program(), path).is_err() {
            crate::program::copy(program(), path);
        }
        Self(path.to_path_buf())
    }

    /// What it does when called; the lines are those of `program.rs`.
    pub fn does(&self, orders: &str) {
        fs::write(self.0.with_extension("does"), orders).unwrap();
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The calls of the stub at `path`: arguments, then folder and variables, indented.
    pub fn log_at(path: &Path) -> String {
        fs::read_to_string(path.with_extension("log")).unwrap_or_default()
    }

    /// The arguments of the calls so far.
    pub fn calls_at(path: &Path) -> Vec<String> {
        let log = Self::log_at(path);
        log.lines().filter(|l| !l.starts_with(' ')).map(String::from).collect()
    }
}

/// Compiled here, not a target of the package: those would be installed, and built for every user.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let folder = scratch();
        let (out, new) = (folder.join("stub"), folder.join(format!("stub-{}", process::id())));
        let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let source = root().join("tests/stub/program.rs");
        let status = Command::new(rustc).args(["--edition=2024", "-o"]).arg(&new).arg(source).status();
        assert!(status.unwrap().success(), "the stub does not compile");
        // The process of another test may compile it at the same time.
        fs::rename(&new, &out).unwrap();
        out
    })
}
