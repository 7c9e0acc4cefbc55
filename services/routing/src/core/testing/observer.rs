//! Watches what routing says, and what must never happen.

use std::collections::{BTreeMap, BTreeSet};

use schemas::ids::{AgentId, ConversationId, EventId, PartId, StintId};
use schemas::records::{ConversationCommandKind, Millis, PartEnded, RoutingEvent, RoutingEventKind, SegmentKind};

use super::tenant;
use crate::core::effect::Effect;
use crate::core::rules::capacity;
use crate::core::state::State;

/// What was said, seen from outside.
#[derive(Default)]
pub struct Observer {
    ids: BTreeSet<EventId>,
    offers: BTreeMap<ConversationId, AgentId>,
    epochs: BTreeMap<ConversationId, i64>,
    pub visits: BTreeMap<(StintId, i64), bool>,
    pub parts: BTreeMap<PartId, Sums>,
    pub ended: BTreeSet<PartId>,
    states: BTreeMap<AgentId, Millis>,
}

#[derive(Default)]
pub struct Sums {
    alert: i64,
    wait: i64,
    talk: i64,
    park: i64,
    acw: i64,
}

impl Observer {
    pub fn see(&mut self, effects: &[Effect], state: &State) {
        for effect in effects {
            match effect {
                Effect::Event(event) => {
                    assert!(self.ids.insert(event.event_id), "an id twice: {event:?}");
                    self.event(event, state);
                }
                Effect::Command(command) => {
                    assert!(self.ids.insert(command.event_id), "an id twice: {command:?}");
                    if let ConversationCommandKind::Connect(told) = &command.kind {
                        let last = self.epochs.insert(command.conversation_id.unwrap(), told.owner_epoch);
                        assert!(last.is_none_or(|last| last < told.owner_epoch), "an epoch that does not rise");
                    }
                }
                Effect::View(view) => assert!(self.ids.insert(view.event_id), "an id twice: {view:?}"),
                Effect::Ask(_) | Effect::Gone(_) | Effect::Repeated => {}
            }
        }
    }

    fn event(&mut self, event: &RoutingEvent, state: &State) {
        match &event.kind {
            RoutingEventKind::Offered(_) => {
                let (id, agent) = (event.conversation_id.unwrap(), event.agent_id.clone().unwrap());
                let key = (tenant(), agent.clone());
                let load = state.agents.get(&key).unwrap().load.total();
                let capacity = capacity::of(state.agent(&key).unwrap());
                assert!(load <= capacity, "{agent} was offered work beyond capacity: {load} of {capacity}");
                assert_eq!(self.offers.insert(id, agent), None, "two open offers of {id}");
            }
            RoutingEventKind::Queued(queued) => {
                let visit = (event.stint_id.unwrap(), queued.visit_no);
                assert_eq!(self.visits.insert(visit, false), None, "a visit began twice");
            }
            RoutingEventKind::QueueVisitEnded(ended) => {
                let visit = (event.stint_id.unwrap(), ended.visit_no);
                assert_eq!(self.visits.insert(visit, true), Some(false), "a visit that was not open ended");
                assert_eq!(ended.wait_ms, ended.ended_at - ended.started_at);
            }
            RoutingEventKind::SegmentEnded(segment) => {
                let spent = segment.ended_at - segment.started_at;
                assert!(spent >= 0, "a segment that ends before it begins: {event:?}");
                match segment.segment {
                    SegmentKind::Alert => drop(self.offers.remove(&event.conversation_id.unwrap())),
                    SegmentKind::AgentState => self.agent_state(event, segment.started_at, segment.ended_at),
                    _ => {}
                }
                if let Some(part) = event.part_id {
                    self.parts.entry(part).or_default().add(segment.segment, spent);
                }
            }
            RoutingEventKind::PartEnded(part) => {
                let id = event.part_id.unwrap();
                assert!(self.ended.insert(id), "a part ended twice");
                self.parts.get(&id).unwrap().equal(part);
            }
            _ => {}
        }
    }

    /// States of an agent follow each other without gap or overlap.
    fn agent_state(&mut self, event: &RoutingEvent, started_at: Millis, ended_at: Millis) {
        let last = self.states.insert(event.agent_id.clone().unwrap(), ended_at);
        assert!(last.is_none_or(|last| last == started_at), "agent states with a gap: {event:?}");
    }
}

impl Sums {
    fn add(&mut self, segment: SegmentKind, spent: i64) {
        match segment {
            SegmentKind::Alert => self.alert += spent,
            SegmentKind::Wait => self.wait += spent,
            SegmentKind::Talk => self.talk += spent,
            SegmentKind::Park => self.park += spent,
            SegmentKind::WrapUp => self.acw += spent,
            other => unreachable!("{other} of a part"),
        }
    }

    fn equal(&self, part: &PartEnded) {
        let said = [part.wait_ms, part.alert_ms, part.talk_ms, part.parked_ms, part.acw_ms];
        assert_eq!(
            [self.wait, self.alert, self.talk, self.park, self.acw],
            said,
            "a part is not the sum of its segments"
        );
        assert_eq!(part.waiting_for_agent_ms + part.waiting_for_customer_ms, part.talk_ms);
        assert_eq!(part.ended_at - part.started_at, part.talk_ms + part.parked_ms + part.acw_ms);
    }
}
