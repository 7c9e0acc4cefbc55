//! Decide: which account and customer an event belongs to, and what its record says. No I/O, no
//! clock.

mod directory;
mod heard;
pub mod outreach;
pub mod rules;

pub use directory::{Directory, SignedEndpoint};
pub use heard::{Heard, HeardAccount, Party, PartyId};

use schemas::ids::{AccountId, CustomerKey, EndpointId, EventId, KeySecret, TenantId};
use schemas::records::{InboundEvent, InboundKind, Millis};

/// What is known of a request before its body is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    /// Whose request it is.
    pub tenant: TenantId,
    /// The webhook address it came to; `None` for open messaging, which has none.
    pub endpoint: Option<EndpointId>,
    /// When it reached us.
    pub received_at: Millis,
}

/// A record with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Addressed {
    /// The record's key.
    pub key: CustomerKey,
    /// The record.
    pub event: InboundEvent,
}

/// Why an event becomes no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The tenant has no such account at this endpoint.
    UnknownAccount(String),
    /// It is nothing without a person, and names nobody.
    NoCustomer,
}

impl Refusal {
    /// The reason on the dead letter.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UnknownAccount(_) => "unknown_account",
            Self::NoCustomer => "no_customer",
        }
    }
}

/// Finds account and customer of an event and makes its record.
///
/// # Errors
/// [`Refusal`]: the event's own fault, or that of the configuration.
pub fn address(
    heard: Heard,
    arrival: &Arrival,
    directory: &Directory,
    secret: &KeySecret,
) -> Result<Addressed, Refusal> {
    let account = rules::account::find(directory, arrival, heard.channel, &heard.account)?;
    let at = rules::customer::At { tenant: &arrival.tenant, channel: heard.channel, account: account.as_ref() };
    let customer = heard.party.map(|party| rules::customer::canonical(party, at, directory, secret));
    let customer_key = rules::customer::key(&heard.kind, customer.as_ref(), at, secret);
    let key = match customer_key {
        Some(key) => key,
        None if is_about_nobody(&heard.kind) => rules::account::key(at, &heard.account, secret),
        None => return Err(Refusal::NoCustomer),
    };
    let occurred_at = heard.occurred_at.unwrap_or(arrival.received_at);
    let account_text = account.as_ref().map_or("", AccountId::as_str);
    let event = InboundEvent {
        event_id: EventId::derive(&[
            arrival.tenant.as_str(),
            heard.channel.as_str(),
            account_text,
            heard.kind.name(),
            &heard.provider_event_id,
        ]),
        tenant: arrival.tenant.clone(),
        occurred_at,
        recorded_at: arrival.received_at,
        channel: Some(heard.channel),
        account_id: account,
        customer_key,
        customer,
        provider_event_id: heard.provider_event_id,
        received_at: arrival.received_at,
        window_ends_at: rules::reply_window::ends_at(heard.channel, &heard.kind, occurred_at),
        kind: heard.kind,
    };
    Ok(Addressed { key, event })
}

/// Whether an event of this kind makes sense without a person.
fn is_about_nobody(kind: &InboundKind) -> bool {
    match kind {
        InboundKind::AccountEvent(_)
        | InboundKind::Handover(_)
        | InboundKind::BotTurnResult(_)
        | InboundKind::Unsupported(_)
        | InboundKind::Unknown(_) => true,
        InboundKind::Message(_)
        | InboundKind::Postback(_)
        | InboundKind::Echo(_)
        | InboundKind::Receipt(_)
        | InboundKind::Reaction(_)
        | InboundKind::Edit(_)
        | InboundKind::Delete(_)
        | InboundKind::Typing(_)
        | InboundKind::Presence(_)
        | InboundKind::OptIn(_)
        | InboundKind::OptOut(_)
        | InboundKind::Referral(_) => false,
    }
}

#[cfg(test)]
mod tests;
