//! The laws floor: threading, routing and delivery joined by their real records, with customers,
//! agents and platforms that misbehave, a scheduler that runs by chance, aborted steps and tasks
//! that lose their memory. Whatever happens, the laws of `simulation/laws.rs` hold.
//!
//! Each world follows from its seed, which a failure prints. `WEFT_TEST_SEED=17` runs one again.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "simulation/dice.rs"]
mod dice;
#[path = "simulation/laws.rs"]
mod laws;
#[path = "simulation/log.rs"]
mod log;
#[path = "simulation/node.rs"]
mod node;
#[path = "simulation/people.rs"]
mod people;
#[path = "simulation/provider.rs"]
mod provider;
#[path = "simulation/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use world::World;

const SEEDS: u64 = 16;
const STEPS: usize = 2_000;
/// What the worlds together must have shown, lest the laws hold because nothing happens.
const MUST_HAPPEN: [&str; 20] = [
    "conversation reopened",
    "conversation closed",
    "conversation message_refused",
    "conversation signalled",
    "conversation turn_ended",
    "command connect",
    "command disconnect",
    "command reentry_released",
    "routing declined",
    "routing not_answered",
    "routing withdrawn",
    "routing abandoned",
    "routing part_ended",
    "routing wrapped_up",
    "routing refused",
    "delivery ambiguous",
    "delivery retrying",
    "delivery delivered",
    "delivery read",
    "delivery sent",
];

fn run(seed: u64) -> World {
    let mut world = World::new(seed);
    for _ in 0..STEPS {
        world.step();
    }
    world.drain();
    world
}

#[test]
fn whatever_happens_the_laws_hold() {
    let seeds = tests::config::test_seed().map_or_else(|| (0..SEEDS).collect(), |seed| vec![seed]);
    let is_whole = seeds.len() > 1;
    let mut happened = BTreeMap::new();
    for seed in seeds {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let mut world = run(seed);
            laws::check(&world);
            world.lose_all_memory();
            laws::happened(&world)
        }));
        match outcome {
            Ok(kinds) => kinds.into_iter().for_each(|(kind, count)| *happened.entry(kind).or_insert(0) += count),
            Err(reason) => {
                println!("the laws are broken in the world of seed {seed}; run it again with WEFT_TEST_SEED={seed}");
                resume_unwind(reason);
            }
        }
    }
    println!("what happened: {happened:#?}");
    let missing: Vec<_> = MUST_HAPPEN.iter().filter(|kind| !happened.contains_key(**kind)).collect();
    assert!(!is_whole || missing.is_empty(), "the worlds are too tame, these never happened: {missing:?}");
}

#[test]
fn the_same_seed_makes_the_same_world() {
    assert_eq!(run(7).log.digest(), run(7).log.digest());
}
