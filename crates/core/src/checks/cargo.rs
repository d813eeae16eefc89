//! A check that is a cargo command, such as `RUSTFLAGS="-D warnings" cargo all-features build --release
//! --workspace`. The text of the description is parsed, and options can change the parts.

pub use crate::model::FeatureMode;
use std::borrow::Cow;
use std::fmt;

/// What a check's options change in its command (design.md, option `checks`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Arguments to add. Arguments from a `--` on are added after the command's own `--`.
    pub args: Vec<String>,
    /// Variables to set.
    pub env: Vec<(String, String)>,
    /// Packages to check, instead of the whole workspace.
    pub packages: Vec<String>,
    /// Packages to leave out.
    pub exclude: Vec<String>,
}

/// A parsed cargo command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CargoCommand {
    /// Variables that are set before the command.
    pub env: Vec<(String, String)>,
    /// Whether it runs once for each set of features, as `cargo all-features` does.
    pub all_features: bool,
    /// cargo's subcommand: `build`, `test`, `clippy`, `doc`, `fmt` …
    pub verb: String,
    /// Its arguments before `--`.
    pub args: Vec<String>,
    /// Its arguments after `--`.
    pub trailing: Vec<String>,
}

impl CargoCommand {
    /// Parses a command's text. `None` if it is not one plain cargo command, that is if a shell would do more
    /// with the text than split it into words.
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
        // `+nightly` is an argument of rustup. An option at this place is one of cargo itself.
        if command.verb.starts_with(['+', '-']) {
            return None;
        }
        let rest: Vec<String> = words.collect();
        let split = rest.iter().position(|word| word == "--").unwrap_or(rest.len());
        command.args = rest[..split].to_vec();
        command.trailing = rest.get(split + 1..).unwrap_or_default().to_vec();
        Some(command)
    }

    /// The command with the changes from the options. `packages` and `exclude` apply only to commands that
    /// select packages. `cargo fmt` accepts packages but no exclusion.
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
        let mut words = overrides.args.iter().cloned();
        self.args.extend(words.by_ref().take_while(|word| word != "--"));
        self.trailing.extend(words);
        self
    }

    /// What the subcommand does. A repository cannot give another meaning to these names: Cargo ignores an
    /// alias that has the name of a built-in command.
    pub fn kind(&self) -> Kind {
        match self.verb.as_str() {
            "build" | "check" | "clippy" | "doc" | "rustc" | "rustdoc" => Kind::Compile,
            "test" => Kind::Test,
            "fmt" => Kind::Format,
            // These commands print what the repository's programs print, on the stream of Cargo's messages.
            "bench" | "run" => Kind::Run,
            _ => Kind::Other,
        }
    }

    /// Whether Cargo builds tests, examples or benchmarks. It then resolves the features of development
    /// dependencies too.
    pub fn needs_dev_dependencies(&self) -> bool {
        const TARGETS: [&str; 7] =
            ["--all-targets", "--tests", "--test", "--examples", "--example", "--benches", "--bench"];
        matches!(self.verb.as_str(), "test" | "bench")
            || TARGETS.iter().any(|flag| self.has(flag) || self.value_of(flag).is_some())
            || self.value_of("--profile") == Some("test")
    }

    /// The flags that keep this command from changing the lock file or using the network. When this program
    /// runs other cargo commands to prepare this one, it passes the same flags.
    ///
    /// `cargo all-features` first runs `cargo metadata` without these flags, which repairs the lock file.
    pub fn lock_flags(&self) -> impl Iterator<Item = &str> {
        const FLAGS: [&str; 3] = ["--locked", "--frozen", "--offline"];
        let asks = !self.all_features;
        self.args.iter().map(String::as_str).filter(move |arg| asks && FLAGS.contains(arg))
    }

    /// A flag that this program adds. None if the command has the flag already.
    pub fn unless_given<'f>(&self, flag: &'f str) -> Option<&'f str> {
        (!self.has(flag)).then_some(flag)
    }

    /// Whether the command itself sets the format of Cargo's messages.
    pub fn has_message_format(&self) -> bool {
        self.value_of("--message-format").is_some()
    }

    /// Whether the command selects a package of the workspace with `--package` and `--exclude`. If a package
    /// is named in a form that is not understood here, the answer is yes.
    pub fn selects(&self, package: &str) -> bool {
        let named =
            |specs: &[&str], unclear: bool| specs.iter().any(|s| names(s, package).unwrap_or(unclear));
        let packages: Vec<&str> =
            ["--package", "-p"].iter().flat_map(|option| self.values_of(option)).collect();
        let excluded = self.values_of("--exclude");
        let chosen =
            packages.is_empty() || self.has("--workspace") || self.has("--all") || named(&packages, true);
        chosen && !named(&excluded, false)
    }

    /// The command that a person would type for these sets of features. None if no single command runs them
    /// all.
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
        self.values_of(option).first().copied()
    }

    /// All values of an option that may be given several times.
    pub fn values_of(&self, option: &str) -> Vec<&str> {
        let mut values = Vec::new();
        let mut args = self.args.iter();
        while let Some(arg) = args.next() {
            if arg == option {
                values.extend(args.next().map(String::as_str));
            } else if let Some(value) = arg.strip_prefix(option).and_then(|rest| rest.strip_prefix('=')) {
                values.push(value);
            }
        }
        values
    }

    /// The value of a variable that is set before the command.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What a subcommand of Cargo does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only compiles. Its standard output can consist of Cargo's messages only.
    Compile,
    /// It builds and runs tests.
    Test,
    /// It formats.
    Format,
    /// It runs a program or benchmarks. It accepts feature flags.
    Run,
    /// Another program or an alias. Nothing is known about its options.
    Other,
}

/// Whether the value of `--package` or `--exclude` means a package. The value is a name, a glob, or a name
/// with a version. None if it is a package's address, which is not understood here.
fn names(spec: &str, package: &str) -> Option<bool> {
    if spec.contains(['/', '#']) {
        return None;
    }
    let name = spec.split(['@', ':']).next().unwrap_or(spec);
    Some(glob::Pattern::new(name).map_or(name == package, |pattern| pattern.matches(package)))
}

impl fmt::Display for CargoCommand {
    /// Writes the command for a POSIX shell.
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

/// A word, quoted if necessary. `shell_words` would also quote every `=`.
fn quoted(word: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        Cow::Borrowed(word)
    } else {
        shell_words::quote(word)
    }
}

/// Reads a word of the form `NAME=value`. None if it has another form.
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
    fn arguments_for_the_test_programs_come_after_the_dashes() {
        let own = CargoCommand::parse("cargo test --workspace -- --nocapture").unwrap();
        for (args, expected) in [
            (vec!["--", "--test-threads=1"], "cargo test --workspace -- --nocapture --test-threads=1"),
            (vec!["--lib", "--", "a", "--", "b"], "cargo test --workspace --lib -- --nocapture a -- b"),
        ] {
            let args = args.into_iter().map(str::to_owned).collect();
            let changed = own.clone().with(&Overrides { args, ..Overrides::default() });
            assert_eq!(changed.to_string(), expected);
        }
    }

    #[test]
    fn only_known_subcommands_are_taken_for_compiling_or_testing() {
        for (text, kind) in [
            ("cargo build", Kind::Compile),
            ("cargo all-features test", Kind::Test),
            ("cargo fmt --all", Kind::Format),
            ("cargo bench", Kind::Run),
            ("cargo deny check", Kind::Other),
            ("cargo nextest run", Kind::Other),
            ("cargo b", Kind::Other),
        ] {
            assert_eq!(CargoCommand::parse(text).unwrap().kind(), kind, "{text}");
        }
    }

    #[test]
    fn development_dependencies_count_where_something_is_built_that_uses_them() {
        for (text, expected) in [
            ("cargo build --workspace", false),
            ("cargo build --all-targets", true),
            ("cargo check --test=a", true),
            ("cargo build --example a", true),
            ("cargo clippy --lib --bins", false),
            ("cargo test --lib", true),
            ("cargo bench", true),
            ("cargo check --profile test", true),
        ] {
            assert_eq!(CargoCommand::parse(text).unwrap().needs_dev_dependencies(), expected, "{text}");
        }
    }

    #[test]
    fn questions_leave_the_lock_file_alone_where_the_command_does() {
        let flags =
            |text: &str| CargoCommand::parse(text).unwrap().lock_flags().collect::<Vec<_>>().join(" ");
        assert_eq!(flags("cargo build --locked --release --offline"), "--locked --offline");
        assert_eq!(flags("cargo doc"), "");
        assert_eq!(flags("cargo all-features build --locked"), "");
    }

    #[test]
    fn packages_are_selected_as_cargo_selects_them() {
        for (arguments, expected) in [
            ("", true),
            ("--workspace", true),
            ("--package=ab", true),
            ("-p b", false),
            ("-p 'a*'", true),
            ("-p ab@0.1.0", true),
            ("-p b@0.1.0", false),
            ("-p path+file:///x#0.1.0", true),
            ("--workspace --exclude ab", false),
            ("--exclude=a?", false),
            ("--exclude=b", true),
        ] {
            let command = CargoCommand::parse(&format!("cargo build {arguments}").replace('\'', ""));
            let command = command.unwrap_or_else(|| {
                let args = arguments.split(' ').map(|word| word.replace('\'', "")).collect();
                CargoCommand { verb: "build".into(), args, ..CargoCommand::default() }
            });
            assert_eq!(command.selects("ab"), expected, "{arguments}");
        }
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
