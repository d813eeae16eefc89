//! Uses the metadata of a compiled dependency where cargo wants the dependency checked.
//!
//! The checks of a job compile each dependency for the tests, and check it once more for clippy and documentation.
//! In CI a link to this program is cargo's `rustc-wrapper`. It notes where rustc has written the metadata of a
//! dependency that was compiled. Where cargo wants the same dependency checked, the link gives that file a second
//! name, and rustc does not run. Every other call goes to rustc as it is. The rules are in the core's [`Unit`].
//!
//! A note holds for one job, and as long as no file has changed that rustc has read or written. cargo itself still
//! decides what is up to date: the link is only asked for what cargo wants to have made. Only sources in a registry
//! are shared, because they never change.

use crate::files;
use crate::process::{self, Captured, Command, TemporaryFolder};
use crate::say;
use anyhow::{Context as _, Result};
use regex_lite::Regex;
use rust_vmm_ci_core::checks::dependency::{self, Kind, Unit};
use rust_vmm_ci_core::workspace::CargoConfig;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

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
    /// Makes the folder with the link to this program. None where that fails: it only saves time. None where the system
    /// does not tell files apart.
    pub fn prepare() -> Option<Self> {
        let folder = TemporaryFolder::make().ok()?;
        files::identity(folder.path().to_str()?)?;
        let link = folder.path().join(NAME);
        super::instrument::link(&std::env::current_exe().ok()?, &link).ok()?;
        let option = format!("{OPTION}{}", toml::Value::String(link.to_str()?.to_owned()));
        Some(Self { folder, option })
    }

    /// cargo with the link, where nobody else wraps rustc. `config` is what cargo finds in its folder. cargo forgets what
    /// it knows of rustc where the wrapper changes, so all commands of a job have the same.
    pub fn apply(&self, cargo: Command, config: &CargoConfig) -> Command {
        // A repository that builds this program may have removed it, or a test the folder.
        let is_there = self.folder.path().join(NAME).is_file();
        if is_there && config.rustc_wrapper().is_none() { cargo.arg(&self.option) } else { cargo }
    }
}

/// The command with the option of the link once more, after cargo's verb. An option there replaces those before the
/// verb, and cargo does not pass on to `cargo clippy`, a program of its own, what stands before it.
pub fn again(cargo: Command) -> Command {
    let option = cargo.args.iter().find(|argument| is_option(argument)).cloned();
    cargo.args(option)
}

/// Whether an argument of cargo is the option of the link. A person who repeats a command does not need it.
pub fn is_option(argument: &OsStr) -> bool {
    let argument = argument.to_string_lossy();
    argument.starts_with(OPTION) && argument.contains(NAME)
}

/// A line that cargo wrote, without the link in the calls that it shows. The link is gone when a person reads it.
pub fn without_link(bytes: &[u8]) -> Cow<'_, [u8]> {
    static LINK: LazyLock<Option<Regex>> =
        LazyLock::new(|| Regex::new(&format!("('[^']*/{NAME}'|[^ `'\"]*/{NAME}) ")).ok());
    if !bytes.windows(NAME.len()).any(|part| part == NAME.as_bytes()) {
        return bytes.into();
    }
    match (std::str::from_utf8(bytes), LINK.as_ref()) {
        (Ok(text), Some(link)) => link.replace_all(text, "").into_owned().into_bytes().into(),
        _ => bytes.into(),
    }
}

/// Why cargo has refused an answer, in the same way.
pub fn complaint(captured: &Captured) -> String {
    String::from_utf8_lossy(&without_link(captured.complaint().as_bytes())).into_owned()
}

/// Acts as the link where this process was started as one. Returns `None` otherwise.
pub fn act(mut args: impl Iterator<Item = OsString>) -> Option<Result<i32>> {
    let link = PathBuf::from(args.next()?);
    if link.file_name()? != NAME {
        return None;
    }
    let call: Vec<OsString> = args.collect();
    Some(answer(&link, &call))
}

fn answer(link: &Path, call: &[OsString]) -> Result<i32> {
    let (program, words) = call.split_first().context("cargo named no compiler")?;
    let rustc = Command::new(program).args(words.iter().cloned());
    let Some((unit, note)) = link.parent().and_then(|folder| noted(folder, call)) else {
        return process::replace(&rustc);
    };
    match unit.kind {
        Kind::Checked if serve(&unit, &note).is_some() => Ok(0),
        Kind::Checked => process::replace(&rustc),
        Kind::Compiled => {
            let _ = fs::remove_file(&note);
            let status = process::run_here(&rustc)?;
            if status.success() {
                // Without a note the dependency is checked as usual.
                let _ = write_note(unit, &note);
            }
            Ok(process::end_as(status))
        }
    }
}

/// The unit of a call, and the path of its note. None for a call that is not about a dependency.
fn noted(folder: &Path, call: &[OsString]) -> Option<(Unit, PathBuf)> {
    let words: Option<Vec<String>> = call.iter().map(|word| Some(word.to_str()?.to_owned())).collect();
    let unit = Unit::read(&words?, &registry()?)?;
    let variables: Option<Vec<_>> = std::env::vars_os().map(text).collect();
    let key = unit.key(files::identity, variables?.into_iter())?;
    Some((unit, folder.join(key)))
}

/// What is known of a dependency that was compiled.
#[derive(Serialize, Deserialize)]
struct Note {
    unit: Unit,
    /// rustc's list of what it has read.
    list: String,
    /// What tells the metadata, and each file that rustc has read, from what may be there later.
    metadata: String,
    read: Vec<(String, String)>,
}

/// Notes what rustc has made.
fn write_note(unit: Unit, path: &Path) -> Option<()> {
    let list = fs::read_to_string(unit.list()).ok()?;
    let read: Option<Vec<_>> =
        dependency::files(&list).map(|file| files::state(&file).map(|facts| (file, facts))).collect();
    let note = Note { metadata: files::identity(&unit.metadata())?, read: read?, list, unit };
    files::write_whole(path, &serde_json::to_vec(&note).ok()?).ok()
}

/// Gives cargo what it wants of a dependency that it wants checked. None if rustc must run.
fn serve(unit: &Unit, note: &Path) -> Option<()> {
    let note: Note = serde_json::from_slice(&fs::read(note).ok()?).ok()?;
    let compiled = note.unit.metadata();
    let is_same = |(file, facts): &(String, String)| files::state(file).as_ref() == Some(facts);
    let is_set = |(name, value): (String, Option<String>)| std::env::var(name).ok() == value;
    if files::identity(&compiled)? != note.metadata
        || !note.read.iter().all(is_same)
        || !dependency::variables(&note.list).all(is_set)
        || has_said_something(&note.unit)
    {
        return None;
    }
    let metadata = unit.metadata();
    fs::remove_file(&metadata)
        .or_else(|error| if files::is_absent(&error) { Ok(()) } else { Err(error) })
        .ok()?;
    fs::hard_link(compiled, &metadata).ok()?;
    fs::write(unit.list(), unit.list_of(&note.unit, &note.list)).ok()?;
    say::pass_on_error(unit.messages().as_bytes());
    Some(())
}

/// Whether rustc has said something about a dependency, for instance that a later version will refuse it. cargo keeps
/// this, to say it again. A check has to say it too.
fn has_said_something(unit: &Unit) -> bool {
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    fs::read_dir(unit.said(&package)).map_or(true, |mut entries| {
        entries
            .any(|entry| entry.is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("output-")))
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with what rustc has made of a dependency, and the file `number.rs` that it has read.
    struct Made(tempfile::TempDir);

    impl Made {
        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn unit(&self, emit: &str, hash: &str) -> (Unit, PathBuf) {
            let source = registry().unwrap() + "i/a-1/src/lib.rs";
            let out = self.at("deps");
            let call = format!(
                "rustc --crate-name a {source} --json=artifacts --crate-type lib --emit={emit} -C metadata={hash} \
                 -C extra-filename=-{hash} --out-dir {} --cap-lints allow",
                out.display()
            );
            let call: Vec<OsString> = call.split(' ').map(Into::into).collect();
            noted(self.0.path(), &call).unwrap()
        }

        /// Has compiled the dependency; rustc has read this variable.
        fn compile(variable: &str) -> Self {
            let made = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(made.at("deps")).unwrap();
            fs::create_dir_all(made.at(".fingerprint").join(std::env::var("CARGO_PKG_NAME").unwrap() + "-1"))
                .unwrap();
            fs::write(made.at("number.rs"), "1").unwrap();
            fs::write(made.at("deps/liba-1.rmeta"), "metadata").unwrap();
            let list = format!("a-1.d: {0}\n\n{0}:\n{variable}", made.at("number.rs").display());
            fs::write(made.at("deps/a-1.d"), list).unwrap();
            let (unit, note) = made.unit("dep-info,metadata,link", "1");
            write_note(unit, &note).unwrap();
            made
        }

        fn serves(&self) -> bool {
            let (unit, note) = self.unit("dep-info,metadata", "2");
            serve(&unit, &note).is_some()
        }
    }

    #[test]
    #[cfg_attr(windows, ignore = "this system does not tell files apart")]
    fn a_check_is_served_while_nothing_that_rustc_read_or_wrote_has_changed() {
        let made = Made::compile("# env-dep:RUST_VMM_CI_NEVER_SET\n");
        assert!(made.serves() && made.serves());
        assert_eq!(fs::read(made.at("deps/liba-2.rmeta")).unwrap(), b"metadata");
        assert!(fs::read_to_string(made.at("deps/a-2.d")).unwrap().starts_with("a-2.d: "));

        assert!(
            !Made::compile("# env-dep:RUST_VMM_CI_NEVER_SET=1\n").serves(),
            "a variable has another value"
        );

        let made = Made::compile("");
        let input = fs::File::options().write(true).open(made.at("number.rs")).unwrap();
        let before = input.metadata().unwrap().modified().unwrap();
        fs::write(made.at("number.rs"), "2").unwrap();
        input.set_modified(before).unwrap();
        assert!(!made.serves(), "a build script has written a file again, with its old time");

        let made = Made::compile("");
        fs::remove_file(made.at("deps/liba-1.rmeta")).unwrap();
        assert!(!made.serves(), "the metadata is gone");
        fs::write(made.at("deps/liba-1.rmeta"), "other").unwrap();
        assert!(!made.serves(), "somebody else has compiled it again");

        let made = Made::compile("");
        let said = made.at(".fingerprint").join(std::env::var("CARGO_PKG_NAME").unwrap() + "-1/output-lib-a");
        fs::write(said, "{}").unwrap();
        assert!(!made.serves(), "rustc has said something");
    }

    #[test]
    fn cargos_words_do_not_name_the_link() {
        let line = |link: &str| {
            format!("process didn't exit successfully: `{link}/bin/rustc --crate-name a` (signal: 6)\n")
        };
        for link in [format!("/tmp/rust-vmm-ci-x1/{NAME} "), format!("'/tmp/my files/{NAME}' ")] {
            assert_eq!(without_link(line(&link).as_bytes()).as_ref(), line("").as_bytes());
        }
        assert_eq!(without_link(b"\xff").as_ref(), b"\xff");
    }

    #[test]
    fn this_program_by_another_name_is_no_wrapper() {
        assert!(act(["/t/rustc", "rustc", "-vV"].map(Into::into).into_iter()).is_none());
    }
}
