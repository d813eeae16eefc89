//! The parts of Buildkite's own definitions that this program reads or writes: how `$` is read in a pipeline,
//! agent tags, the variables that only an agent's administrator sets, the kinds of steps, lists of plugins,
//! `soft_fail`, and the attributes of a step that are options of this plugin.
//!
//! Each rule is defined once, here. It holds for values from the configuration, from a pipeline file and from
//! the predecessor's descriptions.

mod agent_tags;
mod agents_variables;
mod interpolation;
mod retry;
mod step;
mod step_option;

pub use agent_tags::AgentTags;
pub use agents_variables::{is_name, names_in, of_the_agent};
pub use interpolation::{escape, first_variable, unescape};
pub use step::{Kind, Step, is_soft, plugin_list, plugins};
pub use step_option::{STEP_OPTIONS, StepOption};
