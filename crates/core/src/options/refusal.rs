//! Why something that a person wrote is refused.

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
    /// The step's options. Its author never saw the variable that carries them, so nothing is named.
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
    /// Names this source in an error of the configuration that was found after it was read, such as a
    /// check's name that no check has. An error of another kind than a wrong configuration, or one that
    /// names its source already, stays as it is.
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
    /// Nothing has this key.
    UnknownOption,
    /// A key that must be there is not.
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
    /// No known name is close: all of them.
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

/// Something that a person wrote and that is refused. Its text says where it stands, what was
/// expected, what stands there, and what was meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.text())]
#[must_use]
pub struct Refusal(Box<Details>);

/// A [`Refusal`] is a pointer: most results are no error, and should not have the size of one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    from: Source,
    /// The key path from the source; empty for the whole value, none while it is unknown.
    path: Option<String>,
    problem: Problem,
    got: Option<String>,
    meant: Option<Meant>,
    /// Whether the value is of another kind of JSON than expected: quotes may be all that is wrong.
    wrong_kind: bool,
}

impl Refusal {
    /// A refusal for this reason, of a value whose place is not known yet.
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

    /// A key or value that is refused for a reason of its own: a sentence without its place.
    pub fn because(reason: impl Into<String>) -> Self {
        Self::new(Problem::Other(reason.into())).at_root()
    }

    /// A key that must be there and is not.
    pub fn missing(key: &str) -> Self {
        Self::new(Problem::Missing(key.to_owned())).at_root()
    }

    /// A key that is none of the known ones.
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

    /// A word that is none of the known ones.
    pub fn unknown_word(word: &str, known: &[&str]) -> Self {
        Self::word(word, known).located(String::new, &Value::from(word))
    }

    fn word(word: &str, known: &[&str]) -> Self {
        let meant = closest(word, known.iter().copied()).map(|name| Meant::Name(name.to_owned()));
        Self::new(Problem::Expected(format!("one of {}", known.join(", "))))
            .with(|details| details.meant = meant)
    }

    /// The same, with the name that is meant, where one is close to the one written.
    pub fn close_to<'k>(self, written: &str, names: impl IntoIterator<Item = &'k str>) -> Self {
        self.with(|details| details.meant = closest(written, names).map(|name| Meant::Name(name.to_owned())))
    }

    /// Keys without a value.
    pub fn without_value(paths: &[String]) -> Self {
        Self::new(Problem::NoValue).with(|details| details.path = Some(paths.join(", ")))
    }

    /// The same, with other names that exist where this one stands. A close one is named; a list of
    /// known names grows by them.
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

    /// The same refusal of a value whose key path the caller knows.
    pub fn at_root(self) -> Self {
        self.with(|details| details.path = Some(String::new()))
    }

    /// The same refusal, of something that stands below this key path.
    pub fn below(self, path: &str) -> Self {
        let path = joined(path, self.path());
        self.with(|details| details.path = Some(path))
    }

    /// The same refusal, of something that was written there.
    pub fn at_source(self, from: Source) -> Self {
        self.with(|details| details.from = from)
    }

    /// The same refusal with its place and the value there, unless it knows its place already: the
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

    /// The key path from the source; empty for the whole value.
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
        // A variable's name and the path within it are read as one: `TESTS_TO_SKIP[0]`.
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

/// A key as a path has it: on one line, cut where it is long, and in quotes where it is blank.
pub fn key_text(key: &str) -> String {
    if key.trim().is_empty() {
        return shown::value(key);
    }
    let cut: String = key.chars().take(MOST).collect();
    let end = if cut.len() < key.len() { "…" } else { "" };
    format!("{}{end}", shown::line(&cut))
}

/// Two parts of a key path, with the point that stands between a key and a key below it.
pub fn joined(head: &str, rest: &str) -> String {
    let point = if head.is_empty() || rest.is_empty() || rest.starts_with('[') { "" } else { "." };
    format!("{head}{point}{rest}")
}

/// A value as a message quotes it: on one line, at most 200 characters.
fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => shown::value(text),
        other => key_text(&other.to_string()),
    }
}

/// The hint for a value of the wrong kind of which quotes are all that is wrong.
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

/// What serde and its derived code say. The words of the JSON value itself come from [`Refusal::located`].
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
