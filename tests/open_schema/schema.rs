//! A published schema, and bodies that are nearly good.

use std::path::PathBuf;

use serde_json::{Value, json};

/// As much of JSON Schema 2020-12 as the published files use; anything else is a mistake in them.
pub(crate) struct Schema(Value);

impl Schema {
    pub(crate) fn published(name: &str) -> Self {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
        Self(serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap())
    }

    /// Whether a body is what one of the definitions says.
    pub(crate) fn allows(&self, name: &str, body: &Value) -> bool {
        self.fits(&self.0["$defs"][name], body)
    }

    fn fits(&self, rule: &Value, value: &Value) -> bool {
        let all = |list: &Value| list.as_array().unwrap().clone();
        rule.as_object().unwrap_or_else(|| panic!("no rule: {rule}")).iter().all(|(word, says)| match word.as_str() {
            "description" => true,
            "$ref" => {
                let name = says.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
                self.fits(&self.0["$defs"][name], value)
            }
            "type" => match says.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "integer" => value.is_i64(),
                "number" => value.is_number(),
                other => panic!("unknown type {other}"),
            },
            "enum" => all(says).contains(value),
            "const" => says == value,
            "required" => all(says).iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
            "properties" => says
                .as_object()
                .unwrap()
                .iter()
                .all(|(key, rule)| value.get(key).is_none_or(|inner| self.fits(rule, inner))),
            "additionalProperties" => value.as_object().is_none_or(|fields| {
                fields
                    .iter()
                    .filter(|(key, _)| rule["properties"].get(key.as_str()).is_none())
                    .all(|(_, inner)| if says.is_boolean() { says == true } else { self.fits(says, inner) })
            }),
            "items" => value.as_array().is_none_or(|items| items.iter().all(|item| self.fits(says, item))),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= says.as_u64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= says.as_u64().unwrap()),
            "pattern" => value.as_str().is_none_or(|text| is_like(says.as_str().unwrap(), text)),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() as u64 >= says.as_u64().unwrap()),
            "anyOf" => all(says).iter().any(|rule| self.fits(rule, value)),
            "not" => !self.fits(says, value),
            other => panic!("unknown word {other}"),
        })
    }
}

/// The patterns that the files use.
fn is_like(pattern: &str, text: &str) -> bool {
    match pattern {
        "^https?://" => text.starts_with("https://") || text.starts_with("http://"),
        other => panic!("unknown pattern {other}"),
    }
}

/// The body with each of its values, at any depth, taken away or swapped for something else.
pub(crate) fn changed(value: &Value) -> Vec<Value> {
    let odd = [json!(null), json!(""), json!(7), json!([]), json!({}), json!("Outbound")];
    let mut all = Vec::new();
    match value {
        Value::Object(fields) => {
            for key in fields.keys() {
                let mut without = fields.clone();
                without.remove(key);
                all.push(Value::Object(without));
                for inner in odd.iter().cloned().chain(changed(&fields[key])) {
                    let mut with = fields.clone();
                    with.insert(key.clone(), inner);
                    all.push(Value::Object(with));
                }
            }
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                for inner in odd.iter().cloned().chain(changed(item)) {
                    let mut with = items.clone();
                    with[n] = inner;
                    all.push(Value::Array(with));
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    all
}
