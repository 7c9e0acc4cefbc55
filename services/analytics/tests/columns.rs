//! Rows and tables name the same columns.
#![expect(clippy::unwrap_used, reason = "a test stops where it finds something wrong")]

use std::collections::{BTreeMap, BTreeSet};

use analytics::core::rows::*;
use serde::Serialize;

const MIGRATIONS: [&str; 2] = [
    include_str!("../../../deploy/clickhouse/0002_facts_of_conversations.sql"),
    include_str!("../../../deploy/clickhouse/0003_facts_of_routing.sql"),
];

/// Columns by fact table, read from the migrations.
fn tables() -> BTreeMap<String, BTreeSet<String>> {
    let mut tables = BTreeMap::new();
    for statement in MIGRATIONS.iter().flat_map(|text| text.split("CREATE TABLE IF NOT EXISTS weft_raw.").skip(1)) {
        let (name, rest) = statement.split_once(" (").unwrap();
        let columns = rest.lines().filter(|line| line.starts_with("    "));
        let columns = columns.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
        tables.insert(name.to_owned(), columns);
    }
    tables
}

fn columns<R: Serialize + Default>() -> BTreeSet<String> {
    let row = serde_json::to_value(R::default()).unwrap();
    row.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn every_fact_table_has_exactly_the_columns_of_its_row() {
    let tables = tables();
    let rows = [
        ("messages", columns::<MessageRow>()),
        ("conversation_changes", columns::<ConversationChangeRow>()),
        ("turns", columns::<TurnRow>()),
        ("deliveries", columns::<DeliveryRow>()),
        ("entities", columns::<EntityRow>()),
        ("queue_entries", columns::<QueueEntryRow>()),
        ("queue_visits", columns::<QueueVisitRow>()),
        ("parts", columns::<PartRow>()),
        ("segments", columns::<SegmentRow>()),
        ("service_levels", columns::<ServiceLevelRow>()),
        ("work_changes", columns::<WorkChangeRow>()),
        ("agent_changes", columns::<AgentChangeRow>()),
    ];
    assert_eq!(rows.iter().map(|(table, _)| *table).collect::<Vec<_>>(), Facts::TABLES);
    for (table, columns) in rows {
        assert_eq!(tables[table], columns, "weft_raw.{table}");
    }
}

#[test]
fn every_column_of_a_fact_table_is_explained() {
    for line in MIGRATIONS.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("    ")) {
        let comment = line.split(" COMMENT '").nth(1).unwrap_or_default();
        assert!(comment.len() > 5, "no comment: {line}");
    }
}
