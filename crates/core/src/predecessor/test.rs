//! One test of a description: what the predecessor's keys say, checked.

use crate::buildkite::{first_variable, unescape};
use crate::model::{BUILDKITE_STEP_KEYS, CheckName, HYPERVISORS, Os, Platform, closest, did_you_mean};
use serde_json::{Map, Value};

/// The keys of a test that are not a Buildkite step's own, and ours, `os`.
const KEYS: [&str; 9] = [
    "test_name",
    "platform",
    "os",
    "hypervisor",
    "docker_plugin",
    "conditional",
    "queue",
    "scope",
    "crate_path",
];

/// Keys of a Buildkite step that say the same as one of a test's: refused, as they would win or lose
/// in silence.
const SAID_OTHERWISE: [(&str, &str); 2] = [("commands", "command"), ("name", "label")];

/// What a test covers in selective mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Each crate by itself.
    #[default]
    Crate,
    /// The workspace as a whole, once.
    Workspace,
}

/// A test as described. Texts are as at run time, without the agent's escapes.
#[derive(Clone, Debug, Default)]
pub struct Test {
    /// Where it stands in its file: `tests[3]`.
    pub key: String,
    /// Its name.
    pub name: CheckName,
    /// What it runs, with its placeholders.
    pub command: String,
    /// A variable in the command that the predecessor's upload replaced by its value there.
    pub interpolated: Option<String>,
    /// The platforms that it is for, a step each; none for one step without platform.
    pub platforms: Option<Vec<Platform>>,
    /// The system that it is for; none for any.
    pub os: Option<Os>,
    /// `kvm` or `mshv`.
    pub hypervisor: Option<String>,
    /// Options of the docker plugin.
    pub docker: Map<String, Value>,
    /// The time limit in minutes, as written: Buildkite takes a number in quotes too.
    pub timeout: Option<Value>,
    /// The agent tag `queue`.
    pub queue: Option<String>,
    /// Selective mode: what it covers.
    pub scope: Scope,
    /// What `{crate_path}` stands for, in place of the crate's own path.
    pub crate_path: Option<String>,
    /// The attributes of a Buildkite step that it gives (`if` from `conditional`), untouched.
    pub attributes: Map<String, Value>,
}

impl Test {
    /// Reads one test. An error is its key and a sentence.
    pub fn read(key: String, value: Value) -> Result<Self, String> {
        let Value::Object(map) = value else {
            return Err(format!("{key}: {}", expected("a test: {\"test_name\": …, \"command\": …}", &value)));
        };
        let mut test = Self { key, ..Self::default() };
        for (key, mut value) in map {
            test.set(&key, &mut value).map_err(|told| below(&format!("{}.{key}", test.key), &told))?;
        }
        match (test.name.as_str().is_empty(), test.command.is_empty()) {
            (true, _) => Err(format!("{}: has no `test_name`", test.key)),
            (_, true) => Err(format!("{}: has no `command`", test.key)),
            _ => Ok(test),
        }
    }

    fn set(&mut self, key: &str, value: &mut Value) -> Result<(), String> {
        if key == "command" {
            self.interpolated = value.as_str().and_then(first_variable).map(str::to_owned);
        }
        unescape(value);
        let known = KEYS.contains(&key);
        // The predecessor took a null for a key that is not there.
        if value.is_null() && (known || matches!(key, "command" | "timeout_in_minutes")) {
            return Ok(());
        }
        match key {
            "test_name" => self.name = CheckName::new(text(value)?),
            "command" => self.command = text(value)?,
            "platform" => self.platforms = platforms(value)?,
            "os" => self.os = Some(text(value)?.parse()?),
            "hypervisor" => self.hypervisor = Some(one_of("hypervisor", &text(value)?, &HYPERVISORS)?),
            "docker_plugin" => self.docker = docker(value)?,
            // Either may be written; the predecessor made the one of the other.
            "conditional" | "if" => {
                if self.attributes.insert("if".into(), text(value)?.into()).is_some() {
                    return Err("`conditional` and `if` say the same; keep one".into());
                }
            }
            "queue" => self.queue = Some(text(value)?),
            "scope" => {
                let scope = one_of("scope", &text(value)?, &["crate", "workspace"])?;
                self.scope = if scope == "workspace" { Scope::Workspace } else { Scope::Crate };
            }
            "crate_path" => self.crate_path = Some(text(value)?),
            "timeout_in_minutes" => self.timeout = Some(minutes(value)?),
            _ => self.attribute(key, value)?,
        }
        Ok(())
    }

    fn attribute(&mut self, key: &str, value: &mut Value) -> Result<(), String> {
        if let Some((_, ours)) = SAID_OTHERWISE.iter().find(|(theirs, _)| *theirs == key) {
            return Err(format!("a test says this by `{ours}`"));
        }
        if !BUILDKITE_STEP_KEYS.contains(&key) {
            let all = KEYS.into_iter().chain(BUILDKITE_STEP_KEYS);
            let meant = closest(key, all).map_or(String::new(), |meant| format!("; did you mean `{meant}`?"));
            return Err(format!("neither a test's key nor an attribute of a Buildkite command step{meant}"));
        }
        if key == "agents" && !value.is_object() {
            return Err(expected("a map of agent tags", value));
        }
        self.attributes.insert(key.to_owned(), value.take());
        Ok(())
    }
}

/// An error below a key: it may begin with more of the path.
fn below(key: &str, told: &str) -> String {
    let separator = if told.starts_with(['[', '.']) { "" } else { ": " };
    format!("{key}{separator}{told}")
}

fn platforms(value: &Value) -> Result<Option<Vec<Platform>>, String> {
    let Value::Array(items) = value else {
        return Err(expected("a list of platforms such as [\"x86_64\"]", value));
    };
    let mut platforms = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let platform =
            text(item).and_then(|name| name.parse()).map_err(|told| below(&format!("[{index}]"), &told))?;
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    // An empty list is the predecessor's "on any platform".
    Ok(Some(platforms).filter(|platforms| !platforms.is_empty()))
}

fn docker(value: &mut Value) -> Result<Map<String, Value>, String> {
    let Value::Object(options) = value.take() else {
        return Err("expected a map of the docker plugin's options".into());
    };
    match options.iter().find(|(_, value)| value.is_null()) {
        Some((key, _)) => Err(format!(
            ".{key}: has no value (null): the agent would drop all options of the step's plugin; remove it"
        )),
        None => Ok(options),
    }
}

fn minutes(value: &Value) -> Result<Value, String> {
    match number(value) {
        Some(minutes) if minutes > 0 => Ok(value.clone()),
        Some(_) => Err(expected("minutes, at least 1", value)),
        None => Err(expected("minutes", value)),
    }
}

/// A number of minutes that is written plainly or in quotes.
pub fn number(value: &Value) -> Option<u32> {
    let plain = value.as_u64().and_then(|number| u32::try_from(number).ok());
    plain.or_else(|| value.as_str()?.trim().parse().ok())
}

fn one_of(what: &str, given: &str, all: &[&str]) -> Result<String, String> {
    if all.contains(&given) {
        return Ok(given.to_owned());
    }
    Err(format!("unknown {what} `{given}`{}", did_you_mean(given, all.iter().copied())))
}

fn text(value: &Value) -> Result<String, String> {
    match value.as_str() {
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        Some(_) => Err("expected text, got nothing but blanks".into()),
        None => Err(expected("text", value)),
    }
}

/// What was expected and what stands there, cut where it is long: the key says where.
pub fn expected(what: &str, value: &Value) -> String {
    const SHOWN: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("expected {what}, got {} …", &text[..at]),
        None => format!("expected {what}, got {text}"),
    }
}
