//! The shims: this program in the place of cargo's runner of tests, and of rustdoc. This program acts as a
//! shim where it was started by the name of a link. The folder of the link has the files that the shim reads
//! and writes.

use super::tell;
use crate::process::{self, Command};
use crate::say;
use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// The name of the link that is cargo's runner.
pub(super) const RUNNER: &str = "rust-vmm-ci-test";
/// The name of the link that is cargo's rustdoc.
pub(super) const RUSTDOC: &str = "rust-vmm-ci-rustdoc";
/// The file with the path of rustdoc itself.
pub(super) const REAL_RUSTDOC: &str = "real-rustdoc";
/// The file with the folder of the shared standard library. It is there where examples may be linked with
/// that library.
pub(super) const SHARED_STD: &str = "shared-std";
/// The file with the stamps of what tests may start or load.
pub(super) const BESIDE: &str = "beside";
/// The file with the keys of the tests that have passed, one in each line.
pub(super) const PASSED: &str = "passed";
/// The file with the keys of the tests that the present command has begun.
pub(super) const SEEN: &str = "seen";
/// The file that is made when examples did not pass that were linked in the cheaper way.
const AS_EVER: &str = "as-ever";
/// The file with what running examples have written.
pub(super) const SAID: &str = "said";

/// How the line begins that is shown in place of the output of tests that are left out.
const PASSED_BEFORE: &str = "rust-vmm-ci: the same has passed before: ";

/// Acts as the runner or as rustdoc where this process was started as one. Returns `None` otherwise.
pub fn act(mut args: impl Iterator<Item = OsString>) -> Option<Result<i32>> {
    let link = PathBuf::from(args.next()?);
    let folder = link.parent()?;
    match link.file_name()?.to_str()? {
        RUNNER => Some(run(folder, &args.collect::<Vec<_>>())),
        RUSTDOC => Some(document(folder, args.collect())),
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
    if chooses_no_linkage(&call) && !folder.join(AS_EVER).exists() {
        let said = folder.join(SAID);
        let shared_std = fs::read_to_string(folder.join(SHARED_STD)).ok();
        let status = process::run_into(&rustdoc.clone().args(cheaper(shared_std.as_deref())), &said)?;
        if status.success() {
            io::copy(&mut File::open(&said)?, &mut io::stdout())?;
            fs::remove_file(said)?;
            return Ok(0);
        }
        fs::remove_file(said)?;
        // Examples that fail with one set of features probably fail with the next.
        File::create(folder.join(AS_EVER))?;
    }
    process::replace(&rustdoc)
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

/// Whether nobody has chosen how examples are linked. With flags of the repository's own, for instance for
/// link-time optimization, an example that must not compile could pass because of the flags that are added
/// here.
fn chooses_no_linkage(call: &[OsString]) -> bool {
    let mut words = call.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        let flag = match word {
            "-C" | "--codegen" => words.next().unwrap_or_default(),
            _ => match word.strip_prefix("-C").or_else(|| word.strip_prefix("--codegen=")) {
                Some(flag) => flag,
                None if word.starts_with("-Z") => return false,
                None => continue,
            },
        };
        // cargo always passes this flag.
        if flag != "embed-bitcode=no" {
            return false;
        }
    }
    true
}

/// The flags that make linking cheaper. They leave out debug information, which only a failure shows. Where
/// there is a folder, they also link the shared standard library that is in it.
fn cheaper(shared_std: Option<&str>) -> Vec<String> {
    let mut flags = vec!["-Cstrip=debuginfo".to_owned()];
    if let Some(folder) = shared_std {
        flags.push("-Cprefer-dynamic".into());
        // Each is a word of its own, because `-Wl,` would split a path at its commas.
        flags.extend(["-Xlinker", "-rpath", "-Xlinker", folder].map(|word| format!("-Clink-arg={word}")));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(Into::into).collect()
    }

    #[test]
    fn examples_are_linked_as_we_like_where_nobody_else_says_how() {
        let cases = [
            ("--test src/lib.rs -C embed-bitcode=no --extern a=liba.rlib", true),
            ("--test src/lib.rs -Cembed-bitcode=no --cfg x", true),
            ("--test src/lib.rs -C lto", false),
            ("--test src/lib.rs -Ctarget-feature=+crt-static", false),
            ("--test src/lib.rs --codegen=panic=abort", false),
            ("--test src/lib.rs -Zunstable-options", false),
        ];
        for (call, expected) in cases {
            assert_eq!(chooses_no_linkage(&words(call)), expected, "{call}");
        }
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
