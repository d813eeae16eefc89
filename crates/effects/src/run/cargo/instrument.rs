//! This program in rustc's place, for the packages whose coverage is measured.
//!
//! cargo calls a `rustc-workspace-wrapper` for the workspace's members alone and keeps what it makes
//! apart from what rustc makes by itself. So dependencies are compiled once for all checks, and
//! members are instrumented beside their usual builds, in one target directory. The wrapper is a link
//! to this program that is known by its name: a variable would reach the tests that cargo starts.

use crate::process::{self, Command};
use anyhow::{Context as _, Result};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The link's name. cargo does not see which flags the wrapper adds, but it compiles again where the
/// wrapper's path differs: the number is raised when the flags change.
const NAME: &str = "rustc-coverage-1";
/// What the name ends with where the toolchain is a nightly.
const NIGHTLY: &str = "-nightly";

/// The variable by which the wrapper is told where counts go that the compiler itself makes while it
/// runs a member's procedural macro: a folder, in it one for each unit.
const UNIT_PROFILES: &str = "RUST_VMM_CI_UNIT_PROFILES";

/// How cargo is made to instrument a workspace's members.
pub struct Instrumentation {
    wrapper: PathBuf,
    /// The folder below which the compiler's own counts go, in one folder for each unit: `CRATE-HASH`.
    pub unit_profiles: PathBuf,
}

impl Instrumentation {
    /// Puts the link to `program`, which is this program, into `folder`.
    ///
    /// # Errors
    /// Where the file system refuses it.
    pub fn prepare(program: &Path, folder: &Path, nightly: bool) -> Result<Self> {
        let suffix = if nightly { NIGHTLY } else { "" };
        let wrapper = folder.join(format!("{NAME}{suffix}{}", std::env::consts::EXE_SUFFIX));
        let fresh = folder.join(format!(".{}.{NAME}", std::process::id()));
        let linked = std::fs::create_dir_all(folder)
            .and_then(|()| link(program, &fresh))
            .and_then(|()| std::fs::rename(&fresh, &wrapper));
        linked.with_context(|| format!("linking {} to {}", wrapper.display(), program.display()))?;
        Ok(Self { wrapper, unit_profiles: folder.join("units") })
    }

    /// A cargo command that instruments the members and makes its programs' counts go to `profiles`.
    #[must_use]
    pub fn apply(&self, cargo: Command, profiles: &Path) -> Command {
        let wrapper = toml::Value::String(self.wrapper.to_string_lossy().into_owned());
        cargo
            .arg(format!("--config=build.rustc-workspace-wrapper={wrapper}"))
            // cargo prefers the variable to the option.
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            // The folder is made by the instrumented program; `%p` is its process, `%m` the binary.
            .env("LLVM_PROFILE_FILE", profiles.join("%p-%m.profraw"))
            .env(UNIT_PROFILES, &self.unit_profiles)
            // Build scripts and tests may ask whether they run under cargo-llvm-cov.
            .env("CARGO_LLVM_COV", "1")
    }
}

/// Gives a program another name, without a privilege: a symbolic link takes one on Windows.
///
/// # Errors
/// Where the system refuses.
#[cfg(unix)]
pub fn link(program: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(program, link)
}

/// As on Unix, by a copy: a hard link of a program that runs cannot be removed.
///
/// # Errors
/// Where the system refuses.
#[cfg(windows)]
pub fn link(program: &Path, link: &Path) -> std::io::Result<()> {
    std::fs::copy(program, link).map(drop)
}

/// Acts as the wrapper where this process was started as one; `None` otherwise.
pub fn act_as_wrapper(mut args: impl Iterator<Item = OsString>) -> Option<Result<i32>> {
    let name = PathBuf::from(args.next()?);
    let rest = name.file_stem()?.to_str()?.strip_prefix(NAME)?;
    let nightly = match rest {
        "" => false,
        NIGHTLY => true,
        _ => return None,
    };
    let command = instrumented(args.collect(), nightly)?;
    Some(process::replace(&match (std::env::var_os(UNIT_PROFILES), unit(&command.args)) {
        (Some(folder), Some(unit)) => with_profiles(command, &Path::new(&folder).join(unit)),
        _ => command,
    }))
}

/// The compiler's call with the flags of instrumentation: cargo-llvm-cov's (version 0.9). A question
/// of cargo's, which names no crate or `___`, is left as it is: it must not learn of the `cfg`s.
fn instrumented(call: Vec<OsString>, nightly: bool) -> Option<Command> {
    let mut call = call.into_iter();
    let command = Command::new(call.next()?).args(call);
    Some(match crate_name(&command.args) {
        None => command,
        Some(name) if name == "___" => command,
        Some(_) => {
            let command = command.args(["-C", "instrument-coverage", "--cfg=coverage"]);
            if nightly { command.arg("--cfg=coverage_nightly") } else { command }
        }
    })
}

fn crate_name(args: &[OsString]) -> Option<&OsStr> {
    let position = args.iter().position(|arg| arg == "--crate-name")?;
    args.get(position + 1).map(OsString::as_os_str)
}

/// The name of what is compiled, `CRATE-HASH`, where cargo gives it one.
fn unit(args: &[OsString]) -> Option<String> {
    let hash = args.iter().find_map(|arg| arg.to_str()?.strip_prefix("extra-filename="))?;
    Some(format!("{}{hash}", crate_name(args)?.to_str()?))
}

/// The compiler's call with its own counts in a folder that holds those of this call alone: a unit
/// that is not compiled again keeps its old ones.
fn with_profiles(command: Command, folder: &Path) -> Command {
    let _ = std::fs::remove_dir_all(folder);
    command.env("LLVM_PROFILE_FILE", folder.join("%p-%m.profraw"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(Into::into).collect()
    }

    #[test]
    fn a_compilation_is_instrumented_and_a_question_is_not() {
        let call = |text| instrumented(words(text), false).unwrap().args;
        let compiled = call("rustc --crate-name a src/lib.rs -C extra-filename=-12");
        assert_eq!(compiled[5..], words("-C instrument-coverage --cfg=coverage"));
        assert_eq!(call("rustc -vV"), words("-vV"));
        assert_eq!(call("rustc - --crate-name ___ --print=cfg"), words("- --crate-name ___ --print=cfg"));
        let nightly = instrumented(words("rustc --crate-name a"), true).unwrap();
        assert_eq!(nightly.args.last().unwrap(), "--cfg=coverage_nightly");
    }

    #[test]
    fn a_unit_is_known_by_crate_and_hash() {
        assert_eq!(unit(&words("--crate-name a_b -C extra-filename=-12")).as_deref(), Some("a_b-12"));
        assert_eq!(unit(&words("--crate-name a_b")), None);
    }

    #[test]
    fn this_program_by_another_name_is_no_wrapper() {
        for name in ["/usr/bin/rust-vmm-ci", "rustc-coverage-10", "rustc"] {
            assert!(act_as_wrapper(words(&format!("{name} rustc")).into_iter()).is_none(), "{name}");
        }
    }
}
