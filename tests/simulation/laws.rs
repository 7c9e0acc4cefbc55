//! What must be true of everything that was said, once all is quiet.

use crate::world::{AGENTS, CAPACITY, World};
use schemas::ids::{AgentId, ConversationId, PartId, StintId};
use schemas::records::{
    ConversationCommand, ConversationCommandKind, ConversationEvent, ConversationEventKind, ConversationView,
    DeliveryEvent, DeliveryEventKind, Direction, OwnerKind, RoutingCommand, RoutingCommandKind, RoutingEvent,
    RoutingEventKind,
};
use schemas::topics::{
    CONVERSATION_COMMANDS, CONVERSATION_EVENTS, CONVERSATION_VIEWS, DELIVERY_EVENTS, ROUTING_COMMANDS, ROUTING_EVENTS,
};
use std::collections::{BTreeMap, BTreeSet};

/// Checks every law.
pub(crate) fn check(world: &World) {
    let said: Vec<ConversationEvent> = world.log.records(&world.codec, CONVERSATION_EVENTS.name);
    let routed: Vec<RoutingEvent> = world.log.records(&world.codec, ROUTING_EVENTS.name);
    let sent: Vec<DeliveryEvent> = world.log.records(&world.codec, DELIVERY_EVENTS.name);
    ids_are_unique(&said, &routed, &sent);
    every_accepted_message_counts_once_without_gaps(world, &said);
    owner_epochs_rise(&said);
    only_the_owner_speaks(&said);
    stints_end_and_none_is_forgotten(world, &said, &routed);
    no_customer_waits_in_a_gap(world, &said);
    queue_visits_end_once(&routed);
    agents_are_never_over_capacity(&routed);
    sends_are_repeated_only_when_their_outcome_was_unknown(world, &said, &sent);
    assert!(world.log.dead_letters().iter().all(|topic| topic == "conversation.events.dlq"), "unexpected dead letters");
}

fn ids_are_unique(said: &[ConversationEvent], routed: &[RoutingEvent], sent: &[DeliveryEvent]) {
    let mut ids = BTreeSet::new();
    for event in said {
        assert!(ids.insert(event.event_id), "said twice: {event:?}");
    }
    for event in routed {
        assert!(ids.insert(event.event_id), "routed twice: {event:?}");
    }
    for event in sent {
        assert!(ids.insert(event.event_id), "delivered twice: {event:?}");
    }
}

fn every_accepted_message_counts_once_without_gaps(world: &World, said: &[ConversationEvent]) {
    let (mut last, mut accepted) = (BTreeMap::new(), BTreeSet::new());
    let mut commands = BTreeSet::new();
    for event in said {
        if let ConversationEventKind::MessageAdded(message) = &event.kind {
            let seq = last.entry(event.conversation_id).or_insert(0);
            *seq += 1;
            assert_eq!(event.seq, *seq, "a gap in {}", event.conversation_id);
            match message.direction {
                Direction::Inbound => assert!(accepted.insert(message.message_id), "{message:?} twice"),
                Direction::Outbound => assert!(commands.insert(message.command_id), "{message:?} twice"),
                Direction::Unknown => panic!("{message:?} without direction"),
            }
        }
    }
    assert_eq!(accepted, world.written, "what customers wrote and what was accepted");
}

fn owner_epochs_rise(said: &[ConversationEvent]) {
    let mut epochs: BTreeMap<ConversationId, i64> = BTreeMap::new();
    for event in said {
        if let ConversationEventKind::OwnerChanged(changed) = &event.kind {
            let former = epochs.insert(event.conversation_id, changed.owner_epoch);
            assert!(former.is_none_or(|former| former < changed.owner_epoch), "{former:?}, then {event:?}");
        }
    }
}

fn only_the_owner_speaks(said: &[ConversationEvent]) {
    let mut owner = BTreeMap::new();
    for event in said {
        let conversation = event.conversation_id;
        if let ConversationEventKind::OwnerChanged(changed) = &event.kind {
            owner.insert(conversation, (changed.owner_kind, Some(changed.owner_id.clone())));
        } else if let ConversationEventKind::StintEnded(_) = &event.kind {
            owner.remove(&conversation);
        } else if let ConversationEventKind::MessageAdded(message) = &event.kind
            && message.direction == Direction::Outbound
        {
            let speaker = (OwnerKind::Agent, message.sender.id.clone());
            assert_eq!(owner.get(&conversation), Some(&speaker), "{event:?}");
        }
    }
}

fn stints_end_and_none_is_forgotten(world: &World, said: &[ConversationEvent], routed: &[RoutingEvent]) {
    let (mut live, mut open, mut last_owner) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
    for event in said {
        match &event.kind {
            ConversationEventKind::Opened(_) => {
                assert!(open.insert(event.conversation_id));
                assert!(live.insert(event.stint_id.unwrap()));
            }
            ConversationEventKind::Reopened(_) => assert!(live.insert(event.stint_id.unwrap())),
            ConversationEventKind::OwnerChanged(changed) => {
                live.insert(event.stint_id.unwrap());
                last_owner.insert(event.stint_id.unwrap(), changed.owner_kind);
            }
            ConversationEventKind::StintEnded(_) => assert!(live.remove(&event.stint_id.unwrap()), "{event:?}"),
            ConversationEventKind::Closed(_) => assert!(open.remove(&event.conversation_id), "{event:?}"),
            ConversationEventKind::MessageAdded(_)
            | ConversationEventKind::MessageRefused(_)
            | ConversationEventKind::MessageEdited(_)
            | ConversationEventKind::MessageDeleted(_)
            | ConversationEventKind::Reacted(_)
            | ConversationEventKind::TurnEnded(_)
            | ConversationEventKind::AttributesChanged(_)
            | ConversationEventKind::NoteAdded(_)
            | ConversationEventKind::Linked(_)
            | ConversationEventKind::ConsentChanged(_)
            | ConversationEventKind::Signalled(_)
            | ConversationEventKind::Erased(_)
            | ConversationEventKind::Unknown(_) => {}
        }
    }
    assert!(live.is_empty(), "stints that nobody holds: {live:?}");
    assert!(open.is_empty(), "conversations that never closed: {open:?}");
    let views = world.log.latest::<ConversationView>(&world.codec, CONVERSATION_VIEWS.name);
    assert!(views.is_empty(), "views of ended stints: {views:?}");
    let queued: BTreeSet<_> = routed
        .iter()
        .filter_map(|event| matches!(event.kind, RoutingEventKind::Queued(_)).then_some(event.stint_id)?)
        .collect();
    for (stint, owner) in last_owner {
        assert!(queued.contains(&stint), "stint {stint} was never queued, last held by {owner}");
        assert_ne!(owner, OwnerKind::None);
    }
}

/// T5, T8: what a customer wrote unseen by routing at the end of a stint, or heard by it after the
/// end, begins a new stint or connects the ended one again.
fn no_customer_waits_in_a_gap(world: &World, said: &[ConversationEvent]) {
    let (mut seen, mut told) = (BTreeMap::new(), BTreeSet::new());
    for command in world.log.records::<ConversationCommand>(&world.codec, CONVERSATION_COMMANDS.name) {
        if let ConversationCommandKind::Disconnect(disconnect) = command.kind {
            seen.insert((disconnect.stint_id, disconnect.owner_epoch), disconnect.seen_seq);
        }
    }
    for command in world.log.records::<RoutingCommand>(&world.codec, ROUTING_COMMANDS.name) {
        if let RoutingCommandKind::Spoke(spoke) = command.kind {
            told.insert((command.conversation_id, spoke.seq));
        }
    }
    let (mut waiting, mut live) = (BTreeMap::new(), BTreeMap::new());
    for event in said {
        let conversation = event.conversation_id;
        if let ConversationEventKind::OwnerChanged(changed) = &event.kind {
            live.insert(conversation, (changed.owner_epoch, 0));
            waiting.remove(&conversation);
        } else if let ConversationEventKind::Reopened(_) | ConversationEventKind::Opened(_) = &event.kind {
            live.insert(conversation, (0, 0));
            waiting.remove(&conversation);
        } else if let ConversationEventKind::MessageAdded(message) = &event.kind
            && message.direction == Direction::Inbound
        {
            match live.get_mut(&conversation) {
                Some((_, last)) => *last = event.seq,
                None if told.contains(&(Some(conversation), event.seq)) => {
                    waiting.insert(conversation, event.seq);
                }
                None => {}
            }
        } else if let ConversationEventKind::StintEnded(_) = &event.kind
            && let Some((epoch, last)) = live.remove(&conversation)
            && last > seen.get(&(event.stint_id.unwrap(), epoch)).copied().unwrap_or(last)
        {
            waiting.insert(conversation, last);
        }
    }
    assert!(waiting.is_empty(), "messages that nobody took up: {waiting:?}");
}

/// How often each kind of thing happened, for the question whether the worlds are rich enough.
pub(crate) fn happened(world: &World) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    let mut count = |topic: &str, kind: &str| *kinds.entry(format!("{topic} {kind}")).or_insert(0) += 1;
    for event in world.log.records::<ConversationEvent>(&world.codec, CONVERSATION_EVENTS.name) {
        count("conversation", event.kind.name());
    }
    for event in world.log.records::<RoutingEvent>(&world.codec, ROUTING_EVENTS.name) {
        count("routing", event.kind.name());
    }
    for event in world.log.records::<DeliveryEvent>(&world.codec, DELIVERY_EVENTS.name) {
        count("delivery", event.kind.name());
    }
    for command in world.log.records::<ConversationCommand>(&world.codec, CONVERSATION_COMMANDS.name) {
        count("command", command.kind.name());
    }
    kinds
}

fn queue_visits_end_once(routed: &[RoutingEvent]) {
    let mut open: BTreeSet<(StintId, i64)> = BTreeSet::new();
    for event in routed {
        if let RoutingEventKind::Queued(queued) = &event.kind {
            assert!(open.insert((event.stint_id.unwrap(), queued.visit_no)), "{event:?}");
        } else if let RoutingEventKind::QueueVisitEnded(ended) = &event.kind {
            assert!(open.remove(&(event.stint_id.unwrap(), ended.visit_no)), "{event:?}");
        }
    }
    assert!(open.is_empty(), "visits that never ended: {open:?}");
}

fn agents_are_never_over_capacity(routed: &[RoutingEvent]) {
    let mut offers: BTreeSet<(AgentId, ConversationId)> = BTreeSet::new();
    let mut parts: BTreeSet<(AgentId, PartId)> = BTreeSet::new();
    for event in routed {
        let (Some(agent), Some(conversation)) = (event.agent_id.clone(), event.conversation_id) else { continue };
        let offer = (agent.clone(), conversation);
        if let RoutingEventKind::Offered(_) = event.kind {
            assert!(offers.insert(offer), "{event:?}");
        } else if matches!(
            event.kind,
            RoutingEventKind::Accepted(_)
                | RoutingEventKind::Declined(_)
                | RoutingEventKind::NotAnswered(_)
                | RoutingEventKind::Withdrawn(_)
        ) {
            assert!(offers.remove(&offer), "{event:?}");
        } else if let RoutingEventKind::Connected(_) = event.kind {
            parts.insert((agent.clone(), event.part_id.unwrap()));
        } else if let RoutingEventKind::PartEnded(_) = event.kind {
            assert!(parts.remove(&(agent.clone(), event.part_id.unwrap())), "{event:?}");
        }
        let load =
            offers.iter().filter(|(of, _)| *of == agent).count() + parts.iter().filter(|(of, _)| *of == agent).count();
        assert!(load <= CAPACITY, "{agent} holds {load} after {event:?}");
    }
    assert!(offers.is_empty() && parts.is_empty(), "left with {AGENTS:?}: {offers:?} {parts:?}");
}

fn sends_are_repeated_only_when_their_outcome_was_unknown(
    world: &World,
    said: &[ConversationEvent],
    sent: &[DeliveryEvent],
) {
    let (mut claims, mut unknown, mut retried) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut settled = BTreeSet::new();
    for event in sent {
        let count = |of: &mut BTreeMap<_, i64>| *of.entry(event.message_id).or_insert(0) += 1;
        match &event.kind {
            DeliveryEventKind::Claimed(_) => count(&mut claims),
            DeliveryEventKind::Ambiguous(_) => count(&mut unknown),
            DeliveryEventKind::Retrying(_) => count(&mut retried),
            DeliveryEventKind::Sent(_)
            | DeliveryEventKind::Failed(_)
            | DeliveryEventKind::Refused(_)
            | DeliveryEventKind::Exhausted(_) => drop(settled.insert(event.message_id)),
            DeliveryEventKind::PartSent(_)
            | DeliveryEventKind::Delivered(_)
            | DeliveryEventKind::Read(_)
            | DeliveryEventKind::BotTurnFinished(_)
            | DeliveryEventKind::DataActionFinished(_)
            | DeliveryEventKind::MediaStored(_)
            | DeliveryEventKind::MediaFailed(_)
            | DeliveryEventKind::Unknown(_) => {}
        }
    }
    for (message, arrived) in &world.provider.arrived {
        let unknown = unknown.get(message).copied().unwrap_or(0);
        assert!(*arrived <= 1 + unknown, "{message} arrived {arrived} times, {unknown} outcomes were unknown");
    }
    for (message, claimed) in &claims {
        let known = unknown.get(message).copied().unwrap_or(0) + retried.get(message).copied().unwrap_or(0);
        assert!(*claimed <= 1 + known, "{message} was claimed {claimed} times, {known} attempts had not settled it");
    }
    for event in said {
        if let ConversationEventKind::MessageAdded(message) = &event.kind
            && message.direction == Direction::Outbound
        {
            assert!(settled.contains(&message.message_id), "{} was never settled", message.message_id);
        }
    }
}
