//! The options of this plugin that are attributes of a step. Every step that an upload generates has the
//! option's value in that attribute.
//!
//! To add one, add an entry to [`STEP_OPTIONS`], a section to `docs/options.md` and a line to
//! `tests/cases/config/options.yml`. `plugin.yml` is generated. Everything else follows from the table: how
//! the option is read, which values it overrides, and what `explain` says.

use super::retry;
use crate::options::Refusal;
use serde_json::{Value, json};

/// An option that is an attribute of every generated step.
///
/// The value of a step is its own (in `steps` or in a described test), else the option's, else
/// [`StepOption::default`].
#[derive(Debug)]
pub struct StepOption {
    /// The option's name, in kebab case.
    pub name: &'static str,
    /// The attribute's name, as Buildkite writes it.
    pub attribute: &'static str,
    /// The value if nobody sets one. None: the step then does not have the attribute.
    pub default: Option<fn() -> Value>,
    /// Checks a value.
    pub check: fn(&Value) -> Result<(), Refusal>,
    /// What it is, for `plugin.yml`.
    pub description: &'static str,
    /// The kinds of JSON values that it takes, for `plugin.yml`.
    pub kinds: &'static [&'static str],
}

/// All these options, in the order in which a step has their attributes.
pub const STEP_OPTIONS: &[StepOption] = &[StepOption {
    name: "retry",
    attribute: "retry",
    // The predecessor gave this value to every step.
    default: Some(|| json!({"automatic": false})),
    check: retry::check,
    description: "Buildkite's retry, for every generated step",
    kinds: &["object"],
}];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::BUILDKITE_STEP_KEYS;

    #[test]
    fn every_option_is_an_attribute_of_buildkites_and_its_default_is_one_of_its_values() {
        for option in STEP_OPTIONS {
            assert!(BUILDKITE_STEP_KEYS.contains(&option.attribute), "{}", option.attribute);
            assert_eq!(option.name, option.attribute.replace('_', "-"));
            if let Some(default) = option.default {
                assert_eq!((option.check)(&default()), Ok(()), "{}", option.name);
            }
        }
    }
}
