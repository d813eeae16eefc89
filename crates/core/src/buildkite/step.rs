//! Steps of a pipeline as a person wrote them, and values in them that can have several forms.

use serde_json::{Value, json};

/// The kinds of steps (Buildkite's documentation, "Step types").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It runs commands. It may also have plugins only.
    Command,
    /// It contains other steps.
    Group,
    /// It waits for the steps before it.
    Wait,
    /// It waits for a person.
    Block,
    /// It asks a person for values.
    Input,
    /// It starts a build of another pipeline.
    Trigger,
    /// It is not a step: Buildkite refuses it.
    Unknown,
}

/// The key that only a step of this kind has. Buildkite tells the kinds apart by this key. `waiter` and
/// `manual` are alternative names (the agent's `go-pipeline`, `step_scalar.go` and `steps.go`).
const KEYS: [(&str, Kind); 7] = [
    ("group", Kind::Group),
    ("wait", Kind::Wait),
    ("waiter", Kind::Wait),
    ("block", Kind::Block),
    ("manual", Kind::Block),
    ("input", Kind::Input),
    ("trigger", Kind::Trigger),
];

/// The keys that are not a step when they are written alone, as a word.
const NO_WORDS: [&str; 2] = ["group", "trigger"];

/// A step, read in place. Nothing is copied or changed, so unknown keys and the order of keys stay.
#[derive(Clone, Copy, Debug)]
pub struct Step<'p> {
    /// Its kind.
    pub kind: Kind,
    written: &'p Value,
}

impl<'p> Step<'p> {
    /// The steps of a pipeline file. The file is a list of steps, or a map with the key `steps`. The steps of
    /// a group stay inside the group's step.
    pub fn all(pipeline: &'p Value) -> impl Iterator<Item = Self> {
        Self::list(pipeline.get("steps").unwrap_or(pipeline))
    }

    fn list(steps: &'p Value) -> impl Iterator<Item = Self> {
        steps.as_array().into_iter().flatten().map(Self::read)
    }

    /// Reads a step: a map, or a word such as `wait`.
    fn read(written: &'p Value) -> Self {
        let of =
            |is_key: &dyn Fn(&str) -> bool| KEYS.iter().find(|(key, _)| is_key(key)).map(|(_, kind)| *kind);
        let kind = match written {
            Value::Object(map) => of(&|key| map.contains_key(key)).unwrap_or(Kind::Command),
            Value::String(word) => {
                of(&|key| key == word && !NO_WORDS.contains(&key)).unwrap_or(Kind::Unknown)
            }
            _ => Kind::Unknown,
        };
        Self { kind, written }
    }

    /// What a person calls the step: its label, else its key.
    pub fn name(self) -> Option<&'p str> {
        ["label", "name", "key"].into_iter().find_map(|key| self.written.get(key)?.as_str())
    }

    /// The steps within a group. None for other steps.
    pub fn steps(self) -> impl Iterator<Item = Self> {
        self.written.get("steps").into_iter().flat_map(Self::list)
    }

    /// Its plugins, in order: each one's reference and options.
    pub fn plugins(self) -> Vec<(&'p str, &'p Value)> {
        self.written.get("plugins").map(plugins).unwrap_or_default()
    }
}

/// The plugins in a step's `plugins` or in `BUILDKITE_PLUGINS`, with their options. The value is one map, or
/// a list of maps and plain references. A plain reference has the options `null`.
pub fn plugins(value: &Value) -> Vec<(&str, &Value)> {
    match value {
        Value::Array(items) => items.iter().flat_map(plugins).collect(),
        Value::Object(map) => map.iter().map(|(reference, options)| (reference.as_str(), options)).collect(),
        Value::String(reference) => vec![(reference, &Value::Null)],
        _ => Vec::new(),
    }
}

/// A step's `plugins` as a list with one item for each plugin, as it was written.
pub fn plugin_list(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items.clone(),
        Value::Object(map) => map.iter().map(|(reference, options)| json!({reference: options})).collect(),
        other => vec![other.clone()],
    }
}

/// Whether a step's `soft_fail` makes every failure soft. The value is then `true` (some files have it in
/// quotes), or a list with the exit status `*`.
pub fn is_soft(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(soft)) => *soft,
        Some(Value::String(text)) => text == "true",
        Some(Value::Array(items)) => {
            items.iter().any(|item| item.get("exit_status").is_some_and(|status| status == "*"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_step_is_known_by_its_key_or_its_word() {
        use Kind::{Block, Command, Group, Input, Trigger, Unknown, Wait};
        let pipeline = json!({"steps": [
            {"label": "a", "command": "make"},
            {"plugins": ["docker#v5"]},
            {"group": "g", "steps": [{"key": "in", "commands": ["b"]}, "wait"]},
            "wait", {"wait": null, "continue_on_failure": true}, {"waiter": null},
            "block", {"block": "go?"}, {"manual": "go?"},
            {"input": "name?", "fields": []},
            {"trigger": "other"},
            7, "nothing", "group"
        ]});
        let steps: Vec<_> = Step::all(&pipeline).collect();
        assert_eq!(
            steps.iter().map(|step| step.kind).collect::<Vec<_>>(),
            [
                Command, Command, Group, Wait, Wait, Wait, Block, Block, Block, Input, Trigger, Unknown,
                Unknown, Unknown
            ]
        );
        assert_eq!((steps[0].name(), steps[1].name()), (Some("a"), None));
        assert_eq!(steps[2].steps().map(Step::name).collect::<Vec<_>>(), [Some("in"), None]);
        assert_eq!(steps[1].plugins(), [("docker#v5", &Value::Null)]);
    }

    #[test]
    fn plugins_are_a_list_in_either_form_and_keep_their_order() {
        let map = json!({"b#v1": {"z": 1, "a": 2}, "a#v1": null});
        let listed = plugin_list(&map);
        assert_eq!(Value::from(listed.clone()).to_string(), r#"[{"b#v1":{"z":1,"a":2}},{"a#v1":null}]"#);
        assert_eq!(plugin_list(&Value::from(listed.clone())), listed);
    }

    #[test]
    fn a_step_is_soft_if_every_failure_of_it_is() {
        for (value, soft) in [
            (json!(true), true),
            (json!("true"), true),
            (json!([{"exit_status": 2}, {"exit_status": "*"}]), true),
            (json!([{"exit_status": 2}]), false),
            (json!("false"), false),
            (json!(false), false),
        ] {
            assert_eq!(is_soft(Some(&value)), soft, "{value}");
        }
        assert!(!is_soft(None));
    }
}
