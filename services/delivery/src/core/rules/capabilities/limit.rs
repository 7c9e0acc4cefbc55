//! Lengths as a channel counts them.

/// In what a channel counts the length of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Unicode scalar values.
    Characters,
    /// Bytes of UTF-8.
    Bytes,
    /// UTF-16 code units.
    Utf16,
}

/// A length that is still taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How much.
    pub max: usize,
    /// Of what.
    pub unit: Unit,
}

/// So many characters.
pub(super) const fn characters(max: usize) -> Limit {
    Limit { max, unit: Unit::Characters }
}

impl Limit {
    /// The length of a text as the channel counts it.
    pub fn length(self, text: &str) -> usize {
        match self.unit {
            Unit::Characters => text.chars().count(),
            Unit::Bytes => text.len(),
            Unit::Utf16 => text.encode_utf16().count(),
        }
    }

    /// Whether the channel takes it.
    pub fn fits(self, text: &str) -> bool {
        self.length(text) <= self.max
    }
}
