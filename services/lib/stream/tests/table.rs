//! Laws of tables, indexes and the test driver, on a machine that counts down.

use serde::{Deserialize, Serialize};
use stream::testing::TaskDriver;
use stream::{Derived, Index, Machine, Scope, State, Stored, Table, Tick, Timestamp};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Timer {
    due: Timestamp,
    note: String,
}

struct Timers {
    timers: Table<String, Timer>,
    by_due: Index<(Timestamp, String)>,
}

impl Default for Timers {
    fn default() -> Self {
        Self { timers: Table::new("timers"), by_due: Index::new() }
    }
}

impl State for Timers {
    fn tables(&mut self) -> Vec<&mut dyn Stored> {
        vec![&mut self.timers]
    }

    fn indexes(&mut self) -> Vec<&mut dyn Derived> {
        vec![&mut self.by_due]
    }

    fn rebuild(&mut self) {
        for (name, timer) in &self.timers {
            self.by_due.insert((timer.due, name.clone()));
        }
    }

    fn check(&self, _: Scope) -> Result<(), String> {
        let (timers, due) = (self.timers.len(), self.by_due.len());
        if timers == due { Ok(()) } else { Err(format!("{timers} timers, {due} deadlines")) }
    }
}

enum Event {
    Set(&'static str, i64),
    Tick,
}

impl From<Tick> for Event {
    fn from(Tick: Tick) -> Self {
        Event::Tick
    }
}

struct Alarm;

impl Machine for Alarm {
    type State = Timers;
    type Event = Event;
    type Effect = (Timestamp, String);

    fn apply(&self, state: &mut Timers, event: Event, now: Timestamp) -> Vec<Self::Effect> {
        match event {
            Event::Set(name, after_ms) => {
                let timer = Timer { due: now.plus_ms(after_ms), note: "set".to_owned() };
                let due = timer.due;
                if let Some(old) = state.timers.put(name.to_owned(), timer) {
                    state.by_due.remove(&(old.due, name.to_owned()));
                }
                state.by_due.insert((due, name.to_owned()));
                Vec::new()
            }
            Event::Tick => {
                let due: Vec<_> = state.by_due.iter().take_while(|(due, _)| *due <= now).cloned().collect();
                for (due, name) in &due {
                    state.timers.remove(name);
                    state.by_due.remove(&(*due, name.clone()));
                }
                due.into_iter().map(|(_, name)| (now, name)).collect()
            }
        }
    }

    fn next_deadline(&self, state: &Timers) -> Option<Timestamp> {
        state.by_due.first().map(|(due, _)| *due)
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

#[test]
fn deadlines_fire_in_order_each_at_its_own_time_before_a_later_event() {
    let mut driver = TaskDriver::new(Alarm);
    driver.apply(Event::Set("b", 200), at(1000));
    driver.apply(Event::Set("a", 100), at(1000));
    driver.apply(Event::Set("c", 9000), at(1001));
    let fired = driver.apply(Event::Set("d", 1), at(5000));
    assert_eq!(fired, [(at(1100), "a".to_owned()), (at(1200), "b".to_owned())]);
    assert_eq!(driver.now(), at(5000));
    assert_eq!(driver.advance_to(at(20_000)).len(), 2);
    assert_eq!(driver.now(), at(10_001));
}

#[test]
fn time_never_goes_back() {
    let mut driver = TaskDriver::new(Alarm);
    driver.apply(Event::Set("a", 100), at(1000));
    driver.apply(Event::Set("b", 100), at(900));
    assert_eq!(driver.next_deadline(), Some(at(1100)));
    assert_eq!(driver.advance_to(at(1100)).len(), 2);
}

#[test]
fn a_state_rebuilt_from_its_changelog_equals_the_live_one() {
    let mut driver = TaskDriver::new(Alarm);
    for step in 0..500 {
        let name = ["a", "b", "c", "d", "e", "f", "g"][step * 31 % 7];
        let step = i64::try_from(step).unwrap();
        driver.apply(Event::Set(name, step * 13 % 97), at(step * 10));
        if step % 50 == 0 {
            driver.crash_and_restore();
        }
    }
    let digest = driver.digest();
    driver.crash_and_restore();
    assert_eq!(driver.digest(), digest);
    assert_eq!(driver.now(), at(4990));
}

#[test]
fn an_aborted_event_leaves_no_trace() {
    let mut driver = TaskDriver::new(Alarm);
    driver.apply(Event::Set("a", 100), at(1000));
    let digest = driver.digest();
    let fired = driver.apply_aborted(Event::Set("a", 50), at(2000));
    assert_eq!(fired.len(), 1);
    assert_eq!(driver.digest(), digest);
    assert_eq!(driver.now(), at(1000));
}

#[test]
fn what_is_worked_beside_a_commit_is_taken_back_alone_or_with_it() {
    let a = || "a".to_owned();
    let sealed = || {
        let (mut table, mut index) = (Table::<String, i64>::new("t"), Index::<i64>::new());
        table.put(a(), 1);
        index.insert(1);
        table.seal();
        index.seal();
        table.put(a(), 2);
        table.put("b".to_owned(), 1);
        index.remove(&1);
        index.insert(2);
        assert_eq!(table.drain_changes().len(), 2, "only what came after the seal");
        (table, index)
    };
    let (mut table, mut index) = sealed();
    table.commit();
    index.commit();
    table.rollback();
    index.rollback();
    assert_eq!(table.iter().collect::<Vec<_>>(), [(&a(), &1)]);
    assert_eq!(index.iter().collect::<Vec<_>>(), [&1]);
    let (mut table, mut index) = sealed();
    table.rollback();
    index.rollback();
    assert!(table.is_empty() && index.is_empty());
}

#[test]
fn an_event_worked_beside_a_commit_leaves_no_trace_when_it_is_taken_back() {
    let mut driver = TaskDriver::new(Alarm);
    driver.apply(Event::Set("a", 100), at(1000));
    let fired = driver.apply_beside(Event::Set("b", 50), Event::Set("b", 70), at(2000));
    assert_eq!(fired, [(at(1100), "a".to_owned())]);
    assert_eq!((driver.now(), driver.next_deadline()), (at(2000), Some(at(2050))));
    driver.crash_and_restore();
    assert_eq!(driver.advance_to(at(3000)), [(at(2050), "b".to_owned())]);
}

#[test]
fn a_row_changed_often_is_written_once_and_a_passing_one_never() {
    let mut table: Table<String, i64> = Table::new("t");
    table.put("a".to_owned(), 1);
    table.seal();
    table.commit();
    table.settle();
    *table.get_mut(&"a".to_owned()).unwrap() += 1;
    table.put("a".to_owned(), 7);
    table.put("b".to_owned(), 1);
    table.remove(&"b".to_owned());
    assert_eq!(table.drain_changes().len(), 1);
    assert_eq!(table.touched().count(), 4);
    table.rollback();
    assert_eq!(table.iter().collect::<Vec<_>>(), [(&"a".to_owned(), &1)]);
    assert!(table.drain_changes().is_empty());
}

#[test]
fn a_row_with_a_new_field_reads_an_old_one() {
    #[derive(Clone, Serialize, Deserialize)]
    struct Old {
        gone: u8,
        kept: String,
    }
    #[derive(Clone, Serialize, Deserialize)]
    struct New {
        kept: String,
        #[serde(default)]
        added: Option<u8>,
    }
    let mut old: Table<u32, Old> = Table::new("t");
    old.put(1, Old { gone: 3, kept: "k".to_owned() });
    let mut new: Table<u32, New> = Table::new("t");
    for (key, value) in old.drain_changes() {
        new.restore(&key, value.as_deref()).unwrap();
    }
    new.restored();
    let row = new.get(&1).unwrap();
    assert_eq!((row.kept.as_str(), row.added), ("k", None));
    assert!(new.restore(&[9, 1], None).unwrap_err().to_string().contains("row version 1, got 9"));
}
