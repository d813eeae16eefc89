//! The settings of a step besides its label and command, each with its origin.

use crate::model::Origin;
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// A value and its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Traced<T> {
    /// The value.
    pub value: T,
    /// Its origin.
    pub origin: Origin,
}

impl<T> Traced<T> {
    /// A value with this origin.
    pub fn new(value: impl Into<T>, origin: Origin) -> Self {
        Self { value: value.into(), origin }
    }
}

/// Values by name, each with its origin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TracedMap(IndexMap<String, Traced<Value>>);

impl TracedMap {
    /// Sets a value. It replaces an earlier one.
    pub fn set(&mut self, name: &str, value: impl Into<Value>, origin: Origin) {
        self.0.insert(name.to_owned(), Traced::new(value, origin));
    }

    /// Adds the values of a map, which replace earlier ones. `origin` returns the origin of each key.
    pub fn lay_over(&mut self, map: &Map<String, Value>, origin: impl Fn(&str) -> Origin) {
        for (name, value) in map {
            self.set(name, value.clone(), origin(name));
        }
    }

    /// Removes a value.
    pub fn remove(&mut self, name: &str) -> Option<Traced<Value>> {
        self.0.shift_remove(name)
    }

    /// The value with this name.
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

/// The settings that the steps of one check have on one platform, for all crates.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSettings {
    /// Where the check is described.
    pub source: Origin,
    /// Where its command was written.
    pub command: Origin,
    /// The agent tags.
    pub agents: TracedMap,
    /// The docker plugin's options. None if the step runs on the host.
    pub docker: Option<TracedMap>,
    /// The time limit in minutes, as written: a number, or a number in quotes.
    pub timeout: Traced<Value>,
    /// Other attributes of the step, such as `retry`, unchanged.
    pub attributes: TracedMap,
    /// The step's own plugins. They follow this plugin.
    pub plugins: Vec<Value>,
    /// The names in the option `checks` that apply to the step's job. The last one wins.
    pub overrides: Vec<String>,
    /// The name of the job's check, as `rust-vmm-ci run` knows it.
    pub check: Option<String>,
}
