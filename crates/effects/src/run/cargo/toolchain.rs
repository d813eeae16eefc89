//! The Rust toolchain that checks run with.

use crate::process::{self, Command};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long rustc may take to answer. rustup may have to download the toolchain first.
const RUSTC_ANSWERS_WITHIN: Duration = Duration::from_secs(600);

/// Why there is no toolchain.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct NoToolchain(pub process::Error);

impl NoToolchain {
    /// Whether none is installed. Otherwise rustc gave no answer in time.
    pub fn is_missing(&self) -> bool {
        use process::Error::{Cancelled, Failed, Lost, NotFound, NotStarted, TimedOut};
        match self.0 {
            NotFound { .. } | NotStarted { .. } | Failed { .. } => true,
            Cancelled { .. } | TimedOut { .. } | Lost { .. } => false,
        }
    }
}

impl From<&NoToolchain> for String {
    fn from(reason: &NoToolchain) -> Self {
        reason.to_string()
    }
}

/// The toolchain that is in effect in the repository's folder.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// The first line of `rustc --version`.
    pub version: String,
    /// The target triple that it builds for by default.
    pub host: String,
    /// Where it is installed.
    sysroot: PathBuf,
    /// cargo, called directly where that is possible. rustup's proxy costs each call some tens of
    /// milliseconds, and cargo would call rustc through it as well.
    pub cargo: Command,
}

impl Toolchain {
    /// Finds the toolchain that rustc on PATH answers for in `dir`: with rustup, the one that
    /// `rust-toolchain.toml`, an override or `RUSTUP_TOOLCHAIN` names.
    ///
    /// # Errors
    /// Where there is no rustc, rustup refuses, or neither answers in time.
    pub fn find(dir: &Path) -> Result<Self, NoToolchain> {
        let rustc = |words: &[&str]| -> Result<String, NoToolchain> {
            let question = Command::new("rustc").args(words).dir(dir).within(RUSTC_ANSWERS_WITHIN);
            let answer = process::ask_for_success(&question).map_err(NoToolchain)?;
            Ok(answer.text().trim().to_owned())
        };
        let version = rustc(&["--version", "--verbose"])?;
        let host =
            version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default().to_owned();
        let version = version.lines().next().unwrap_or_default().to_owned();
        let sysroot = PathBuf::from(rustc(&["--print", "sysroot"])?);
        let direct = sysroot.join("bin").join(executable("cargo"));
        let mut cargo = Command::new(if direct.is_file() { direct.into_os_string() } else { "cargo".into() });
        if let Some(name) = rustup_name(&sysroot) {
            // What rustup's proxy would set; with it, cargo calls this toolchain's rustc without the proxy.
            cargo = cargo.env("RUSTUP_TOOLCHAIN", name);
        }
        Ok(Self { version, host, sysroot, cargo })
    }

    /// The path at which the toolchain has a program of its own, such as `rustdoc`. It need not be there.
    pub fn program(&self, name: &str) -> PathBuf {
        self.sysroot.join("bin").join(executable(name))
    }

    /// Whether the toolchain has a program, such as `cargo-clippy`.
    pub fn has(&self, program: &str) -> bool {
        self.program(program).is_file()
            // Without rustup a component can be a package of its own, elsewhere on PATH. With rustup, a
            // proxy is on PATH whether the component is installed or not.
            || (rustup_name(&self.sysroot).is_none() && which::which(program).is_ok())
    }

    /// Whether cargo takes configuration by `--config` (stable since 1.63).
    pub fn takes_configuration(&self) -> bool {
        let version = self.version.split_whitespace().nth(1);
        let version = version.and_then(|version| semver::Version::parse(version).ok());
        version.is_some_and(|version| (version.major, version.minor) >= (1, 63))
    }

    /// The path of a tool of LLVM, such as `llvm-cov`, where rustup has installed it (component
    /// `llvm-tools`).
    pub fn llvm_tool(&self, name: &str) -> Option<PathBuf> {
        let tool = self.sysroot.join("lib/rustlib").join(&self.host).join("bin").join(executable(name));
        tool.is_file().then_some(tool)
    }

    /// Whether the standard library of a target triple is installed.
    pub fn has_target(&self, triple: &str) -> bool {
        self.libraries(triple).is_dir()
    }

    /// The folder of a target triple's standard library. It need not be there.
    pub fn libraries(&self, triple: &str) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(triple).join("lib")
    }
}

/// The toolchain's name in rustup, where rustup has installed it.
fn rustup_name(sysroot: &Path) -> Option<&std::ffi::OsStr> {
    let in_rustup = sysroot.parent()?.file_name()? == "toolchains";
    in_rustup.then(|| sysroot.file_name()).flatten()
}

/// A program's file name on this system.
fn executable(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_takes_configuration_since_its_version_63() {
        for (version, expected) in [
            ("rustc 1.62.1 (e092d0b6b 2022-07-16)", false),
            ("rustc 1.63.0 (4b91a6ea7 2022-08-08)", true),
            ("rustc 1.97.0-nightly (59807616e 2026-04-14)", true),
            ("", false),
        ] {
            let toolchain = Toolchain {
                version: version.into(),
                host: String::new(),
                sysroot: PathBuf::new(),
                cargo: Command::new("cargo"),
            };
            assert_eq!(toolchain.takes_configuration(), expected, "{version}");
        }
    }
}
