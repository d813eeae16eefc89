//! A command step, with only the attributes that it needs.

use super::options;
use crate::config::Config;
use crate::model::Os;
use crate::plan::{PlannedCheck, StepSettings, Watched};
use anyhow::Result;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// A command step. The parts that many steps share are rendered once.
#[derive(Debug)]
pub struct Step<'a> {
    /// Its label.
    pub label: Cow<'a, str>,
    /// Its command.
    pub command: Cow<'a, str>,
    /// The parts that other steps have too.
    pub shared: Arc<Shared>,
    /// The paths whose changes make it run.
    pub if_changed: Option<Arc<RawValue>>,
    /// Why Buildkite does not run it, if it does not.
    pub skip: Option<String>,
}

/// The parts of a step that other steps of its check share.
#[derive(Debug)]
pub struct Shared {
    agents: Box<RawValue>,
    plugins: Box<RawValue>,
    timeout: Value,
    attributes: Map<String, Value>,
    /// Whether the step has a GitHub check, which shows findings on the lines of a pull request.
    github_check: bool,
}

impl Shared {
    /// Renders the parts. `plugins` is the whole list, with this plugin's entry.
    ///
    /// # Errors
    /// If a value cannot be written as JSON. None of our values has this error.
    pub fn new(
        agents: &Map<String, Value>,
        plugins: &[Value],
        timeout: Value,
        attributes: Map<String, Value>,
    ) -> Result<Self> {
        Ok(Self {
            agents: to_raw_value(agents)?,
            plugins: to_raw_value(plugins)?,
            timeout,
            attributes,
            github_check: false,
        })
    }

    /// Adds a GitHub check if the configuration asks for one.
    #[must_use]
    pub fn with_github_check(self, config: &Config) -> Self {
        Self { github_check: config.github_check, ..self }
    }
}

impl Step<'_> {
    /// An attribute of the step, other than label, command, agents, plugins and time limit.
    pub fn attribute(&self, name: &str) -> Option<&Value> {
        self.shared.attributes.get(name)
    }

    /// The step's notifications, with a GitHub check. If the step has none of its own, one with the step's
    /// name is added.
    fn notify(&self) -> Vec<Value> {
        let own = self.attribute(NOTIFY);
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

impl Serialize for Step<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("label", &self.label)?;
        map.serialize_entry("command", &self.command)?;
        if let Some(retry) = self.shared.attributes.get("retry") {
            map.serialize_entry("retry", retry)?;
        }
        if self.shared.agents.get() != "{}" {
            map.serialize_entry("agents", &self.shared.agents)?;
        }
        map.serialize_entry("plugins", &self.shared.plugins)?;
        map.serialize_entry("timeout_in_minutes", &self.shared.timeout)?;
        let notify = self.shared.github_check.then(|| self.notify());
        let is_written = |name: &str| name == "retry" || (name == NOTIFY && notify.is_some());
        for (name, value) in self.shared.attributes.iter().filter(|(name, _)| !is_written(name)) {
            map.serialize_entry(name, value)?;
        }
        if let Some(notify) = &notify {
            map.serialize_entry(NOTIFY, notify)?;
        }
        if let Some(paths) = &self.if_changed {
            map.serialize_entry("if_changed", &**paths)?;
        }
        if let Some(reason) = &self.skip {
            map.serialize_entry("skip", reason)?;
        }
        map.end()
    }
}

/// Rendered lists of paths, by the list's identity. The value keeps the list alive.
type RenderedPaths = HashMap<(*const Arc<str>, bool), (Watched, Arc<RawValue>)>;

/// Turns planned checks into steps.
#[derive(Debug)]
pub struct Renderer<'a> {
    config: &'a Config,
    reference: &'a str,
    /// The latest rendered settings. Checks come crate by crate, for a few platforms each, so a few settings
    /// are enough.
    recent: Vec<(Arc<StepSettings>, Arc<Shared>)>,
    paths: RenderedPaths,
}

/// How many settings are kept: one for each platform and one for none.
const RECENT: usize = 4;

impl<'a> Renderer<'a> {
    /// `reference` is the uploading job's reference to this plugin.
    pub fn new(config: &'a Config, reference: &'a str) -> Self {
        Self { config, reference, recent: Vec::new(), paths: HashMap::new() }
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
            if_changed: check.if_changed.as_ref().map(|paths| self.paths(paths)).transpose()?,
            skip: check.left_out().map(str::to_owned),
        })
    }

    fn shared(&mut self, check: &PlannedCheck) -> Result<Arc<Shared>> {
        if let Some((_, shared)) = self.recent.iter().find(|(known, _)| Arc::ptr_eq(known, &check.step)) {
            return Ok(Arc::clone(shared));
        }
        let settings = &check.step;
        let options = options::of_check(self.config, check)?;
        let shared = Arc::new(
            Shared::new(
                &settings.agents.to_map(),
                &plugins(self.reference, options, &settings.plugins),
                settings.timeout.value.clone(),
                settings.attributes.to_map(),
            )?
            .with_github_check(self.config),
        );
        if self.recent.len() == RECENT {
            self.recent.remove(0);
        }
        self.recent.push((Arc::clone(settings), Arc::clone(&shared)));
        Ok(shared)
    }

    fn paths(&mut self, paths: &Watched) -> Result<Arc<RawValue>> {
        if let Some((_, rendered)) = self.paths.get(&paths.identity()) {
            return Ok(Arc::clone(rendered));
        }
        let rendered: Arc<RawValue> = to_raw_value(paths)?.into();
        self.paths.insert(paths.identity(), (paths.clone(), Arc::clone(&rendered)));
        Ok(rendered)
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
        let shared = Shared::new(&Map::new(), &[], 15.into(), attributes).unwrap().with_github_check(&config);
        let step = Step {
            label: "clippy".into(),
            command: "x".into(),
            shared: Arc::new(shared),
            if_changed: None,
            skip: None,
        };
        serde_json::to_value(step).unwrap()
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
    fn the_last_step_waits_for_all_jobs_and_runs_nothing_of_the_repository() {
        let [wait, step] = summary(&Config::default(), "p#v1");
        assert_eq!(wait, json!({"wait": null, "continue_on_failure": true}));
        assert_eq!(step["plugins"], json!([{"p#v1": {"summary": true}}]));
        assert_eq!((step.get("command"), &step["agents"]), (None, &json!({"os": "linux"})));
    }
}
