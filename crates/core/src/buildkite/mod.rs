//! What Buildkite itself defines, as far as this program reads or writes it: how `$` is read in a
//! pipeline, agent tags, the kinds of steps, lists of plugins, `soft_fail`, and the attributes of a
//! step that are options of this plugin.
//!
//! Each rule stands here once, whether a value comes from the configuration, from a pipeline file or
//! from a description of the predecessor's.

mod agent_tags;
mod interpolation;
mod retry;
mod step;
mod step_option;

pub use agent_tags::AgentTags;
pub use interpolation::{escape, first_variable, unescape};
pub use step::{Kind, Step, is_soft, plugin_list, plugins};
pub use step_option::{STEP_OPTIONS, StepOption};
