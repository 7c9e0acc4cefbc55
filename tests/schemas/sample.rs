//! Values made from a schema: every kind of a record, with all that can be left out filled, and
//! with none of it.

use std::collections::BTreeMap;

use apache_avro::types::Value;
use serde_json::Value as Json;

/// The fields of a record definition; none for an enum.
pub(crate) fn fields_of(definition: &Json) -> &[Json] {
    definition["fields"].as_array().map_or(&[], Vec::as_slice)
}

/// The named types of one schema.
pub(crate) struct Names(BTreeMap<String, Json>);

impl Names {
    pub(crate) fn of(schema: &Json) -> Self {
        let mut names = BTreeMap::new();
        collect(schema, &mut names);
        Self(names)
    }

    /// The enums among them.
    pub(crate) fn enums(&self) -> impl Iterator<Item = (String, Json)> {
        self.0.iter().filter(|(_, of)| of["type"] == "enum").map(|(name, of)| (name.clone(), of.clone()))
    }

    /// Each type with the types inside it named, not spelled out.
    pub(crate) fn flat(&self) -> impl Iterator<Item = (String, Json)> {
        self.0.iter().map(|(name, of)| (name.clone(), flattened(of, true)))
    }
}

fn collect(schema: &Json, names: &mut BTreeMap<String, Json>) {
    match schema {
        Json::Array(union) => union.iter().for_each(|one| collect(one, names)),
        Json::Object(of) => {
            if let Some(name) = of.get("name").and_then(Json::as_str) {
                names.insert(name.to_owned(), schema.clone());
            }
            fields_of(schema).iter().for_each(|field| collect(&field["type"], names));
            ["items", "values"].iter().filter_map(|key| of.get(*key)).for_each(|inner| collect(inner, names));
        }
        _ => {}
    }
}

fn flattened(schema: &Json, outermost: bool) -> Json {
    match schema {
        Json::Array(union) => union.iter().map(|one| flattened(one, false)).collect(),
        Json::Object(of) if !outermost && of.contains_key("name") => of["name"].clone(),
        Json::Object(of) => {
            let mut of = of.clone();
            for key in ["items", "values"] {
                of.entry(key).and_modify(|inner| *inner = flattened(inner, false));
            }
            if let Some(Json::Array(fields)) = of.get_mut("fields") {
                fields.iter_mut().for_each(|field| field["type"] = flattened(&field["type"], false));
            }
            Json::Object(of)
        }
        other => other.clone(),
    }
}

/// Every kind of the record filled and empty, and once more for every symbol of an enum.
pub(crate) fn samples(schema: &Json) -> Vec<Value> {
    let names = Names::of(schema);
    let symbols_max = names.enums().map(|(_, of)| of["symbols"].as_array().unwrap().len()).max().unwrap_or(1);
    let all = fields_of(schema).iter().map(|field| field["name"].as_str().unwrap());
    let mut kinds: Vec<_> = all.skip_while(|name| *name != "kind").skip(1).map(Some).collect();
    if kinds.is_empty() || schema["name"] == "ConfigEntity" {
        kinds = vec![None];
    }
    let mut samples = Vec::new();
    for kind in kinds {
        for turn in 0..symbols_max {
            samples.push(Maker { names: &names, filled: true, turn }.whole(schema, kind));
        }
        samples.push(Maker { names: &names, filled: false, turn: 0 }.whole(schema, kind));
    }
    samples
}

struct Maker<'a> {
    names: &'a Names,
    /// Whether what can be left out is there.
    filled: bool,
    /// Which symbol of each enum.
    turn: usize,
}

impl Maker<'_> {
    fn whole(&self, schema: &Json, kind: Option<&str>) -> Value {
        let mut shapes = false;
        let fields = fields_of(schema).iter().map(|field| {
            let name = field["name"].as_str().unwrap();
            let value = match kind {
                Some(kind) if name == "kind" => {
                    shapes = true;
                    Value::String(kind.into())
                }
                Some(kind) if shapes && name == kind => Value::Union(1, Box::new(self.value(&field["type"][1], name))),
                Some(_) if shapes => Value::Union(0, Box::new(Value::Null)),
                _ => self.value(&field["type"], name),
            };
            (name.to_owned(), value)
        });
        Value::Record(fields.collect())
    }

    fn value(&self, of: &Json, name: &str) -> Value {
        match of {
            Json::Array(_) if !self.filled => Value::Union(0, Box::new(Value::Null)),
            Json::Array(union) => Value::Union(1, Box::new(self.value(&union[1], name))),
            Json::String(simple) => self.simple(simple, name),
            Json::Object(object) => match object["type"].as_str().unwrap() {
                "long" => Value::TimestampMillis(1_763_800_000_123),
                "record" => self.whole(of, None),
                "enum" => {
                    let symbols = object["symbols"].as_array().unwrap();
                    let at = self.turn % symbols.len();
                    Value::Enum(at.try_into().unwrap(), symbols[at].as_str().unwrap().into())
                }
                "array" if self.filled => {
                    Value::Array(vec![self.value(&object["items"], name), self.value(&object["items"], name)])
                }
                "array" => Value::Array(Vec::new()),
                "map" if self.filled => Value::Map([("ключ".to_owned(), self.value(&object["values"], name))].into()),
                "map" => Value::Map(Default::default()),
                other => panic!("the sample maker knows no {other}"),
            },
            other => panic!("not a type: {other}"),
        }
    }

    fn simple(&self, of: &str, name: &str) -> Value {
        match of {
            // what an id reads, and as good a text as any
            "string" if name == "customer_key" => Value::String("0123456789abcdef0123456789abcdef".into()),
            "string" => Value::String("01234567-89ab-8def-8123-456789abcdef".into()),
            "long" => Value::Long(if self.filled { i64::MIN + 1 } else { 0 }),
            "int" => Value::Int(if self.filled { i32::MIN + 1 } else { 0 }),
            "double" => Value::Double(if self.filled { -0.1 } else { 0.0 }),
            "boolean" => Value::Boolean(self.filled),
            "bytes" => Value::Bytes(if self.filled { vec![0, 255, 10, 0] } else { Vec::new() }),
            named => self.value(&self.names.0[named], name),
        }
    }
}
