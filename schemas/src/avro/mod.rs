//! Avro's binary encoding straight from and to structs, for the schemas that weft writes: records,
//! enums, arrays, maps, and unions of null and one other type. What it does not know (other unions,
//! fixed and recursive types, which only a foreign writer may have) it refuses when the schema is
//! read, and apache_avro takes over.
//!
//! By hand, because the records here have dozens of nullable shapes of which one is set, and what
//! the libraries spend on each field of a record is most of what a message costs: apache_avro's
//! serde path took five times the instructions of this one to write a message, serde_avro_fast twice.
//! `tests/schemas.rs` holds every record's bytes against apache_avro's.
//!
//! Encoding: Avro specification 1.12, "Binary encoding".

mod read;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// How deep types may stand in each other.
const DEPTH_MAX: usize = 32;

/// A schema, with named types spelled out where they are used.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Node {
    Null,
    Boolean,
    /// `int` and `long` are written alike.
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Enum(Vec<String>),
    Array(Box<Node>),
    Map(Box<Node>),
    Record(Fields),
    /// A union of null and another type; where null stands.
    Nullable {
        null: u64,
        other: Box<Node>,
    },
}

/// The fields of a record, in the order they are written.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    named: Vec<(String, Node)>,
    /// The names of the struct that has the same fields in the same order, once one was met.
    same: OnceLock<&'static [&'static str]>,
}

impl Fields {
    /// Whether a struct has these fields in this order; its names need then not be compared again.
    fn are(&self, names: &'static [&'static str]) -> bool {
        if self.same.get().is_some_and(|same| std::ptr::eq(*same, names)) {
            return true;
        }
        let same = self.named.iter().map(|(name, _)| name.as_str()).eq(names.iter().copied());
        if same {
            // Another struct with the same fields may have been first: it is compared each time.
            let _first = self.same.set(names);
        }
        same
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.named == other.named
    }
}

/// A value that does not fit its schema, or bytes that are none.
#[derive(Debug)]
pub(crate) struct Misfit(String);

impl Misfit {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misfit {}

impl serde::ser::Error for Misfit {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self(what.to_string())
    }
}

impl serde::de::Error for Misfit {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Self(what.to_string())
    }
}

impl Node {
    /// Reads an `.avsc`.
    pub(crate) fn parse(text: &str) -> Result<Self, Misfit> {
        let schema: Json = serde_json::from_str(text).map_err(|error| Misfit::new(error.to_string()))?;
        node(&schema, &mut BTreeMap::new(), 0)
    }

    /// Appends a record's datum.
    pub(crate) fn write<T: Serialize>(&self, record: &T, out: &mut Vec<u8>) -> Result<(), Misfit> {
        record.serialize(write::Writer { out, node: self })
    }

    /// Reads a datum of this schema; what stands behind it is left alone.
    pub(crate) fn read<'de, T: Deserialize<'de>>(&self, datum: &'de [u8]) -> Result<T, Misfit> {
        let mut input = read::Input(datum);
        T::deserialize(read::Reader { input: &mut input, node: self })
    }
}

fn node(schema: &Json, names: &mut BTreeMap<String, Node>, depth: usize) -> Result<Node, Misfit> {
    if depth > DEPTH_MAX {
        return Err(Misfit::new("types stand too deep in each other"));
    }
    match schema {
        Json::String(name) => named(name, names),
        Json::Array(union) => match union.as_slice() {
            [Json::String(null), other] if null == "null" => nullable(0, other, names, depth),
            [other, Json::String(null)] if null == "null" => nullable(1, other, names, depth),
            _ => Err(Misfit::new("expected a union of null and one other type")),
        },
        Json::Object(of) => {
            let inner = |key: &str| of.get(key).ok_or_else(|| Misfit::new(format!("expected `{key}`")));
            let kind = inner("type")?;
            match kind.as_str() {
                Some("record") => record(schema, names, depth),
                Some("enum") => {
                    let symbols = inner("symbols")?.as_array().map(Vec::as_slice).unwrap_or_default();
                    let symbols = symbols.iter().filter_map(Json::as_str).map(str::to_owned).collect();
                    Ok(known(schema, Node::Enum(symbols), names))
                }
                Some("array") => Ok(Node::Array(Box::new(node(inner("items")?, names, depth + 1)?))),
                Some("map") => Ok(Node::Map(Box::new(node(inner("values")?, names, depth + 1)?))),
                Some(name) => named(name, names),
                None => node(kind, names, depth + 1),
            }
        }
        Json::Null | Json::Bool(_) | Json::Number(_) => Err(Misfit::new("expected a schema")),
    }
}

fn named(name: &str, names: &BTreeMap<String, Node>) -> Result<Node, Misfit> {
    Ok(match name {
        "null" => Node::Null,
        "boolean" => Node::Boolean,
        "int" | "long" => Node::Long,
        "float" => Node::Float,
        "double" => Node::Double,
        "bytes" => Node::Bytes,
        "string" => Node::Text,
        _ => {
            let simple = name.rsplit('.').next().unwrap_or(name);
            names.get(simple).cloned().ok_or_else(|| Misfit::new(format!("type {name} is not known here")))?
        }
    })
}

fn nullable(null: u64, other: &Json, names: &mut BTreeMap<String, Node>, depth: usize) -> Result<Node, Misfit> {
    Ok(Node::Nullable { null, other: Box::new(node(other, names, depth + 1)?) })
}

fn record(schema: &Json, names: &mut BTreeMap<String, Node>, depth: usize) -> Result<Node, Misfit> {
    let fields = schema.get("fields").and_then(Json::as_array).ok_or_else(|| Misfit::new("expected `fields`"))?;
    let mut read = Vec::with_capacity(fields.len());
    for field in fields {
        let name = field.get("name").and_then(Json::as_str).ok_or_else(|| Misfit::new("expected `name`"))?;
        let of = field.get("type").ok_or_else(|| Misfit::new("expected `type`"))?;
        read.push((name.to_owned(), node(of, names, depth + 1)?));
    }
    Ok(known(schema, Node::Record(Fields { named: read, same: OnceLock::new() }), names))
}

fn known(schema: &Json, node: Node, names: &mut BTreeMap<String, Node>) -> Node {
    if let Some(name) = schema.get("name").and_then(Json::as_str) {
        names.insert(name.to_owned(), node.clone());
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Old {
        id: String,
        at: i64,
        tags: Vec<String>,
        note: Option<String>,
    }

    const OLD: &str = r#"{"type": "record", "name": "R", "fields": [
        {"name": "id", "type": "string"}, {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "tags", "type": {"type": "array", "items": "string"}}, {"name": "note", "type": ["null", "string"]}]}"#;

    fn old() -> Old {
        Old { id: "a".into(), at: -65, tags: vec!["x".into()], note: None }
    }

    #[test]
    fn bytes_are_those_of_the_specification() {
        let schema = Node::parse(OLD).unwrap();
        let mut bytes = Vec::new();
        schema.write(&old(), &mut bytes).unwrap();
        // "a"; zigzag of -65 is 129; one item, "x", end; null
        assert_eq!(bytes, [2, b'a', 0x81, 1, 2, 2, b'x', 0, 0]);
        assert_eq!(schema.read::<Old>(&bytes).unwrap(), old());
    }

    #[test]
    fn fields_in_another_order_are_read_by_their_names() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Turned {
            note: Option<String>,
            tags: Vec<String>,
            at: i64,
            id: String,
        }
        let schema = Node::parse(OLD).unwrap();
        let mut bytes = Vec::new();
        schema.write(&old(), &mut bytes).unwrap();
        for _ in 0..2 {
            assert_eq!(schema.read::<Old>(&bytes).unwrap(), old());
            let turned = schema.read::<Turned>(&bytes).unwrap();
            assert_eq!(turned, Turned { note: None, tags: vec!["x".into()], at: -65, id: "a".into() });
        }
    }

    #[test]
    fn a_reader_skips_what_it_does_not_know_and_fills_what_it_lacks() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct New {
            at: i64,
            #[serde(default)]
            more: Option<String>,
        }
        let schema = Node::parse(OLD).unwrap();
        let mut bytes = Vec::new();
        schema.write(&old(), &mut bytes).unwrap();
        assert_eq!(schema.read::<New>(&bytes).unwrap(), New { at: -65, more: None });
    }

    #[test]
    fn bytes_cut_short_or_made_up_are_refused_and_never_trusted_with_a_length() {
        let schema = Node::parse(OLD).unwrap();
        let mut bytes = Vec::new();
        schema.write(&old(), &mut bytes).unwrap();
        for end in 0..bytes.len() {
            schema.read::<Old>(&bytes[..end]).unwrap_err();
        }
        // A text, an array that claims 2^62 items.
        let huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        schema.read::<Old>(&huge).unwrap_err();
        schema.read::<Old>(&[&[2, b'a', 0][..], &huge].concat()).unwrap_err();
    }

    #[test]
    fn a_value_that_is_not_of_the_schema_is_refused() {
        #[derive(Serialize)]
        struct Other {
            id: String,
            when: i64,
        }
        let error = Node::parse(OLD).unwrap().write(&Other { id: "a".into(), when: 1 }, &mut Vec::new()).unwrap_err();
        assert_eq!(error.to_string(), "expected field `at`, got `when`");
    }

    #[test]
    fn a_schema_with_another_union_is_left_to_others() {
        Node::parse(r#"["string", "long"]"#).unwrap_err();
        Node::parse(r#"{"type": "record", "name": "R", "fields": [{"name": "next", "type": ["null", "R"]}]}"#)
            .unwrap_err();
    }
}
