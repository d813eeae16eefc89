//! A shim in the place of rustc, for the packages whose coverage is measured.
//!
//! cargo calls a `rustc-workspace-wrapper` for the workspace's members only, and keeps what it compiles apart
//! from what rustc compiles without it. So dependencies are compiled once for all checks, and one target
//! directory holds the members' instrumented builds beside the usual ones. The wrapper is a link to this
//! program, which knows by the link's name that it is the wrapper. A variable would reach the tests as well.
//!
//! The repository or the person may have wrappers of their own, such as sccache. cargo would call them with
//! this program in the place of rustc, and they would ask it what only rustc can answer. So this program
//! also takes the place of the outer wrapper, and calls theirs with rustc itself.

use super::dependencies;
use crate::process::{self, Command};
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::workspace::CargoConfig;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The link's name. cargo does not see which flags the wrapper adds, but it compiles again where the
/// wrapper's path differs. Raise the number when the flags change.
const NAME: &str = "rustc-coverage-1";
/// What the name ends with where the toolchain is a nightly.
const NIGHTLY: &str = "-nightly";

/// The name of the link that takes the place of a `rustc-wrapper`.
const OUTER: &str = "rustc-outer-wrapper";
/// The variable with the path of the `rustc-wrapper` whose place is taken.
const WRAPPER: &str = "RUST_VMM_CI_RUSTC_WRAPPER";
/// The variable with the path of the `rustc-workspace-wrapper` whose place is taken.
const WORKSPACE_WRAPPER: &str = "RUST_VMM_CI_RUSTC_WORKSPACE_WRAPPER";

/// The variable with the folder for the counts that the compiler itself writes while it runs a member's
/// procedural macro. It holds one folder for each unit.
const UNIT_PROFILES: &str = "RUST_VMM_CI_UNIT_PROFILES";

/// What makes cargo instrument a workspace's members.
pub struct Instrumentation {
    wrapper: PathBuf,
    outer: PathBuf,
    /// The folder of the compiler's own counts. It holds one folder for each unit: `CRATE-HASH`.
    pub unit_profiles: PathBuf,
}

impl Instrumentation {
    /// Puts the link to `program`, which is this program, into `folder`.
    ///
    /// # Errors
    /// Where the file system refuses it.
    pub fn prepare(program: &Path, folder: &Path, nightly: bool) -> Result<Self> {
        let suffix = if nightly { NIGHTLY } else { "" };
        let place = |name: String| -> Result<PathBuf> {
            let link_to = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
            // A job that was killed may have left a link of any name, and in a container process ids come
            // again.
            let linked = std::fs::create_dir_all(folder)
                .and_then(|()| {
                    tempfile::Builder::new().prefix(".").make_in(folder, |path| link(program, path))
                })
                .and_then(|fresh| Ok(fresh.into_temp_path().persist(&link_to)?));
            linked.with_context(|| format!("linking {} to {}", link_to.display(), program.display()))?;
            Ok(link_to)
        };
        let (wrapper, outer) = (place(format!("{NAME}{suffix}"))?, place(OUTER.to_owned())?);
        Ok(Self { wrapper, outer, unit_profiles: folder.join("units") })
    }

    /// The cargo command that instruments the members. The programs write their counts to `profiles`.
    /// `config` is what cargo finds in the command's folder: its wrappers stay in effect.
    #[must_use]
    pub fn apply(&self, cargo: Command, profiles: &Path, config: &CargoConfig) -> Command {
        let cargo = match config.rustc_wrapper() {
            Some(theirs) => cargo.env("RUSTC_WRAPPER", &self.outer).env(WRAPPER, theirs),
            None => cargo,
        };
        let cargo = match config.rustc_workspace_wrapper() {
            Some(theirs) => cargo.env(WORKSPACE_WRAPPER, theirs),
            None => cargo,
        };
        let wrapper = toml::Value::String(self.wrapper.to_string_lossy().into_owned());
        dependencies::again(cargo)
            .arg(format!("--config=build.rustc-workspace-wrapper={wrapper}"))
            // cargo prefers the variable to the option.
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            // The instrumented program makes the folder. `%p` is its process id, `%m` stands for the binary.
            .env("LLVM_PROFILE_FILE", profiles.join("%p-%m.profraw"))
            .env(UNIT_PROFILES, &self.unit_profiles)
            // Build scripts and tests may ask whether they run under cargo-llvm-cov.
            .env("CARGO_LLVM_COV", "1")
    }
}

/// Gives a program a second name by a symbolic link.
///
/// # Errors
/// Where the system refuses.
#[cfg(unix)]
pub fn link(program: &Path, link: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(program, link)
}

/// Gives a program a second name by a copy. On Windows a symbolic link needs a privilege, and a hard link of a
/// running program cannot be removed.
///
/// # Errors
/// Where the system refuses.
#[cfg(windows)]
pub fn link(program: &Path, link: &Path) -> std::io::Result<()> {
    std::fs::copy(program, link).map(drop)
}

/// Acts as the wrapper where this process was started as one. Returns `None` otherwise.
pub fn act_as_wrapper(args: impl Iterator<Item = OsString>) -> Option<Result<i32>> {
    let args: Vec<OsString> = args.collect();
    let command = called(&args, &|name| std::env::var_os(name))?;
    Some(process::replace(&match (std::env::var_os(UNIT_PROFILES), unit(&command.args)) {
        (Some(folder), Some(unit)) => with_profiles(command, &Path::new(&folder).join(unit)),
        _ => command,
    }))
}

/// The command that a call of this program stands for. None where the program was called by another name.
fn called(args: &[OsString], variable: &dyn Fn(&str) -> Option<OsString>) -> Option<Command> {
    let (name, mut rest) = args.split_first()?;
    let mut call: Vec<OsString> = Vec::new();
    let mut nightly = is_wrapper(name);
    if Path::new(name).file_stem()? == OUTER {
        call.extend(variable(WRAPPER));
        // cargo names the workspace wrapper first, where it calls one.
        nightly = rest.first().and_then(|program| is_wrapper(program));
        if nightly.is_some() {
            rest = rest.get(1..)?;
        } else {
            call.extend(rest.iter().cloned());
            return Some(Command::new(call.first()?).args(call.get(1..)?));
        }
    }
    let nightly = nightly?;
    call.extend(variable(WORKSPACE_WRAPPER));
    call.extend(rest.iter().cloned());
    instrumented(call, nightly)
}

/// Whether a program is the link of the workspace wrapper, and then whether it is that for a nightly.
fn is_wrapper(program: &OsStr) -> Option<bool> {
    match Path::new(program).file_stem()?.to_str()?.strip_prefix(NAME)? {
        "" => Some(false),
        NIGHTLY => Some(true),
        _ => None,
    }
}

/// The call of the compiler with the flags of instrumentation, which are those of cargo-llvm-cov 0.9. cargo
/// also calls the compiler to ask about it, and then names no crate or the crate `___`. Such a call stays as
/// it is: its answer must not contain the added `cfg`s.
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

/// The name of the unit that is compiled, `CRATE-HASH`, where cargo gives it one.
fn unit(args: &[OsString]) -> Option<String> {
    let hash = args.iter().find_map(|arg| arg.to_str()?.strip_prefix("extra-filename="))?;
    Some(format!("{}{hash}", crate_name(args)?.to_str()?))
}

/// The call of the compiler that writes its own counts to `folder`, which is emptied before. A unit that is
/// not compiled again keeps its counts.
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

    #[cfg(unix)]
    #[test]
    fn the_link_is_made_whatever_a_killed_job_left_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let program = std::env::current_exe().unwrap();
        let left = [format!(".{}.{NAME}", std::process::id()), NAME.to_owned()];
        for name in &left {
            link(Path::new("/nowhere"), &folder.path().join(name)).unwrap();
        }
        for _ in 0..2 {
            let made = Instrumentation::prepare(&program, folder.path(), false).unwrap();
            assert_eq!(std::fs::read_link(&made.wrapper).unwrap(), program);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), left.len() + 1, "the other link");
    }

    #[test]
    fn a_wrapper_of_somebodys_own_is_called_with_rustc_itself() {
        let theirs = |name: &str| (name == WRAPPER).then(|| OsString::from("/bin/sccache"));
        let both = |name: &str| Some(OsString::from(if name == WRAPPER { "outer" } else { "inner" }));
        let shown = |call: &str, variable: &dyn Fn(&str) -> Option<OsString>| {
            called(&words(call), variable).unwrap().to_string()
        };
        let outer = format!("/t/{OUTER}");
        assert_eq!(shown(&format!("{outer} /t/{NAME} rustc -vV"), &theirs), "/bin/sccache rustc -vV");
        assert_eq!(
            shown(&format!("{outer} rustc --crate-name a"), &theirs),
            "/bin/sccache rustc --crate-name a"
        );
        let member = format!("{outer} /t/{NAME}{NIGHTLY} rustc --crate-name a");
        let flags = "-C instrument-coverage '--cfg=coverage' '--cfg=coverage_nightly'";
        assert_eq!(shown(&member, &theirs), format!("/bin/sccache rustc --crate-name a {flags}"));
        assert_eq!(shown(&member, &both), format!("outer inner rustc --crate-name a {flags}"));
        assert_eq!(shown(&format!("/t/{NAME} rustc -vV"), &|_| None), "rustc -vV");
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
