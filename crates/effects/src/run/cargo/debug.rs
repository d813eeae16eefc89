//! How much debug information the builds of CI have.

use crate::process::Command;
use std::path::{Path, PathBuf};

/// The variable that sets the debug information of the profile `dev`, and of `test`, which inherits it.
const VARIABLE: &str = "CARGO_PROFILE_DEV_DEBUG";
/// Enough for the places in panics and backtraces. Names of variables and types are left out, which only
/// debuggers read (vm-memory: 44.6 s of CPU time for the test build instead of 51.5 s, Rust 1.95).
const LINES: &str = "line-tables-only";

/// cargo with less debug information, where neither the repository nor the person says how much there is.
/// `dir` is the folder that it is started in. It is for CI alone: a person's own builds share the target
/// directory.
pub fn with_less(cargo: Command, dir: &Path) -> Command {
    let chosen = std::env::vars_os().any(|(name, _)| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PROFILE_") && name.ends_with("_DEBUG")
    });
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    if chosen || files_may_choose(dir, home.as_deref()) { cargo } else { cargo.env(VARIABLE, LINES) }
}

/// Whether a manifest or a configuration file may say something about debug information. The variable would
/// overrule them, so a mention of the word is enough, and a file that names further files.
fn files_may_choose(dir: &Path, home: Option<&Path>) -> bool {
    let mentions = |file: PathBuf, words: &[&str]| {
        let text = std::fs::read(file).map(|text| String::from_utf8_lossy(&text).into_owned());
        text.is_ok_and(|text| words.iter().any(|word| text.contains(word)))
    };
    let folders = dir.ancestors().map(|folder| folder.join(".cargo")).chain(home.map(Path::to_owned));
    let mut configurations = folders.flat_map(|folder| [folder.join("config.toml"), folder.join("config")]);
    let mut manifests = dir.ancestors().map(|folder| folder.join("Cargo.toml"));
    configurations.any(|file| mentions(file, &["debug", "include"]))
        || manifests.any(|file| mentions(file, &["debug"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn who_writes_of_debug_information_is_not_overruled() {
        let root = tempfile::tempdir().unwrap();
        let member = root.path().join("member");
        fs::create_dir_all(member.join(".cargo")).unwrap();
        fs::write(root.path().join("Cargo.toml"), "[workspace]\nmembers = [\"member\"]\n").unwrap();
        fs::write(member.join("Cargo.toml"), "[package]\ninclude = [\"src\"]\n").unwrap();
        assert!(!files_may_choose(&member, None));
        for (file, text) in [
            ("Cargo.toml", "[profile.dev]\ndebug = 2\n"),
            ("member/.cargo/config.toml", "[profile]\ndev.debug = 1\n"),
            ("member/.cargo/config", "include = \"other.toml\"\n"),
        ] {
            let file = root.path().join(file);
            let before = fs::read(&file).ok();
            fs::write(&file, text).unwrap();
            assert!(files_may_choose(&member, None), "{text}");
            match before {
                Some(before) => fs::write(&file, before).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
        }
        let home = root.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::write(home.join("config.toml"), "[profile.dev]\ndebug = 0\n").unwrap();
        assert!(files_may_choose(&member, Some(&home)));
    }
}
