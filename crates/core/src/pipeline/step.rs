//! A command step, with only the attributes that it needs.

use super::options;
use crate::config::Config;
use crate::model::Os;
use crate::plan::{PlannedCheck, StepSettings, Watched};
use anyhow::Result;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::sync::Arc;

/// A command step. The parts that many steps share are written once.
#[derive(Debug)]
pub struct Step<'a> {
    /// Its label.
    pub label: Cow<'a, str>,
    /// Its command.
    pub command: Cow<'a, str>,
    /// The parts that other steps have too.
    pub shared: Arc<Shared>,
    /// The paths whose changes make it run.
    pub if_changed: Option<&'a Watched>,
    /// Why Buildkite does not run it, if it does not.
    pub skip: Option<Cow<'a, str>>,
}

/// The parts of a step that other steps of its check share.
#[derive(Debug)]
pub struct Shared {
    /// These parts in JSON, without braces. The plugins are among them, so it is never empty.
    text: Vec<u8>,
    attributes: Map<String, Value>,
    /// Whether the step has a GitHub check, which shows findings on the lines of a pull request.
    github_check: bool,
}

impl Shared {
    /// Writes the parts. `plugins` is the whole list, with this plugin's entry. If the configuration asks for
    /// a GitHub check, the step gets one.
    ///
    /// # Errors
    /// If a value cannot be written as JSON. None of our values has this error.
    pub fn new(
        agents: &Map<String, Value>,
        plugins: &[Value],
        timeout: &Value,
        attributes: Map<String, Value>,
        config: &Config,
    ) -> Result<Self> {
        let github_check = config.github_check;
        let mut text = Vec::new();
        if let Some(retry) = attributes.get(RETRY) {
            entry(&mut text, RETRY, retry)?;
        }
        if !agents.is_empty() {
            entry(&mut text, "agents", agents)?;
        }
        entry(&mut text, "plugins", plugins)?;
        entry(&mut text, "timeout_in_minutes", timeout)?;
        let is_apart = |name: &str| name == RETRY || (name == NOTIFY && github_check);
        for (name, value) in attributes.iter().filter(|(name, _)| !is_apart(name)) {
            entry(&mut text, name, value)?;
        }
        Ok(Self { text, attributes, github_check })
    }

    /// The number of jobs that a step makes: its parallelism times the size of its matrix.
    pub fn jobs(&self) -> u64 {
        let parallelism = self.attributes.get("parallelism").and_then(Value::as_u64).unwrap_or(1);
        let of_matrix = match self.attributes.get("matrix") {
            Some(Value::Array(values)) => length(values),
            Some(Value::Object(matrix)) => match matrix.get("setup") {
                Some(Value::Array(values)) => length(values),
                Some(Value::Object(setup)) => {
                    setup.values().filter_map(Value::as_array).map(|values| length(values)).product()
                }
                _ => 1,
            },
            _ => 1,
        };
        (parallelism * of_matrix).max(1)
    }
}

fn length(values: &[Value]) -> u64 {
    u64::try_from(values.len()).unwrap_or(u64::MAX)
}

/// Adds an entry to the entries of an object in JSON.
fn entry(object: &mut Vec<u8>, key: &str, value: &(impl Serialize + ?Sized)) -> Result<()> {
    begin_entry(object, key)?;
    Ok(serde_json::to_writer(object, value)?)
}

/// Adds what stands before the value of an entry.
fn begin_entry(object: &mut Vec<u8>, key: &str) -> Result<()> {
    if object.last().is_some_and(|before| *before != b'{') {
        object.push(b',');
    }
    serde_json::to_writer(&mut *object, key)?;
    object.push(b':');
    Ok(())
}

impl Step<'_> {
    /// Writes the step as JSON.
    ///
    /// # Errors
    /// If a value cannot be written as JSON. None of our values has this error.
    pub fn write(&self, to: &mut Vec<u8>) -> Result<()> {
        to.push(b'{');
        entry(to, "label", &self.label)?;
        entry(to, "command", &self.command)?;
        to.push(b',');
        to.extend_from_slice(&self.shared.text);
        if self.shared.github_check {
            entry(to, NOTIFY, &self.notify())?;
        }
        if let Some(paths) = self.if_changed {
            begin_entry(to, "if_changed")?;
            paths.write(to);
        }
        if let Some(reason) = &self.skip {
            entry(to, "skip", reason)?;
        }
        to.push(b'}');
        Ok(())
    }

    /// The step's notifications, with a GitHub check. If the step has none of its own, one with the step's
    /// name is added.
    fn notify(&self) -> Vec<Value> {
        let own = self.shared.attributes.get(NOTIFY);
        let mut all =
            own.and_then(Value::as_array).cloned().unwrap_or_else(|| own.cloned().into_iter().collect());
        let is_check = |notification: &Value| {
            notification.get(GITHUB_CHECK).is_some() || notification.as_str() == Some(GITHUB_CHECK)
        };
        if !all.iter().any(is_check) {
            all.push(json!({ GITHUB_CHECK: { "name": self.label } }));
        }
        all
    }
}

/// The name of the attribute that says how often a job is tried again. It stands before the others.
const RETRY: &str = "retry";
/// The name of the attribute for a step's notifications.
const NOTIFY: &str = "notify";
/// A notification that is a check on the pull request (Buildkite's documentation, "Notify").
const GITHUB_CHECK: &str = "github_check";

/// The last steps of a build: a wait for all jobs, whether they passed or failed, and a step that combines
/// their reports into one page. `reference` is the uploading job's reference to this plugin.
pub fn summary(config: &Config, reference: &str) -> [Value; 2] {
    let mut agents = config.agents.clone().unwrap_or_default();
    if agents.is_empty() {
        agents.insert("os".into(), Os::Linux.as_str().into());
    }
    [
        json!({"wait": null, "continue_on_failure": true}),
        json!({
            "label": ":clipboard: rust-vmm-ci",
            "agents": agents,
            "plugins": [{ reference: { "summary": true } }],
            "timeout_in_minutes": 10,
        }),
    ]
}

/// Turns planned checks into steps.
#[derive(Debug)]
pub struct Renderer<'a> {
    config: &'a Config,
    reference: &'a str,
    /// The latest rendered settings. Checks come crate by crate, for a few platforms each, so a few settings
    /// are enough.
    recent: Vec<(Arc<StepSettings>, Arc<Shared>)>,
}

/// How many settings are kept: one for each platform and one for none.
const RECENT: usize = 4;

impl<'a> Renderer<'a> {
    /// `reference` is the uploading job's reference to this plugin.
    pub fn new(config: &'a Config, reference: &'a str) -> Self {
        Self { config, reference, recent: Vec::new() }
    }

    /// The step of a check.
    ///
    /// # Errors
    /// If the options cannot be written as JSON.
    pub fn step<'b>(&mut self, check: &'b PlannedCheck) -> Result<Step<'b>> {
        Ok(Step {
            label: check.label.as_str().into(),
            command: check.command.as_str().into(),
            shared: self.shared(check)?,
            if_changed: check.if_changed.as_ref(),
            skip: check.left_out().map(Cow::Borrowed),
        })
    }

    /// Whether a check has the same settings as one of the latest.
    pub fn knows(&self, check: &PlannedCheck) -> bool {
        self.recent(check).is_some()
    }

    fn recent(&self, check: &PlannedCheck) -> Option<&Arc<Shared>> {
        let mut recent = self.recent.iter();
        recent.find(|(known, _)| Arc::ptr_eq(known, &check.step)).map(|(_, shared)| shared)
    }

    fn shared(&mut self, check: &PlannedCheck) -> Result<Arc<Shared>> {
        if let Some(shared) = self.recent(check) {
            return Ok(Arc::clone(shared));
        }
        let settings = &check.step;
        let options = options::of_check(self.config, check)?;
        let shared = Arc::new(Shared::new(
            &settings.agents.to_map(),
            &plugins(self.reference, options, &settings.plugins),
            &settings.timeout.value,
            settings.attributes.to_map(),
            self.config,
        )?);
        if self.recent.len() == RECENT {
            self.recent.remove(0);
        }
        self.recent.push((Arc::clone(settings), Arc::clone(&shared)));
        Ok(shared)
    }
}

/// A step's plugins: first this one with its options, then the step's own.
pub fn plugins(reference: &str, options: Map<String, Value>, own: &[Value]) -> Vec<Value> {
    let mut entry = Map::new();
    entry.insert(reference.to_owned(), Value::Object(options));
    std::iter::once(Value::Object(entry)).chain(own.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(attributes: &Value, github_check: bool) -> Value {
        let attributes = attributes.as_object().cloned().unwrap_or_default();
        let config = Config { github_check, ..Config::default() };
        let shared = Shared::new(&Map::new(), &[], &15.into(), attributes, &config).unwrap();
        let step = Step {
            label: "clippy".into(),
            command: "x".into(),
            shared: Arc::new(shared),
            if_changed: None,
            skip: None,
        };
        let mut text = Vec::new();
        step.write(&mut text).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    #[test]
    fn a_step_has_a_github_check_only_where_the_option_asks_for_one() {
        assert_eq!(step(&json!({}), false).get("notify"), None);
        assert_eq!(step(&json!({}), true)["notify"], json!([{"github_check": {"name": "clippy"}}]));
    }

    #[test]
    fn a_steps_own_notifications_stay_and_its_own_check_is_not_doubled() {
        let slack = json!({"notify": [{"slack": "#a"}]});
        assert_eq!(
            step(&slack, true)["notify"],
            json!([{"slack": "#a"}, {"github_check": {"name": "clippy"}}])
        );
        let own = json!({"notify": [{"github_check": {"name": "mine"}}]});
        assert_eq!(step(&own, true)["notify"], own["notify"]);
    }

    #[test]
    fn a_step_is_as_many_jobs_as_its_parallelism_and_its_matrix_say() {
        for (attributes, count) in [
            (json!({}), 1),
            (json!({"parallelism": 5}), 5),
            (json!({"matrix": ["a", "b"], "parallelism": 2}), 4),
            (json!({"matrix": {"setup": {"x": ["a", "b"], "y": [1, 2, 3]}}}), 6),
            (json!({"matrix": {"setup": ["a", "b", "c"]}}), 3),
            (json!({"matrix": "odd", "parallelism": 0}), 1),
        ] {
            let map = attributes.as_object().cloned().unwrap();
            let shared = Shared::new(&Map::new(), &[], &15.into(), map, &Config::default()).unwrap();
            assert_eq!(shared.jobs(), count, "{attributes}");
        }
    }

    #[test]
    fn the_last_step_waits_for_all_jobs_and_runs_nothing_of_the_repository() {
        let [wait, step] = summary(&Config::default(), "p#v1");
        assert_eq!(wait, json!({"wait": null, "continue_on_failure": true}));
        assert_eq!(step["plugins"], json!([{"p#v1": {"summary": true}}]));
        assert_eq!((step.get("command"), &step["agents"]), (None, &json!({"os": "linux"})));
    }
}
