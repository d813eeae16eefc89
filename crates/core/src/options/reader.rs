//! Turns JSON values into types. An error has the key path of the wrong value.

use super::refusal::{Refusal, joined, key_text};
use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Value, map};
use std::slice;

/// Reads a value into a type.
///
/// # Errors
/// The first value that the type does not allow, with the key path from the root of `value`.
pub fn read<'de, T: Deserialize<'de>>(value: &'de Value) -> Result<T, Refusal> {
    let reader = Reader { value, path: &Path::Root };
    T::deserialize(reader).map_err(|refusal| refusal.located(String::new, value))
}

/// The place of a value. Its text is made only for an error.
enum Path<'p> {
    Root,
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    fn text(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Key(head, key) => joined(&head.text(), &key_text(key)),
            Self::Index(head, index) => joined(&head.text(), &format!("[{index}]")),
        }
    }
}

/// A value and its place.
#[derive(Clone, Copy)]
struct Reader<'de, 'p> {
    value: &'de Value,
    path: &'p Path<'p>,
}

impl Reader<'_, '_> {
    /// The refusal of a value that has another kind than the type accepts.
    fn expected<T>(self, what: &str) -> Result<T, Refusal> {
        let refusal = Refusal::invalid_type(Unexpected::Other("another kind"), &what);
        Err(refusal.located(|| self.path.text(), self.value))
    }
}

/// Kinds whose errors from serde would use Rust's terms. So the kind is checked first.
macro_rules! kinds {
    ($($method:ident: $is:ident, $what:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            if self.value.$is() { self.deserialize_any(visitor) } else { self.expected($what) }
        }
    )*};
}

impl<'de> Deserializer<'de> for Reader<'de, '_> {
    type Error = Refusal;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let Self { value, path } = self;
        let read = match value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), ..) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (.., number) => visitor.visit_f64(number.unwrap_or(f64::NAN)),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => visitor.visit_seq(Items { rest: items.iter(), next: 0, path }),
            Value::Object(map) => visitor.visit_map(Entries { rest: map.iter(), current: None, path }),
        };
        read.map_err(|refusal| refusal.located(|| path.text(), value))
    }

    kinds! {
        deserialize_bool: is_boolean, "true or false";
        deserialize_str: is_string, "text";
        deserialize_string: is_string, "text";
        deserialize_seq: is_array, "a list";
        deserialize_map: is_object, "a map";
        deserialize_f64: is_number, "a number";
        deserialize_u32: is_u64, "a whole number";
        deserialize_u64: is_u64, "a whole number";
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        // Code that serde derives would also accept a list, with the items as the fields in their order.
        self.deserialize_map(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        let Some(word) = self.value.as_str() else {
            return self.expected(&format!("one of {}", words.join(", ")));
        };
        let read = visitor.visit_enum(StrDeserializer::new(word));
        read.map_err(|refusal: Refusal| refusal.located(|| self.path.text(), self.value))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 char bytes byte_buf unit unit_struct tuple tuple_struct
        identifier ignored_any
    }
}

/// The items of a list.
struct Items<'de, 'p> {
    rest: slice::Iter<'de, Value>,
    next: usize,
    path: &'p Path<'p>,
}

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refusal> {
        let Some(value) = self.rest.next() else { return Ok(None) };
        let path = Path::Index(self.path, self.next);
        self.next += 1;
        seed.deserialize(Reader { value, path: &path })
            .map(Some)
            .map_err(|refusal| refusal.located(|| path.text(), value))
    }
}

/// The entries of a map.
struct Entries<'de, 'p> {
    rest: map::Iter<'de>,
    current: Option<(&'de String, &'de Value)>,
    path: &'p Path<'p>,
}

impl<'de> MapAccess<'de> for Entries<'de, '_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        self.current = self.rest.next();
        let Some((key, _)) = self.current else { return Ok(None) };
        seed.deserialize(BorrowedStrDeserializer::new(key)).map(Some).map_err(|refusal: Refusal| {
            refusal.located(|| Path::Key(self.path, key).text(), &Value::from(key.as_str()))
        })
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Refusal> {
        let Some((key, value)) = self.current.take() else {
            return Err(de::Error::custom("a value without a key"));
        };
        let path = Path::Key(self.path, key);
        seed.deserialize(Reader { value, path: &path })
            .map_err(|refusal| refusal.located(|| path.text(), value))
    }
}
