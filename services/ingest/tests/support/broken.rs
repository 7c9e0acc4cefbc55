//! Good bodies and how they are broken: ours, and those collected from elsewhere where a checkout has them beside
//! it.

use std::path::PathBuf;

use serde_json::Value;

/// Bodies collected from elsewhere.
const SHARED: &str = "../../../shared/samples/channels";

/// xorshift64*, seeded: a failure is repeated by its seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % below.max(1)
    }
}

pub(crate) fn fixtures(kind: &str) -> Vec<Vec<u8>> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let folders = [here.join("tests/fixtures").join(kind), here.join(SHARED).join(kind)];
    let there = folders.iter().filter(|folder| folder.is_dir());
    let mut files: Vec<PathBuf> =
        there.flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path())).collect();
    files.retain(|file| file.extension().is_some_and(|of| of == "json"));
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// A broken form of a body: of every three one in its bytes, two in its values.
pub(crate) fn broken(good: &[u8], round: u64, dice: &mut Dice) -> Vec<u8> {
    let mut body = good.to_vec();
    match serde_json::from_slice::<Value>(good) {
        Ok(mut value) if !round.is_multiple_of(3) => {
            for _ in 0..=dice.roll(3) {
                swap_value(&mut value, dice);
            }
            value.to_string().into_bytes()
        }
        Ok(_) | Err(_) => {
            break_bytes(&mut body, dice);
            body
        }
    }
}

/// A value somewhere in the body becomes another one, or goes.
fn swap_value(value: &mut Value, dice: &mut Dice) {
    let children = match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    };
    if children == 0 || dice.roll(6) == 0 {
        let odd = [
            Value::Null,
            Value::from(0),
            Value::from(-1),
            Value::from(1e300),
            Value::from(u64::MAX),
            Value::from(true),
            Value::from(""),
            Value::from("\u{0}\u{202e}ü"),
            Value::from("x".repeat(70_000)),
            Value::Array(vec![]),
            Value::Array(vec![Value::Null, Value::from(1)]),
            Value::Object(serde_json::Map::new()),
        ];
        *value = odd[dice.roll(odd.len())].clone();
        return;
    }
    let at = dice.roll(children);
    match value {
        Value::Array(items) => swap_value(&mut items[at], dice),
        Value::Object(fields) => {
            let key = fields.keys().nth(at).unwrap().clone();
            if dice.roll(5) == 0 {
                fields.remove(&key);
            } else {
                swap_value(&mut fields[&key], dice);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

pub(crate) fn break_bytes(body: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.roll(3) {
        let at = dice.roll(body.len());
        match dice.roll(4) {
            0 => body.truncate(at),
            1 if at < body.len() => drop(body.remove(at)),
            2 => body.insert(at, b"{}[]\",:\\0\xff"[dice.roll(10)]),
            _ if at < body.len() => body[at] ^= 1 << dice.roll(8),
            _ => {}
        }
    }
}
