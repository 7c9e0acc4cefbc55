//! What can happen to a partition's conversations.

use schemas::ids::{AccountId, CommandId, ConversationId, CustomerKey, EventId, PartId, QueueId, StintId, TenantId};
use schemas::records::{
    Cause, Channel, Content, ConversationEventKind, Customer, Millis, OwnerKind, Referral, Sender, SetAttributes,
    SetConsent, Signal, Target,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use stream::Tick;

/// One input of the machine.
#[derive(Clone, Debug)]
pub enum Event {
    /// A deadline came due.
    Tick,
    /// Configuration changed.
    Configured(Box<Configured>),
    /// Something about one customer.
    Concerns(Box<Concern>),
}

impl From<Tick> for Event {
    fn from(Tick: Tick) -> Self {
        Self::Tick
    }
}

/// Something about one customer: where, when, why, and what.
#[derive(Clone, Debug)]
pub struct Concern {
    /// Where, when and why.
    pub context: Context,
    /// What makes a second copy of it a repeat.
    pub once: Once,
    /// What happened.
    pub what: Happened,
}

/// Where, when and why something happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Context {
    /// The record it was read from; everything said because of it has an id derived from this.
    pub cause: EventId,
    /// The company.
    pub tenant: TenantId,
    /// The channel.
    pub channel: Channel,
    /// The channel account.
    pub account_id: AccountId,
    /// The customer.
    pub customer_key: CustomerKey,
    /// When it happened, by its source.
    pub occurred_at: Millis,
}

/// What makes a second copy a repeat.
#[derive(Clone, Debug)]
pub enum Once {
    /// The provider's id within a kind of inbound event (C4): 8 days.
    Inbound {
        /// The kind, as on the wire.
        kind: String,
        /// The provider's id with its discriminator.
        provider_event_id: String,
    },
    /// The command's id: 24 h.
    Command(CommandId),
    /// Harmless when repeated, or guarded by its owner epoch.
    Always,
}

/// What happened to one customer's conversation.
#[derive(Clone, Debug)]
pub enum Happened {
    /// The customer wrote, or pressed a button.
    Message(Heard),
    /// The customer left (disconnect, clear, session expired).
    Left(Cause),
    /// The customer types.
    CustomerTyping,
    /// An edit, deletion or reaction: said on as it is.
    Changed(ConversationEventKind),
    /// Somebody on our side wants to write.
    Send(Send),
    /// Our side types, has read or reacts.
    Signal(Box<Signal>),
    /// Routing gives the stint an owner.
    Connect(Connect),
    /// Routing ends the stint.
    Disconnect(Disconnect),
    /// Routing lets go of a stint in after-call work.
    Released(StintId),
    /// Attributes to add or replace.
    SetAttributes(SetAttributes),
    /// A note or a link: said on as it is.
    Noted(ConversationEventKind),
    /// Consent was given or taken back.
    Consented(SetConsent),
    /// The customer came by a link, without a word.
    Referred(Referral),
}

/// What a customer wrote.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The platform's id of the message.
    pub provider_event_id: String,
    /// Who, as the platform tells it.
    pub customer: Customer,
    /// What.
    pub content: Content,
    /// Until when the channel lets us answer freely.
    pub window_ends_at: Option<Millis>,
}

/// What somebody on our side wants to write.
#[derive(Clone, Debug)]
pub struct Send {
    /// The command.
    pub command_id: CommandId,
    /// The conversation it was meant for, if the sender named one.
    pub conversation_id: Option<ConversationId>,
    /// Whom to, where there is no live stint that knows.
    pub customer: Option<Customer>,
    /// Who.
    pub sender: Sender,
    /// The epoch the sender believes to own.
    pub owner_epoch: Option<i64>,
    /// What.
    pub content: Content,
    /// What it is for (consent).
    pub purpose: Option<String>,
    /// When it is no longer worth sending.
    pub expires_at: Option<Millis>,
    /// It has left the house already (an echo).
    pub already_sent: bool,
    /// Who the answer is for, where no stint knows (T7).
    pub target: Option<Target>,
}

/// A new owner.
#[derive(Clone, Debug)]
pub struct Connect {
    /// The stint.
    pub stint_id: StintId,
    /// The epoch of this ownership.
    pub owner_epoch: i64,
    /// Who owns from here.
    pub owner: Owner,
    /// Why.
    pub cause: Cause,
}

/// Who holds a stint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Owner {
    /// Flow, queue, agent or nobody.
    pub kind: OwnerKind,
    /// Its id; empty for nobody.
    pub id: String,
    /// The queue it holds the stint for.
    pub queue_id: Option<QueueId>,
    /// The agent's part.
    pub part_id: Option<PartId>,
}

impl Owner {
    /// Nobody, as at the beginning of a stint.
    pub fn nobody() -> Self {
        Self { kind: OwnerKind::None, ..Self::default() }
    }
}

/// The end of a stint.
#[derive(Clone, Debug)]
pub struct Disconnect {
    /// The stint.
    pub stint_id: StintId,
    /// The epoch that ends.
    pub owner_epoch: i64,
    /// The last message that routing had seen.
    pub seen_seq: i64,
    /// Why.
    pub cause: Cause,
    /// After-call work is open: messages join the ended stint (T8).
    pub acw_open: bool,
}

/// A configuration entity that matters to threading: its new rules, or none when it is gone.
#[derive(Clone, Debug)]
pub struct Configured {
    /// Which.
    pub key: SettingKey,
    /// What it says; none: removed.
    pub setting: Option<Setting>,
}

/// Which configuration entity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SettingKey {
    /// A tenant.
    Tenant(TenantId),
    /// A channel account of a tenant.
    Account(TenantId, AccountId),
    /// A queue of a tenant.
    Queue(TenantId, QueueId),
    /// An entry point of a tenant.
    EntryPoint(TenantId, String),
}

/// What a configuration entity says about windows, consent and entry points; absent: the next wider one decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// Minutes of window.
    pub window_minutes: Option<i64>,
    /// What the window counts from.
    pub window_clock: Option<Clock>,
    /// Minutes per channel, before `window_minutes`.
    #[serde(default)]
    pub per_channel: BTreeMap<Channel, i64>,
    /// Minutes that a guest's session lasts after the last message of either side; accounts of `web` (T6).
    #[serde(default)]
    pub session_minutes: Option<i64>,
    /// Minutes after after-call work in which messages are appended without being routed (T8).
    #[serde(default)]
    pub closing_grace_min: i64,
    /// A tenant's words that take consent back.
    #[serde(default)]
    pub stop_words: Option<Vec<String>>,
    /// A tenant's words that give it again.
    #[serde(default)]
    pub start_words: Option<Vec<String>>,
    /// How an entry point is known.
    #[serde(default)]
    pub entry_point: Option<EntryRule>,
}

/// How an entry point is known (C12).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRule {
    /// The account it leads to.
    pub account: AccountId,
    /// What the platform gives back of it.
    pub reference: Option<String>,
    /// What the first message begins with.
    pub text: Option<String>,
}

/// From when a window counts (T4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Clock {
    /// The end of the stint.
    #[default]
    FromDisconnect,
    /// The last message received.
    FromLastMessage,
}
