//! For any order, duplicate, abort, crash and restore: the same answers.

use super::effect::{Effect, Ignored};
use super::event::{Event, Setting, SettingKey};
use super::testing::*;
use schemas::records::{ConversationEventKind, OwnerKind, SenderKind, Target};
use std::collections::{BTreeMap, BTreeSet};
use stream::Timestamp;

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, good enough to choose by.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// A script of things that may happen to three customers, most of them making sense.
fn script(dice: &mut Dice) -> Vec<(Event, Timestamp)> {
    let mut now = 0;
    let mut epochs: BTreeMap<&str, i64> = BTreeMap::new();
    (0..400)
        .map(|n| {
            now += [0, 1, 500, MINUTE, HOUR, 30 * HOUR][dice.roll(6) as usize];
            let customer = ["ada", "bob", "cyd"][dice.roll(3) as usize];
            let id = format!("x{n}");
            let stint = 1 + u32::try_from(dice.roll(4)).unwrap();
            let epoch = epochs.entry(customer).or_insert(0);
            let event = match dice.roll(14) {
                0..=3 => message(customer, &id),
                4 => {
                    *epoch += 1;
                    connect(customer, stint, *epoch, agent("alan"))
                }
                5 => {
                    *epoch += 1;
                    connect(customer, stint, *epoch, queue("help"))
                }
                6 => send(customer, &id, "alan", *epoch),
                7 => disconnect(customer, stint, *epoch, i64::try_from(dice.roll(20)).unwrap()),
                8 => disconnect_acw(customer, stint, *epoch, i64::try_from(dice.roll(20)).unwrap()),
                9 => released(customer, stint),
                10 => {
                    let target = Target { kind: OwnerKind::Queue, id: "help".into(), queue_id: None };
                    let send = program_send(customer, &id, SenderKind::Api);
                    change_send(send, |send| send.target = Some(target))
                }
                11 => referral(customer, &id, "poster"),
                12 => consents(customer, &id, "marketing", dice.roll(2) == 0),
                _ => {
                    let minutes = i64::try_from(dice.roll(5000)).unwrap();
                    let setting = Setting { window_minutes: Some(minutes), closing_grace_min: 3, ..Setting::default() };
                    configured(SettingKey::Queue("acme".into(), "help".into()), Some(setting))
                }
            };
            (event, at(now))
        })
        .collect()
}

fn without_repeats(effects: Vec<Effect>) -> impl Iterator<Item = Effect> {
    effects.into_iter().filter(|effect| *effect != Effect::Ignored(Ignored::Repeat))
}

fn end() -> Timestamp {
    at(400 * 30 * HOUR)
}

#[test]
fn aborts_crashes_and_small_steps_change_nothing() {
    for seed in 0..40 {
        let script = script(&mut Dice(seed));
        let (mut plain, mut troubled, mut dice) = (driver(), driver(), Dice(seed + 1000));
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        for (event, now) in script {
            expected.extend(plain.apply(event.clone(), now));
            match dice.roll(5) {
                0 => troubled.crash_and_restore(),
                1 => drop(troubled.apply_aborted(event.clone(), now)),
                2 => found.extend(troubled.advance_to(now)),
                3 => {
                    found.extend(troubled.apply_beside(event.clone(), event, now));
                    continue;
                }
                _ => {}
            }
            found.extend(troubled.apply(event, now));
        }
        expected.extend(plain.advance_to(end()));
        found.extend(troubled.advance_to(end()));
        assert!(expected == found, "seed {seed}");
        assert_eq!(plain.digest(), troubled.digest(), "seed {seed}");
    }
}

#[test]
fn a_second_copy_of_a_message_or_command_changes_nothing() {
    let is_guarded = |event: &Event| matches!(event, Event::Concerns(concern) if !matches!(concern.once, super::event::Once::Always));
    for seed in 0..40 {
        let script = script(&mut Dice(seed));
        let (mut plain, mut doubled, mut dice) = (driver(), driver(), Dice(seed + 2000));
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        let mut earlier: Vec<(Event, Timestamp)> = Vec::new();
        for (event, now) in script {
            expected.extend(plain.apply(event.clone(), now));
            found.extend(without_repeats(doubled.apply(event.clone(), now)));
            earlier.retain(|(_, first)| now.ms_since(*first) <= DAY);
            if is_guarded(&event) {
                earlier.push((event, now));
            }
            if !earlier.is_empty() {
                let copy = earlier[dice.roll(earlier.len() as u64) as usize].0.clone();
                let effects = doubled.apply(copy, now);
                assert_eq!(effects.last(), Some(&Effect::Ignored(Ignored::Repeat)), "seed {seed}");
                found.extend(without_repeats(effects));
                expected.extend(plain.advance_to(now));
            }
        }
        assert!(expected == found, "seed {seed}");
    }
}

#[test]
fn in_any_order_numbers_have_no_gaps_and_each_accepted_message_counts_once() {
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let mut script = script(&mut dice);
        let times: Vec<_> = script.iter().map(|(_, now)| *now).collect();
        for n in (1..script.len()).rev() {
            script.swap(n, dice.roll(n as u64 + 1) as usize);
        }
        let mut driver = driver();
        let (mut last, mut ids, mut open) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let events = script.into_iter().zip(times).flat_map(|((event, _), now)| driver.apply(event, now));
        for effect in events.collect::<Vec<_>>() {
            let Effect::Said(event) = effect else { continue };
            if let ConversationEventKind::MessageAdded(message) = &event.kind {
                let seq = last.entry(event.conversation_id).or_insert(0);
                *seq += 1;
                assert_eq!(event.seq, *seq, "seed {seed}");
                assert!(ids.insert(message.message_id), "seed {seed}");
            } else if let ConversationEventKind::Opened(_) = &event.kind {
                assert_eq!(open.insert(event.customer_key, event.conversation_id), None, "seed {seed}: two open");
            } else if let ConversationEventKind::Closed(_) = &event.kind {
                assert_eq!(open.remove(&event.customer_key), Some(event.conversation_id), "seed {seed}");
            }
        }
        assert!(ids.len() > 50, "seed {seed}: the script did too little");
    }
}

#[test]
fn every_record_has_an_id_of_its_own() {
    for seed in 0..20 {
        let mut driver = driver();
        let mut ids = BTreeSet::new();
        for (event, now) in script(&mut Dice(seed)) {
            for effect in driver.apply(event, now) {
                if let Effect::Said(event) = effect {
                    assert!(ids.insert(event.event_id), "seed {seed}: {event:?}");
                } else if let Effect::Told(command) = effect {
                    assert!(ids.insert(command.event_id), "seed {seed}: {command:?}");
                }
            }
        }
    }
}
