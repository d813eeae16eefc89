//! What a step says besides label and command, with where each value came from.

use crate::model::Origin;
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// A value, and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Traced<T> {
    /// The value.
    pub value: T,
    /// Its origin.
    pub origin: Origin,
}

impl<T> Traced<T> {
    /// A value of an origin.
    pub fn new(value: impl Into<T>, origin: Origin) -> Self {
        Self { value: value.into(), origin }
    }
}

/// Values by name, each with its origin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TracedMap(IndexMap<String, Traced<Value>>);

impl TracedMap {
    /// Sets one value; what was there is gone.
    pub fn set(&mut self, name: &str, value: impl Into<Value>, origin: Origin) {
        self.0.insert(name.to_owned(), Traced::new(value, origin));
    }

    /// Lays a map over this one; `origin` says where each key stands.
    pub fn lay_over(&mut self, map: &Map<String, Value>, origin: impl Fn(&str) -> Origin) {
        for (name, value) in map {
            self.set(name, value.clone(), origin(name));
        }
    }

    /// Takes a value away.
    pub fn remove(&mut self, name: &str) -> Option<Traced<Value>> {
        self.0.shift_remove(name)
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Traced<Value>> {
        self.0.get(name)
    }

    /// Every value with its name, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Traced<Value>)> {
        self.0.iter().map(|(name, traced)| (name.as_str(), traced))
    }

    /// The values without their origins.
    pub fn to_map(&self) -> Map<String, Value> {
        self.iter().map(|(name, traced)| (name.to_owned(), traced.value.clone())).collect()
    }
}

/// What the steps of one check on one platform say, whatever crate they are for.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSettings {
    /// Where the check is described.
    pub source: Origin,
    /// Where its command stands.
    pub command: Origin,
    /// The agent tags.
    pub agents: TracedMap,
    /// The docker plugin's options; none for the host.
    pub docker: Option<TracedMap>,
    /// The time limit in minutes, as written: a number, or one in quotes.
    pub timeout: Traced<Value>,
    /// Other attributes of the step, `retry` among them, untouched.
    pub attributes: TracedMap,
    /// Plugins of the step's own, to stand behind this one.
    pub plugins: Vec<Value>,
    /// The names in the option `checks` that hold for the step's job; the last wins.
    pub overrides: Vec<String>,
    /// What the job's check is called: `rust-vmm-ci run` knows it by this name.
    pub check: Option<String>,
}
