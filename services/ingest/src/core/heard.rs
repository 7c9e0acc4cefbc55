//! What a channel's parser hands to the rules: one event, still in the platform's own ids.

use schemas::records::{Channel, InboundKind, Millis};

/// One event as a platform told it.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// The channel it came by.
    pub channel: Channel,
    /// Which of the tenant's accounts it is about.
    pub account: HeardAccount,
    /// The person it is about; `None` for events about the account alone.
    pub party: Option<Party>,
    /// When it happened by the platform's clock; `None` if not told.
    pub occurred_at: Option<Millis>,
    /// The platform's id of this event, or one made from its content (C4).
    pub provider_event_id: String,
    /// What happened.
    pub kind: InboundKind,
}

/// How the platform names the account an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeardAccount {
    /// By the platform's id of one channel account.
    Provider(String),
    /// By an id above the accounts, such as a WhatsApp business account that owns several numbers.
    Group(String),
    /// Not at all.
    Unnamed,
}

/// A person, by every id that one event told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Party {
    /// The ids, the one that is the key when nothing else is known first.
    pub ids: Vec<PartyId>,
    /// Name to show.
    pub display_name: Option<String>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Picture of the person.
    pub image_url: Option<String>,
}

/// One id of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyId {
    /// The id as the platform writes it.
    pub id: String,
    /// What kind of id that is: `phone`, `user_id`, `email`, `opaque`.
    pub id_type: &'static str,
}
