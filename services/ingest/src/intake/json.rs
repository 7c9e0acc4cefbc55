//! Lenient access to JSON that others wrote: a key that is absent, null, empty or of another type
//! is simply not there.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A body could not be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct Unreadable {
    /// What a body of this kind is.
    pub expected: &'static str,
    /// What came.
    pub found: String,
}

/// Deepest nesting that a body may have; deeper ones would let a small body use much stack.
pub const DEPTH_MAX: usize = 64;

/// Most keys and items that a body may have: a thousand updates at once, each of two hundred. A value in
/// memory is many times larger than the few bytes of a short item.
const PARTS_MAX: usize = 200_000;

/// The body as JSON object. A byte order mark in front is passed over.
///
/// # Errors
/// [`Unreadable`] if it is not JSON, not an object, nested deeper than [`DEPTH_MAX`], or has a key twice in
/// one object, which two readers would understand differently (RFC 8259, 4).
pub fn object(body: &[u8]) -> Result<Value, Unreadable> {
    let expected = "a JSON object";
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match outline(body) {
        Outline::Fits => {}
        Outline::TooDeep => {
            return Err(Unreadable { expected: "JSON of at most 64 levels", found: "deeper nesting".into() });
        }
        Outline::TooMany => {
            return Err(Unreadable { expected: "JSON of at most 200 000 keys and items", found: "more".into() });
        }
    }
    let Once(value) =
        serde_json::from_slice(body).map_err(|error| Unreadable { expected, found: place(&error, body.len()) })?;
    match value {
        Value::Object(_) => Ok(value),
        Value::Array(_) => Err(Unreadable { expected, found: "an array".into() }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            Err(Unreadable { expected, found: "a bare value".into() })
        }
    }
}

/// Says where the parser stopped without quoting what stands there: it may be personal.
fn place(error: &serde_json::Error, length: usize) -> String {
    if length == 0 {
        return "nothing".into();
    }
    let what = match error.classify() {
        serde_json::error::Category::Eof => "its end too early",
        serde_json::error::Category::Data => "a key twice",
        serde_json::error::Category::Io | serde_json::error::Category::Syntax => "something else",
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}

/// JSON whose objects have each key once.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON whose objects have each key once")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some((key, Once(value))) = entries.next_entry::<String, Once>()? {
            if all.insert(key, value).is_some() {
                return Err(A::Error::custom("a key twice"));
            }
        }
        Ok(Value::Object(all))
    }
}

/// Whether a body may be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outline {
    Fits,
    TooDeep,
    TooMany,
}

/// Counts levels and parts without building anything.
fn outline(body: &[u8]) -> Outline {
    let (mut depth, mut parts, mut in_text, mut escaped) = (0usize, 0usize, false, false);
    for byte in body {
        match (in_text, escaped, byte) {
            (true, true, _) => escaped = false,
            (true, false, b'\\') => escaped = true,
            (true, false, b'"') => in_text = false,
            (true, false, _) => {}
            (false, _, b'"') => in_text = true,
            (false, _, b'[' | b'{') => depth += 1,
            (false, _, b']' | b'}') => depth = depth.saturating_sub(1),
            (false, _, b',' | b':') => parts += 1,
            (false, _, _) => {}
        }
        if depth > DEPTH_MAX {
            return Outline::TooDeep;
        }
    }
    if parts > PARTS_MAX { Outline::TooMany } else { Outline::Fits }
}

/// The value as text: a non-empty string, or a number as it is written. Ids are strings, yet some
/// senders write numbers.
pub fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => (!text.is_empty()).then(|| text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// [`as_text`] of a key.
pub fn text(of: &Value, key: &str) -> Option<String> {
    of.get(key).and_then(as_text)
}

/// The first of these keys that holds a text.
pub fn first_text(of: &Value, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| text(of, key))
}

/// A number, also when it is written as text.
pub fn number(of: &Value, key: &str) -> Option<f64> {
    let number = match of.get(key)? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    number.is_finite().then_some(number)
}

/// Whether a key holds true.
pub fn is_true(of: &Value, key: &str) -> bool {
    of.get(key).and_then(Value::as_bool).unwrap_or(false)
}

/// A key that holds an object.
pub fn inner<'a>(of: &'a Value, key: &str) -> Option<&'a Value> {
    of.get(key).filter(|value| value.is_object())
}

/// The items under a key: of an array all that are not null, a lone object as one.
pub fn items<'a>(of: &'a Value, key: &str) -> Vec<&'a Value> {
    match of.get(key) {
        Some(Value::Array(all)) => all.iter().filter(|item| !item.is_null()).collect(),
        Some(lone @ Value::Object(_)) => vec![lone],
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => Vec::new(),
    }
}

/// A moment, with a remark when it was not written in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds since the epoch, UTC.
    pub ms: i64,
    /// `seconds` or `ISO string`.
    pub note: Option<&'static str>,
}

/// Numbers below this are seconds, others milliseconds (reference/channels.md §0.7): 5138 in
/// seconds, 1973 in milliseconds.
const SECONDS_BELOW: i64 = 100_000_000_000;
/// 9999-12-31T23:59:59.999Z.
const LAST_MS: i64 = 253_402_300_799_999;

/// A moment written as seconds or milliseconds, number or text, or as ISO 8601.
pub fn moment(of: &Value, key: &str) -> Option<Moment> {
    match of.get(key)? {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)).and_then(unix),
        Value::String(text) => {
            let text = text.trim();
            let digits = text.parse::<i64>().ok().or_else(|| whole(text.parse().ok()?));
            digits.map_or_else(|| iso(text), unix)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn whole(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
    (number.is_finite() && number.abs() < 1e15).then_some(number as i64)
}

fn unix(number: i64) -> Option<Moment> {
    let moment = if number < SECONDS_BELOW {
        Moment { ms: number.checked_mul(1000)?, note: Some("seconds") }
    } else {
        Moment { ms: number, note: None }
    };
    (0..=LAST_MS).contains(&moment.ms).then_some(moment)
}

fn iso(text: &str) -> Option<Moment> {
    let at: jiff::Timestamp = text.parse().ok()?;
    Some(Moment { ms: at.as_millisecond(), note: Some("ISO string") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_moment_is_read_in_every_form_that_platforms_use() {
        for (given, expected) in [
            (json!("1697044746"), Some((1_697_044_746_000, Some("seconds")))),
            (json!(1_697_044_746), Some((1_697_044_746_000, Some("seconds")))),
            (json!(1_697_044_746.0), Some((1_697_044_746_000, Some("seconds")))),
            (json!("1697044746123"), Some((1_697_044_746_123, None))),
            (json!(1_697_044_746_123_i64), Some((1_697_044_746_123, None))),
            (json!("2026-01-02T03:04:05.678Z"), Some((1_767_323_045_678, Some("ISO string")))),
            (json!("2026-01-02T04:04:05.678+01:00"), Some((1_767_323_045_678, Some("ISO string")))),
            (json!(""), None),
            (json!("soon"), None),
            (json!(null), None),
            (json!({"at": 1}), None),
            (json!(-5), None),
            (json!("99999999999999999999999"), None),
            (json!(i64::MAX), None),
        ] {
            let read = moment(&json!({ "t": given }), "t").map(|moment| (moment.ms, moment.note));
            assert_eq!(read, expected, "{given}");
        }
    }

    #[test]
    fn a_body_that_is_no_object_is_unreadable() {
        for body in ["", "{", "[]", "7", "{\"a\":1} x", "\u{0}", "{\"a\":}"] {
            assert!(object(body.as_bytes()).is_err(), "{body}");
        }
        assert!(object(b"\xef\xbb\xbf{}").is_ok());
        let deep = format!("{}{}", "{\"a\":".repeat(70), "1".to_owned() + &"}".repeat(70));
        assert!(object(deep.as_bytes()).is_err());
        let many = format!("{{\"a\":[{}0]}}", "0,".repeat(PARTS_MAX));
        assert!(object(many.as_bytes()).is_err());
        let fewer = format!("{{\"a\":[{}0]}}", "0,".repeat(PARTS_MAX - 1));
        assert!(object(fewer.as_bytes()).is_ok());
        let brackets_in_text = format!("{{\"a\":\"{}\"}}", "[".repeat(100));
        assert!(object(brackets_in_text.as_bytes()).is_ok());
    }

    #[test]
    fn a_key_twice_in_one_object_makes_a_body_unreadable() {
        for (body, is_read) in [
            (r#"{"a":1,"a":1}"#, false),
            (r#"{"a":1,"\u0061":2}"#, false),
            (r#"{"a":[{"b":{"c":1,"c":2}}]}"#, false),
            (r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}"#, true),
        ] {
            assert_eq!(object(body.as_bytes()).is_ok(), is_read, "{body}");
        }
        let error = object(br#"{"secret words":1,"secret words":2}"#).unwrap_err().to_string();
        assert!(error.contains("a key twice") && !error.contains("secret"), "{error}");
    }

    #[test]
    fn a_body_is_read_as_it_is_written() {
        let text = r#"{"z":[true,null,-3,18446744073709551615,0.5,1e3,"\u00fc",{"y":[]},{}],"a":""}"#;
        assert_eq!(object(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }

    #[test]
    fn what_is_wrong_with_a_body_is_told_without_quoting_it() {
        let error = object(b"{\"text\": secret words}").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn ids_written_as_numbers_are_texts() {
        assert_eq!(as_text(&json!(369_239_263_222_822_i64)).unwrap(), "369239263222822");
        assert_eq!(as_text(&json!("")), None);
        assert_eq!(as_text(&json!(false)), None);
    }
}
