//! Structs to bytes.

use serde::Serialize;
use serde::ser::{self, Impossible};

use super::{Misfit, Node};

/// Writes one value of one schema.
pub(super) struct Writer<'a> {
    pub(super) out: &'a mut Vec<u8>,
    pub(super) node: &'a Node,
}

pub(super) fn long(out: &mut Vec<u8>, value: i64) {
    let mut left = value.cast_unsigned() << 1 ^ (value >> 63).cast_unsigned();
    while left >= 0x80 {
        out.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

fn sized(out: &mut Vec<u8>, bytes: &[u8]) {
    long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

impl<'a> Writer<'a> {
    fn misfit<T>(&self, what: &str) -> Result<T, Misfit> {
        let expected = match self.node {
            Node::Null => "null",
            Node::Boolean => "a boolean",
            Node::Long => "a whole number",
            Node::Float | Node::Double => "a number",
            Node::Bytes => "bytes",
            Node::Text => "a text",
            Node::Enum(_) => "a symbol of the enum",
            Node::Array(_) => "an array",
            Node::Map(_) => "a map",
            Node::Record(_) => "a record",
            Node::Nullable { .. } => "null or a value",
        };
        Err(Misfit(format!("expected {expected}, got {what}")))
    }

    fn whole(self, value: i64) -> Result<(), Misfit> {
        let Node::Long = self.node else { return self.misfit("a whole number") };
        long(self.out, value);
        Ok(())
    }

    fn items(self, count: Option<usize>, node: &'a Node) -> Result<Items<'a>, Misfit> {
        let count = count.ok_or_else(|| Misfit::new("expected a count beforehand"))?;
        if count > 0 {
            long(self.out, count as i64);
        }
        Ok(Items { out: self.out, node })
    }
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = Misfit;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Impossible<(), Misfit>;
    type SerializeTupleStruct = Impossible<(), Misfit>;
    type SerializeTupleVariant = Impossible<(), Misfit>;
    type SerializeMap = Items<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Impossible<(), Misfit>;

    fn serialize_bool(self, value: bool) -> Result<(), Misfit> {
        let Node::Boolean = self.node else { return self.misfit("a boolean") };
        self.out.push(u8::from(value));
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Result<(), Misfit> {
        self.whole(value.into())
    }

    fn serialize_i16(self, value: i16) -> Result<(), Misfit> {
        self.whole(value.into())
    }

    fn serialize_i32(self, value: i32) -> Result<(), Misfit> {
        self.whole(value.into())
    }

    fn serialize_i64(self, value: i64) -> Result<(), Misfit> {
        self.whole(value)
    }

    fn serialize_u8(self, value: u8) -> Result<(), Misfit> {
        self.whole(value.into())
    }

    fn serialize_u16(self, value: u16) -> Result<(), Misfit> {
        self.whole(value.into())
    }

    fn serialize_u32(self, value: u32) -> Result<(), Misfit> {
        self.whole(value.into())
    }

    fn serialize_u64(self, value: u64) -> Result<(), Misfit> {
        match i64::try_from(value) {
            Ok(value) => self.whole(value),
            Err(_) => self.misfit("a number beyond 2^63"),
        }
    }

    fn serialize_f32(self, value: f32) -> Result<(), Misfit> {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Misfit> {
        if let Node::Double = self.node {
            self.out.extend_from_slice(&value.to_le_bytes());
        } else if let Node::Float = self.node {
            self.out.extend_from_slice(&(value as f32).to_le_bytes());
        } else {
            return self.misfit("a number");
        }
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Misfit> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), Misfit> {
        if let Node::Text = self.node {
            sized(self.out, value.as_bytes());
        } else if let Node::Enum(symbols) = self.node {
            let at = symbols.iter().position(|symbol| symbol == value);
            let Some(at) = at else { return self.misfit("another symbol") };
            long(self.out, at as i64);
        } else {
            return self.misfit("a text");
        }
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Misfit> {
        let Node::Bytes = self.node else { return self.misfit("bytes") };
        sized(self.out, value);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Misfit> {
        if let Node::Nullable { null, .. } = self.node {
            long(self.out, null.cast_signed());
        } else if *self.node != Node::Null {
            return self.misfit("null");
        }
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Misfit> {
        let Node::Nullable { null, other } = self.node else { return value.serialize(self) };
        long(self.out, 1 - null.cast_signed());
        value.serialize(Writer { out: self.out, node: other })
    }

    fn serialize_unit(self) -> Result<(), Misfit> {
        self.serialize_none()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Misfit> {
        self.serialize_none()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Misfit> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Misfit> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Misfit> {
        self.misfit(name)
    }

    fn serialize_seq(self, count: Option<usize>) -> Result<Items<'a>, Misfit> {
        let Node::Array(items) = self.node else { return self.misfit("an array") };
        self.items(count, items)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Misfit> {
        self.misfit("a tuple")
    }

    fn serialize_tuple_struct(self, name: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Misfit> {
        self.misfit(name)
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Misfit> {
        self.misfit(name)
    }

    fn serialize_map(self, count: Option<usize>) -> Result<Items<'a>, Misfit> {
        let Node::Map(values) = self.node else { return self.misfit("a map") };
        self.items(count, values)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'a>, Misfit> {
        let Node::Record(fields) = self.node else { return self.misfit(name) };
        Ok(Fields { out: self.out, left: fields.named.iter() })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Misfit> {
        self.misfit(name)
    }
}

/// The one block of an array or map.
pub(super) struct Items<'a> {
    out: &'a mut Vec<u8>,
    node: &'a Node,
}

impl ser::SerializeSeq for Items<'_> {
    type Ok = ();
    type Error = Misfit;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Misfit> {
        value.serialize(Writer { out: self.out, node: self.node })
    }

    fn end(self) -> Result<(), Misfit> {
        self.out.push(0);
        Ok(())
    }
}

impl ser::SerializeMap for Items<'_> {
    type Ok = ();
    type Error = Misfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Misfit> {
        key.serialize(Writer { out: self.out, node: &Node::Text })
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Misfit> {
        value.serialize(Writer { out: self.out, node: self.node })
    }

    fn end(self) -> Result<(), Misfit> {
        self.out.push(0);
        Ok(())
    }
}

/// A record's fields, in the order of the schema; structs here declare theirs in that order.
pub(super) struct Fields<'a> {
    out: &'a mut Vec<u8>,
    left: std::slice::Iter<'a, (String, Node)>,
}

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Misfit;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Misfit> {
        match self.left.next() {
            Some((name, node)) if name == key => value.serialize(Writer { out: self.out, node }),
            Some((name, _)) => Err(Misfit(format!("expected field `{name}`, got `{key}`"))),
            None => Err(Misfit(format!("expected no more fields, got `{key}`"))),
        }
    }

    fn end(mut self) -> Result<(), Misfit> {
        match self.left.next() {
            None => Ok(()),
            Some((name, _)) => Err(Misfit(format!("expected field `{name}`, got the end"))),
        }
    }
}
