//! `channel.inbound`.

use schemas::records::{
    Cause, Content, ContentKind, ConversationEventKind, Customer, InboundEvent, InboundKind, InboundPostback,
    MessageDeleted, MessageEdited, PresenceKind, Reacted, SetConsent,
};
use stream::{InputRecord, Reject};

use super::expect_key;
use crate::core::event::{Concern, Context, Event, Happened, Heard, Once};

pub(super) fn read(record: &InputRecord<'_>, event: InboundEvent) -> Result<Option<Event>, Reject> {
    let (Some(channel), Some(account_id), Some(customer_key)) =
        (event.channel, event.account_id.clone(), event.customer_key)
    else {
        return Ok(None);
    };
    expect_key(record, customer_key)?;
    let kind = event.kind.name().to_owned();
    let context = Context {
        cause: event.event_id,
        tenant: event.tenant.clone(),
        channel,
        account_id,
        customer_key,
        occurred_at: event.occurred_at,
    };
    let provider_event_id = event.provider_event_id.clone();
    let Some(what) = happened(event)? else { return Ok(None) };
    let once = match (&what, provider_event_id.is_empty()) {
        (_, false) => Once::Inbound { kind, provider_event_id },
        (Happened::CustomerTyping, true) => Once::Always,
        (_, true) => return Err(Reject::new("no_provider_id", format!("{kind} without an id to tell repeats by"))),
    };
    Ok(Some(Event::Concerns(Box::new(Concern { context, once, what }))))
}

fn happened(event: InboundEvent) -> Result<Option<Happened>, Reject> {
    let heard = |customer: Option<Customer>, content: Content| {
        let customer = customer.ok_or_else(|| Reject::new("no_customer", "a message must say whom to answer"))?;
        let (provider_event_id, window_ends_at) = (event.provider_event_id, event.window_ends_at);
        Ok(Some(Happened::Message(Heard { provider_event_id, customer, content, window_ends_at })))
    };
    let changed = match event.kind {
        InboundKind::Message(message) => return heard(event.customer, message.content),
        InboundKind::Postback(postback) => return heard(event.customer, pressed(postback)),
        InboundKind::Presence(presence) => return Ok(left(presence.presence).map(Happened::Left)),
        InboundKind::Typing(typing) => return Ok(typing.on.then_some(Happened::CustomerTyping)),
        InboundKind::Referral(referral) => return Ok(Some(Happened::Referred(referral.referral))),
        InboundKind::OptIn(change) => return Ok(Some(consent(change.purpose, Granted::Yes, change.source))),
        InboundKind::OptOut(change) => return Ok(Some(consent(change.purpose, Granted::No, change.source))),
        InboundKind::Reaction(reaction) => ConversationEventKind::Reacted(Reacted {
            provider_message_id: reaction.provider_message_id,
            emoji: reaction.emoji,
            removed: reaction.removed,
        }),
        InboundKind::Edit(edit) => ConversationEventKind::MessageEdited(Box::new(MessageEdited {
            provider_message_id: edit.provider_message_id,
            content: edit.content,
        })),
        InboundKind::Delete(delete) => {
            ConversationEventKind::MessageDeleted(MessageDeleted { provider_message_id: delete.provider_message_id })
        }
        InboundKind::Echo(_)
        | InboundKind::Receipt(_)
        | InboundKind::Handover(_)
        | InboundKind::AccountEvent(_)
        | InboundKind::BotTurnResult(_)
        | InboundKind::Unsupported(_)
        | InboundKind::Unknown(_) => return Ok(None),
    };
    Ok(Some(Happened::Changed(changed)))
}

/// A button pressed is an answer.
fn pressed(postback: InboundPostback) -> Content {
    Content {
        content_kind: ContentKind::QuickReply,
        text: postback.title,
        payload: postback.payload,
        referral: postback.referral,
        ..Content::default()
    }
}

fn left(presence: PresenceKind) -> Option<Cause> {
    match presence {
        PresenceKind::Disconnect => Some(Cause::CustomerLeft),
        PresenceKind::Clear => Some(Cause::CustomerCleared),
        PresenceKind::SessionExpired => Some(Cause::SessionExpired),
        PresenceKind::Join | PresenceKind::SignIn | PresenceKind::Unknown => None,
    }
}

#[derive(PartialEq)]
enum Granted {
    Yes,
    No,
}

fn consent(purpose: String, granted: Granted, source: Option<String>) -> Happened {
    let source = source.unwrap_or_else(|| "platform".to_owned());
    Happened::Consented(SetConsent { purpose, granted: granted == Granted::Yes, source, proof: None })
}
