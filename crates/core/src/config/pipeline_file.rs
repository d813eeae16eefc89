//! This plugin's entries in a repository's pipeline file, for a person who runs the same checks away
//! from Buildkite.

use super::reference::{is_ours, is_this_repository};
use super::{Mode, Wanted};
use crate::buildkite::{Step, unescape};
use crate::model::shown;
use crate::model::{Os, Platform};
use serde_json::Value;

/// One use of the plugin in a pipeline file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The step's label in quotes, or its number from 1 in the file.
    pub step: String,
    /// The same without quotes.
    plain: String,
    /// The plugin's reference as written.
    pub reference: String,
    /// The options, as the plugin would be given them; `null` for none.
    pub options: Value,
}

/// How well an entry fits what is wanted, the best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// An entry of the other mode.
    OtherMode,
    /// An entry of this mode, for another platform or system.
    OtherMachine,
    /// An entry that says nothing of platforms.
    AnyMachine,
    /// An entry for this platform.
    Exact,
}

/// Every use of this plugin, in the order of the file. `own` says that the repository is this plugin's
/// own, so that `.` names it.
pub fn entries(pipeline: &Value, own: bool) -> Vec<Entry> {
    let mut found = Vec::new();
    collect(Step::all(pipeline).collect(), own, &mut 0, &mut found);
    found
}

/// Walks steps, and the steps of groups, counting them.
fn collect(steps: Vec<Step<'_>>, own: bool, count: &mut usize, found: &mut Vec<Entry>) {
    for step in steps {
        *count += 1;
        let plain = step.name().map_or_else(|| count.to_string(), ToString::to_string);
        let name = step.name().map_or_else(|| plain.clone(), shown::value);
        for (reference, options) in step.plugins() {
            if is_ours(reference) || (own && is_this_repository(reference)) {
                let (reference, mut options) = (reference.to_owned(), options.clone());
                unescape(&mut options);
                found.push(Entry { step: name.clone(), plain: plain.clone(), reference, options });
            }
        }
        collect(step.steps().collect(), own, count, found);
    }
}

impl Entry {
    /// The step's label without quotes, or its number.
    pub fn plain_step(&self) -> &str {
        &self.plain
    }

    /// Whether the step uploads other steps.
    pub fn is_upload(&self) -> bool {
        self.options.get("mode").and_then(Value::as_str) == Some("upload")
    }

    /// Whether the entry is for this platform and this system, where it names some.
    pub fn is_for(&self, platform: Option<Platform>, os: Option<Os>) -> bool {
        names(self.options.get("platform"), platform.map(Platform::as_str))
            && names(self.options.get("os"), os.map(Os::as_str))
    }

    /// How well the entry fits. It is read loosely here: what is wrong in it is told once it is chosen.
    pub fn fit(&self, wanted: Wanted) -> Fit {
        if self.is_upload() != (wanted.mode == Mode::Upload) {
            return Fit::OtherMode;
        }
        match self.is_for(wanted.platform, wanted.os) {
            false => Fit::OtherMachine,
            true if self.options.get("platform").is_none() => Fit::AnyMachine,
            true => Fit::Exact,
        }
    }
}

/// Whether an option that is a name or a list of names has the name in it; unset, or with nothing
/// wanted, it does.
fn names(option: Option<&Value>, wanted: Option<&str>) -> bool {
    let (Some(option), Some(wanted)) = (option, wanted) else { return true };
    match option {
        Value::Array(items) => items.iter().any(|item| item.as_str() == Some(wanted)),
        one => one.as_str() == Some(wanted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::text;

    const FILE: &str = include_str!("../../../../tests/cases/config/pipeline.yml");

    fn entries_of(text: &str, own: bool) -> Vec<Entry> {
        entries(&text::yaml(text).unwrap(), own)
    }

    #[test]
    fn entries_are_found_in_every_form_of_plugins_and_within_groups() {
        let found = entries_of(FILE, false);
        let told: Vec<String> = found
            .iter()
            .map(|entry| format!("{} {} {}", entry.step, entry.reference, entry.options))
            .collect();
        assert_eq!(
            told,
            [
                r#""x86" rust-vmm/rust-vmm-ci#v1.0.0 {"platform":"x86_64","skip":"doc"}"#,
                r#""arm" rust-vmm/rust-vmm-ci#v1.0.0 {"platform":["aarch64"],"skip":"doc"}"#,
                "5 file:///srv/rust-vmm-ci-buildkite-plugin#0123abc null",
                r#""upload" rust-vmm/rust-vmm-ci#v1.0.0 {"mode":"upload","tests":"a.json"}"#,
            ]
        );
    }

    #[test]
    fn a_point_is_this_plugin_only_in_its_own_repository() {
        let text = "- {command: a, plugins: [.]}\n- {plugins: {./: {os: linux}}}\n";
        assert_eq!(entries_of(text, false), []);
        let references: Vec<_> = entries_of(text, true).into_iter().map(|entry| entry.reference).collect();
        assert_eq!(references, [".", "./"]);
    }

    #[test]
    fn an_escaped_dollar_is_a_dollar_and_a_variable_stays() {
        let text =
            r#"[{plugins: [{rust-vmm/rust-vmm-ci#v1: {steps: [{command: "$$A \\$B $C $$$$ \\ $"}]}}]}]"#;
        let options = &entries_of(text, false)[0].options;
        assert_eq!(options["steps"][0]["command"], r"$A $B $C $$ \ $");
    }

    #[test]
    fn what_has_no_steps_has_no_entries() {
        for text in ["a: 1", "5", "steps: {}", "steps: [wait, ~, {plugins: 5}]", ""] {
            assert_eq!(entries_of(text, true), [], "{text}");
        }
    }
}
