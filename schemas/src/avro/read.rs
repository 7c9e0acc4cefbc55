//! Bytes to structs, by the writer's schema.

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::{Misfit, Node};

/// A block may not claim more items than this beyond one a byte: items of no bytes exist.
const EMPTY_ITEMS_MAX: usize = 10_000;

/// What is still to be read.
pub(super) struct Input<'de>(pub(super) &'de [u8]);

impl<'de> Input<'de> {
    fn take(&mut self, count: usize) -> Result<&'de [u8], Misfit> {
        let (taken, left) = self.0.split_at_checked(count).ok_or_else(|| Misfit::new("expected more bytes"))?;
        self.0 = left;
        Ok(taken)
    }

    fn long(&mut self) -> Result<i64, Misfit> {
        let mut value = 0u64;
        for (at, byte) in self.0.iter().enumerate().take(10) {
            value |= u64::from(byte & 0x7f) << (at * 7);
            if byte & 0x80 == 0 {
                self.0 = &self.0[at + 1..];
                return Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        Err(Misfit::new("expected a whole number"))
    }

    fn sized(&mut self) -> Result<&'de [u8], Misfit> {
        let size = self.long()?;
        let size = usize::try_from(size).map_err(|_| Misfit::new("expected a length, got a negative number"))?;
        self.take(size)
    }

    fn text(&mut self) -> Result<&'de str, Misfit> {
        std::str::from_utf8(self.sized()?).map_err(|_| Misfit::new("expected UTF-8"))
    }

    fn symbol<'a>(&mut self, symbols: &'a [String]) -> Result<&'a str, Misfit> {
        let at = usize::try_from(self.long()?).ok().and_then(|at| symbols.get(at));
        at.map(String::as_str).ok_or_else(|| Misfit::new("expected a symbol of the enum"))
    }

    fn is_null(&mut self, null: u64) -> Result<bool, Misfit> {
        match self.long()? {
            branch @ (0 | 1) => Ok(branch.cast_unsigned() == null),
            _ => Err(Misfit::new("expected one of two branches")),
        }
    }

    /// The items of the next block; 0 at the end.
    fn block(&mut self) -> Result<usize, Misfit> {
        let count = self.long()?;
        if count < 0 {
            // A negative count is followed by the block's size in bytes.
            self.long()?;
        }
        let count = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
        if count > self.0.len() + EMPTY_ITEMS_MAX {
            return Err(Misfit::new("expected as many items as there are bytes at most"));
        }
        Ok(count)
    }

    fn skip(&mut self, node: &Node) -> Result<(), Misfit> {
        match node {
            Node::Null => Ok(()),
            Node::Boolean => self.take(1).map(drop),
            Node::Long | Node::Enum(_) => self.long().map(drop),
            Node::Float => self.take(4).map(drop),
            Node::Double => self.take(8).map(drop),
            Node::Bytes | Node::Text => self.sized().map(drop),
            Node::Array(items) => self.skip_blocks(|input| input.skip(items)),
            Node::Map(values) => self.skip_blocks(|input| input.sized().and_then(|_| input.skip(values))),
            Node::Record(fields) => fields.named.iter().try_for_each(|(_, node)| self.skip(node)),
            Node::Nullable { null, other } => {
                if self.is_null(*null)? {
                    Ok(())
                } else {
                    self.skip(other)
                }
            }
        }
    }

    fn skip_blocks(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), Misfit>) -> Result<(), Misfit> {
        loop {
            match self.block()? {
                0 => return Ok(()),
                count => (0..count).try_for_each(|_| item(self))?,
            }
        }
    }

    fn eight(&mut self) -> Result<[u8; 8], Misfit> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(bytes)
    }

    fn four(&mut self) -> Result<[u8; 4], Misfit> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(self.take(4)?);
        Ok(bytes)
    }
}

/// Reads one value of one schema.
pub(super) struct Reader<'a, 'de> {
    pub(super) input: &'a mut Input<'de>,
    pub(super) node: &'a Node,
}

impl<'de> de::Deserializer<'de> for Reader<'_, 'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let input = self.input;
        match self.node {
            Node::Null => visitor.visit_unit(),
            Node::Boolean => visitor.visit_bool(input.take(1)?[0] == 1),
            Node::Long => visitor.visit_i64(input.long()?),
            Node::Float => visitor.visit_f32(f32::from_le_bytes(input.four()?)),
            Node::Double => visitor.visit_f64(f64::from_le_bytes(input.eight()?)),
            Node::Bytes => visitor.visit_borrowed_bytes(input.sized()?),
            Node::Text => visitor.visit_borrowed_str(input.text()?),
            Node::Enum(symbols) => visitor.visit_str(input.symbol(symbols)?),
            Node::Array(node) => visitor.visit_seq(Items { input, node, left: 0, ended: false }),
            Node::Map(node) => visitor.visit_map(Items { input, node, left: 0, ended: false }),
            Node::Record(fields) => visitor.visit_map(Fields { input, left: fields.named.iter(), node: &Node::Null }),
            Node::Nullable { null, other } => {
                if input.is_null(*null)? {
                    visitor.visit_none()
                } else {
                    Reader { input, node: other }.deserialize_any(visitor)
                }
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        if let Node::Nullable { null, other } = self.node {
            if self.input.is_null(*null)? {
                visitor.visit_none()
            } else {
                visitor.visit_some(Reader { input: self.input, node: other })
            }
        } else if *self.node == Node::Null {
            visitor.visit_none()
        } else {
            visitor.visit_some(self)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let symbol: &str = if let Node::Enum(symbols) = self.node {
            self.input.symbol(symbols)?
        } else if *self.node == Node::Text {
            self.input.text()?
        } else {
            return Err(Misfit::new("expected an enum"));
        };
        let symbol: StrDeserializer<'_, Misfit> = symbol.into_deserializer();
        visitor.visit_enum(symbol)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        if let Node::Record(fields) = self.node
            && fields.are(names)
        {
            // One after the other is cheaper than each by its name.
            return visitor.visit_seq(Fields { input: self.input, left: fields.named.iter(), node: &Node::Null });
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.input.skip(self.node)?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

/// The items of an array, or the entries of a map, block by block.
struct Items<'a, 'de> {
    input: &'a mut Input<'de>,
    node: &'a Node,
    left: usize,
    ended: bool,
}

impl Items<'_, '_> {
    fn another(&mut self) -> Result<bool, Misfit> {
        if self.left == 0 && !self.ended {
            self.left = self.input.block()?;
            self.ended = self.left == 0;
        }
        self.left = self.left.saturating_sub(1);
        Ok(!self.ended)
    }
}

impl<'de> de::SeqAccess<'de> for Items<'_, 'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        if !self.another()? {
            return Ok(None);
        }
        seed.deserialize(Reader { input: self.input, node: self.node }).map(Some)
    }
}

impl<'de> de::MapAccess<'de> for Items<'_, 'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        if !self.another()? {
            return Ok(None);
        }
        seed.deserialize(BorrowedStrDeserializer::new(self.input.text()?)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        seed.deserialize(Reader { input: self.input, node: self.node })
    }
}

/// The fields of a record, in the order they were written.
struct Fields<'a, 'de> {
    input: &'a mut Input<'de>,
    left: std::slice::Iter<'a, (String, Node)>,
    node: &'a Node,
}

impl<'de> de::SeqAccess<'de> for Fields<'_, 'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Misfit> {
        let Some((_, node)) = self.left.next() else { return Ok(None) };
        seed.deserialize(Reader { input: self.input, node }).map(Some)
    }
}

impl<'de> de::MapAccess<'de> for Fields<'_, 'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Misfit> {
        let Some((name, node)) = self.left.next() else { return Ok(None) };
        self.node = node;
        let name: StrDeserializer<'_, Misfit> = name.as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        seed.deserialize(Reader { input: self.input, node: self.node })
    }
}
