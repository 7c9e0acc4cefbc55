//! What a guest says, as the record that every channel's words become (`channel.inbound`). Ids are
//! the guest's own within their key: the same said twice is one.

use schemas::ids::{EventId, KeySecret, MessageId, OutwardId};
use schemas::records::{
    Channel, Content, Customer, InboundEvent, InboundKind, InboundMessage, InboundPresence, InboundReceipt,
    InboundTyping, PresenceKind, ReceiptStatus,
};
use stream::Timestamp;

use super::session::Session;

/// What a guest says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A message.
    Message {
        /// The guest's own id of it.
        client_id: String,
        /// What.
        content: Box<Content>,
    },
    /// That they are writing.
    Typing,
    /// That they come, leave or want to see nothing of it any more.
    Presence(PresenceKind),
    /// That a message of ours was received or read.
    Receipt {
        /// Which.
        message: MessageId,
        /// How far it came.
        status: ReceiptStatus,
    },
}

/// The id that threading will give a message of the guest.
pub fn message_id(session: &Session, client_id: &str) -> MessageId {
    let id = provider_event_id(session, client_id);
    MessageId::derive(&[session.tenant.as_str(), Channel::Web.as_str(), session.spec.account_id.as_str(), &id])
}

fn provider_event_id(session: &Session, client_id: &str) -> String {
    format!("{}:{client_id}", session.customer())
}

/// The record of what was said.
pub fn event(session: &Session, said: Said, secret: &KeySecret, now: Timestamp) -> InboundEvent {
    let (customer_key, at) = (session.customer(), now.as_ms());
    let (id, kind) = match said {
        Said::Message { client_id, content } => (
            provider_event_id(session, &client_id),
            InboundKind::Message(Box::new(InboundMessage { content: *content })),
        ),
        Said::Typing => (String::new(), InboundKind::Typing(InboundTyping { on: true, duration_ms: None })),
        Said::Presence(presence) => {
            let id = provider_event_id(session, &format!("{presence}:{at}"));
            (id, InboundKind::Presence(InboundPresence { presence }))
        }
        Said::Receipt { message, status } => {
            let callback_data = Some(OutwardId { customer_key, id: message }.to_text(secret));
            let receipt = InboundReceipt { status, callback_data, ..InboundReceipt::default() };
            (format!("{message}:{status}"), InboundKind::Receipt(receipt))
        }
    };
    let cause = if id.is_empty() { format!("{customer_key}:{at}") } else { id.clone() };
    let (tenant, spec) = (&session.tenant, &session.spec);
    InboundEvent {
        event_id: EventId::derive(&[
            tenant.as_str(),
            Channel::Web.as_str(),
            spec.account_id.as_str(),
            kind.name(),
            &cause,
        ]),
        tenant: tenant.clone(),
        occurred_at: at,
        recorded_at: at,
        channel: Some(Channel::Web),
        account_id: Some(spec.account_id.clone()),
        customer_key: Some(customer_key),
        customer: Some(Customer {
            id: spec.customer_id.clone(),
            id_type: spec.id_type.clone(),
            display_name: spec.display_name.clone(),
            ..Customer::default()
        }),
        provider_event_id: id,
        received_at: at,
        window_ends_at: None,
        kind,
    }
}
