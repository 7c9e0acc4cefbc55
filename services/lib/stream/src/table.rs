//! State tables: ordered rows that remember what changed, so that the runtime can write the
//! change to the changelog, or take it back byte for byte.

use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet, btree_map, btree_set};
use std::ops::RangeBounds;

/// A key or value that a table can hold.
///
/// Encoded as one version byte and a MessagePack map with field names: a new field with a serde
/// default reads old rows, an unknown one is skipped.
pub trait Row: Serialize + DeserializeOwned {}

impl<T: Serialize + DeserializeOwned> Row for T {}

/// One changed row as the changelog carries it: encoded key, and encoded value or deletion.
pub type Change = (Vec<u8>, Option<Vec<u8>>);

/// The layout of rows: bumped only when a row can no longer be read by its field names.
const ROW_VERSION: u8 = 1;

/// What the runtime does with a table, whatever its rows are.
pub trait Stored: Send {
    /// The table's name, as in `weft-<service>-<name>-changelog`.
    fn name(&self) -> &'static str;
    /// Each row changed since the last seal, once, in key order; rows that came and went
    /// again in between are not among them. Repeatable until [`Stored::seal`].
    fn drain_changes(&mut self) -> Vec<Change>;
    /// What changed so far is on its way in a transaction; what changes from here is not. Never
    /// twice without a commit or rollback in between.
    fn seal(&mut self);
    /// Makes what was sealed final.
    fn commit(&mut self);
    /// Takes everything back that is not final, sealed or not.
    fn rollback(&mut self);
    /// Forgets which rows the last `apply` touched.
    fn settle(&mut self);
    /// Takes one changelog row, outside any transaction; it counts from [`Stored::restored`] on.
    fn restore(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), RowError>;
    /// Ends a restore: builds the rows at once, which is several times faster than one by one and
    /// leaves them packed.
    fn restored(&mut self);
    /// Number of rows.
    fn rows(&self) -> usize;
    /// Forgets everything.
    fn clear(&mut self);
    /// Every row, encoded, in key order.
    fn dump(&self) -> Vec<(Vec<u8>, Vec<u8>)>;
}

/// What the runtime does with an index.
pub trait Derived: Send {
    /// As [`Stored::seal`].
    fn seal(&mut self);
    /// As [`Stored::commit`].
    fn commit(&mut self);
    /// As [`Stored::rollback`].
    fn rollback(&mut self);
    /// Number of entries.
    fn rows(&self) -> usize;
    /// Forgets everything.
    fn clear(&mut self);
}

/// A changelog row that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("row of table {table}: {detail}")]
pub struct RowError {
    /// The table.
    pub table: &'static str,
    /// What was expected and what came.
    pub detail: String,
}

/// Rows in key order, changed in place, with an undo log since the last commit.
#[derive(Debug)]
pub struct Table<K, V> {
    name: &'static str,
    rows: BTreeMap<K, V>,
    /// Rows as they were at the last seal.
    undo: BTreeMap<K, Option<V>>,
    /// Rows as they were at the last commit, where a seal came since.
    sealed: BTreeMap<K, Option<V>>,
    touched: Vec<K>,
    restoring: Vec<(K, Option<V>)>,
    /// So many rows of a restore are looked through for keys that came again.
    packed_at: usize,
}

/// A restore looks for keys that came again not before it has so many rows.
const PACKED_MIN: usize = 1 << 16;

impl<K, V> Table<K, V> {
    /// An empty table; the name is part of its changelog's topic.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            rows: BTreeMap::new(),
            undo: BTreeMap::new(),
            sealed: BTreeMap::new(),
            touched: Vec::new(),
            restoring: Vec::new(),
            packed_at: PACKED_MIN,
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// All rows in key order.
    pub fn iter(&self) -> btree_map::Iter<'_, K, V> {
        self.rows.iter()
    }
}

impl<K: Ord + Clone, V: Clone> Table<K, V> {
    /// The row with this key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.rows.get(key)
    }

    /// Whether there is a row with this key.
    pub fn contains(&self, key: &K) -> bool {
        self.rows.contains_key(key)
    }

    /// Sets a row; gives the one it replaced.
    pub fn put(&mut self, key: K, value: V) -> Option<V> {
        let old = self.rows.insert(key.clone(), value);
        self.touched.push(key.clone());
        self.undo.entry(key).or_insert_with(|| old.clone());
        old
    }

    /// Deletes a row; gives it if it was there.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let old = self.rows.remove(key)?;
        self.touched.push(key.clone());
        self.undo.entry(key.clone()).or_insert_with(|| Some(old.clone()));
        Some(old)
    }

    /// The row with this key, to be changed in place; counts as a change.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let value = self.rows.get_mut(key)?;
        self.touched.push(key.clone());
        self.undo.entry(key.clone()).or_insert_with(|| Some(value.clone()));
        Some(value)
    }

    /// The rows of a key range, in key order.
    pub fn range<R: RangeBounds<K>>(&self, range: R) -> btree_map::Range<'_, K, V> {
        self.rows.range(range)
    }

    /// Keys changed by the last `apply`, deleted ones included; a key may come twice.
    pub fn touched(&self) -> impl Iterator<Item = &K> {
        self.touched.iter()
    }
}

impl<'a, K, V> IntoIterator for &'a Table<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = btree_map::Iter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.iter()
    }
}

impl<K, V> Stored for Table<K, V>
where
    K: Ord + Clone + Row + Send,
    V: Clone + Row + Send,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn drain_changes(&mut self) -> Vec<Change> {
        let changed = |(key, old): (&K, &Option<V>)| match (old, self.rows.get(key)) {
            (None, None) => None,
            (_, now) => Some((encode(key), now.map(encode))),
        };
        self.undo.iter().filter_map(changed).collect()
    }

    fn seal(&mut self) {
        debug_assert!(self.sealed.is_empty(), "sealed twice");
        self.sealed = std::mem::take(&mut self.undo);
    }

    fn commit(&mut self) {
        self.sealed.clear();
    }

    fn rollback(&mut self) {
        // The later changes first: what they found may be of the earlier ones.
        for undo in [&mut self.undo, &mut self.sealed] {
            for (key, old) in std::mem::take(undo) {
                match old {
                    Some(value) => self.rows.insert(key, value),
                    None => self.rows.remove(&key),
                };
            }
        }
        self.touched.clear();
    }

    fn settle(&mut self) {
        self.touched.clear();
    }

    fn restore(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), RowError> {
        let failed = |detail| RowError { table: self.name, detail };
        let key = decode(key).map_err(failed)?;
        let value = value.map(decode).transpose().map_err(failed)?;
        self.restoring.push((key, value));
        if self.restoring.len() >= self.packed_at {
            keep_last(&mut self.restoring);
            self.packed_at = PACKED_MIN.max(self.restoring.len() * 2);
        }
        Ok(())
    }

    fn restored(&mut self) {
        let mut rows = std::mem::take(&mut self.restoring);
        self.packed_at = PACKED_MIN;
        keep_last(&mut rows);
        self.rows = rows.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.restoring.clear();
        self.undo.clear();
        self.sealed.clear();
        self.touched.clear();
    }

    fn dump(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.rows.iter().map(|(key, value)| (encode(key), encode(value))).collect()
    }
}

/// Sorts by key and keeps what came last of each.
fn keep_last<K: Ord, V>(rows: &mut Vec<(K, V)>) {
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    // `dedup_by` drops the later of two equal ones; swapped, that is the earlier.
    rows.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
}

/// An ordered set derived from the tables: rolled back with them, rebuilt after a restore,
/// never written.
#[derive(Debug)]
pub struct Index<T> {
    entries: BTreeSet<T>,
    /// Changes since the last commit.
    undo: Vec<Undo<T>>,
    /// So many of them are sealed.
    sealed: usize,
}

#[derive(Debug)]
enum Undo<T> {
    Inserted(T),
    Removed(T),
}

impl<T> Index<T> {
    /// An empty index.
    pub const fn new() -> Self {
        Self { entries: BTreeSet::new(), undo: Vec::new(), sealed: 0 }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All entries in order.
    pub fn iter(&self) -> btree_set::Iter<'_, T> {
        self.entries.iter()
    }
}

impl<T: Ord + Clone> Index<T> {
    /// Adds an entry; false if it was there already.
    pub fn insert(&mut self, entry: T) -> bool {
        let added = self.entries.insert(entry.clone());
        if added {
            self.undo.push(Undo::Inserted(entry));
        }
        added
    }

    /// Removes an entry; false if it was not there.
    pub fn remove(&mut self, entry: &T) -> bool {
        let taken = self.entries.take(entry);
        let removed = taken.is_some();
        self.undo.extend(taken.map(Undo::Removed));
        removed
    }

    /// The lowest entry.
    pub fn first(&self) -> Option<&T> {
        self.entries.first()
    }

    /// The entries of a range, in order.
    pub fn range<R: RangeBounds<T>>(&self, range: R) -> btree_set::Range<'_, T> {
        self.entries.range(range)
    }

    /// Sets all entries at once, as after a restore.
    pub fn fill(&mut self, entries: impl Iterator<Item = T>) {
        self.entries = entries.collect();
        self.undo.clear();
        self.sealed = 0;
    }

    /// Whether the entry is there.
    pub fn contains(&self, entry: &T) -> bool {
        self.entries.contains(entry)
    }
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, T> IntoIterator for &'a Index<T> {
    type Item = &'a T;
    type IntoIter = btree_set::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

impl<T: Ord + Clone + Send> Derived for Index<T> {
    fn seal(&mut self) {
        self.sealed = self.undo.len();
    }

    fn commit(&mut self) {
        self.undo.drain(..self.sealed);
        self.sealed = 0;
    }

    fn rollback(&mut self) {
        for change in std::mem::take(&mut self.undo).into_iter().rev() {
            match change {
                Undo::Inserted(entry) => self.entries.remove(&entry),
                Undo::Removed(entry) => self.entries.insert(entry),
            };
        }
        self.sealed = 0;
    }

    fn rows(&self) -> usize {
        self.entries.len()
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.undo.clear();
        self.sealed = 0;
    }
}

/// Encodes a row: version byte, then MessagePack with field names.
fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    let mut bytes = vec![ROW_VERSION];
    rmp_serde::encode::write_named(&mut bytes, row).expect("rows are plain data; writing them to memory cannot fail");
    bytes
}

/// Reads what [`encode`] wrote.
fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bytes.split_first() {
        Some((&ROW_VERSION, rest)) => rmp_serde::from_slice(rest).map_err(|e| e.to_string()),
        Some((version, _)) => Err(format!("expected row version {ROW_VERSION}, got {version}")),
        None => Err("expected a row, got nothing".to_owned()),
    }
}
