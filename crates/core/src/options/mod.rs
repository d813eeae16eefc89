//! The only reader for values that people write: the plugin's options, a check's own options, the container's
//! options, descriptions of tests, the predecessor's variables and the agent's policy.
//!
//! [`read`] turns a JSON value into a type that implements serde's `Deserialize`. Its error, [`Refusal`], is
//! built from serde's typed callbacks. The text of serde's messages is never parsed.

mod forms;
mod reader;
mod refusal;
mod strict;
#[cfg(test)]
mod tests;

pub use forms::{AnyText, Command, Name, OneOrMany, Positive, Scalar, is_plain};
pub use reader::read;
pub use refusal::{Meant, Problem, Refusal, Source};
pub use refusal::{joined as path, key_text as key};
pub use strict::json;
