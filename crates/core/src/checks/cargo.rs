//! A check that is a cargo command, such as `RUSTFLAGS="-D warnings" cargo all-features build
//! --release --workspace`: taken apart from the text of its description, and changed by options.

pub use crate::model::FeatureMode;
use std::borrow::Cow;
use std::fmt;

/// What a check's options change in its command (design.md, option `checks`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Arguments to add, before `--`.
    pub args: Vec<String>,
    /// Variables to set.
    pub env: Vec<(String, String)>,
    /// Packages to check, in place of the whole workspace.
    pub packages: Vec<String>,
    /// Packages to leave out.
    pub exclude: Vec<String>,
}

/// A cargo command, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CargoCommand {
    /// Variables that stood before it.
    pub env: Vec<(String, String)>,
    /// Whether it is run once for each set of features, as `cargo all-features` does.
    pub all_features: bool,
    /// cargo's subcommand: `build`, `test`, `clippy`, `doc`, `fmt` …
    pub verb: String,
    /// Its arguments before `--`.
    pub args: Vec<String>,
    /// Its arguments after `--`.
    pub trailing: Vec<String>,
}

impl CargoCommand {
    /// Takes a command's text apart; `None` where it is not one plain cargo command: where a shell
    /// would do more with it than split it into words.
    pub fn parse(text: &str) -> Option<Self> {
        if text.contains(['$', '`', ';', '&', '|', '<', '>', '(', ')', '*', '?', '#', '~', '\n']) {
            return None;
        }
        let words = shell_words::split(text).ok()?;
        let mut words = words.into_iter().peekable();
        let mut command = Self::default();
        while let Some((name, value)) = words.peek().and_then(|word| assignment(word)) {
            command.env.push((name, value));
            words.next();
        }
        if words.next()? != "cargo" {
            return None;
        }
        command.verb = words.next()?;
        if command.verb == "all-features" {
            command.all_features = true;
            command.verb = words.next()?;
        }
        // A toolchain (`+nightly`) is rustup's matter, an option here cargo's own.
        if command.verb.starts_with(['+', '-']) {
            return None;
        }
        let rest: Vec<String> = words.collect();
        let split = rest.iter().position(|word| word == "--").unwrap_or(rest.len());
        command.args = rest[..split].to_vec();
        command.trailing = rest.get(split + 1..).unwrap_or_default().to_vec();
        Some(command)
    }

    /// The command with options' changes. `packages` and `exclude` concern only commands that take a
    /// selection of packages; `cargo fmt` takes packages and no exclusion.
    #[must_use]
    pub fn with(mut self, overrides: &Overrides) -> Self {
        for (name, value) in &overrides.env {
            self.env.retain(|(known, _)| known != name);
            self.env.push((name.clone(), value.clone()));
        }
        if !overrides.packages.is_empty() {
            self.args.retain(|arg| arg != "--workspace" && arg != "--all");
            self.args.extend(overrides.packages.iter().map(|package| format!("--package={package}")));
        }
        if self.verb != "fmt" {
            self.args.extend(overrides.exclude.iter().map(|package| format!("--exclude={package}")));
        }
        self.args.extend(overrides.args.iter().cloned());
        self
    }

    /// The command that a person would type for these sets of features; none where no single command runs
    /// them.
    pub fn for_features(&self, mode: FeatureMode) -> Option<Self> {
        let mut command = self.clone();
        if !command.all_features {
            return Some(command);
        }
        match mode {
            FeatureMode::Powerset | FeatureMode::PowersetAll => {}
            FeatureMode::All => {
                command.all_features = false;
                command.args.push("--all-features".to_owned());
            }
            FeatureMode::Default => command.all_features = false,
            FeatureMode::Each => return None,
        }
        Some(command)
    }

    /// Whether the flag is among the arguments before `--`.
    pub fn has(&self, flag: &str) -> bool {
        self.args.iter().any(|arg| arg == flag)
    }

    /// The value of an option among the arguments before `--`, written `--name=value` or as two words.
    pub fn value_of(&self, option: &str) -> Option<&str> {
        let mut args = self.args.iter();
        while let Some(arg) = args.next() {
            if arg == option {
                return args.next().map(String::as_str);
            }
            if let Some(value) = arg.strip_prefix(option).and_then(|rest| rest.strip_prefix('=')) {
                return Some(value);
            }
        }
        None
    }

    /// The value of a variable that stands before the command.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Display for CargoCommand {
    /// As a POSIX shell takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.env {
            write!(f, "{name}={} ", quoted(value))?;
        }
        f.write_str(if self.all_features { "cargo all-features" } else { "cargo" })?;
        for word in [&self.verb].into_iter().chain(&self.args) {
            write!(f, " {}", quoted(word))?;
        }
        if !self.trailing.is_empty() {
            f.write_str(" --")?;
        }
        self.trailing.iter().try_for_each(|word| write!(f, " {}", quoted(word)))
    }
}

/// A word in quotes where it needs them: `shell_words` puts every `=` in quotes too.
fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        Cow::Borrowed(word)
    } else {
        shell_words::quote(word)
    }
}

/// `NAME=value`, where a word is one.
fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let valid = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    valid.then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_of_the_predecessors_is_taken_apart() {
        let text = r#"RUSTFLAGS="-D warnings" cargo all-features clippy --workspace -- -D warnings"#;
        let command = CargoCommand::parse(text).unwrap();
        assert_eq!(command.variable("RUSTFLAGS"), Some("-D warnings"));
        assert!(command.all_features);
        assert_eq!(command.verb, "clippy");
        assert_eq!(command.args, ["--workspace"]);
        assert_eq!(command.trailing, ["-D", "warnings"]);
    }

    #[test]
    fn what_needs_a_shell_or_another_toolchain_is_left_to_it() {
        for text in ["cd a && cargo test", "cargo test $X", "cargo +nightly miri test", "make", "cargo"] {
            assert_eq!(CargoCommand::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_command_is_written_so_that_it_is_read_the_same() {
        for text in [
            "RUSTFLAGS='-D warnings' cargo all-features build --release --workspace --all-targets",
            "cargo clippy --all-features -- -D warnings -D clippy::undocumented_unsafe_blocks",
            "A='it'\\''s' cargo test 'a b' --package=x",
        ] {
            assert_eq!(CargoCommand::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn options_change_a_command() {
        let command = CargoCommand::parse("A=1 cargo all-features test --workspace").unwrap();
        let changed = command.clone().with(&Overrides {
            args: vec!["--lib".into()],
            env: vec![("A".into(), "2".into()), ("B".into(), "3".into())],
            exclude: vec!["x".into()],
            packages: Vec::new(),
        });
        assert_eq!(changed.args, ["--workspace", "--exclude=x", "--lib"]);
        assert_eq!(changed.env, [("A".into(), "2".into()), ("B".into(), "3".into())]);
        let one = command.with(&Overrides { packages: vec!["p".into()], ..Overrides::default() });
        assert_eq!(one.args, ["--package=p"]);
    }

    #[test]
    fn the_command_to_type_has_the_features_that_the_option_says() {
        let command = CargoCommand::parse("cargo all-features test --workspace").unwrap();
        let typed = |mode| command.for_features(mode).map(|command| command.to_string());
        assert_eq!(typed(FeatureMode::All).as_deref(), Some("cargo test --workspace --all-features"));
        assert_eq!(typed(FeatureMode::Default).as_deref(), Some("cargo test --workspace"));
        assert_eq!(typed(FeatureMode::Powerset).as_deref(), Some("cargo all-features test --workspace"));
        assert_eq!(typed(FeatureMode::Each), None);
    }

    #[test]
    fn an_options_value_is_found_in_both_spellings() {
        let command = CargoCommand::parse("cargo build --target a --features=b").unwrap();
        assert_eq!(command.value_of("--target"), Some("a"));
        assert_eq!(command.value_of("--features"), Some("b"));
        assert_eq!(command.value_of("--bin"), None);
    }
}
