//! Bot turns (F4): what is asked, tried, awaited and told.

use schemas::ids::{AccountId, ConversationId, CustomerKey, MessageId, RoutingDomain, StintId, TenantId};
use schemas::records::Channel;
use serde::{Deserialize, Serialize};
use stream::Timestamp;

use super::event::SecretPlace;

/// A bot among all tenants.
pub type BotKey = (TenantId, String);

/// Which language a bot speaks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Dialect {
    /// Our own.
    #[default]
    Weft,
    /// Genesys Bot Connector, version 1: how it knows the bot.
    Genesys {
        /// Its id there.
        bot_id: String,
        /// Its version there.
        bot_version: String,
    },
}

/// How a bot is asked; secrets by reference.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Bot {
    /// Where turns are posted.
    pub url: String,
    /// Which language it speaks.
    pub dialect: Dialect,
    /// Live signing secrets; all of them sign.
    pub secrets: Vec<SecretPlace>,
    /// What it wants in `Authorization` beside the signature.
    pub access_token: Option<SecretPlace>,
    /// The endpoint by which it may answer later; none: it answers at once.
    pub endpoint: Option<String>,
}

/// A turn as routing asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnAsked {
    /// The turn.
    pub turn_id: MessageId,
    /// Whose.
    pub tenant: TenantId,
    /// Where the answer goes.
    pub routing_domain: RoutingDomain,
    /// The customer.
    pub customer_key: CustomerKey,
    /// The conversation.
    pub conversation_id: Option<ConversationId>,
    /// Its stint.
    pub stint_id: Option<StintId>,
    /// The account.
    pub account_id: Option<AccountId>,
    /// Which bot.
    pub bot: String,
    /// What to tell it, JSON.
    pub body: String,
    /// How long its answer is worth something, milliseconds.
    pub timeout_ms: i64,
}

/// A turn that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnRow {
    /// What was asked; without its body once it is over.
    pub asked: TurnAsked,
    /// Calls so far.
    pub tries: i64,
    /// When it is too late.
    pub deadline: Timestamp,
    /// Where it stands.
    pub phase: TurnPhase,
}

/// Where a turn stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TurnPhase {
    /// Not to be called before this.
    Waiting(Timestamp),
    /// A call is out.
    Out,
    /// The bot took it and answers later.
    Awaited,
    /// Told; remembered until then, because answers come twice.
    Over(Timestamp),
}

/// One call of a bot, with all that it needs.
#[derive(Debug, Clone, PartialEq)]
pub struct BotCall {
    /// The turn.
    pub asked: TurnAsked,
    /// Which call of it, from 1.
    pub try_no: i64,
    /// How long the answer is waited for, milliseconds.
    pub left_ms: i64,
    /// The bot.
    pub bot: Bot,
}

/// The end of one call of a bot.
#[derive(Debug, Clone, PartialEq)]
pub struct BotCallEnded {
    /// The turn.
    pub turn_id: MessageId,
    /// Which call of it.
    pub try_no: i64,
    /// The wall clock then.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: BotOutcome,
}

/// How a call of a bot ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BotOutcome {
    /// It answered: JSON of our own dialect.
    Answered(String),
    /// It took the turn and answers later.
    Later,
    /// It cannot be asked, or answered what nobody can use.
    Refused {
        /// Why, from a closed set.
        reason: &'static str,
    },
    /// It may answer if it is asked again.
    Failed {
        /// Why, from a closed set.
        reason: &'static str,
    },
}

/// An answer that came by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalledBack {
    /// Whose endpoint it came by.
    pub tenant: TenantId,
    /// The turn.
    pub turn_id: MessageId,
    /// JSON of our own dialect; none: nobody can use it.
    pub body: Option<String>,
}

/// How a turn ended, for whoever asked.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnFinished {
    /// What was asked.
    pub asked: TurnAsked,
    /// The account's channel.
    pub channel: Channel,
    /// Calls made.
    pub tries: i64,
    /// When.
    pub at: Timestamp,
    /// `answered`, `failed` or `timed_out`.
    pub outcome: &'static str,
    /// The answer, or why there is none; JSON.
    pub body: String,
}
