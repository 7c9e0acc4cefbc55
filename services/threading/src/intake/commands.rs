//! `conversation.commands`.

use schemas::ids::EventId;
use schemas::records::{ConversationCommand, ConversationCommandKind, ConversationEventKind};
use stream::{InputRecord, Reject};

use super::expect_key;
use crate::core::event::{Concern, Connect, Context, Disconnect, Event, Happened, Once, Owner, Send};

pub(super) fn read(record: &InputRecord<'_>, command: ConversationCommand) -> Result<Option<Event>, Reject> {
    expect_key(record, command.customer_key)?;
    let context = Context {
        cause: EventId::derive(&[&command.event_id.to_string(), &command.command_id.to_string()]),
        tenant: command.tenant.clone(),
        channel: command.channel,
        account_id: command.account_id.clone(),
        customer_key: command.customer_key,
        occurred_at: command.occurred_at,
    };
    let command_id = command.command_id;
    let Some(what) = happened(command) else { return Ok(None) };
    let once = match &what {
        Happened::Send(_)
        | Happened::Signal(_)
        | Happened::SetAttributes(_)
        | Happened::Noted(_)
        | Happened::Consented(_) => Once::Command(command_id),
        Happened::Message(_)
        | Happened::Left(_)
        | Happened::CustomerTyping
        | Happened::Referred(_)
        | Happened::Changed(_)
        | Happened::Connect(_)
        | Happened::Disconnect(_)
        | Happened::Released(_) => Once::Always,
    };
    Ok(Some(Event::Concerns(Box::new(Concern { context, once, what }))))
}

fn happened(command: ConversationCommand) -> Option<Happened> {
    Some(match command.kind {
        ConversationCommandKind::Send(send) => Happened::Send(Send {
            command_id: command.command_id,
            conversation_id: command.conversation_id,
            customer: command.customer,
            sender: send.sender,
            owner_epoch: send.owner_epoch,
            content: send.content,
            purpose: send.purpose,
            expires_at: send.expires_at,
            already_sent: send.already_sent,
            target: send.target,
        }),
        ConversationCommandKind::Signal(signal) => Happened::Signal(signal),
        ConversationCommandKind::Connect(connect) => Happened::Connect(Connect {
            stint_id: connect.stint_id,
            owner_epoch: connect.owner_epoch,
            owner: Owner {
                kind: connect.owner_kind,
                id: connect.owner_id,
                queue_id: connect.queue_id,
                part_id: connect.part_id,
            },
            cause: connect.cause,
        }),
        ConversationCommandKind::Disconnect(disconnect) => Happened::Disconnect(Disconnect {
            stint_id: disconnect.stint_id,
            owner_epoch: disconnect.owner_epoch,
            seen_seq: disconnect.seen_seq,
            cause: disconnect.cause,
            acw_open: disconnect.acw_open,
        }),
        ConversationCommandKind::ReentryReleased(released) => Happened::Released(released.stint_id),
        ConversationCommandKind::SetAttributes(set) => Happened::SetAttributes(set),
        ConversationCommandKind::AddNote(note) => Happened::Noted(ConversationEventKind::NoteAdded(note)),
        ConversationCommandKind::Link(link) => Happened::Noted(ConversationEventKind::Linked(link)),
        ConversationCommandKind::SetConsent(consent) => Happened::Consented(consent),
        ConversationCommandKind::Erase(_) | ConversationCommandKind::Unknown(_) => return None,
    })
}
