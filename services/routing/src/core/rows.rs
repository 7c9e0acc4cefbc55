//! What the tables hold.

use std::collections::BTreeMap;

use schemas::config;
use schemas::ids::{
    AccountId, AgentId, ConversationId, CustomerKey, LanguageId, MessageId, PartId, QueueId, SkillId, StintId,
    TenantId, WrapUpCodeId,
};
use schemas::records::{Cause, Channel, Content, Millis, Presence};
use serde::{Deserialize, Serialize};

/// An agent among all tenants.
pub type AgentKey = (TenantId, AgentId);
/// A queue among all tenants.
pub type QueueKey = (TenantId, QueueId);
/// A gateway as one tenant sees it.
pub type GatewayKey = (TenantId, String);

/// Names one configured thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SettingKey {
    /// A queue.
    Queue(TenantId, QueueId),
    /// An agent.
    Agent(TenantId, AgentId),
    /// A channel account.
    Account(TenantId, AccountId),
    /// A bot.
    Bot(TenantId, String),
    /// A language.
    Language(TenantId, LanguageId),
    /// A wrap-up code.
    WrapUpCode(TenantId, WrapUpCodeId),
    /// What routing does not use, by kind and id; its version counts all the same.
    Other(TenantId, String, String),
}

impl SettingKey {
    /// Whose it is.
    pub fn tenant(&self) -> &TenantId {
        match self {
            Self::Queue(tenant, _)
            | Self::Agent(tenant, _)
            | Self::Account(tenant, _)
            | Self::Bot(tenant, _)
            | Self::Language(tenant, _)
            | Self::WrapUpCode(tenant, _)
            | Self::Other(tenant, _, _) => tenant,
        }
    }
}

/// One configured thing as last applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SettingRow {
    /// Its own version, one more once removed.
    pub version: i64,
    /// What it says.
    pub spec: Spec,
}

/// What routing uses of a bot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotSpec {
    /// How long one turn may take, milliseconds.
    pub timeout_ms: i64,
    /// Turns of one stint.
    pub turns_max: i64,
}

/// What routing uses of a configured thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Spec {
    /// A queue.
    Queue(Box<config::Queue>),
    /// An agent.
    Agent(config::Agent),
    /// Where the conversations of a channel account go.
    Account {
        /// Its queue.
        queue: QueueId,
        /// The bot that greets first.
        bot: Option<String>,
    },
    /// A bot.
    Bot(BotSpec),
    /// That it exists.
    Exists,
    /// That it is gone.
    Removed,
}

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TenantRow {
    /// Sum of the versions of everything configured: rises with each change.
    pub config_version: i64,
    /// Whether a command of this tenant came to this partition. Configuration reaches every
    /// partition; only the tenant's own may speak about it.
    pub active: bool,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentRow {
    /// What they say of themself.
    pub presence: Presence,
    /// Their tenant's finer word for it.
    pub secondary: Option<String>,
    /// Gateways that hold a connection; the time since when one no longer names the agent.
    pub gateways: BTreeMap<String, Option<Millis>>,
    /// Let an offer run out and has not set a presence since.
    pub not_responding: bool,
    /// Interactions that take up capacity.
    pub load: Load,
    /// Last given or done with an interaction, or come on queue.
    pub idle_since: Millis,
    /// Since when presence and routing status are what they are.
    pub state_since: Millis,
    /// Since when offline or without a connection.
    pub away_since: Option<Millis>,
}

impl AgentRow {
    /// An agent heard of for the first time: offline.
    pub fn new(now: Millis) -> Self {
        Self {
            presence: Presence::Offline,
            secondary: None,
            gateways: BTreeMap::new(),
            not_responding: false,
            load: Load::default(),
            idle_since: now,
            state_since: now,
            away_since: Some(now),
        }
    }

    /// Whether some gateway holds a connection.
    pub fn is_connected(&self) -> bool {
        !self.gateways.is_empty()
    }
}

/// Interactions of media type `message` that take up an agent's capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Load {
    /// Open offers.
    pub alerting: i64,
    /// Connected conversations that are not parked.
    pub talking: i64,
    /// Parts in after-call work.
    pub wrap_up: i64,
}

impl Load {
    /// All of it.
    pub const fn total(self) -> i64 {
        self.alerting + self.talking + self.wrap_up
    }
}

/// A gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayRow {
    /// When it last said whose connections it holds.
    pub held_at: Millis,
}

/// What stays the same about a stint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Whose it is.
    pub tenant: TenantId,
    /// The lasting thread.
    pub conversation: ConversationId,
    /// The stint.
    pub stint: StintId,
    /// Counted from 1 within the conversation.
    pub stint_no: i64,
    /// The customer.
    pub customer_key: CustomerKey,
    /// The channel.
    pub channel: Channel,
    /// The channel account.
    pub account: AccountId,
    /// What to call the customer.
    pub customer_name: Option<String>,
    /// The customer's language as the platform tells it.
    pub language: Option<String>,
    /// Never wrote to this account before.
    pub is_new_customer: bool,
    /// Re-opened inside the window.
    pub is_reopen: bool,
    /// How the customer came.
    pub entry_point: Option<String>,
}

/// A live stint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkRow {
    /// What stays the same.
    pub facts: Facts,
    /// The live owner's epoch.
    pub epoch: i64,
    /// The last sequence number heard of.
    pub last_seq: i64,
    /// Where it waits or last waited.
    pub queue: QueueId,
    /// Who handled this customer last.
    pub last_agent: Option<AgentId>,
    /// Arrival of the stint: what priority counts from, across queue visits (R4).
    pub arrived_at: Millis,
    /// The present or last queue visit.
    pub visit: Visit,
    /// Where it stands.
    pub stage: Stage,
    /// Since when the present stage holds.
    pub since: Millis,
    /// Parts so far.
    pub parts: i64,
    /// Offers so far.
    pub offers: i64,
    /// When the customer wrote the first message nobody has answered.
    pub unanswered_at: Option<Millis>,
    /// Task time of the customer's last message.
    pub customer_at: Millis,
    /// Customer messages since nobody has been connected; the next part counts them.
    pub messages_waiting: i64,
    /// Whether a person has answered in this stint.
    pub is_responded: bool,
}

/// One stay in one queue.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Visit {
    /// Counted from 1 within the stint.
    pub no: i64,
    /// Entry.
    pub started_at: Millis,
    /// Why it entered.
    pub cause: Cause,
    /// Offers of this visit.
    pub offers: i64,
    /// Who declined, and until when they are not asked again.
    pub declined: BTreeMap<AgentId, Millis>,
    /// Skills asked for.
    pub skills: Vec<SkillId>,
    /// Language asked for.
    pub language: Option<LanguageId>,
    /// Minutes that it counts as having waited from the start.
    pub priority: i64,
    /// Whether the last agent was considered.
    pub is_last_agent_asked: bool,
    /// Kept for the last agent until then.
    pub held_until: Option<Millis>,
    /// When the customer's silence counts as abandoned.
    pub patience_at: Option<Millis>,
    /// Why nobody was chosen, when that was last recorded.
    pub passed_over: Option<String>,
}

/// Where a stint stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Stage {
    /// In the queue.
    Waiting,
    /// In the queue, offered to an agent.
    Alerting(Offer),
    /// With a bot, before any queue.
    Bot(Box<BotStage>),
    /// With an agent: connected, parked or in after-call work, as the part says.
    With {
        /// The part.
        part: PartId,
        /// After-call work no longer holds the conversation: a new stint may begin.
        released: bool,
    },
}

/// A bot's share of a stint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BotStage {
    /// Which bot.
    pub bot: String,
    /// Since when.
    pub since: Millis,
    /// Turns so far.
    pub turns: i64,
    /// The turn that is out.
    pub out: Option<BotTurnOut>,
    /// What the customer said since the last turn.
    pub said: Option<Content>,
}

/// A bot's turn that is not answered yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BotTurnOut {
    /// Which.
    pub turn_id: MessageId,
    /// Until when anything is heard of it.
    pub until: Millis,
}

/// An open offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// To whom.
    pub agent: AgentId,
    /// Counted from 1 within the stint.
    pub no: i64,
    /// Since when.
    pub since: Millis,
    /// Until when.
    pub expires_at: Millis,
    /// Which rule chose: `standard` or `last_agent`.
    pub method: String,
}

/// An agent's share of a stint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartRow {
    /// The stint.
    pub facts: Facts,
    /// The queue it came from.
    pub queue: QueueId,
    /// Whose part.
    pub agent: AgentId,
    /// Counted from 1 within the stint.
    pub no: i64,
    /// Where it stands.
    pub stage: PartStage,
    /// Since when.
    pub stage_since: Millis,
    /// Connected.
    pub started_at: Millis,
    /// Disconnected.
    pub disconnected_at: Option<Millis>,
    /// Why disconnected.
    pub end_cause: Cause,
    /// Sums so far.
    pub totals: Totals,
    /// Whose turn it is: true while the customer waits for the agent.
    pub waits_for_agent: bool,
    /// Since when it is that side's turn.
    pub turn_since: Millis,
    /// The queue visit that led here.
    pub visit: Visit,
    /// Which rule chose the agent.
    pub method: String,
    /// Whether the queue's promise was kept; null while its clock has not stopped.
    pub service_level_met: Option<bool>,
    /// The code given so far.
    pub code: Option<WrapUpCodeId>,
    /// Notes given so far.
    pub notes: Option<String>,
    /// Tags given so far.
    pub tags: Vec<String>,
    /// The agent asked for after-call work.
    pub is_acw_requested: bool,
    /// When the owner's absence is acted on.
    pub away_at: Option<Millis>,
    /// The owner is gone: back to the queue when the customer writes.
    pub requeue_on_message: bool,
    /// When a message during after-call work is released.
    pub reentry_at: Option<Millis>,
}

/// Where a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PartStage {
    /// Connected.
    Talking,
    /// Put aside; takes up no capacity.
    Parked,
    /// Disconnected, being written up.
    WrapUp {
        /// When it ends by itself.
        deadline_at: Option<Millis>,
    },
}

/// Sums of a part, milliseconds and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "named and defined as the fields of PartEnded")]
pub struct Totals {
    pub wait_ms: i64,
    pub alert_ms: i64,
    pub talk_ms: i64,
    pub acw_ms: i64,
    pub parked_ms: i64,
    pub waiting_for_customer_ms: i64,
    pub waiting_for_agent_ms: i64,
    pub messages_in: i64,
    pub messages_out: i64,
    pub first_response_ms: Option<i64>,
    pub response_ms: i64,
    pub response_count: i64,
}

/// A queue's recent past.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueueRow {
    /// The last answered waits, oldest first, milliseconds.
    pub waits: Vec<i64>,
}
