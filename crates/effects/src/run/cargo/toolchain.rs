//! The Rust toolchain that checks run with.

use crate::process::{self, Command};
use rust_vmm_ci_core::model::Platform;
use std::ffi::OsString;
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

/// The toolchain that is in effect in a folder, for a command with certain variables.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// The first line of `rustc --version`.
    pub version: String,
    /// The target triple that it builds for by default.
    pub host: String,
    /// The version of LLVM in rustc, where rustc names one.
    pub llvm: Option<String>,
    /// Where it is installed.
    sysroot: PathBuf,
    /// cargo, called directly where that is possible. rustup's proxy costs each call some tens of
    /// milliseconds, and cargo would call rustc through it as well.
    pub cargo: Command,
}

impl Toolchain {
    /// Finds the toolchain that rustc on PATH answers for in `dir`: with rustup, the one that
    /// `RUSTUP_TOOLCHAIN`, an override or `rust-toolchain.toml` names. `variables` are those that the
    /// command sets.
    ///
    /// # Errors
    /// Where there is no rustc, rustup refuses, or neither answers in time.
    pub fn find(dir: &Path, variables: &[(String, String)]) -> Result<Self, NoToolchain> {
        let rustc = |words: &[&str]| -> Result<String, NoToolchain> {
            let question = Command::new("rustc").args(words).dir(dir).within(RUSTC_ANSWERS_WITHIN);
            let question =
                variables.iter().fold(question, |question, (name, value)| question.env(name, value));
            let answer = process::ask_for_success(&question).map_err(NoToolchain)?;
            Ok(answer.text().trim().to_owned())
        };
        let answer = rustc(&["--version", "--verbose"])?;
        let value = |key: &str| answer.lines().find_map(|line| line.strip_prefix(key)).map(str::to_owned);
        let (host, llvm) = (value("host: ").unwrap_or_default(), value("LLVM version: "));
        let version = answer.lines().next().unwrap_or_default().to_owned();
        let sysroot = PathBuf::from(rustc(&["--print", "sysroot"])?);
        let direct = sysroot.join("bin").join(executable("cargo"));
        let rustup = rustup_home(variables);
        let cargo = match (&rustup, rustup.as_deref().and_then(|home| rustup_name(home, &sysroot))) {
            // What rustup's proxy would set; with it, cargo calls this toolchain's rustc without the proxy.
            (_, Some(name)) if direct.is_file() => Command::new(direct).env("RUSTUP_TOOLCHAIN", name),
            (None, _) if direct.is_file() => Command::new(direct),
            // rustup knows this toolchain by a name or a path that is not known here.
            _ => Command::new("cargo"),
        };
        Ok(Self { version, host, llvm, sysroot, cargo })
    }

    /// The platform that it builds for by default; none where this program has no checks for it.
    pub fn platform(&self) -> Option<Platform> {
        Platform::of_triple(&self.host)
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
            || (!self.is_of_rustup() && which::which(program).is_ok())
    }

    /// Whether rustup's proxies lead to it.
    fn is_of_rustup(&self) -> bool {
        self.cargo.env.iter().any(|(name, _)| name == "RUSTUP_TOOLCHAIN")
    }

    /// How to get what the toolchain lacks: by rustup's command, where rustup installed the toolchain. rustup
    /// can add nothing to a linked toolchain, and Linux distributions have packages of their own.
    pub fn remedy(&self, rustup: &str, what: &str) -> String {
        // rustup writes it into each toolchain that it installs, and needs it to add something.
        if self.sysroot.join("lib/rustlib/multirust-channel-manifest.toml").is_file() {
            return format!("rustup {rustup}");
        }
        format!(
            "install {what} for the toolchain in {}, which is not rustup's, by the way that it was installed",
            self.sysroot.display()
        )
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

/// rustup's folder, where there is one.
fn rustup_home(variables: &[(String, String)]) -> Option<PathBuf> {
    let own = variables.iter().rev().find(|(name, _)| name == "RUSTUP_HOME").map(|(_, value)| value.into());
    own.or_else(|| std::env::var_os("RUSTUP_HOME").map(PathBuf::from))
        .or_else(|| std::env::home_dir().map(|home| home.join(".rustup")))
        .filter(|home| home.join("toolchains").is_dir())
}

/// The name by which rustup knows the toolchain in a folder. A linked toolchain can have any name.
fn rustup_name(home: &Path, sysroot: &Path) -> Option<OsString> {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let sysroot = real(sysroot)?;
    let entries = std::fs::read_dir(home.join("toolchains")).ok()?.filter_map(Result::ok);
    let names = entries.filter(|entry| real(&entry.path()).as_ref() == Some(&sysroot));
    // Of several names for the same folder, the folder's own comes first.
    names.map(|entry| entry.file_name()).min_by_key(|name| (sysroot.file_name() != Some(name), name.clone()))
}

/// The folders whose entries decide which toolchain rustup takes in `dir`: the nearest one with a toolchain
/// file, or `dir` itself where somebody has set overrides for folders. Two folders with the same answer
/// have the same toolchain.
pub(super) fn decided_in(dir: &Path, variables: &[(String, String)]) -> Option<PathBuf> {
    let settings = rustup_home(variables)?.join("settings.toml");
    let settings = std::fs::read_to_string(settings).unwrap_or_default();
    let overrides = settings.parse::<toml::Table>().ok().and_then(|mut table| table.remove("overrides"));
    if overrides.is_some_and(|table| table.as_table().is_none_or(|table| !table.is_empty())) {
        return Some(dir.to_owned());
    }
    let names = ["rust-toolchain.toml", "rust-toolchain"];
    let has_file = |folder: &&Path| names.iter().any(|name| folder.join(name).exists());
    dir.ancestors().find(has_file).map(Path::to_owned)
}

/// A program's file name on this system.
fn executable(name: &str) -> String {
    format!("{name}{}", std::env::consts::EXE_SUFFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(windows, ignore = "links need a privilege")]
    fn a_linked_toolchain_is_known_by_the_name_that_rustup_has_for_it() {
        let home = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let real = elsewhere.path().join("toolchains/own-build");
        std::fs::create_dir_all(&real).unwrap();
        std::fs::create_dir_all(home.path().join("toolchains/stable")).unwrap();
        let name = |sysroot: &Path| rustup_name(home.path(), sysroot);
        assert_eq!(name(&real), None, "rustup does not know it");
        crate::run::instrument::link(&real, &home.path().join("toolchains/mine")).unwrap();
        assert_eq!(name(&real), Some("mine".into()));
        assert_eq!(name(&home.path().join("toolchains/stable")), Some("stable".into()));
    }

    #[test]
    fn the_nearest_toolchain_file_decides_and_an_override_may_decide_anywhere() {
        let top = tempfile::tempdir().unwrap();
        let (home, folder) = (top.path().join("home"), top.path().join("a/b"));
        std::fs::create_dir_all(home.join("toolchains")).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        let variables = [("RUSTUP_HOME".to_owned(), home.to_str().unwrap().to_owned())];
        let decided = || {
            decided_in(&folder, &variables)
                .and_then(|dir| Some(dir.strip_prefix(top.path()).ok()?.to_owned()))
        };
        assert_eq!(decided(), None);
        std::fs::write(top.path().join("a/rust-toolchain"), "stable").unwrap();
        assert_eq!(decided(), Some("a".into()));
        std::fs::write(folder.join("rust-toolchain.toml"), "[toolchain]\nchannel = \"stable\"\n").unwrap();
        assert_eq!(decided(), Some("a/b".into()));
        std::fs::remove_file(folder.join("rust-toolchain.toml")).unwrap();
        std::fs::write(home.join("settings.toml"), "[overrides]\n\"/x\" = \"nightly\"\n").unwrap();
        assert_eq!(decided(), Some("a/b".into()));
    }

    #[test]
    fn rustup_is_named_only_for_a_toolchain_that_it_installed() {
        let sysroot = tempfile::tempdir().unwrap();
        let toolchain = Toolchain {
            version: String::new(),
            host: String::new(),
            llvm: None,
            sysroot: sysroot.path().to_owned(),
            cargo: Command::new("cargo"),
        };
        let remedy = || toolchain.remedy("target add x", "the standard library of x");
        assert!(
            remedy().starts_with("install the standard library of x for the toolchain in "),
            "{}",
            remedy()
        );
        std::fs::create_dir_all(sysroot.path().join("lib/rustlib")).unwrap();
        std::fs::write(sysroot.path().join("lib/rustlib/multirust-channel-manifest.toml"), "").unwrap();
        assert_eq!(remedy(), "rustup target add x");
    }

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
                llvm: None,
                sysroot: PathBuf::new(),
                cargo: Command::new("cargo"),
            };
            assert_eq!(toolchain.takes_configuration(), expected, "{version}");
        }
    }
}
