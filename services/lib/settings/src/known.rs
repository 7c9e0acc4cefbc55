//! The keys that exist, as `deploy/weft.default.toml` has them.

use std::collections::{BTreeMap, BTreeSet};

/// The way to a key, from the outside in.
pub(crate) type Path = Vec<String>;

/// Keys with their defaults, and the tables that take any key (empty ones in the defaults).
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) leaves: BTreeMap<Path, toml::Value>,
    pub(crate) free: BTreeSet<Path>,
}

impl Known {
    pub(crate) fn of(table: &toml::Table) -> Self {
        let mut known = Self::default();
        known.add(&mut Vec::new(), table);
        known
    }

    fn add(&mut self, at: &mut Path, table: &toml::Table) {
        if table.is_empty() {
            self.free.insert(at.clone());
        }
        for (key, value) in table {
            at.push(key.clone());
            match value.as_table() {
                Some(inner) => self.add(at, inner),
                None => {
                    self.leaves.insert(at.clone(), value.clone());
                }
            }
            at.pop();
        }
    }

    pub(crate) fn is_table(&self, path: &[String]) -> bool {
        self.free.contains(path)
            || self.leaves.keys().chain(&self.free).any(|key| key.len() > path.len() && key.starts_with(path))
    }

    /// The known key or section most like `path`, if one is like it at all.
    pub(crate) fn nearest(&self, path: &[String]) -> Option<String> {
        let wanted = path.join(".");
        let sections = self.leaves.keys().filter(|key| key.len() > 1).map(|key| key[..key.len() - 1].join("."));
        let free = self.free.iter().map(|key| key.join("."));
        self.leaves
            .keys()
            .map(|key| key.join("."))
            .chain(sections)
            .chain(free)
            .map(|name| (strsim::jaro_winkler(&wanted, &name), name))
            .filter(|(likeness, _)| *likeness > 0.7)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name)
    }

    /// Which key a variable's name (without `WEFT_`) means.
    pub(crate) fn by_variable(&self, name: &str) -> Option<Path> {
        let parts: Path = name.split("__").map(str::to_lowercase).collect();
        if self.leaves.contains_key(&parts) {
            return Some(parts);
        }
        self.free.iter().find_map(|table| {
            let rest = parts.strip_prefix(table.as_slice())?;
            let [key] = rest else { return None };
            Some([table.as_slice(), &[key.replace('_', ".")]].concat())
        })
    }
}

/// Whether the value of this key must never be shown.
pub(crate) fn is_secret(path: &[String]) -> bool {
    path.last().is_some_and(|key| ["secret", "password", "token"].iter().any(|end| key.ends_with(end)))
}
