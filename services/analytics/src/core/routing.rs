//! Routing events → rows. Finished facts come whole; the sink pairs nothing.

use schemas::records::{
    AgentStateChanged, PartEnded, QueueVisitEnded, Queued, RoutingEvent, RoutingEventKind as Kind, SegmentEnded,
};

use super::rows::{
    AgentChangeRow, Facts, PartRow, QueueEntryRow, QueueVisitRow, SegmentRow, ServiceLevelRow, Source, WorkChangeRow,
    row, text, uuid,
};

/// The rows of one routing event.
pub fn facts(source: &Source, event: &RoutingEvent) -> Facts {
    let mut facts = Facts::default();
    match &event.kind {
        Kind::Queued(queued) => facts.queue_entries.extend(entry(source, event, queued)),
        Kind::QueueVisitEnded(visit) => facts.queue_visits.extend(queue_visit(source, event, visit)),
        Kind::PartEnded(part) => facts.parts.extend(part_row(source, event, part)),
        Kind::SegmentEnded(segment) => facts.segments.push(segment_row(source, event, segment)),
        Kind::ServiceLevelCounted(counted) => facts.service_levels.push(row! { ServiceLevelRow from source, 0;
            tenant: event.tenant.to_string(),
            queue_id: text(event.queue_id.as_ref()),
            occurred_at: event.occurred_at,
            conversation_id: event.conversation_id.map(|id| uuid(id.as_u128())),
            stint_id: event.stint_id.map(|id| uuid(id.as_u128())),
            met: counted.met,
            channel: text(event.channel.as_ref()),
            account_id: text(event.account_id.as_ref()),
        }),
        Kind::AgentStateChanged(state) => facts.agent_changes.push(agent_change(source, event, state)),
        Kind::Offered(_)
        | Kind::Accepted(_)
        | Kind::Declined(_)
        | Kind::NotAnswered(_)
        | Kind::Withdrawn(_)
        | Kind::Connected(_)
        | Kind::Held(_)
        | Kind::Resumed(_)
        | Kind::Parked(_)
        | Kind::Unparked(_)
        | Kind::Abandoned(_)
        | Kind::FlowedOut(_)
        | Kind::WrapUpStarted(_)
        | Kind::WrappedUp(_)
        | Kind::Ended(_)
        | Kind::FlowStarted(_)
        | Kind::FlowStep(_)
        | Kind::FlowEnded(_)
        | Kind::BotTurn(_)
        | Kind::Decision(_)
        | Kind::Focused(_)
        | Kind::Unfocused(_)
        | Kind::TransferRequested(_)
        | Kind::Transferred(_)
        | Kind::AgentQueuesChanged(_)
        | Kind::Refused(_)
        | Kind::Unknown(_) => {}
    }
    facts.work_changes.extend(work_change(source, event));
    facts
}

/// Steps that say where a stint stands now.
fn work_change(source: &Source, event: &RoutingEvent) -> Option<WorkChangeRow> {
    let change = match &event.kind {
        Kind::Queued(_)
        | Kind::Offered(_)
        | Kind::Accepted(_)
        | Kind::Declined(_)
        | Kind::NotAnswered(_)
        | Kind::Withdrawn(_)
        | Kind::Connected(_)
        | Kind::Held(_)
        | Kind::Resumed(_)
        | Kind::Parked(_)
        | Kind::Unparked(_)
        | Kind::Abandoned(_)
        | Kind::FlowedOut(_)
        | Kind::WrapUpStarted(_)
        | Kind::WrappedUp(_)
        | Kind::Ended(_)
        | Kind::PartEnded(_) => event.kind.name(),
        Kind::FlowStarted(_)
        | Kind::FlowStep(_)
        | Kind::FlowEnded(_)
        | Kind::BotTurn(_)
        | Kind::Decision(_)
        | Kind::Focused(_)
        | Kind::Unfocused(_)
        | Kind::TransferRequested(_)
        | Kind::Transferred(_)
        | Kind::AgentStateChanged(_)
        | Kind::AgentQueuesChanged(_)
        | Kind::Refused(_)
        | Kind::SegmentEnded(_)
        | Kind::QueueVisitEnded(_)
        | Kind::ServiceLevelCounted(_)
        | Kind::Unknown(_) => return None,
    };
    Some(row! { WorkChangeRow from source, 0;
        tenant: event.tenant.to_string(),
        stint_id: uuid(event.stint_id?.as_u128()),
        conversation_id: uuid(event.conversation_id?.as_u128()),
        part_id: event.part_id.map(|id| uuid(id.as_u128())),
        change: change.into(),
        occurred_at: event.occurred_at,
        queue_id: text(event.queue_id.as_ref()),
        agent_id: text(event.agent_id.as_ref()),
        channel: text(event.channel.as_ref()),
        account_id: text(event.account_id.as_ref()),
        customer_key: text(event.customer_key.as_ref()),
    })
}

fn entry(source: &Source, event: &RoutingEvent, queued: &Queued) -> Option<QueueEntryRow> {
    Some(row! { QueueEntryRow from source, 0;
        tenant: event.tenant.to_string(),
        queue_id: text(event.queue_id.as_ref()),
        occurred_at: event.occurred_at,
        conversation_id: uuid(event.conversation_id?.as_u128()),
        stint_id: uuid(event.stint_id?.as_u128()),
        visit_no: queued.visit_no,
        channel: text(event.channel.as_ref()),
        account_id: text(event.account_id.as_ref()),
        customer_key: text(event.customer_key.as_ref()),
        skills: queued.skills.iter().map(ToString::to_string).collect(),
        language: text(queued.language.as_ref()),
        priority: queued.priority,
        cause: queued.cause.to_string(),
        position: queued.position,
    })
}

fn queue_visit(source: &Source, event: &RoutingEvent, visit: &QueueVisitEnded) -> Option<QueueVisitRow> {
    Some(row! { QueueVisitRow from source, 0;
        tenant: event.tenant.to_string(),
        queue_id: text(event.queue_id.as_ref()),
        agent_id: text(event.agent_id.as_ref()),
        conversation_id: uuid(event.conversation_id?.as_u128()),
        stint_id: uuid(event.stint_id?.as_u128()),
        part_id: event.part_id.map(|id| uuid(id.as_u128())),
        visit_no: visit.visit_no,
        stint_no: visit.stint_no,
        started_at: visit.started_at,
        ended_at: visit.ended_at,
        outcome: visit.outcome.to_string(),
        cause: visit.cause.to_string(),
        wait_ms: visit.wait_ms,
        business_wait_ms: visit.business_wait_ms,
        service_level_met: visit.service_level_met,
        is_short_abandon: visit.is_short_abandon,
        offers: visit.offers,
        channel: text(event.channel.as_ref()),
        account_id: text(event.account_id.as_ref()),
        customer_key: text(event.customer_key.as_ref()),
        skills: visit.skills.iter().map(ToString::to_string).collect(),
        language: text(visit.language.as_ref()),
        priority: visit.priority,
        routing_method: visit.routing_method.clone(),
        is_new_customer: visit.is_new_customer,
        is_reopen: visit.is_reopen,
        entry_point: text(visit.entry_point.as_ref()),
    })
}

fn part_row(source: &Source, event: &RoutingEvent, part: &PartEnded) -> Option<PartRow> {
    Some(row! { PartRow from source, 0;
        tenant: event.tenant.to_string(),
        agent_id: text(event.agent_id.as_ref()),
        queue_id: text(event.queue_id.as_ref()),
        conversation_id: uuid(event.conversation_id?.as_u128()),
        stint_id: uuid(event.stint_id?.as_u128()),
        part_id: uuid(event.part_id?.as_u128()),
        part_no: part.part_no,
        stint_no: part.stint_no,
        started_at: part.started_at,
        disconnected_at: part.disconnected_at,
        ended_at: part.ended_at,
        wait_ms: part.wait_ms,
        alert_ms: part.alert_ms,
        talk_ms: part.talk_ms,
        hold_ms: part.hold_ms,
        acw_ms: part.acw_ms,
        focused_ms: part.focused_ms,
        parked_ms: part.parked_ms,
        waiting_for_customer_ms: part.waiting_for_customer_ms,
        waiting_for_agent_ms: part.waiting_for_agent_ms,
        messages_in: part.messages_in,
        messages_out: part.messages_out,
        first_response_ms: part.first_response_ms,
        response_ms: part.response_ms,
        response_count: part.response_count,
        transfer_kind: text(part.transfer_kind.as_ref()),
        is_consult_transfer: part.is_consult_transfer,
        is_answered: part.is_answered,
        wrap_up_code: text(part.wrap_up_code.as_ref()),
        end_cause: part.end_cause.to_string(),
        service_level_met: part.service_level_met,
        channel: text(event.channel.as_ref()),
        account_id: text(event.account_id.as_ref()),
        customer_key: text(event.customer_key.as_ref()),
        skills: part.skills.iter().map(ToString::to_string).collect(),
        language: text(part.language.as_ref()),
        priority: part.priority,
        routing_method: part.routing_method.clone(),
        is_new_customer: part.is_new_customer,
        is_reopen: part.is_reopen,
        entry_point: text(part.entry_point.as_ref()),
    })
}

fn segment_row(source: &Source, event: &RoutingEvent, segment: &SegmentEnded) -> SegmentRow {
    row! { SegmentRow from source, 0;
        tenant: event.tenant.to_string(),
        segment: segment.segment.to_string(),
        queue_id: text(event.queue_id.as_ref()),
        agent_id: text(event.agent_id.as_ref()),
        conversation_id: event.conversation_id.map(|id| uuid(id.as_u128())),
        stint_id: event.stint_id.map(|id| uuid(id.as_u128())),
        part_id: event.part_id.map(|id| uuid(id.as_u128())),
        stint_no: segment.stint_no,
        started_at: segment.started_at,
        ended_at: segment.ended_at,
        business_ms: segment.business_ms,
        outcome: text(segment.outcome.as_ref()),
        presence: text(segment.presence.as_ref()),
        routing_status: text(segment.routing_status.as_ref()),
        flow_id: text(segment.flow_id.as_ref()),
        channel: text(event.channel.as_ref()),
        account_id: text(event.account_id.as_ref()),
        customer_key: text(event.customer_key.as_ref()),
    }
}

fn agent_change(source: &Source, event: &RoutingEvent, state: &AgentStateChanged) -> AgentChangeRow {
    row! { AgentChangeRow from source, 0;
        tenant: event.tenant.to_string(),
        agent_id: text(event.agent_id.as_ref()),
        occurred_at: event.occurred_at,
        presence: state.presence.to_string(),
        secondary: text(state.secondary.as_ref()),
        routing_status: state.routing_status.to_string(),
        is_connected: state.is_connected,
        load: state.load,
    }
}
