//! How much debug information the builds of CI have.

use crate::process::Command;
use rust_vmm_ci_core::workspace::CargoConfig;
use std::path::Path;

/// The variable that sets the debug information of the profile `dev`, and of `test`, which inherits it.
const VARIABLE: &str = "CARGO_PROFILE_DEV_DEBUG";
/// Enough for the places in panics and backtraces. Names of variables and types are left out, which only
/// debuggers read (vm-memory: 44.6 s of CPU time for the test build instead of 51.5 s, Rust 1.95).
const LINES: &str = "line-tables-only";

/// cargo with less debug information, where neither the repository nor the person says how much there is.
/// `dir` is the folder that it is started in, and `config` is what cargo finds there. It is for CI alone: a person's
/// own builds share the target directory.
pub fn with_less(cargo: Command, dir: &Path, config: &CargoConfig) -> Command {
    let chosen = config.may_set_debug() || manifests_may_choose(dir);
    if chosen { cargo } else { cargo.env(VARIABLE, LINES) }
}

/// Whether a manifest may say something about debug information. The variable would overrule it, so a mention
/// of the word is enough.
fn manifests_may_choose(dir: &Path) -> bool {
    let mut manifests = dir.ancestors().map(|folder| folder.join("Cargo.toml"));
    manifests
        .any(|file| std::fs::read(file).is_ok_and(|text| String::from_utf8_lossy(&text).contains("debug")))
}

#[cfg(test)]
mod tests {
    use super::super::configuration;
    use super::*;
    use std::fs;

    #[test]
    fn who_writes_of_debug_information_is_not_overruled() {
        let root = tempfile::tempdir().unwrap();
        let member = root.path().join("member");
        fs::create_dir_all(member.join(".cargo")).unwrap();
        fs::write(root.path().join("Cargo.toml"), "[workspace]\nmembers = [\"member\"]\n").unwrap();
        fs::write(member.join("Cargo.toml"), "[package]\ninclude = [\"src\"]\n").unwrap();
        let home = [("CARGO_HOME".to_owned(), root.path().join("home").to_str().unwrap().to_owned())];
        let overrules = |more: &[(&str, &str)], arguments: &[&str]| {
            let mut variables = home.to_vec();
            variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
            let config = configuration::of(&member, &variables, &arguments);
            with_less(Command::new("cargo"), &member, &config) != Command::new("cargo")
        };
        assert!(overrules(&[], &[]));
        assert!(!overrules(&[("CARGO_PROFILE_TEST_DEBUG", "2")], &[]));
        assert!(!overrules(&[], &["--config=profile.dev.debug=2"]));
        for (file, text) in [
            ("Cargo.toml", "[profile.dev]\ndebug = 2\n"),
            ("member/.cargo/config.toml", "[profile]\ndev.debug = 1\n"),
            ("member/.cargo/config", "include = 1\n"),
        ] {
            let file = root.path().join(file);
            let before = fs::read(&file).ok();
            fs::write(&file, text).unwrap();
            assert!(!overrules(&[], &[]), "{text}");
            match before {
                Some(before) => fs::write(&file, before).unwrap(),
                None => fs::remove_file(&file).unwrap(),
            }
        }
        fs::create_dir(root.path().join("home")).unwrap();
        fs::write(root.path().join("home/config.toml"), "[profile.dev]\ndebug = 0\n").unwrap();
        assert!(!overrules(&[], &[]));
    }
}
