//! Why something that a person wrote was refused.

use crate::exit;
use crate::model::{closest, shown};
use serde::de::{self, Expected, Unexpected};
use serde_json::Value;
use std::fmt;

/// The most characters of a key or a value that a message quotes, the same as in [`shown::value`].
const MOST: usize = 200;

/// Where something was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The step's options. Their author never saw the variable that contains them, so the message names no
    /// source.
    #[default]
    Step,
    /// The file that `--config` names.
    ConfigFile(String),
    /// A step in a pipeline file: the file and the step, as [`fmt::Display`] shows them.
    PipelineFile {
        /// The file's path.
        path: String,
        /// The step's label in quotes, or its number.
        step: String,
    },
    /// An entry in `BUILDKITE_PLUGINS`, by the plugin's reference.
    Plugin(String),
    /// An environment variable.
    Variable(&'static str),
    /// A file of the repository, such as a description of tests.
    File(String),
    /// The agent's policy.
    Policy(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Step => return Ok(()),
            Self::ConfigFile(path) => format!("--config {path}"),
            Self::PipelineFile { path, step } => format!("{path}, step {step}"),
            Self::Plugin(reference) => format!("BUILDKITE_PLUGINS, {reference}"),
            Self::Variable(name) => (*name).to_owned(),
            Self::File(path) => path.clone(),
            Self::Policy(path) => format!("the agent's policy {path}"),
        };
        f.write_str(&shown::line(&text))
    }
}

impl Source {
    /// Adds this source to an error in the configuration that was found later, such as an unknown name of a
    /// check. An error of another kind, or one that names its source already, stays as it is.
    pub fn named_in(&self, error: anyhow::Error) -> anyhow::Error {
        if *self == Self::Step || exit::of(&error) != exit::Exit::Usage {
            return error;
        }
        match exit::reason::<Refusal>(&error) {
            Some(refusal) if refusal.0.from != Self::Step => error,
            Some(refusal) => exit::usage(refusal.clone().at_source(self.clone())),
            None => exit::usage(format!("{self}: {error}")),
        }
    }
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The value is not what was expected.
    Expected(String),
    /// There is no option with this key.
    UnknownOption,
    /// A required key is missing.
    Missing(String),
    /// The keys have no value (`null`).
    NoValue,
    /// Another reason, as a sentence.
    Other(String),
}

/// What the person probably meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meant {
    /// The known name that is close to the one written.
    Name(String),
    /// All known names, if none of them is close.
    OneOf(Vec<String>),
    /// What to write instead.
    Write(String),
}

impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "; did you mean `{name}`?"),
            Self::OneOf(names) => write!(f, "; one of: {}", names.join(", ")),
            Self::Write(text) => write!(f, "; write {text}"),
        }
    }
}

/// The refusal of something that a person wrote. Its text says where the value is, what was expected, what
/// was found, and what the person probably meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
#[must_use]
pub struct Refusal(Box<Details>);

/// A [`Refusal`] is only a pointer, so that results stay small: most results are not errors.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    from: Source,
    /// The key path from the source. Empty for the whole value, none while the path is unknown.
    path: Option<String>,
    problem: Problem,
    got: Option<String>,
    meant: Option<Meant>,
    /// Whether the value has another JSON kind than expected. Then only the quotes may be wrong.
    wrong_kind: bool,
}

impl Refusal {
    /// A refusal with this reason. The place of the value is not known yet.
    pub fn new(problem: Problem) -> Self {
        let from = Source::Step;
        Self(Box::new(Details { from, path: None, problem, got: None, meant: None, wrong_kind: false }))
    }

    fn with(mut self, change: impl FnOnce(&mut Details)) -> Self {
        change(&mut self.0);
        self
    }

    /// A value that is not what was expected.
    pub fn expected(what: &str, value: &Value) -> Self {
        Self::new(Problem::Expected(what.to_owned())).located(String::new, value)
    }

    /// Refuses a key or value for a specific reason: a sentence that does not name the place.
    pub fn because(reason: impl Into<String>) -> Self {
        Self::new(Problem::Other(reason.into())).at_root()
    }

    /// Refuses a map in which a required key is missing.
    pub fn missing(key: &str) -> Self {
        Self::new(Problem::Missing(key.to_owned())).at_root()
    }

    /// Refuses an unknown key.
    pub fn unknown<'k>(key: &str, known: impl IntoIterator<Item = &'k str>) -> Self {
        Self::unknown_option(key, known).with(|details| details.path = Some(key_text(key)))
    }

    fn unknown_option<'k>(key: &str, known: impl IntoIterator<Item = &'k str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        let meant = match closest(key, known.iter().copied()) {
            Some(name) => Some(Meant::Name(name.to_owned())),
            None if known.is_empty() => None,
            None => Some(Meant::OneOf(known.into_iter().map(str::to_owned).collect())),
        };
        Self::new(Problem::UnknownOption).with(|details| details.meant = meant)
    }

    /// Refuses an unknown word.
    pub fn unknown_word(word: &str, known: &[&str]) -> Self {
        Self::word(word, known).located(String::new, &Value::from(word))
    }

    fn word(word: &str, known: &[&str]) -> Self {
        let meant = closest(word, known.iter().copied()).map(|name| Meant::Name(name.to_owned()));
        Self::new(Problem::Expected(format!("one of {}", known.join(", "))))
            .with(|details| details.meant = meant)
    }

    /// Adds the name that the person probably meant, if one of `names` is close to the one written.
    pub fn close_to<'k>(self, written: &str, names: impl IntoIterator<Item = &'k str>) -> Self {
        self.with(|details| details.meant = closest(written, names).map(|name| Meant::Name(name.to_owned())))
    }

    /// Refuses keys that have no value.
    pub fn without_value(paths: &[String]) -> Self {
        Self::new(Problem::NoValue).with(|details| details.path = Some(paths.join(", ")))
    }

    /// Adds other names that are allowed in the same place. If one of them is close, it is suggested. If the
    /// refusal lists all known names, they are added to the list.
    pub fn or_one_of(self, key: &str, more: &[&str]) -> Self {
        let known = match &self.0.meant {
            _ if self.0.problem != Problem::UnknownOption => return self,
            Some(Meant::OneOf(known)) => known.iter().map(String::as_str).collect(),
            Some(_) => return self,
            None => Vec::new(),
        };
        let meant = Self::unknown_option(key, known.into_iter().chain(more.iter().copied())).0.meant;
        self.with(|details| details.meant = meant)
    }

    /// The same refusal, for a value whose key path the caller knows.
    pub fn at_root(self) -> Self {
        self.with(|details| details.path = Some(String::new()))
    }

    /// The same refusal, with this key path before its own.
    pub fn below(self, path: &str) -> Self {
        let path = joined(path, self.path());
        self.with(|details| details.path = Some(path))
    }

    /// The same refusal, with its source.
    pub fn at_source(self, from: Source) -> Self {
        self.with(|details| details.from = from)
    }

    /// Adds the place and the value there. A refusal that has a place already stays as it is, because the
    /// innermost place is the right one.
    pub(super) fn located(self, path: impl FnOnce() -> String, value: &Value) -> Self {
        if self.0.path.is_some() {
            return self;
        }
        self.with(|details| {
            details.path = Some(path());
            if let Problem::Expected(what) = &details.problem {
                details.got = Some(quoted(value));
                if details.wrong_kind && details.meant.is_none() {
                    details.meant = quotes(what, value);
                }
            }
        })
    }

    /// The key path from the source. Empty for the whole value.
    pub fn path(&self) -> &str {
        self.0.path.as_deref().unwrap_or_default()
    }

    /// What is wrong.
    pub const fn problem(&self) -> &Problem {
        &self.0.problem
    }

    /// What the person probably meant.
    pub const fn meant(&self) -> Option<&Meant> {
        self.0.meant.as_ref()
    }

    fn text(&self) -> String {
        // A variable's name and the path within it are written as one: `TESTS_TO_SKIP[0]`.
        let place = match &self.0.from {
            Source::Variable(name) => joined(name, self.path()),
            from => [from.to_string(), self.path().to_owned()]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(": "),
        };
        let place = if place.is_empty() { "the plugin's options".to_owned() } else { place };
        let meant = self.0.meant.as_ref().map(Meant::to_string).unwrap_or_default();
        let what = match &self.0.problem {
            Problem::Expected(what) => match &self.0.got {
                Some(got) => format!("expected {what}, got {got}"),
                None => format!("expected {what}"),
            },
            Problem::UnknownOption => "unknown option".to_owned(),
            Problem::Missing(key) => format!("has no `{key}`"),
            Problem::NoValue => {
                "no value (null); remove the key or give it one: for a null within them the agent drops \
                 all options of a plugin"
                    .to_owned()
            }
            Problem::Other(reason) => shown::line(reason).into_owned(),
        };
        format!("{place}: {what}{meant}")
    }
}

/// A key as a path shows it: on one line, cut if it is long, and in quotes if it is blank.
pub fn key_text(key: &str) -> String {
    if key.trim().is_empty() {
        return shown::value(key);
    }
    let cut: String = key.chars().take(MOST).collect();
    let end = if cut.len() < key.len() { "…" } else { "" };
    format!("{}{end}", shown::line(&cut))
}

/// Joins two parts of a key path. A point separates a key from a key below it.
pub fn joined(head: &str, rest: &str) -> String {
    let point = if head.is_empty() || rest.is_empty() || rest.starts_with('[') { "" } else { "." };
    format!("{head}{point}{rest}")
}

/// A value as a message shows it: on one line, at most 200 characters.
fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => shown::value(text),
        other => key_text(&other.to_string()),
    }
}

/// The hint for a value of the wrong kind, if only the quotes are wrong.
fn quotes(what: &str, value: &Value) -> Option<Meant> {
    let hint = match value {
        Value::Number(_) | Value::Bool(_) if what.contains("text") => "it in quotes",
        Value::String(text) if text.parse::<f64>().is_ok() && what.contains("number") => "it without quotes",
        Value::String(text) if matches!(text.as_str(), "true" | "false") && what.contains(text) => {
            "it without quotes"
        }
        Value::String(text) if what == "true or false" => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" => "true",
            "false" | "no" | "off" => "false",
            _ => return None,
        },
        _ => return None,
    };
    Some(Meant::Write(hint.to_owned()))
}

/// The errors of serde and of the code that it derives. The method `located` adds the text of the JSON value.
impl de::Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Problem::Other(message.to_string()))
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Problem::Expected(expected.to_string())).with(|details| details.wrong_kind = true)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Problem::Expected(expected.to_string()))
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::word(word, known)
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        Self::unknown_option(key, known.iter().copied())
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Problem::Missing(key.to_owned()))
    }
}
