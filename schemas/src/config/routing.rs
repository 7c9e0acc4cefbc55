//! Queues and agents.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where conversations wait (R1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// What people call it.
    pub name: String,
    /// Agents by id.
    pub members: Vec<String>,
    /// Service level.
    #[serde(default)]
    pub service_level: ServiceLevel,
    /// How long an offer alerts, seconds.
    #[serde(default = "thirty")]
    pub alerting_timeout_s: i64,
    /// How the candidates are chosen.
    #[serde(default)]
    pub method: RoutingMethod,
    /// Which skills count.
    #[serde(default)]
    pub evaluation: SkillEvaluation,
    /// Skills that every conversation of this queue asks for.
    #[serde(default)]
    pub skills: Vec<String>,
    /// Language that every conversation of this queue asks for, unless it brings its own.
    #[serde(default)]
    pub language: Option<String>,
    /// Added to the minutes waited.
    #[serde(default)]
    pub priority: i64,
    /// Last-agent routing on return (R5).
    #[serde(default)]
    pub last_agent: LastAgent,
    /// After-call work (R11).
    #[serde(default)]
    pub wrap_up: WrapUp,
    /// Customer silence in the queue that counts as abandoned, seconds; null: off.
    #[serde(default)]
    pub patience_s: Option<i64>,
    /// An abandon sooner than this is a short one, seconds.
    #[serde(default)]
    pub short_abandon_s: i64,
    /// When the owner is gone (R15).
    #[serde(default)]
    pub owner_away: OwnerAway,
    /// How long an owner may be away before that, seconds.
    #[serde(default = "sixty")]
    pub agent_grace_s: i64,
    /// Minutes after wrap-up in which a message is appended without being routed (T8).
    #[serde(default)]
    pub closing_grace_min: i64,
    /// Minutes of window for conversations last served here, in place of account and tenant.
    #[serde(default)]
    pub window_minutes: Option<i64>,
    /// How long after-call work may take up a returning customer, seconds (T8).
    #[serde(default = "thirty")]
    pub acw_reentry_s: i64,
    /// Accept without asking the agent.
    #[serde(default)]
    pub auto_accept: bool,
}

fn thirty() -> i64 {
    30
}

fn sixty() -> i64 {
    60
}

/// A queue's promise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceLevel {
    /// Seconds.
    pub target_s: i64,
    /// Share to reach, 0–1.
    pub ratio: f64,
    /// What stops the clock.
    pub clock: ServiceLevelClock,
}

impl Default for ServiceLevel {
    fn default() -> Self {
        Self { target_s: 60, ratio: 0.8, clock: ServiceLevelClock::Accept }
    }
}

/// What stops the service level's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceLevelClock {
    /// An agent accepts.
    #[default]
    Accept,
    /// The first human reply.
    FirstResponse,
    /// Every human reply.
    EveryResponse,
}

/// R2; other methods come with their rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoutingMethod {
    /// Whoever fits, longest idle first.
    #[default]
    Standard,
}

/// R3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkillEvaluation {
    /// Every skill; longest idle first.
    #[default]
    All,
    /// Skills do not count.
    None,
}

/// R5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LastAgentPolicy {
    /// The last agent, member of the queue or not.
    #[default]
    AnyAgent,
    /// The last agent if a member of the queue.
    QueueMembersOnly,
    /// Nobody is preferred.
    Disabled,
}

/// Last-agent routing of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LastAgent {
    /// Whom to prefer.
    pub policy: LastAgentPolicy,
    /// How long to wait for them when they are on queue but full, seconds.
    pub wait_s: i64,
}

/// R11.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WrapUpPolicy {
    /// No after-call work unless a code is given at once.
    Optional,
    /// Until a code is given.
    Mandatory,
    /// At most `timeout_s`; the code may be left out.
    Timed,
    /// Exactly until `timeout_s` or a code.
    #[default]
    TimedForced,
    /// Only if the agent asks for it.
    AgentRequested,
}

/// After-call work of a queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WrapUp {
    /// Whether and how long.
    pub policy: WrapUpPolicy,
    /// Seconds, for the timed policies; no code by then writes `TIMEOUT`.
    pub timeout_s: i64,
    /// Codes that may be given; empty: any of the tenant.
    pub codes: Vec<String>,
}

impl Default for WrapUp {
    fn default() -> Self {
        Self { policy: WrapUpPolicy::TimedForced, timeout_s: 60, codes: Vec::new() }
    }
}

/// R15: what happens to conversations whose owner is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OwnerAway {
    /// Back to the queue when the customer writes.
    #[default]
    RequeueOnMessage,
    /// Back to the queue at once.
    Requeue,
    /// Parked for the owner.
    Park,
    /// Stays with the owner.
    Keep,
}

/// Who works.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agent {
    /// What people call them.
    pub name: String,
    /// Proficiency 0–5 by skill.
    #[serde(default)]
    pub skills: BTreeMap<String, u8>,
    /// Proficiency 0–5 by language.
    #[serde(default)]
    pub languages: BTreeMap<String, u8>,
    /// How many interactions at once by media type; default `message: 4`.
    #[serde(default = "four_messages")]
    pub capacity: BTreeMap<String, i64>,
    /// Whether this person may supervise: see all work, take over, reassign.
    #[serde(default)]
    pub supervisor: bool,
}

fn four_messages() -> BTreeMap<String, i64> {
    BTreeMap::from([("message".into(), 4)])
}
