//! Every state table has its changelog topic in `schemas::topics::TABLES`, and every listed one a
//! table.

use std::collections::BTreeSet;

use schemas::topics::TABLES;
use stream::{Machine, State};

/// The runtime's own table, which every stateful service has.
const OF_THE_RUNTIME: &str = "task";

fn tables_of<M: Machine>() -> BTreeSet<&'static str> {
    let mut state = M::State::default();
    let own = state.tables().iter().map(|table| table.name()).collect::<Vec<_>>();
    own.into_iter().chain([OF_THE_RUNTIME]).collect()
}

fn differences(service: &str, listed: &BTreeSet<&'static str>, has: &BTreeSet<&'static str>) -> Vec<String> {
    let unlisted = has.difference(listed).map(|table| format!("{service}: table {table} is not in TABLES"));
    let idle = listed.difference(has).map(|table| format!("{service}: TABLES lists {table}, which is no table"));
    unlisted.chain(idle).collect()
}

#[test]
fn every_state_table_has_its_topic() {
    let services = [
        ("threading", tables_of::<threading::core::Threading>()),
        ("routing", tables_of::<routing::core::Routing>()),
        ("delivery", tables_of::<delivery::core::Delivery>()),
    ];
    let named: BTreeSet<&str> = services.iter().map(|(service, _)| *service).collect();
    assert_eq!(TABLES.iter().map(|(service, _, _)| *service).collect::<BTreeSet<_>>(), named);
    let mut wrong = Vec::new();
    for (service, has) in &services {
        let listed = TABLES.iter().filter(|(of, _, _)| of == service).flat_map(|(_, _, tables)| tables.iter().copied());
        wrong.extend(differences(service, &listed.collect(), has));
    }
    assert!(wrong.is_empty(), "state tables:\n  {}", wrong.join("\n  "));
}

#[test]
fn a_forgotten_topic_and_a_forgotten_table_are_found() {
    let wrong = differences("x", &BTreeSet::from(["task", "gone"]), &BTreeSet::from(["task", "new"]));
    assert_eq!(wrong, ["x: table new is not in TABLES", "x: TABLES lists gone, which is no table"]);
}
