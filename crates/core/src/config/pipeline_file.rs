//! Finds this plugin's entries in a repository's pipeline file, so that a person can run the same checks
//! without Buildkite.

use super::reference::{is_ours, is_this_repository};
use super::{Mode, Wanted};
use crate::buildkite::{Step, unescape};
use crate::model::shown;
use crate::model::{Os, Platform};
use serde_json::Value;

/// One use of the plugin in a pipeline file.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The step's label in quotes, or the step's number in the file, counted from 1.
    pub step: String,
    /// The same without quotes.
    plain: String,
    /// The plugin's reference as written.
    pub reference: String,
    /// The options as the plugin would receive them. `null` if there are none.
    pub options: Value,
}

/// How well an entry fits the request. The best value is the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fit {
    /// An entry of the other mode.
    OtherMode,
    /// An entry of this mode, for another platform or system.
    OtherMachine,
    /// An entry that names no platform.
    AnyMachine,
    /// An entry for this platform.
    Exact,
}

/// Every use of this plugin, in the order of the file. `own` says that the repository is that of this plugin,
/// so that `.` means this plugin.
pub fn entries(pipeline: &Value, own: bool) -> Vec<Entry> {
    let mut found = Vec::new();
    collect(Step::all(pipeline).collect(), own, &mut 0, &mut found);
    found
}

/// Visits all steps, also those in groups, and counts them.
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

    /// Whether the entry is for this platform and this system. An entry that names none is for all.
    pub fn is_for(&self, platform: Option<Platform>, os: Option<Os>) -> bool {
        names(self.options.get("platform"), platform.map(Platform::as_str))
            && names(self.options.get("os"), os.map(Os::as_str))
    }

    /// How well the entry fits. Wrong values are ignored here: they are reported after an entry is chosen.
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

/// Whether an option with a name or a list of names contains the name. The answer is also yes if the option
/// is unset or no name is wanted.
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
