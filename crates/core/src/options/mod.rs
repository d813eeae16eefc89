//! The one reader of what people write: the plugin's options, a check's own options, the container's
//! options, descriptions of tests, the predecessor's variables and the agent's policy.
//!
//! [`read`] takes a JSON value and gives a type that implements serde's `Deserialize`. Its error,
//! [`Refusal`], is built from serde's typed callbacks: nobody reads the text of a serde message.

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
