//! One test of a description, with the predecessor's keys.

use crate::buildkite::{first_variable, unescape};
use crate::model::{BUILDKITE_STEP_KEYS, CheckName, HYPERVISORS, Os, Platform};
use crate::options::{self, Command, Name, Positive, Refusal};
use serde::Deserialize;
use serde_json::{Map, Value};

/// The keys of a test that are not keys of a Buildkite step, and our key `os`.
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

/// Keys of a Buildkite step that have the same meaning as a key of a test. They are refused, because one of
/// the two values would be lost silently.
const SAID_OTHERWISE: [(&str, &str); 2] = [("commands", "command"), ("name", "label")];

/// What a test covers in selective mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Each crate by itself.
    #[default]
    Crate,
    /// The workspace as a whole, once.
    Workspace,
}

/// A test in a description. Its texts are those that the running step sees: the agent's escapes are removed.
#[derive(Clone, Debug, Default)]
pub struct Test {
    /// Its position in its file, such as `tests[3]`.
    pub key: String,
    /// Its name.
    pub name: CheckName,
    /// The command, with its placeholders.
    pub command: String,
    /// A variable in the command that the predecessor's upload replaced with its value.
    pub interpolated: Option<String>,
    /// The platforms that it is for. Each platform gets a step. Without platforms there is one step.
    pub platforms: Option<Vec<Platform>>,
    /// The system that it is for. None for any system.
    pub os: Option<Os>,
    /// The agent tag `hypervisor`: `kvm` or `mshv`.
    pub hypervisor: Option<String>,
    /// Options of the docker plugin.
    pub docker: Map<String, Value>,
    /// The time limit in minutes, as it is written: Buildkite also accepts a number in quotes.
    pub timeout: Option<Value>,
    /// The agent tag `queue`.
    pub queue: Option<String>,
    /// What it covers in selective mode.
    pub scope: Scope,
    /// The text for `{crate_path}`, instead of the crate's own path.
    pub crate_path: Option<String>,
    /// The attributes of a Buildkite step that it sets, as they are written. `conditional` is called `if`
    /// here.
    pub attributes: Map<String, Value>,
}

impl Test {
    /// Reads one test.
    ///
    /// # Errors
    /// For everything that the predecessor would have ignored, or that would have made it fail. The path
    /// begins with `key`.
    pub fn read(key: String, value: Value) -> Result<Self, Refusal> {
        let Value::Object(map) = value else {
            let what = "a test: {\"test_name\": …, \"command\": …}";
            return Err(Refusal::expected(what, &value).below(&key));
        };
        let mut test = Self { key, ..Self::default() };
        for (key, mut value) in map {
            test.set(&key, &mut value)
                .map_err(|refusal| refusal.below(&options::path(&test.key, &options::key(&key))))?;
        }
        match (test.name.as_str().is_empty(), test.command.is_empty()) {
            (true, _) => Err(Refusal::missing("test_name").below(&test.key)),
            (_, true) => Err(Refusal::missing("command").below(&test.key)),
            _ => Ok(test),
        }
    }

    fn set(&mut self, key: &str, value: &mut Value) -> Result<(), Refusal> {
        if key == "command" {
            self.interpolated = value.as_str().and_then(first_variable).map(str::to_owned);
        }
        unescape(value);
        let known = KEYS.contains(&key);
        // The predecessor treated a null like a missing key.
        if value.is_null() && (known || matches!(key, "command" | "timeout_in_minutes")) {
            return Ok(());
        }
        match key {
            "test_name" => self.name = CheckName::new(name(value)?),
            "command" => self.command = options::read::<Command>(value)?.0,
            "platform" => self.platforms = platforms(value)?,
            "os" => self.os = Some(options::read(value)?),
            "hypervisor" => self.hypervisor = Some(one_of(value, &HYPERVISORS)?),
            "docker_plugin" => self.docker = without_nulls(value)?,
            // A test may have either key. The predecessor turned a `conditional` into an `if`.
            "conditional" | "if" => {
                let condition = options::read::<Command>(value)?.0;
                if self.attributes.insert("if".into(), condition.into()).is_some() {
                    return Err(Refusal::because("`conditional` and `if` say the same; keep one"));
                }
            }
            "queue" => self.queue = Some(name(value)?),
            "scope" => self.scope = options::read(value)?,
            "crate_path" => self.crate_path = Some(name(value)?),
            "timeout_in_minutes" => self.timeout = Some(timeout(value)?),
            _ => self.attribute(key, value)?,
        }
        Ok(())
    }

    fn attribute(&mut self, key: &str, value: &mut Value) -> Result<(), Refusal> {
        if let Some((_, ours)) = SAID_OTHERWISE.iter().find(|(theirs, _)| *theirs == key) {
            return Err(Refusal::because(format!("a test says this by `{ours}`")));
        }
        if !BUILDKITE_STEP_KEYS.contains(&key) {
            // The caller adds the key to the path.
            return Err(Refusal::unknown(key, KEYS.into_iter().chain(BUILDKITE_STEP_KEYS)).at_root());
        }
        if key == "agents" && !value.is_object() {
            return Err(Refusal::expected("a map of agent tags", value));
        }
        self.attributes.insert(key.to_owned(), value.take());
        Ok(())
    }
}

fn name(value: &Value) -> Result<String, Refusal> {
    options::read::<Name>(value).map(|Name(name)| name)
}

fn one_of(value: &Value, words: &[&str]) -> Result<String, Refusal> {
    let word: String = options::read(value)?;
    if words.contains(&word.as_str()) { Ok(word) } else { Err(Refusal::unknown_word(&word, words)) }
}

fn platforms(value: &Value) -> Result<Option<Vec<Platform>>, Refusal> {
    if !value.is_array() {
        return Err(Refusal::expected("a list of platforms such as [\"x86_64\"]", value));
    }
    let mut platforms: Vec<Platform> = Vec::new();
    for platform in options::read::<Vec<Platform>>(value)? {
        if !platforms.contains(&platform) {
            platforms.push(platform);
        }
    }
    // The predecessor treated an empty list as a step without a platform.
    Ok(Some(platforms).filter(|platforms| !platforms.is_empty()))
}

/// A map for the options of a step's plugin. The agent allows no `null` there.
pub fn without_nulls(value: &Value) -> Result<Map<String, Value>, Refusal> {
    let map: Map<String, Value> = options::read(value)?;
    match map.iter().find(|(_, value)| value.is_null()) {
        Some((key, _)) => Err(Refusal::without_value(&[options::key(key)])),
        None => Ok(map),
    }
}

fn timeout(value: &Value) -> Result<Value, Refusal> {
    match minutes(value) {
        Some(minutes) if minutes > 0 => Ok(value.clone()),
        _ => Err(Refusal::expected(Positive::WHAT, value)),
    }
}

/// A number of minutes, which may be in quotes.
pub fn minutes(value: &Value) -> Option<u32> {
    let plain = value.as_u64().and_then(|number| u32::try_from(number).ok());
    plain.or_else(|| value.as_str()?.trim().parse().ok())
}
