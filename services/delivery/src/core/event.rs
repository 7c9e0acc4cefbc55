//! What can happen to a partition's deliveries.

use schemas::ids::{AccountId, ConversationId, CustomerKey, EventId, MessageId, StintId, TenantId};
use schemas::records::{
    Channel, Content, Customer, Initiator, MessageAdded, Millis, ReceiptStatus, SenderKind, Signal,
};
use serde::{Deserialize, Serialize};
use stream::{Tick, Timestamp};

use super::bots::{Bot, BotCallEnded, BotKey, CalledBack, TurnAsked};
use super::media::{CopyAsked, CopyEnded, Received};
use super::notice::Notice;
use super::rows::Breaker;

/// Whose account: ids of different tenants may be alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct AccountKey {
    /// The tenant.
    pub tenant: TenantId,
    /// The account within it.
    pub account: AccountId,
}

/// Everything the machine hears.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A deadline came due.
    Tick,
    /// An account was configured, changed or removed.
    Configured(AccountKey, Option<Box<Account>>),
    /// Somebody said something to a customer.
    Asked(Box<Asked>),
    /// What came of a call.
    Called(CallEnded),
    /// The platform says how far a message came.
    Receipt(Receipt),
    /// The platform tells what our account said.
    Echo(Box<Echo>),
    /// Another partition says how an account is.
    Told(AccountKey, Told),
    /// The customer said something, which opens the reply window anew.
    Heard(Heard),
    /// Consent was given or taken back.
    Consented(CustomerKey, Consented),
    /// A message of the customer has its place in the conversation: what follows may answer it.
    Wrote(CustomerKey),
    /// A message with attachments that somebody else keeps.
    Received(Box<Received>),
    /// Somebody wants another try of a copy.
    CopyAsked(CopyAsked),
    /// What came of a try to copy something.
    Copied(CopyEnded),
    /// A conversation on a webhook changed.
    Noticed(Box<Asked>),
    /// Our side types, has read or reacts.
    Signalled(Box<Signalled>),
    /// An operator wants something to leave once more.
    Resend(Box<Asked>, Again),
    /// A bot was configured, changed or removed.
    BotConfigured(BotKey, Option<Box<Bot>>),
    /// Routing asks for a bot's turn.
    TurnAsked(Box<TurnAsked>),
    /// What came of a call of a bot.
    BotCalled(BotCallEnded),
    /// A bot answered by itself.
    CalledBack(CalledBack),
}

impl From<Tick> for Event {
    fn from(Tick: Tick) -> Self {
        Self::Tick
    }
}

/// What delivery must know of a channel account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// The channel.
    pub channel: Channel,
    /// Where and how its messages leave.
    pub route: Route,
    /// Waits before each attempt after the first; null: the channel's own.
    pub schedule_ms: Option<Vec<i64>>,
    /// How long a later message waits for an earlier one; null: the channel's own.
    pub order_hold_max_ms: Option<i64>,
    /// What an unknown outcome leads to.
    pub when_unknown: WhenUnknown,
    /// The platform's id of our app.
    pub app_id: Option<String>,
    /// When its access token ends.
    pub token_expires_at: Option<Millis>,
}

/// What an unknown outcome leads to (D1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum WhenUnknown {
    /// Send again: may arrive twice.
    #[default]
    SendAgain,
    /// Hold for a proof: may not arrive.
    Hold,
}

/// Where a secret stands; never the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretPlace {
    /// An environment variable.
    Env(String),
    /// A file.
    File(String),
}

/// Where an account's messages leave; secrets by reference.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Route {
    /// What people call the account.
    pub name: String,
    /// The platform's id of the account.
    pub provider_account_id: String,
    /// Base address of the provider's API; null: the provider's own.
    pub api_url: Option<String>,
    /// The provider's access token.
    pub access_token: Option<SecretPlace>,
    /// X: the four credentials of OAuth 1.0a.
    pub oauth1: Option<Box<OAuth1>>,
    /// The provider lets people answer after the window.
    pub human_agent: bool,
    /// Calls in 1000 seconds; null: the channel's own limit.
    pub calls_per_ks: Option<i64>,
    /// Open messaging: where messages are posted.
    pub webhook_url: Option<String>,
    /// Open messaging: live signing secrets.
    pub webhook_secrets: Vec<SecretPlace>,
    /// Open messaging: signs Genesys Cloud's own header as well.
    pub legacy_secret: Option<SecretPlace>,
    /// Open messaging: no lifecycle events between the messages.
    #[serde(default)]
    pub messages_only: bool,
    /// Longest time of one call, milliseconds.
    pub timeout_ms: i64,
    /// Hosts of its media beside those of its channel.
    #[serde(default)]
    pub media_hosts: Vec<String>,
}

/// OAuth 1.0a user context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OAuth1 {
    /// The app's key.
    pub consumer_key: SecretPlace,
    /// The app's secret.
    pub consumer_secret: SecretPlace,
    /// The user's token.
    pub token: SecretPlace,
    /// The user's token secret.
    pub token_secret: SecretPlace,
}

/// A message to be delivered, and the record that asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Topic of the record.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// When the broker appended it.
    pub timestamp: Timestamp,
    /// The record's envelope.
    pub event_id: EventId,
    /// Whose it is.
    pub tenant: TenantId,
    /// When it was said.
    pub occurred_at: Millis,
    /// When threading wrote it.
    pub recorded_at: Millis,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Its stint, if said in one.
    pub stint_id: Option<StintId>,
    /// Its number in the conversation.
    pub seq: i64,
    /// The channel.
    pub channel: Channel,
    /// The account.
    pub account_id: AccountId,
    /// To whom, as a key.
    pub customer_key: CustomerKey,
    /// The message; of a notice only its id and to whom.
    pub added: MessageAdded,
    /// It is no message: the webhook is told of a change.
    #[serde(default)]
    pub notice: Option<Notice>,
    /// It went before under this id, by which the webhook knows it: an operator asked for it anew.
    #[serde(default)]
    pub replay_of: Option<MessageId>,
}

impl Asked {
    /// The account it leaves by.
    pub fn account(&self) -> AccountKey {
        AccountKey { tenant: self.tenant.clone(), account: self.account_id.clone() }
    }

    /// To whom, as the platform knows them.
    pub fn customer(&self) -> Option<&Customer> {
        self.added.customer.as_ref()
    }

    /// Whether reports hear nothing of it: it is no message, or was told of before.
    pub fn is_quiet(&self) -> bool {
        self.notice.is_some() || self.replay_of.is_some()
    }

    /// Whether we began to speak, not the customer (C7).
    pub fn is_of_our_own(&self) -> bool {
        let is_begun = matches!(self.added.initiator, Some(Initiator::Agent | Initiator::Api));
        is_begun || self.added.sender.kind == SenderKind::Api
    }
}

/// The end of one errand.
#[derive(Debug, Clone, PartialEq)]
pub enum ErrandEnded {
    /// Of a call.
    Send(CallEnded),
    /// Of a copy.
    Copy(CopyEnded),
    /// Of a call of a bot.
    Bot(BotCallEnded),
}

/// The end of one call.
#[derive(Debug, Clone, PartialEq)]
pub struct CallEnded {
    /// The message.
    pub message_id: MessageId,
    /// Which attempt it was.
    pub attempt_no: i64,
    /// Which part of the message, from 1.
    pub part_no: i64,
    /// The wall clock then: waits count from it.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The provider took the message.
    Accepted {
        /// The provider's id of it.
        provider_message_id: Option<String>,
        /// How long the account may make no other call, milliseconds; 0: no such wish.
        rest_ms: i64,
    },
    /// The provider said no.
    Answered(Answer),
    /// Nothing was sent: no connection.
    NotSent {
        /// Why.
        reason: &'static str,
    },
    /// Nothing was sent: the account's own rate does not let it go sooner than in so many
    /// milliseconds.
    Paced {
        /// How long.
        wait_ms: i64,
    },
    /// Nothing was sent: it was no longer ours to send.
    NotOurs,
    /// Nothing was sent: the account's configuration cannot be used.
    Unconfigured {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nothing was sent: it was too late to.
    Refused(Refusal),
    /// Nobody knows whether it arrived.
    Unknown {
        /// What happened.
        reason: &'static str,
    },
    /// The process that made the call ended: nobody knows whether it arrived.
    Lost,
}

/// A provider's refusal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The provider's own error code.
    pub code: Option<i64>,
    /// What narrows it down: Meta's subcode.
    pub subcode: Option<i64>,
    /// The provider's own name of the error: the last word of X's problem type.
    pub name: Option<String>,
    /// The provider's own words.
    pub detail: Option<String>,
    /// How long it asks us to wait.
    pub retry_after_ms: Option<i64>,
}

/// Why a message must not be sent any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The reply window is over (C6).
    WindowClosed,
    /// Whoever asked wanted it sent earlier or not at all.
    Expired,
    /// The customer has had as many messages as the channel allows for each of theirs (C6).
    ReplyLimit,
    /// The customer took consent back (C7).
    OptedOut,
    /// Nobody asked for what we would send of our own accord (C7).
    NoOptIn,
}

impl Refusal {
    /// The reason code of the event.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WindowClosed => "window_closed",
            Self::Expired => "expired",
            Self::ReplyLimit => "reply_limit",
            Self::OptedOut => "opted_out",
            Self::NoOptIn => "no_opt_in",
        }
    }
}

/// What a platform says about one of our messages.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The account it came by.
    pub account: AccountKey,
    /// Whose message it is about.
    pub customer_key: Option<CustomerKey>,
    /// Our id of the part, if the platform gave it back.
    pub message_id: Option<MessageId>,
    /// The platform's id.
    pub provider_message_id: Option<String>,
    /// How far it came.
    pub status: ReceiptStatus,
    /// It is about everything sent until then.
    pub watermark: Option<Millis>,
    /// When, by the platform.
    pub at: Millis,
    /// The platform's error code.
    pub provider_code: Option<String>,
    /// The platform's words.
    pub detail: Option<String>,
}

/// What our account said, as the platform tells it back.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Echo {
    /// The account.
    pub account: AccountKey,
    /// Its channel.
    pub channel: Channel,
    /// To whom, as a key.
    pub customer_key: CustomerKey,
    /// To whom, as the platform knows them.
    pub customer: Option<Customer>,
    /// Our id of the part, if the platform gave it back.
    pub message_id: Option<MessageId>,
    /// The platform's id of it.
    pub provider_message_id: Option<String>,
    /// The app that said it.
    pub app_id: Option<String>,
    /// What.
    pub content: Content,
    /// When, by the platform.
    pub at: Millis,
}

/// How an account is, as another partition saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its credentials or configuration were refused.
    pub paused: bool,
    /// Its circuit.
    pub breaker: Breaker,
    /// No call before this.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: String,
}

/// Consent for a purpose, given or taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consented {
    /// What for; `all` for everything.
    pub purpose: String,
    /// Given, or taken back.
    pub granted: bool,
    /// When, by its source.
    pub at: Millis,
}

/// Something that is no message: seen at once or not at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Signalled {
    /// The event that told it.
    pub event_id: EventId,
    /// The account it leaves by.
    pub account: AccountKey,
    /// Its channel.
    pub channel: Channel,
    /// To whom, as a key.
    pub customer_key: CustomerKey,
    /// What.
    pub signal: Signal,
    /// When.
    pub at: Millis,
}

/// How something leaves once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// To the webhook as it went before; the operator's request.
    Replay(String),
    /// A message that was given up after so many attempts.
    Redrive(i64),
}

/// A customer's action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heard {
    /// Who.
    pub customer_key: CustomerKey,
    /// Until when we may answer freely.
    pub window_ends_at: Option<Millis>,
    /// Whether they wrote or pressed something, which may be replied to anew.
    pub wrote: bool,
}
