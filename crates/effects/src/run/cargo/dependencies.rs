//! Has a dependency checked by what was compiled of it.
//!
//! The checks of a job compile each dependency for the tests, and check it once more for clippy and documentation.
//! In CI a link to this program is cargo's `rustc-wrapper`. It notes where rustc writes the metadata of a dependency
//! that is compiled. Where cargo wants the same dependency checked, the link gives that file a second name, and rustc
//! need not run. Every other call goes to rustc as it is. The rules are in the core's [`Unit`].
//!
//! A note holds for one job. cargo itself still decides what is up to date: the link is only asked for what cargo
//! wants to have made. Only sources in a registry are shared, because they never change.

use super::configuration;
use crate::files;
use crate::process::{self, Command, TemporaryFolder};
use crate::say;
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::checks::dependency::{self, Kind, Unit};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

/// The name of the link.
const NAME: &str = "rust-vmm-ci-rustc";
/// The option of cargo that names the link.
const OPTION: &str = "--config=build.rustc-wrapper=";

/// The folder with the link and the notes of a job.
#[derive(Debug)]
pub struct Dependencies {
    folder: TemporaryFolder,
    option: String,
}

impl Dependencies {
    /// Makes the folder with the link to this program. None where that fails, because it only saves time, and on
    /// Windows, which does not say cheaply whether two names are the same file.
    pub fn prepare() -> Option<Self> {
        if !cfg!(unix) {
            return None;
        }
        let folder = TemporaryFolder::make().ok()?;
        let link = folder.path().join(NAME);
        super::instrument::link(&std::env::current_exe().ok()?, &link).ok()?;
        let option = format!("{OPTION}{}", toml::Value::String(link.to_str()?.to_owned()));
        Some(Self { folder, option })
    }

    /// cargo with the link, where nobody else wraps rustc. `dir` is the folder that it is started in; the command sets
    /// `variables` and has `arguments`. cargo forgets what it knows of rustc where the wrapper changes, so all commands
    /// of a job have the same.
    pub fn apply(
        &self,
        cargo: Command,
        dir: &Path,
        variables: &[(String, String)],
        arguments: &[String],
    ) -> Command {
        let config = configuration::of(dir, variables, arguments);
        let is_there = self.folder.path().is_dir();
        if is_there && config.rustc_wrapper().is_none() { cargo.arg(&self.option) } else { cargo }
    }
}

/// The option of the link among arguments of cargo. `cargo clippy` is a program of its own, and cargo does not pass
/// on to it what stands before its name.
pub fn option(cargo: &Command) -> Option<&OsString> {
    cargo.args.iter().find(|argument| is_option(argument))
}

/// Whether an argument of cargo is the option of the link. A person who repeats a command does not need it.
pub fn is_option(argument: &OsStr) -> bool {
    let argument = argument.to_string_lossy();
    argument.starts_with(OPTION) && argument.contains(NAME)
}

/// Acts as the link where this process was started as one. Returns `None` otherwise.
pub fn act(mut args: impl Iterator<Item = OsString>) -> Option<Result<i32>> {
    let link = PathBuf::from(args.next()?);
    if link.file_name()? != NAME {
        return None;
    }
    let call: Vec<OsString> = args.collect();
    if link.parent().and_then(|folder| is_served(folder, &call)).is_some() {
        return Some(Ok(0));
    }
    let replaced = call
        .split_first()
        .context("cargo named no compiler")
        .and_then(|(program, words)| process::replace(&Command::new(program).args(words.iter().cloned())));
    Some(replaced)
}

/// Notes a dependency that rustc will compile, or gives cargo the result for one that it wants checked. None if rustc
/// must run.
fn is_served(folder: &Path, call: &[OsString]) -> Option<()> {
    let words: Option<Vec<String>> = call.iter().map(|word| Some(word.to_str()?.to_owned())).collect();
    let unit = Unit::read(&words?, &registry()?)?;
    let note = folder.join(unit.key(identity, std::env::vars_os().filter_map(text))?);
    match unit.kind {
        Kind::Compiled => {
            // rustc puts the file there when it is whole. So it is of this job where it is there.
            let absent =
                fs::remove_file(unit.metadata()).map_or_else(|error| files::is_absent(&error), |()| true);
            if absent {
                let _ = files::write_whole(&note, serde_json::to_string(&unit).ok()?.as_bytes());
            }
            None
        }
        Kind::Checked => {
            let compiled: Unit = serde_json::from_slice(&fs::read(note).ok()?).ok()?;
            let list = fs::read_to_string(compiled.list()).ok()?;
            let made = fs::metadata(compiled.metadata()).and_then(|facts| facts.modified()).ok()?;
            let is_older = |file: String| {
                fs::metadata(file).and_then(|facts| facts.modified()).is_ok_and(|changed| changed <= made)
            };
            let is_set = |(name, value): (String, Option<String>)| std::env::var(name).ok() == value;
            if !dependency::files(&list).all(is_older) || !dependency::variables(&list).all(is_set) {
                return None;
            }
            let metadata = unit.metadata();
            fs::remove_file(&metadata)
                .or_else(|error| if files::is_absent(&error) { Ok(()) } else { Err(error) })
                .ok()?;
            fs::hard_link(compiled.metadata(), &metadata).ok()?;
            fs::write(unit.list(), unit.list_of(&compiled, &list)).ok()?;
            say::pass_on_error(unit.messages().as_bytes());
            Some(())
        }
    }
}

/// The folder with the sources of all registries.
fn registry() -> Option<String> {
    let home = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")))?;
    Some(format!("{}/", home.join("registry/src").to_str()?))
}

fn text((name, value): (OsString, OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

/// A text that is the same for two names of one file.
#[cfg(unix)]
fn identity(file: &str) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let facts = fs::metadata(file).ok()?;
    Some(format!("{} {}", facts.dev(), facts.ino()))
}

#[cfg(windows)]
fn identity(_: &str) -> Option<String> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_check_is_served_while_nothing_that_rustc_read_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let source = registry().unwrap() + "i/a-1/src/lib.rs";
        let call = |emit: &str, hash: &str| -> Vec<OsString> {
            let out = folder.path().display();
            format!(
                "rustc --crate-name a {source} --json=artifacts --crate-type lib --emit={emit} -C metadata={hash} \
                 -C extra-filename=-{hash} --out-dir {out} --cap-lints allow"
            )
            .split(' ')
            .map(Into::into)
            .collect()
        };
        let check = || is_served(folder.path(), &call("dep-info,metadata", "2")).is_some();
        assert!(!check(), "nothing was compiled");
        let input = at("number.rs");
        for file in ["liba-1.rmeta", "number.rs"] {
            fs::write(at(file), file).unwrap();
        }
        let compile = || assert_eq!(is_served(folder.path(), &call("dep-info,metadata,link", "1")), None);
        compile();
        assert!(!check(), "what an earlier job compiled is gone");
        let write = |variable: &str| {
            let list = format!("a-1.d: {0}\n\n{0}:\n{variable}", input.display());
            fs::write(at("a-1.d"), list).unwrap();
            fs::write(at("liba-1.rmeta"), "metadata").unwrap();
        };
        write("");
        assert!(check() && check());
        assert_eq!(fs::read(at("liba-2.rmeta")).unwrap(), b"metadata");
        assert!(fs::read_to_string(at("a-2.d")).unwrap().starts_with("a-2.d: "));
        compile();
        assert_eq!(fs::read(at("liba-2.rmeta")).unwrap(), b"metadata", "the other name keeps the file");
        write("# env-dep:RUST_VMM_CI_NEVER_SET\n");
        assert!(check());
        write("# env-dep:RUST_VMM_CI_NEVER_SET=1\n");
        assert!(!check(), "a variable has another value");
        write("");
        let later = SystemTime::now() + Duration::from_secs(60);
        fs::File::options().write(true).open(&input).unwrap().set_modified(later).unwrap();
        assert!(!check(), "a build script has written a file again");
    }

    #[test]
    fn this_program_by_another_name_is_no_wrapper() {
        assert!(act(["/t/rustc", "rustc", "-vV"].map(Into::into).into_iter()).is_none());
    }
}
