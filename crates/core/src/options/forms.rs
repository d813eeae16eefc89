//! The kinds of values that several options share.

use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer as _, SeqAccess, Unexpected, Visitor};
use std::fmt;
use std::marker::PhantomData;

/// Whether a text may be a name or a path. It must not have control characters, so it is one line.
pub fn is_plain(text: &str) -> bool {
    !text.contains(char::is_control)
}

/// Defines a kind of text: its name, and which texts it accepts.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $holds:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[cfg_attr(test, derive(schemars::JsonSchema), schemars(transparent))]
        pub struct $name(pub String);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let holds: fn(&str) -> bool = $holds;
                if holds(&text) { Ok(Self(text)) } else { Err(D::Error::invalid_value(Unexpected::Str(&text), &$what)) }
            }
        }
    };
}

text!(
    /// A name or a path: one line that is not blank.
    Name,
    "one line of text that is not blank and has no control characters",
    |text| !text.trim().is_empty() && is_plain(text)
);
text!(
    /// A command: text that is not blank. It has no NUL, because no operating system can pass a NUL on.
    Command,
    "text that is not blank and has no NUL",
    |text| !text.trim().is_empty() && !text.contains('\0')
);
text!(
    /// Any text without NUL. It may be empty.
    AnyText,
    "text without NUL",
    |text| !text.contains('\0')
);

/// A variable's value: text, or a number or boolean that is read as text, as in Buildkite's `env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar(pub String);

impl Scalar {
    /// What is expected of one.
    pub const WHAT: &str = "text without NUL, a number or a boolean";
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) if !text.contains('\0') => Some(text),
            value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => Some(value.to_string()),
            _ => None,
        };
        text.map(Self).ok_or_else(|| D::Error::invalid_value(Unexpected::Other("another value"), &Self::WHAT))
    }
}

/// A whole number from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Positive(pub u32);

impl Positive {
    /// What is expected of one.
    pub const WHAT: &str = "a whole number from 1 to 4294967295";

    /// The number, if it is in the range.
    pub fn of(number: u64) -> Option<Self> {
        u32::try_from(number).ok().filter(|number| *number > 0).map(Self)
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Positive {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Positive".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "integer", "minimum": 1})
    }
}

impl<'de> Deserialize<'de> for Positive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl Visitor<'_> for Number {
            type Value = Positive;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(Positive::WHAT)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Positive, E> {
                Positive::of(number).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }
        }

        deserializer.deserialize_any(Number)
    }
}

/// One text, or a list of texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

#[cfg(test)]
impl<T: schemars::JsonSchema> schemars::JsonSchema for OneOrMany<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("OneOrMany{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({"anyOf": [one, {"type": "array", "items": one}]})
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneOrManyVisitor(PhantomData)).map(Self)
    }
}

/// Reads a list item by item, so that an error's path has the index.
struct OneOrManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrManyVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a list of texts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
        T::deserialize(text.into_deserializer()).map(|one| vec![one])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = seq.next_element()? {
            all.push(item);
        }
        Ok(all)
    }
}
