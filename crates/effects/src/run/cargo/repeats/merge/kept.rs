//! Keeps compiled examples between runs, in cargo's target directory. rustdoc keeps none of them, so a run with
//! nothing changed would compile them all again.
//!
//! What was compiled is used again if a compiler would certainly do the same: its file is the same, its
//! arguments and all sources are the same, and the libraries that the arguments name have the same stamps.
//! cargo builds a library again where something below it has changed. An example that reads another file or a
//! variable while it is compiled is not kept; rustc says so in its list of dependencies. As with everything that
//! cargo keeps, a procedural macro can read a file without saying so.

use crate::process::Command;
use crate::run::cargo::repeats::shim::stamp;
use anyhow::Result;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// The file in the folder of the shims with the path of the folder for what is kept.
pub(in super::super) const KEPT: &str = "kept-examples";
/// The file in the folder of the shims with the keys that this check has used, one in each line.
const USED: &str = "used-examples";
/// What the name of a kept program's messages ends with.
const SAID: &str = ".said";

/// The result of one call of rustc.
pub(super) struct Compiled {
    /// Whether it has made a program.
    pub succeeded: bool,
    /// What rustc said.
    pub said: Vec<u8>,
}

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

    /// Puts a kept program at `program`, and returns the result of the call that made it.
    pub(super) fn take(&self, key: &str, program: &Path) -> Option<Compiled> {
        let said = fs::read(self.folder.join(key.to_owned() + SAID)).ok()?;
        let from = self.folder.join(key);
        let succeeded = from.is_file();
        if succeeded {
            // A copy: a program can change its own file.
            fs::copy(from, program).ok()?;
        }
        self.note(key).ok()?;
        Some(Compiled { succeeded, said })
    }

    /// Keeps the result of a call.
    ///
    /// # Errors
    /// Where the file system refuses.
    pub(super) fn put(&self, key: &str, program: &Path, compiled: &Compiled) -> Result<()> {
        fs::create_dir_all(&self.folder)?;
        if compiled.succeeded {
            self.place(key, |file| fs::copy(program, file).map(drop))?;
        }
        // The messages come last: without them there is no result.
        self.place(&(key.to_owned() + SAID), |file| fs::write(file, &compiled.said))?;
        self.note(key)
    }

    fn place(&self, name: &str, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
        let fresh = tempfile::Builder::new().prefix(".").tempfile_in(&self.folder)?.into_temp_path();
        write(&fresh)?;
        fresh.persist(self.folder.join(name))?;
        Ok(())
    }

    fn note(&self, key: &str) -> Result<()> {
        Ok(writeln!(File::options().create(true).append(true).open(&self.used)?, "{key}")?)
    }
}

/// Removes what this check has not used, so that the target directory does not grow with every change.
pub(in super::super) fn remove_unused(shims: &Path) {
    let (Some(kept), Ok(used)) = (Kept::of(shims), fs::read_to_string(shims.join(USED))) else { return };
    let used: BTreeSet<&str> = used.lines().collect();
    for entry in fs::read_dir(kept.folder).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name();
        let key = name.to_str().map(|name| name.strip_suffix(SAID).unwrap_or(name));
        if key.is_none_or(|key| !used.contains(key)) {
            // What cannot be removed only takes space.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A text that differs if anything differs that the call of rustc depends on, as far as the call shows it.
/// `texts` are the sources.
pub(super) fn key<'t>(compiler: &str, args: &[String], texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    };
    let here = std::env::current_dir().unwrap_or_default();
    add(here.as_os_str().as_encoded_bytes());
    add(stamp(Path::new(compiler)).as_bytes());
    for arg in args {
        add(arg.as_bytes());
        let value = arg.strip_prefix("--extern=").unwrap_or(arg);
        if let Some((_, file)) = value.split_once('=').filter(|(_, file)| Path::new(file).is_absolute()) {
            add(stamp(Path::new(file)).as_bytes());
        }
    }
    add(b"sources");
    texts.into_iter().for_each(|text| add(text.as_bytes()));
    // It becomes a file's name, so it must not contain `/`.
    base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, hash.finalize())
}

/// The call with a list of what rustc reads, in the file `list`. None if the call chooses by itself what rustc
/// makes.
pub(super) fn listing(rustc: Command, list: &Path) -> Option<Command> {
    let chooses = rustc.args.iter().any(|arg| arg.to_str().is_none_or(|arg| arg.starts_with("--emit")));
    let mut emit = OsString::from("--emit=link,dep-info=");
    emit.push(list);
    (!chooses).then(|| rustc.arg(emit))
}

/// Whether rustc has read so many files and no variable, as its list says.
pub(super) fn has_read_only(list: &Path, files: usize) -> bool {
    let list = fs::read_to_string(list).unwrap_or_default();
    // One line for each file, which says that nothing makes it.
    let read = list.lines().filter(|line| line.ends_with(':')).count();
    !list.is_empty() && read == files && !list.contains("# env-dep:")
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
        fs::write(shims.join(KEPT), folder.path().join("kept").to_str().unwrap()).unwrap();
        fs::write(&program, "a program").unwrap();
        let kept = Kept::of(&shims).unwrap();
        assert!(kept.take("a", &program).is_none());
        kept.put("a", &program, &Compiled { succeeded: true, said: b"words".into() }).unwrap();
        kept.put("b", &program, &Compiled { succeeded: false, said: Vec::new() }).unwrap();
        fs::write(&program, "").unwrap();
        let again = kept.take("a", &program).unwrap();
        assert!(again.succeeded && again.said == b"words");
        assert_eq!(fs::read(&program).unwrap(), b"a program");
        assert!(!kept.take("b", &program).unwrap().succeeded);
        fs::write(shims.join(USED), "a\n").unwrap();
        remove_unused(&shims);
        assert!(kept.take("a", &program).is_some() && kept.take("b", &program).is_none());
    }

    #[test]
    fn another_library_option_or_source_is_another_key() {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("liba.rlib");
        fs::write(&library, "1").unwrap();
        let args = |word: &str| vec![word.to_owned(), format!("--extern=a={}", library.display())];
        let first = key("/rustc", &args("-O"), ["fn main() {}"]);
        assert_eq!(first, key("/rustc", &args("-O"), ["fn main() {}"]));
        assert_ne!(first, key("/rustc", &args("-g"), ["fn main() {}"]));
        assert_ne!(first, key("/rustc", &args("-O"), ["fn main() { }"]));
        fs::write(&library, "12").unwrap();
        assert_ne!(first, key("/rustc", &args("-O"), ["fn main() {}"]));
        let apart = vec!["--extern".to_owned(), format!("a={}", library.display())];
        let second = key("/rustc", &apart, ["fn main() {}"]);
        fs::write(&library, "123").unwrap();
        assert_ne!(second, key("/rustc", &apart, ["fn main() {}"]));
    }

    #[test]
    fn a_list_with_another_file_or_a_variable_is_not_what_was_expected() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        assert!(!has_read_only(&list, 0), "there is no list");
        for (text, expected) in [
            ("program: main.rs a.rs\n\nmain.rs:\na.rs:\n", true),
            ("program: main.rs\n\nmain.rs:\n", false),
            ("program: main.rs a.rs b\n\nmain.rs:\na.rs:\nb:\n", false),
            ("program: main.rs a.rs\n\nmain.rs:\na.rs:\n\n# env-dep:HOME\n", false),
        ] {
            fs::write(&list, text).unwrap();
            assert_eq!(has_read_only(&list, 2), expected, "{text}");
        }
    }

    #[test]
    fn a_call_that_chooses_what_is_made_is_not_kept() {
        let list = Path::new("/t/list");
        assert!(listing(Command::new("rustc").args(["--emit=metadata"]), list).is_none());
        let call = listing(Command::new("rustc").args(["-O"]), list).unwrap();
        assert_eq!(call.args.last().unwrap(), "--emit=link,dep-info=/t/list");
    }
}
