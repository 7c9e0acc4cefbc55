//! Whether a new version may join a subject: Avro's schema resolution in the directions its level asks for.

use std::collections::BTreeMap;

use apache_avro::{
    Schema,
    schema::{Name, UnionSchema},
    schema_compatibility::{Compatibility, SchemaCompatibility},
};
use serde::{Deserialize, Serialize};

/// Confluent's compatibility levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Level {
    None,
    /// The new version reads the latest one.
    #[default]
    Backward,
    /// The latest version reads the new one.
    Forward,
    Full,
    BackwardTransitive,
    ForwardTransitive,
    FullTransitive,
}

impl Level {
    fn backward(self) -> bool {
        matches!(self, Self::Backward | Self::BackwardTransitive | Self::Full | Self::FullTransitive)
    }

    fn forward(self) -> bool {
        matches!(self, Self::Forward | Self::ForwardTransitive | Self::Full | Self::FullTransitive)
    }

    /// Whether every earlier version counts, not the latest alone.
    pub(crate) fn transitive(self) -> bool {
        matches!(self, Self::BackwardTransitive | Self::ForwardTransitive | Self::FullTransitive)
    }
}

/// Reasons why `new` may not follow `old` at this level; none means it may.
pub(crate) fn conflicts(level: Level, old: &Schema, new: &Schema) -> Vec<String> {
    let old = with_references_filled_in(old);
    let new = with_references_filled_in(new);
    let mut reasons = Vec::new();
    if level.backward()
        && let Some(reason) = cannot_read(&old, &new)
    {
        reasons.push(format!("the new schema cannot read the old one: {reason}"));
    }
    if level.forward()
        && let Some(reason) = cannot_read(&new, &old)
    {
        reasons.push(format!("the old schema cannot read the new one: {reason}"));
    }
    reasons
}

/// "Partial" means that some data could be read and some not, which the registries everybody runs refuse.
fn cannot_read(writer: &Schema, reader: &Schema) -> Option<String> {
    match SchemaCompatibility::can_read(writer, reader) {
        Ok(Compatibility::Full) => None,
        Ok(Compatibility::Partial) => {
            Some("an enum symbol or a union branch of the writer is missing in the reader".into())
        }
        Err(cause) => Some(cause.to_string()),
    }
}

/// Puts definitions in the place of references by name, recursive ones excepted.
///
/// The checker compares a reference with a reference only, but where a named type is defined and where it is merely
/// referred to changes as soon as somebody adds a field that uses it earlier.
fn with_references_filled_in(schema: &Schema) -> Schema {
    let mut definitions = BTreeMap::new();
    collect(schema, &mut definitions);
    fill(schema, &definitions, &mut Vec::new())
}

fn collect<'a>(schema: &'a Schema, definitions: &mut BTreeMap<String, &'a Schema>) {
    if let (Some(name), false) = (schema.name(), matches!(schema, Schema::Ref { .. })) {
        definitions.insert(full(name), schema);
    }
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "apache-avro's enum of thirty types is open; only these four contain others"
    )]
    match schema {
        Schema::Record(record) => record.fields.iter().for_each(|field| collect(&field.schema, definitions)),
        Schema::Array(array) => collect(&array.items, definitions),
        Schema::Map(map) => collect(&map.types, definitions),
        Schema::Union(union) => union.variants().iter().for_each(|variant| collect(variant, definitions)),
        _ => {}
    }
}

fn fill(schema: &Schema, definitions: &BTreeMap<String, &Schema>, open: &mut Vec<String>) -> Schema {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "apache-avro's enum of thirty types is open; only these contain or name others"
    )]
    match schema {
        Schema::Ref { name } => {
            let name = full(name);
            match definitions.get(&name) {
                Some(definition) if !open.contains(&name) => fill(definition, definitions, open),
                Some(_) | None => schema.clone(),
            }
        }
        Schema::Record(record) => {
            open.push(full(&record.name));
            let mut record = record.clone();
            for field in &mut record.fields {
                field.schema = fill(&field.schema, definitions, open);
            }
            open.pop();
            Schema::Record(record)
        }
        Schema::Array(array) => {
            let mut array = array.clone();
            array.items = Box::new(fill(&array.items, definitions, open));
            Schema::Array(array)
        }
        Schema::Map(map) => {
            let mut map = map.clone();
            map.types = Box::new(fill(&map.types, definitions, open));
            Schema::Map(map)
        }
        Schema::Union(union) => {
            let variants = union.variants().iter().map(|variant| fill(variant, definitions, open)).collect();
            UnionSchema::new(variants).map_or_else(|_| schema.clone(), Schema::Union)
        }
        _ => schema.clone(),
    }
}

fn full(name: &Name) -> String {
    name.fullname(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}"#;
    const DEFAULTED: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},
        {"name":"b","type":"string","default":""}]}"#;
    const DEMANDING: &str = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"int"},
        {"name":"b","type":"string"}]}"#;
    const TWO_SYMBOLS: &str = r#"{"type":"enum","name":"E","symbols":["X","Y"]}"#;
    const THREE_SYMBOLS: &str = r#"{"type":"enum","name":"E","symbols":["X","Y","Z"]}"#;
    const SHARED_LATER: &str = r#"{"type":"record","name":"R","fields":[
        {"name":"b","type":{"type":"record","name":"P","fields":[{"name":"n","type":"int"}]}}]}"#;
    const SHARED_EARLIER: &str = r#"{"type":"record","name":"R","fields":[
        {"name":"a","type":["null",{"type":"record","name":"P","fields":[{"name":"n","type":"int"}]}],"default":null},
        {"name":"b","type":"P"}]}"#;
    const TREE: &str = r#"{"type":"record","name":"T","fields":[{"name":"next","type":["null","T"],"default":null}]}"#;

    #[test]
    fn each_level_judges_the_directions_it_promises() {
        let table = [
            (Level::None, ONE, DEMANDING, true),
            (Level::Backward, ONE, DEFAULTED, true),
            (Level::Backward, ONE, DEMANDING, false),
            (Level::Forward, ONE, DEMANDING, true),
            (Level::Forward, DEMANDING, ONE, false),
            (Level::Full, ONE, DEFAULTED, true),
            (Level::Full, ONE, DEMANDING, false),
            (Level::FullTransitive, DEFAULTED, ONE, true),
            (Level::Backward, TWO_SYMBOLS, THREE_SYMBOLS, true),
            (Level::Forward, TWO_SYMBOLS, THREE_SYMBOLS, false),
            (Level::Full, SHARED_LATER, SHARED_EARLIER, true),
            (Level::Full, TREE, TREE, true),
        ];
        for (level, old, new, allowed) in table {
            let reasons = conflicts(level, &Schema::parse_str(old).unwrap(), &Schema::parse_str(new).unwrap());
            assert_eq!(reasons.is_empty(), allowed, "{level:?} {old} -> {new}: {reasons:?}");
        }
    }
}
