//! Effects to records.

use std::convert::Infallible;

use schemas::codec::Codec;
use schemas::ids::TenantId;
use schemas::records::{DeadLetter, Record, RoutingView, RoutingViewKind, Unread};
use schemas::topics::{
    CONVERSATION_COMMANDS, DELIVERY_REQUESTS, ROUTING_EVENTS, ROUTING_VIEWS, Topic, dead_letter_topic,
};
use stream::{Outbox, Output};

use crate::core::effect::{Effect, Subject};

/// Writes what the machine wants said.
pub fn speak(codec: &Codec, effect: Effect, out: &mut Outbox<Infallible>) {
    match effect {
        Effect::Event(event) => out.record(output(codec, ROUTING_EVENTS, event.tenant.to_string(), &*event)),
        Effect::Command(command) => {
            out.record(output(codec, CONVERSATION_COMMANDS, command.customer_key.to_string(), &*command));
        }
        Effect::Ask(request) => {
            out.record(output(codec, DELIVERY_REQUESTS, request.customer_key.to_string(), &*request));
        }
        Effect::View(view) => out.record(output(codec, ROUTING_VIEWS, key_of(&view), &*view)),
        Effect::Gone(Subject { tenant, kind, id }) => {
            out.record(Output::tombstone(ROUTING_VIEWS.name, view_key(&tenant, kind, &id)));
        }
        Effect::Repeated => {}
    }
}

fn key_of(view: &RoutingView) -> String {
    let kind = match &view.kind {
        RoutingViewKind::Agent(_) => "agent",
        RoutingViewKind::Work(_) => "work",
        RoutingViewKind::Queue(_) => "queue",
        RoutingViewKind::Unknown(kind) => kind,
    };
    view_key(&view.tenant, kind, &view.id)
}

fn view_key(tenant: &TenantId, kind: &str, id: &str) -> String {
    format!("{tenant}/{kind}/{id}")
}

fn output<R: Record>(codec: &Codec, topic: Topic, key: String, record: &R) -> Output {
    let bytes = codec.encode(topic.name, record).expect("records fit their schemas; tests/schemas.rs");
    Output::new(topic.name, key, bytes)
}

/// The bytes of a dead letter. Its tenant is empty: it stands in what could not be read.
pub fn dead_letter(codec: &Codec, letter: &stream::DeadLetter<'_>) -> Vec<u8> {
    let source = letter.record;
    let unread = Unread {
        topic: source.topic,
        partition: source.partition,
        offset: source.offset,
        timestamp: source.timestamp.as_ms(),
        key: source.key,
        value: source.payload,
        headers: source.headers,
    };
    let dead = DeadLetter {
        reason: letter.reason.to_owned(),
        detail: letter.detail.to_owned(),
        attempt: i32::try_from(letter.attempt).unwrap_or(i32::MAX),
        ..DeadLetter::of(&unread, "routing")
    };
    codec.encode(&dead_letter_topic(source.topic), &dead).expect("a dead letter fits its schema; tests/schemas.rs")
}

#[cfg(test)]
mod tests {
    use schemas::ids::EventId;
    use schemas::records::{AgentView, QueueView};

    use super::*;

    #[test]
    fn views_stand_under_tenant_kind_and_id_and_their_end_under_the_same() {
        let codec = Codec::offline(&crate::TOPICS);
        for (kind, expected) in [
            (RoutingViewKind::Agent(AgentView::default()), "acme/agent/x"),
            (RoutingViewKind::Work(Box::default()), "acme/work/x"),
            (RoutingViewKind::Queue(QueueView::default()), "acme/queue/x"),
        ] {
            let event_id = EventId::derive(&["v"]);
            let view =
                RoutingView { event_id, tenant: "acme".into(), occurred_at: 1, recorded_at: 1, id: "x".into(), kind };
            let mut out = Outbox::new();
            speak(&codec, Effect::View(Box::new(view)), &mut out);
            assert_eq!(out.records()[0].key, expected.as_bytes());
        }
        let mut out = Outbox::new();
        speak(&codec, Effect::Gone(Subject { tenant: "acme".into(), kind: "work", id: "x".into() }), &mut out);
        assert_eq!((out.records()[0].key.as_slice(), &out.records()[0].payload), (b"acme/work/x".as_slice(), &None));
    }
}
