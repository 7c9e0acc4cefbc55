//! One partition's machine: state, task time, input positions. Pure; knows no Kafka.

use crate::Timestamp;
use crate::machine::{Machine, Scope, State, Tick};
use crate::table::{Change, Derived, RowError, Stored, Table};
use std::collections::BTreeMap;

/// The name of the runtime's own table.
pub(crate) const TASK_TABLE: &str = "task";

/// A machine that asks for the same deadline this often without moving on will never move on.
const SAME_DEADLINE_MAX: u32 = 100_000;

/// What only a programming error can cause; ends the process.
#[derive(Debug, thiserror::Error)]
#[error("broken invariant at {now}: {detail}")]
pub(crate) struct Broken {
    pub(crate) now: Timestamp,
    pub(crate) detail: String,
}

/// One partition's machine at work.
pub(crate) struct Task<M: Machine> {
    state: M::State,
    /// `now` holds the task time, `offset/<topic>` the next offset of an input.
    own: Table<String, i64>,
    now: Timestamp,
    offsets: BTreeMap<String, i64>,
    sealed: (Timestamp, BTreeMap<String, i64>),
    committed: (Timestamp, BTreeMap<String, i64>),
}

impl<M: Machine> Task<M> {
    pub(crate) fn new() -> Self {
        Self {
            state: M::State::default(),
            own: Table::new(TASK_TABLE),
            now: Timestamp::ZERO,
            offsets: BTreeMap::new(),
            sealed: (Timestamp::ZERO, BTreeMap::new()),
            committed: (Timestamp::ZERO, BTreeMap::new()),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn state(&self) -> &M::State {
        &self.state
    }

    pub(crate) fn next_deadline(&self, machine: &M) -> Option<Timestamp> {
        machine.next_deadline(&self.state)
    }

    /// The next offset of an input, as far as this state has seen it.
    pub(crate) fn offset(&self, topic: &str) -> Option<i64> {
        self.offsets.get(topic).copied()
    }

    /// Notes that an input was read up to `next`.
    pub(crate) fn advance_offset(&mut self, topic: &str, next: i64) {
        match self.offsets.get_mut(topic) {
            Some(offset) => *offset = next,
            None => drop(self.offsets.insert(topic.to_owned(), next)),
        }
    }

    /// Applies one event at `at`, after every deadline up to `at`.
    pub(crate) fn apply(&mut self, machine: &M, event: M::Event, at: Timestamp) -> Result<Vec<M::Effect>, Broken> {
        let mut effects = self.fire(machine, at)?;
        self.now = self.now.max(at);
        effects.extend(self.step(machine, event)?);
        Ok(effects)
    }

    /// Fires every deadline up to `until`, in order, each at its own time.
    pub(crate) fn fire(&mut self, machine: &M, until: Timestamp) -> Result<Vec<M::Effect>, Broken> {
        let mut effects = Vec::new();
        let mut last = (Timestamp::ZERO, 0);
        while let Some(due) = machine.next_deadline(&self.state).filter(|due| *due <= until) {
            last = if due == last.0 { (due, last.1 + 1) } else { (due, 0) };
            if last.1 >= SAME_DEADLINE_MAX {
                return Err(self.broken(format!("deadline {due} is asked for again and again")));
            }
            self.now = self.now.max(due);
            effects.extend(self.step(machine, M::Event::from(Tick))?);
        }
        Ok(effects)
    }

    fn step(&mut self, machine: &M, event: M::Event) -> Result<Vec<M::Effect>, Broken> {
        for table in self.state.tables() {
            table.settle();
        }
        let effects = machine.apply(&mut self.state, event, self.now);
        self.state.check(Scope::Touched).map_err(|detail| self.broken(detail))?;
        Ok(effects)
    }

    fn broken(&self, detail: String) -> Broken {
        Broken { now: self.now, detail }
    }

    /// Each row changed since the last seal once, by table. The runtime's own rows go along with other
    /// changes or with outputs, never for their own sake.
    pub(crate) fn changes(&mut self, has_outputs: bool) -> Vec<(&'static str, Vec<Change>)> {
        let mut changes: Vec<(&'static str, Vec<Change>)> = Vec::new();
        for table in self.state.tables() {
            let rows = table.drain_changes();
            if !rows.is_empty() {
                changes.push((table.name(), rows));
            }
        }
        if has_outputs || !changes.is_empty() {
            self.note_own();
            changes.push((TASK_TABLE, self.own.drain_changes()));
        }
        changes
    }

    fn note_own(&mut self) {
        let rows = self.offsets.iter().map(|(topic, next)| (format!("offset/{topic}"), *next));
        for (key, value) in rows.chain([("now".to_owned(), self.now.as_ms())]) {
            if self.own.get(&key) != Some(&value) {
                self.own.put(key, value);
            }
        }
    }

    /// Everything so far goes into one transaction; what comes from here does not.
    pub(crate) fn seal(&mut self) {
        self.sealed = (self.now, self.offsets.clone());
        self.own.seal();
        self.state.tables().into_iter().for_each(Stored::seal);
        self.state.indexes().into_iter().for_each(Derived::seal);
    }

    /// Makes what was sealed final.
    pub(crate) fn commit(&mut self) {
        self.committed.clone_from(&self.sealed);
        self.own.commit();
        self.state.tables().into_iter().for_each(Stored::commit);
        self.state.indexes().into_iter().for_each(Derived::commit);
    }

    /// Takes everything back that is not final, task time and positions included.
    pub(crate) fn rollback(&mut self) {
        (self.now, self.offsets) = self.committed.clone();
        self.sealed.clone_from(&self.committed);
        self.own.rollback();
        self.state.tables().into_iter().for_each(Stored::rollback);
        self.state.indexes().into_iter().for_each(Derived::rollback);
    }

    /// Takes one changelog row.
    pub(crate) fn restore(&mut self, table: &str, key: &[u8], value: Option<&[u8]>) -> Result<(), RowError> {
        if table == TASK_TABLE {
            return self.own.restore(key, value);
        }
        match self.state.tables().into_iter().find(|t| t.name() == table) {
            Some(stored) => stored.restore(key, value),
            None => Err(RowError { table: TASK_TABLE, detail: format!("no table named {table}") }),
        }
    }

    /// Ends a restore: reads the runtime's own rows, builds the indexes, checks everything.
    pub(crate) fn restored(&mut self) -> Result<(), Broken> {
        self.own.restored();
        self.state.tables().into_iter().for_each(Stored::restored);
        for (key, value) in &self.own {
            match key.strip_prefix("offset/") {
                Some(topic) => drop(self.offsets.insert(topic.to_owned(), *value)),
                None => self.now = Timestamp::from_ms(*value),
            }
        }
        self.state.rebuild();
        self.seal();
        self.commit();
        self.state.check(Scope::All).map_err(|detail| self.broken(detail))
    }

    /// Names of all tables, the runtime's own first.
    pub(crate) fn table_names() -> Vec<&'static str> {
        let mut state = M::State::default();
        let own = std::iter::once(TASK_TABLE);
        own.chain(state.tables().iter().map(|table| table.name())).collect()
    }

    /// Rows of each table of the machine.
    pub(crate) fn row_counts(&mut self) -> Vec<(&'static str, usize)> {
        self.state.tables().iter().map(|table| (table.name(), table.rows())).collect()
    }

    /// Rows and fingerprint of each table of the machine; equal tables have equal fingerprints,
    /// across processes and builds.
    pub(crate) fn digests(&mut self) -> Vec<(&'static str, usize, u64)> {
        self.state.tables().iter().map(|table| (table.name(), table.rows(), fingerprint(&table.dump()))).collect()
    }

    /// Every row of every table of the machine, encoded, and the size of each index.
    pub(crate) fn dump(&mut self) -> Dump {
        let tables = self.state.tables().iter().map(|t| (t.name(), t.dump())).collect();
        (tables, self.state.indexes().iter().map(|index| index.rows()).collect())
    }
}

/// Tables with their encoded rows, and index sizes.
pub(crate) type Dump = (Vec<(&'static str, Vec<(Vec<u8>, Vec<u8>)>)>, Vec<usize>);

/// FNV-1a over the lengths and bytes of all rows, cut to what a metric can show exactly.
fn fingerprint(rows: &[(Vec<u8>, Vec<u8>)]) -> u64 {
    let length = |part: &[u8]| u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes();
    let parts = rows.iter().flat_map(|(key, value)| [key, value]);
    let bytes = parts.flat_map(|part| length(part).into_iter().chain(part.iter().copied()));
    let hash =
        bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    hash >> 12
}
