//! A spec as it stands in its file: values with their places.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_saphyr::{Location, Spanned};

/// One value and where it stands.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub(super) struct Tree(Spanned<Node>);

#[derive(Debug, Clone)]
enum Node {
    Scalar,
    List(Vec<Tree>),
    Map(Vec<(Spanned<String>, Tree)>),
}

impl Tree {
    /// Where the value is that this path leads to: names, or numbers into lists.
    pub(super) fn locate(&self, path: &[&str]) -> Option<Location> {
        let [first, rest @ ..] = path else { return Some(self.0.referenced) };
        match &self.0.value {
            Node::Scalar => None,
            Node::List(items) => items.get(first.parse::<usize>().ok()?)?.locate(rest),
            Node::Map(entries) => {
                let (_, value) = entries.iter().find(|(key, _)| key.value == *first)?;
                value.locate(rest)
            }
        }
    }

    /// Whether the value is neither list nor map.
    pub(super) fn is_scalar(&self) -> bool {
        matches!(self.0.value, Node::Scalar)
    }

    /// Where the value stands.
    pub(super) fn location(&self) -> Location {
        self.0.referenced
    }

    /// The values of a list; none for anything else.
    pub(super) fn items(&self) -> &[Tree] {
        if let Node::List(items) = &self.0.value { items } else { &[] }
    }

    /// The entries of a map; none for anything else.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, &Tree)> {
        let entries = if let Node::Map(entries) = &self.0.value { entries.as_slice() } else { &[] };
        entries.iter().map(|(key, value)| (key.value.as_str(), value))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(Node::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            all.push(entry);
        }
        Ok(Node::Map(all))
    }
}
