//! Events become the rows that the reports count.

use analytics::core::{Event, Facts, Source, facts};
use schemas::ids::{ConversationId, CustomerKey, EventId, MessageId, PartId, QueueId, StintId};
use schemas::records::*;
use uuid::Uuid;

fn source() -> Source {
    Source {
        topic: "routing.events".into(),
        partition: 1,
        offset: 42,
        recorded_at: 1_000,
        event_id: EventId::derive(&["e"]),
    }
}

fn routing(kind: RoutingEventKind) -> Event {
    Event::Routing(Box::new(RoutingEvent {
        event_id: EventId::derive(&["e"]),
        tenant: "acme".into(),
        occurred_at: 900,
        recorded_at: 1_000,
        conversation_id: Some(ConversationId::derive(&["c"])),
        stint_id: Some(StintId::derive(&["s"])),
        part_id: Some(PartId::derive(&["p"])),
        queue_id: Some(QueueId::new("support")),
        agent_id: Some("ana".into()),
        channel: Some(Channel::Whatsapp),
        account_id: Some("main".into()),
        customer_key: Some(CustomerKey::default()),
        config_version: 1,
        kind,
    }))
}

fn conversation(kind: ConversationEventKind) -> Event {
    Event::Conversation(Box::new(ConversationEvent {
        event_id: EventId::derive(&["e"]),
        tenant: "acme".into(),
        occurred_at: 900,
        recorded_at: 1_000,
        conversation_id: ConversationId::derive(&["c"]),
        stint_id: Some(StintId::derive(&["s"])),
        seq: 7,
        channel: Channel::Open,
        account_id: "shop".into(),
        customer_key: CustomerKey::default(),
        kind,
    }))
}

fn counts(facts: &Facts) -> Vec<(&'static str, usize)> {
    let all = [
        ("messages", facts.messages.len()),
        ("conversation_changes", facts.conversation_changes.len()),
        ("turns", facts.turns.len()),
        ("deliveries", facts.deliveries.len()),
        ("entities", facts.entities.len()),
        ("queue_entries", facts.queue_entries.len()),
        ("queue_visits", facts.queue_visits.len()),
        ("parts", facts.parts.len()),
        ("segments", facts.segments.len()),
        ("service_levels", facts.service_levels.len()),
        ("work_changes", facts.work_changes.len()),
        ("agent_changes", facts.agent_changes.len()),
    ];
    all.into_iter().filter(|(_, n)| *n > 0).collect()
}

#[test]
fn each_kind_of_event_fills_the_tables_it_belongs_to() {
    let cases: Vec<(Event, Vec<(&str, usize)>)> = vec![
        (routing(RoutingEventKind::Queued(Queued::default())), vec![("queue_entries", 1), ("work_changes", 1)]),
        (routing(RoutingEventKind::QueueVisitEnded(Box::default())), vec![("queue_visits", 1)]),
        (routing(RoutingEventKind::PartEnded(Box::default())), vec![("parts", 1), ("work_changes", 1)]),
        (routing(RoutingEventKind::SegmentEnded(Box::default())), vec![("segments", 1)]),
        (routing(RoutingEventKind::AgentStateChanged(AgentStateChanged::default())), vec![("agent_changes", 1)]),
        (
            routing(RoutingEventKind::ServiceLevelCounted(ServiceLevelCounted { met: true })),
            vec![("service_levels", 1)],
        ),
        (routing(RoutingEventKind::Decision(Box::default())), vec![]),
        (routing(RoutingEventKind::Unknown("newer".into())), vec![]),
        (conversation(ConversationEventKind::MessageAdded(Box::default())), vec![("messages", 1)]),
        (conversation(ConversationEventKind::Opened(Box::default())), vec![("conversation_changes", 1)]),
        (conversation(ConversationEventKind::TurnEnded(TurnEnded::default())), vec![("turns", 1)]),
        (conversation(ConversationEventKind::Signalled(Box::default())), vec![]),
    ];
    for (event, expected) in cases {
        assert_eq!(counts(&facts(&source(), &event)), expected, "{event:?}");
    }
}

#[test]
fn a_message_row_carries_its_sender_its_place_and_its_source() {
    let added = MessageAdded {
        message_id: MessageId::derive(&["m"]),
        direction: Direction::Outbound,
        sender: Sender { kind: SenderKind::Agent, id: Some("ana".into()) },
        content: Content::text("hello"),
        queue_id: Some(QueueId::new("support")),
        agent_id: Some("ana".into()),
        ..MessageAdded::default()
    };
    let row = facts(&source(), &conversation(ConversationEventKind::MessageAdded(Box::new(added)))).messages.remove(0);
    assert_eq!((row.tenant.as_str(), row.seq, row.channel.as_str()), ("acme", 7, "open"));
    assert_eq!(
        (row.direction.as_str(), row.sender_kind.as_str(), row.sender_id.as_str()),
        ("outbound", "agent", "ana")
    );
    assert_eq!((row.text.as_str(), row.queue_id.as_str(), row.part_id), ("hello", "support", None));
    assert_eq!((row.src_topic.as_str(), row.src_partition, row.src_offset, row.ordinal), ("routing.events", 1, 42, 0));
    assert_eq!(row.event_id, Uuid::from_u128(EventId::derive(&["e"]).as_u128()));
}

#[test]
fn an_event_without_its_stint_makes_no_visit_row_instead_of_a_false_one() {
    let Event::Routing(mut event) = routing(RoutingEventKind::QueueVisitEnded(Box::default())) else { unreachable!() };
    event.stint_id = None;
    assert!(facts(&source(), &Event::Routing(event)).is_empty());
}

#[test]
fn the_same_record_always_gives_the_same_rows() {
    let event = routing(RoutingEventKind::PartEnded(Box::new(PartEnded { talk_ms: 5, ..PartEnded::default() })));
    assert_eq!(facts(&source(), &event), facts(&source(), &event));
}
