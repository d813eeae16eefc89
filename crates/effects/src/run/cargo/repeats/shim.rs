//! The shims: this program in the place of cargo's runner of tests, and of rustdoc. This program acts as a
//! shim where it was started by the name of a link. The folder of the link has the files that the shim reads
//! and writes.

use super::merge;
use super::tell;
use crate::process::{self, Command};
use crate::say;
use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The name of the link that is cargo's runner.
pub(super) const RUNNER: &str = "rust-vmm-ci-test";
/// The name of the link that is cargo's rustdoc.
pub(super) const RUSTDOC: &str = "rust-vmm-ci-rustdoc";
/// The file with the path of rustdoc itself.
pub(super) const REAL_RUSTDOC: &str = "real-rustdoc";
/// The file that is there where examples in documentation may be merged.
pub(super) const MERGE: &str = "merge-examples";
/// The file with the stamps of what tests may start or load.
pub(super) const BESIDE: &str = "beside";
/// The file with the keys of the tests that have passed, one in each line.
pub(super) const PASSED: &str = "passed";
/// The file with the keys of the tests that the present command has begun.
pub(super) const SEEN: &str = "seen";

/// How the line begins that is shown in place of the output of tests that are left out.
const PASSED_BEFORE: &str = "rust-vmm-ci: the same has passed before: ";

/// Acts as the runner or as rustdoc where this process was started as one. Returns `None` otherwise.
pub fn act(mut args: impl Iterator<Item = OsString>) -> Option<Result<i32>> {
    let link = PathBuf::from(args.next()?);
    let folder = link.parent()?;
    match link.file_name()?.to_str()? {
        RUNNER => Some(run(folder, &args.collect::<Vec<_>>())),
        RUSTDOC => Some(document(folder, args.collect())),
        merge::COLLECT => Some(merge::collect(folder, &args.collect::<Vec<_>>())),
        merge::BUILD => Some(merge::build(folder, &args.collect::<Vec<_>>())),
        merge::START => Some(merge::start(&args.collect::<Vec<_>>())),
        _ => None,
    }
}

/// Runs a test program.
fn run(folder: &Path, call: &[OsString]) -> Result<i32> {
    let mut words = call.iter().cloned();
    let program = words.next().context("no test program was named")?;
    let what = Path::new(&program).file_name().unwrap_or(&program).to_string_lossy().into_owned();
    if has_passed(folder, call, &[&program], &what)? {
        return Ok(0);
    }
    tell::begins(folder, &program.to_string_lossy());
    process::replace(&Command::new(program).args(words))
}

/// Runs the examples in a crate's documentation, or does what else rustdoc is called for.
fn document(folder: &Path, call: Vec<OsString>) -> Result<i32> {
    let call = without_runner(call, &folder.join(RUNNER));
    let rustdoc = Command::new(fs::read_to_string(folder.join(REAL_RUSTDOC))?).args(call.clone());
    if !call.iter().any(|word| word == "--test") {
        return process::replace(&rustdoc);
    }
    let libraries: Vec<&OsStr> = externs(&call).collect();
    let name = value_of(&call, "--crate-name").unwrap_or_default();
    if has_passed(folder, &call, &libraries, &format!("documentation of {name}"))? {
        return Ok(0);
    }
    tell::begins(folder, &format!("{}{name}", tell::DOC));
    if folder.join(MERGE).exists() { merge::run(folder, &rustdoc) } else { process::replace(&rustdoc) }
}

/// Whether the same call has passed before. If so, a line says it in place of the output. Otherwise the call
/// is noted as begun.
fn has_passed(folder: &Path, call: &[OsString], files: &[impl AsRef<OsStr>], what: &str) -> Result<bool> {
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    add(std::env::current_dir()?.as_os_str().as_encoded_bytes());
    add(&fs::read(folder.join(BESIDE))?);
    for word in call {
        add(word.as_encoded_bytes());
    }
    for file in files {
        add(stamp(Path::new(file)).as_bytes());
    }
    let key = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, hash.finalize());
    let passed = fs::read_to_string(folder.join(PASSED)).unwrap_or_default();
    if passed.lines().any(|line| line == key) {
        say::line(format_args!("\n{PASSED_BEFORE}{}", what.escape_debug()));
        tell::left_out(folder, what);
        return Ok(true);
    }
    writeln!(File::options().create(true).append(true).open(folder.join(SEEN))?, "{key}")?;
    Ok(false)
}

/// A text that differs after each build that changes a file: its path, length and time.
pub(super) fn stamp(file: &Path) -> String {
    let facts = fs::metadata(file).ok().and_then(|facts| {
        let modified = facts.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some((facts.len(), modified.as_nanos()))
    });
    format!("{} {facts:?}", file.display())
}

/// rustdoc's call without the runner shim, which cargo passes on to rustdoc: it is not meant for single
/// examples.
fn without_runner(call: Vec<OsString>, runner: &Path) -> Vec<OsString> {
    let mut kept = Vec::with_capacity(call.len());
    let mut words = call.into_iter().peekable();
    while let Some(word) = words.next() {
        if word == "--test-runtool" && words.peek().is_some_and(|tool| tool == runner) {
            words.next();
        } else {
            kept.push(word);
        }
    }
    kept
}

/// The libraries that a call names: `--extern NAME=FILE`.
fn externs(call: &[OsString]) -> impl Iterator<Item = &OsStr> {
    let values = call.iter().zip(call.iter().skip(1)).filter(|(option, _)| *option == "--extern");
    values.filter_map(|(_, value)| Some(OsStr::new(value.to_str()?.split_once('=')?.1)))
}

fn value_of<'c>(call: &'c [OsString], option: &str) -> Option<&'c str> {
    let position = call.iter().position(|word| word == option)?;
    call.get(position + 1)?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(Into::into).collect()
    }

    #[test]
    fn our_runner_is_not_handed_on_and_anothers_is() {
        let call = words("--test --test-runtool /f/r --test-runtool qemu --test-runtool-arg -x");
        let expected = words("--test --test-runtool qemu --test-runtool-arg -x");
        assert_eq!(without_runner(call, Path::new("/f/r")), expected);
    }

    #[test]
    fn what_has_passed_is_known_by_its_call_its_files_and_what_is_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let program = at("program").into_os_string();
        fs::write(&program, "1").unwrap();
        fs::write(at(BESIDE), "").unwrap();
        let call = vec![program.clone()];
        let passed = |call: &[OsString]| has_passed(folder.path(), call, &[&program], "it").unwrap();
        assert!(!passed(&call), "it was never run");
        fs::copy(at(SEEN), at(PASSED)).unwrap();
        assert!(passed(&call));
        assert!(!passed(&[program.clone(), "--nocapture".into()]), "another call");
        fs::write(at(BESIDE), "another program").unwrap();
        assert!(!passed(&call), "beside another program");
        fs::write(at(BESIDE), "").unwrap();
        fs::write(&program, "12").unwrap();
        assert!(!passed(&call), "another file");
    }

    #[test]
    fn this_program_by_another_name_is_neither() {
        for name in ["/usr/bin/rust-vmm-ci", "rustdoc", "rust-vmm-ci-tests"] {
            assert!(act(words(&format!("{name} --test")).into_iter()).is_none(), "{name}");
        }
    }
}
