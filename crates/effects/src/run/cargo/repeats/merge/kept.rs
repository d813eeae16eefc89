//! Keeps compiled examples between runs, in cargo's target directory. rustdoc keeps none of them, so a run with
//! nothing changed would compile them all again.
//!
//! A program is used again if the compiler's file, the arguments and all sources are the same, and if the libraries
//! that the arguments name have the same stamps. cargo builds a library again where something below it has
//! changed. What an example reads besides while it is compiled must not be missed: rustc lists the files and
//! variables that it reads itself, and examples with which a macro or a linker could read others are not kept
//! ([`may_keep`]). Keeping saves time and nothing else. So what cannot be kept or read is compiled.

use crate::files;
use crate::process::Command;
use crate::run::cargo::repeats::shim::stamp;
use anyhow::{Context as _, Result};
use rust_vmm_ci_core::checks::examples::{Example, libraries, may_keep};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// The file in the folder of the shims with the path of the folder for what is kept.
pub(in super::super) const KEPT: &str = "kept-examples";
/// The file in the folder of the shims with the keys that this check has used, one in each line.
const USED: &str = "used-examples";
/// The longest file that is kept, in bytes. A bundle has 5 MB.
const LONGEST: u64 = 64 << 20;

/// The examples that are kept for one check.
pub(super) struct Kept {
    folder: PathBuf,
    used: PathBuf,
}

impl Kept {
    /// What is kept for the check of these shims; none if the check keeps nothing.
    pub(super) fn of(shims: &Path) -> Option<Self> {
        let folder = fs::read_to_string(shims.join(KEPT)).ok()?.into();
        Some(Self { folder, used: shims.join(USED) })
    }

    /// Puts a kept program at `program`, and returns what rustc said when it made the program. None if there is
    /// no such program.
    pub(super) fn take(&self, key: &str, program: &Path) -> Option<Vec<u8>> {
        let file = files::bounded(&files::open_plain(&self.folder.join(key)).ok()?, LONGEST).ok()?;
        // One file for both, so that neither is there without the other.
        let (length, rest) = file.split_first_chunk()?;
        let (said, bytes) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        place(program, bytes).ok()?;
        self.note(key).ok()?;
        Some(said.to_owned())
    }

    /// Keeps a program, and what rustc said.
    pub(super) fn put(&self, key: &str, program: &Path, said: &[u8]) {
        let keep = || -> Result<()> {
            let bytes = files::bounded(&files::open_plain(program)?, LONGEST)?;
            fs::create_dir_all(&self.folder)?;
            let length = u64::try_from(said.len())?.to_le_bytes();
            files::write_whole(&self.folder.join(key), &[&length, said, &bytes].concat())?;
            self.note(key)
        };
        // A full disk, or a folder of another user.
        let _ = keep();
    }

    fn note(&self, key: &str) -> Result<()> {
        Ok(writeln!(File::options().create(true).append(true).open(&self.used)?, "{key}")?)
    }
}

/// Writes a program, as executable as this one is.
fn place(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::write(path, bytes)?;
    fs::set_permissions(path, std::env::current_exe()?.metadata()?.permissions())
}

/// Removes what this check has not used, so that the target directory does not grow with every change.
pub(in super::super) fn remove_unused(shims: &Path) {
    let Some(kept) = Kept::of(shims) else { return };
    if !kept.folder.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return;
    }
    let used = fs::read_to_string(kept.used).unwrap_or_default();
    let used: BTreeSet<&str> = used.lines().collect();
    for entry in fs::read_dir(kept.folder).into_iter().flatten().filter_map(Result::ok) {
        if entry.file_name().to_str().is_none_or(|key| !used.contains(key)) {
            // What cannot be removed only takes space.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A text that differs if anything differs that the call of rustc depends on. `args` are its arguments, and `texts`
/// its sources. `has_macros` says whether a library may pass on procedural macros. None if these examples may not be
/// kept.
pub(super) fn key<'t>(
    examples: &[Example],
    has_macros: bool,
    args: &[String],
    texts: impl IntoIterator<Item = &'t str>,
) -> Option<String> {
    if !examples.iter().all(|example| may_keep(example, has_macros)) {
        return None;
    }
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    };
    add(std::env::current_dir().ok()?.as_os_str().as_encoded_bytes());
    add(stamp(Path::new(&examples.first()?.compiler)).as_bytes());
    for library in libraries(args) {
        add(stamp(Path::new(library)).as_bytes());
    }
    for arg in args {
        add(arg.as_bytes());
    }
    add(b"sources");
    for text in texts {
        add(text.as_bytes());
    }
    // It becomes a file's name, so it must not contain `/`.
    Some(base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, hash.finalize()))
}

/// The call with a list of what rustc reads, in the file `list`.
pub(super) fn listing(rustc: Command, list: &Path) -> Command {
    let mut emit = OsString::from("--emit=link,dep-info=");
    emit.push(list);
    rustc.arg(emit)
}

/// Whether rustc has read so many files and no variable, as its list says.
///
/// # Errors
/// If the list cannot be read.
pub(super) fn has_read_only(list: &Path, files: usize) -> Result<bool> {
    let list = fs::read_to_string(list).context("reading what the compiler read")?;
    // One line for each file, which says that nothing makes it.
    let read = list.lines().filter(|line| line.ends_with(':')).count();
    Ok(read == files && !list.contains("# env-dep:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again_until_a_check_does_not_use_it() {
        let folder = tempfile::tempdir().unwrap();
        let (shims, program) = (folder.path().join("shims"), folder.path().join("program"));
        fs::create_dir(&shims).unwrap();
        assert!(Kept::of(&shims).is_none());
        let place = folder.path().join("kept");
        fs::write(shims.join(KEPT), place.to_str().unwrap()).unwrap();
        fs::write(&program, "a program").unwrap();
        let kept = Kept::of(&shims).unwrap();
        let again = |key: &str| {
            let _ = fs::remove_file(&program);
            kept.take(key, &program).map(|said| (said, fs::read(&program).unwrap()))
        };
        kept.put("a", &program, b"words");
        kept.put("b", &program, b"");
        assert_eq!(again("a"), Some((b"words".into(), b"a program".into())));
        assert_eq!(again("b"), Some((Vec::new(), b"a program".into())));
        assert_eq!(again("c"), None);
        fs::write(shims.join(USED), "a\n").unwrap();
        fs::write(place.join("cut"), "1234").unwrap();
        assert_eq!(again("cut"), None);
        remove_unused(&shims);
        assert!(again("a").is_some() && again("b").is_none() && !place.join("cut").exists());
        fs::remove_file(shims.join(USED)).unwrap();
        remove_unused(&shims);
        assert!(again("a").is_none());
    }

    #[test]
    fn another_library_option_or_source_is_another_key() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("liba.rlib");
        fs::write(&library, "1").unwrap();
        let example = |args: &[String]| Example {
            compiler: "/rustc".into(),
            args: args.into(),
            source: "fn main() {}".into(),
            file: "src/lib.rs".into(),
            line: 1,
        };
        let of = |args: &[String], source| key(&[example(args)], false, args, [source]).unwrap();
        for joined in [true, false] {
            let value = format!("a={}", library.display());
            let named =
                if joined { vec![format!("--extern={value}")] } else { vec!["--extern".into(), value] };
            let args = |word: &str| [vec![word.to_owned()], named.clone()].concat();
            let first = of(&args("-O"), "fn main() {}");
            assert_eq!(first, of(&args("-O"), "fn main() {}"));
            assert_ne!(first, of(&args("-g"), "fn main() {}"));
            assert_ne!(first, of(&args("-O"), "fn main() { }"));
            let longer = fs::read_to_string(&library).unwrap() + "2";
            fs::write(&library, longer).unwrap();
            assert_ne!(first, of(&args("-O"), "fn main() {}"));
        }
        let args = ["-Clink-arg=-Tscript".to_owned()];
        assert_eq!(key(&[example(&args)], false, &args, []), None);
    }

    #[test]
    fn a_list_with_another_file_or_a_variable_is_not_what_was_expected() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        assert!(has_read_only(&list, 0).is_err(), "there is no list");
        for (text, expected) in [
            ("program: main.rs a.rs\n\nmain.rs:\na.rs:\n", true),
            ("program: main.rs\n\nmain.rs:\n", false),
            ("program: main.rs a.rs b\n\nmain.rs:\na.rs:\nb:\n", false),
            ("program: main.rs a.rs\n\nmain.rs:\na.rs:\n\n# env-dep:HOME\n", false),
        ] {
            fs::write(&list, text).unwrap();
            assert_eq!(has_read_only(&list, 2).unwrap(), expected, "{text}");
        }
    }
}
