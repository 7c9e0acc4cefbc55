//! Labels from open sets are capped, so that no stranger can fill the memory of Prometheus.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Lets the first `values_max` different values through; every later one is `other`.
#[derive(Debug)]
pub struct CappedLabel {
    values_max: usize,
    seen: Mutex<BTreeSet<String>>,
}

impl CappedLabel {
    /// A label with room for this many values.
    pub fn new(values_max: usize) -> Self {
        Self { values_max, seen: Mutex::default() }
    }

    /// `value`, or `other` when the room is taken.
    pub fn of<'a>(&self, value: &'a str) -> &'a str {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(value) {
            return value;
        }
        if seen.len() < self.values_max {
            seen.insert(value.to_owned());
            return value;
        }
        "other"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_after_the_last_is_other_and_the_first_ones_stay() {
        let label = CappedLabel::new(2);
        assert_eq!(["a", "b", "c", "a", "d"].map(|value| label.of(value)), ["a", "b", "other", "a", "other"]);
    }
}
