//! Conversation events → rows.

use schemas::records::{
    ConversationEvent, ConversationEventKind as Kind, MessageAdded, Opened, OwnerChanged, TurnEnded,
};

use super::rows::{ConversationChangeRow, Facts, MessageRow, Source, TurnRow, row, text, uuid};

/// The rows of one conversation event; kinds that no report needs yield none.
pub fn facts(source: &Source, event: &ConversationEvent) -> Facts {
    let mut facts = Facts::default();
    match &event.kind {
        Kind::MessageAdded(added) => facts.messages.push(message(source, event, added)),
        Kind::TurnEnded(turn) => facts.turns.push(turn_row(source, event, turn)),
        Kind::Opened(opened) => facts.conversation_changes.push(opened_row(source, event, opened)),
        Kind::Reopened(reopened) => {
            let mut row = change(source, event, "reopened");
            row.stint_no = reopened.stint_no;
            row.initiator = reopened.initiator.to_string();
            row.cause = reopened.cause.to_string();
            facts.conversation_changes.push(row);
        }
        Kind::OwnerChanged(owner) => facts.conversation_changes.push(owner_row(source, event, owner)),
        Kind::StintEnded(ended) => {
            let mut row = change(source, event, "stint_ended");
            row.stint_no = ended.stint_no;
            row.cause = ended.cause.to_string();
            row.began_at = Some(ended.started_at);
            facts.conversation_changes.push(row);
        }
        Kind::Closed(closed) => {
            let mut row = change(source, event, "closed");
            row.cause = closed.cause.to_string();
            row.began_at = Some(closed.opened_at);
            facts.conversation_changes.push(row);
        }
        Kind::MessageRefused(_)
        | Kind::MessageEdited(_)
        | Kind::MessageDeleted(_)
        | Kind::Reacted(_)
        | Kind::AttributesChanged(_)
        | Kind::NoteAdded(_)
        | Kind::Linked(_)
        | Kind::ConsentChanged(_)
        | Kind::Signalled(_)
        | Kind::Erased(_)
        | Kind::Unknown(_) => {}
    }
    facts
}

fn message(source: &Source, event: &ConversationEvent, added: &MessageAdded) -> MessageRow {
    row! { MessageRow from source, 0;
        tenant: event.tenant.to_string(),
        conversation_id: uuid(event.conversation_id.as_u128()),
        stint_id: event.stint_id.map(|id| uuid(id.as_u128())),
        part_id: added.part_id.map(|id| uuid(id.as_u128())),
        seq: event.seq,
        message_id: uuid(added.message_id.as_u128()),
        occurred_at: event.occurred_at,
        channel: event.channel.to_string(),
        account_id: event.account_id.to_string(),
        customer_key: event.customer_key.to_string(),
        direction: added.direction.to_string(),
        sender_kind: added.sender.kind.to_string(),
        sender_id: text(added.sender.id.as_ref()),
        content_kind: added.content.content_kind.to_string(),
        text: text(added.content.text.as_ref()),
        queue_id: text(added.queue_id.as_ref()),
        agent_id: text(added.agent_id.as_ref()),
    }
}

fn turn_row(source: &Source, event: &ConversationEvent, turn: &TurnEnded) -> TurnRow {
    row! { TurnRow from source, 0;
        tenant: event.tenant.to_string(),
        conversation_id: uuid(event.conversation_id.as_u128()),
        stint_id: event.stint_id.map(|id| uuid(id.as_u128())),
        part_id: turn.part_id.map(|id| uuid(id.as_u128())),
        who: turn.who.to_string(),
        started_at: turn.started_at,
        ended_at: turn.ended_at,
        business_ms: turn.business_ms,
        channel: event.channel.to_string(),
        account_id: event.account_id.to_string(),
        customer_key: event.customer_key.to_string(),
        queue_id: text(turn.queue_id.as_ref()),
        agent_id: text(turn.agent_id.as_ref()),
        is_first_response: turn.is_first_response,
    }
}

fn opened_row(source: &Source, event: &ConversationEvent, opened: &Opened) -> ConversationChangeRow {
    let mut row = change(source, event, "opened");
    row.stint_no = 1;
    row.predecessor = opened.predecessor.map(|id| uuid(id.as_u128()));
    row.initiator = opened.initiator.to_string();
    row.is_new_customer = opened.is_new_customer;
    row.entry_point = text(opened.entry_point.as_ref());
    row
}

fn owner_row(source: &Source, event: &ConversationEvent, owner: &OwnerChanged) -> ConversationChangeRow {
    let mut row = change(source, event, "owner_changed");
    row.owner_kind = owner.owner_kind.to_string();
    row.owner_id.clone_from(&owner.owner_id);
    row.owner_epoch = owner.owner_epoch;
    row.queue_id = text(owner.queue_id.as_ref());
    row.part_id = owner.part_id.map(|id| uuid(id.as_u128()));
    row.cause = owner.cause.to_string();
    row
}

fn change(source: &Source, event: &ConversationEvent, change: &str) -> ConversationChangeRow {
    row! { ConversationChangeRow from source, 0;
        tenant: event.tenant.to_string(),
        conversation_id: uuid(event.conversation_id.as_u128()),
        stint_id: event.stint_id.map(|id| uuid(id.as_u128())),
        part_id: None,
        change: change.into(),
        occurred_at: event.occurred_at,
        channel: event.channel.to_string(),
        account_id: event.account_id.to_string(),
        customer_key: event.customer_key.to_string(),
        stint_no: 0,
        predecessor: None,
        initiator: String::new(),
        is_new_customer: false,
        entry_point: String::new(),
        owner_kind: String::new(),
        owner_id: String::new(),
        owner_epoch: 0,
        queue_id: String::new(),
        cause: String::new(),
        began_at: None,
    }
}
