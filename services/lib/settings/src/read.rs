//! From a tree of values to a service's struct. Differs from what `toml` would do in three ways:
//! the outermost struct gets only the fields it names, an empty text is `None` where an option is
//! wanted, and an error knows its key.

use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;
use toml::Value;

/// Secrets without which no service that asks for them may start.
const NEEDED: [&str; 2] = ["key_secret", "token_secret"];

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strictness {
    /// A secret that is asked for must be there.
    Service,
    /// Nothing is needed before it is used.
    Tool,
}

/// What did not fit, and at which key.
#[derive(Debug)]
pub(crate) struct ReadError {
    pub(crate) path: Vec<String>,
    pub(crate) detail: String,
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.join("."), self.detail)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(detail: T) -> Self {
        Self { path: Vec::new(), detail: detail.to_string() }
    }
}

impl ReadError {
    fn under(mut self, key: &str) -> Self {
        self.path.insert(0, key.to_owned());
        self
    }
}

pub(crate) fn read<T: DeserializeOwned>(root: toml::Table, strictness: Strictness) -> Result<T, ReadError> {
    T::deserialize(Root { root, strictness })
}

struct Root {
    root: toml::Table,
    strictness: Strictness,
}

impl<'de> de::Deserializer<'de> for Root {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_map(Entries::of(self.root))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        self.root.retain(|key, _| fields.contains(&key));
        let missing = NEEDED
            .iter()
            .filter(|_| self.strictness == Strictness::Service)
            .find(|key| self.root.get(**key).and_then(Value::as_str) == Some(""));
        if let Some(key) = missing {
            let variable = key.to_uppercase();
            let detail = format!("must be set: {key} in the file, WEFT_{variable} or WEFT_{variable}_FILE");
            return Err(de::Error::custom(detail));
        }
        visitor.visit_map(Entries::of(self.root))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Node(Value);

impl<'de> de::Deserializer<'de> for Node {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match self.0 {
            Value::String(text) => visitor.visit_string(text),
            Value::Integer(number) => visitor.visit_i64(number),
            Value::Float(number) => visitor.visit_f64(number),
            Value::Boolean(truth) => visitor.visit_bool(truth),
            Value::Datetime(time) => visitor.visit_string(time.to_string()),
            Value::Array(values) => visitor.visit_seq(Elements(values.into_iter())),
            Value::Table(table) => visitor.visit_map(Entries::of(table)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        if self.0.as_str() == Some("") { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        let Value::String(text) = &self.0 else {
            return Err(de::Error::custom(format!("expected one of {}", variants.join(", "))));
        };
        let one: StrDeserializer<'_, ReadError> = text.as_str().into_deserializer();
        de::Deserializer::deserialize_enum(one, name, variants, visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Entries {
    rest: toml::map::IntoIter<String, Value>,
    open: Option<(String, Value)>,
}

impl Entries {
    fn of(table: toml::Table) -> Self {
        Self { rest: table.into_iter(), open: None }
    }
}

impl<'de> MapAccess<'de> for Entries {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        let read = seed.deserialize(Node(Value::String(key.clone())))?;
        self.open = Some((key, value));
        Ok(Some(read))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let (key, value) = self.open.take().expect("serde asks for the key first");
        seed.deserialize(Node(value)).map_err(|error| error.under(&key))
    }
}

struct Elements(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Elements {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        self.0.next().map(|value| seed.deserialize(Node(value))).transpose()
    }
}
