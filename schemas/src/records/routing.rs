//! What routing is told, what it decided, the finished facts that reports are made of, and views.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Cause, Channel, Content, Millis, PartEnded, QueueVisitEnded, SegmentEnded, Sender, ServiceLevelCounted, Target,
    record, shaped_record, symbols,
};
use crate::ids::{
    AccountId, AgentId, CommandId, ConversationId, CustomerKey, EventId, FlowId, PartId, QueueId, SkillId, StintId,
    TenantId, WrapUpCodeId,
};

symbols! {
    /// What an agent says of themself (Genesys system presences, and On Queue).
    Presence {
        Available = "available", Busy = "busy", Away = "away", Break = "break", Meal = "meal",
        Meeting = "meeting", Training = "training", Offline = "offline", OnQueue = "on_queue",
    }
    /// What routing makes of it.
    RoutingStatus {
        OffQueue = "off_queue", Idle = "idle", Interacting = "interacting",
        NotResponding = "not_responding", Communicating = "communicating",
    }
    SegmentKind {
        Alert = "alert", Wait = "wait", Talk = "talk", Hold = "hold", Park = "park",
        Focus = "focus", WrapUp = "wrap_up", Flow = "flow", Bot = "bot", AgentState = "agent_state",
    }
    VisitOutcome { Answered = "answered", Abandoned = "abandoned", FlowedOut = "flowed_out", }
    TransferKind { Blind = "blind", Consult = "consult", }
}

shaped_record! {
    RoutingCommand, RoutingCommandKind, "routing_command.avsc" {
        event_id: EventId,
        tenant: TenantId,
        occurred_at: Millis,
        recorded_at: Millis,
        command_id: CommandId,
        conversation_id: Option<ConversationId>,
        stint_id: Option<StintId>,
        customer_key: Option<CustomerKey>,
    }
    WorkArrived = work_arrived: Box<WorkArrived>,
    Spoke = spoke: Box<Spoke>,
    CustomerLeft = customer_left: CustomerLeft,
    SendFailed = send_failed: SendFailed,
    ConnectionsHeld = connections_held: ConnectionsHeld,
    Erase = erase: RoutingErase,
    BotTurnFinished = bot_turn_finished: RoutingTurnResult,
    DataActionFinished = data_action_finished: RoutingTurnResult,
    SetPresence = set_presence: SetPresence,
    Accept = accept: AgentAsk,
    Decline = decline: AgentAsk,
    Focus = focus: AgentAsk,
    Unfocus = unfocus: AgentAsk,
    Hold = hold: AgentAsk,
    Resume = resume: AgentAsk,
    Park = park: ParkAsk,
    Unpark = unpark: AgentAsk,
    Transfer = transfer: TransferAsk,
    Consult = consult: TransferAsk,
    CompleteConsult = complete_consult: AgentAsk,
    CancelConsult = cancel_consult: AgentAsk,
    Disconnect = disconnect: AgentAsk,
    WrapUp = wrap_up: WrapUpAsk,
    TakeOver = take_over: AgentAsk,
    Reassign = reassign: TransferAsk,
    EndAny = end_any: AgentAsk,
    SetLoad = set_load: SetLoad,
    ConnectionLost = connection_lost: ConnectionChange,
    ConnectionBack = connection_back: ConnectionChange,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WorkArrived {
    pub seq: i64,
    /// The last epoch of the conversation; routing continues from it.
    pub owner_epoch: i64,
    pub channel: Channel,
    pub account_id: AccountId,
    pub customer_name: Option<String>,
    pub language: Option<String>,
    /// Whether the conversation was re-opened inside its window.
    pub returning: bool,
    pub is_new_customer: bool,
    pub stint_no: i64,
    pub last_agent: Option<AgentId>,
    pub last_queue: Option<QueueId>,
    pub target: Option<Target>,
    pub attributes: BTreeMap<String, String>,
    pub content: Option<Content>,
    pub entry_point: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Spoke {
    pub seq: i64,
    pub sender: Sender,
    pub at: Millis,
    pub content: Option<Content>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CustomerLeft {
    pub cause: Cause,
    pub seq: i64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SendFailed {
    pub message_id: crate::ids::MessageId,
    pub reason: String,
}

/// Every 10 s from each gateway; an agent missing for 30 s has lost the connection.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ConnectionsHeld {
    pub gateway_id: String,
    pub agent_ids: Vec<AgentId>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ConnectionChange {
    pub agent_id: AgentId,
    pub gateway_id: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RoutingErase {
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RoutingTurnResult {
    pub turn_id: String,
    pub outcome: String,
    pub body: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SetPresence {
    pub agent_id: AgentId,
    pub presence: Presence,
    pub secondary: Option<String>,
}

/// An agent's or supervisor's ask about one conversation.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AgentAsk {
    pub agent_id: AgentId,
    /// The epoch that the asker saw; compare-and-set.
    pub owner_epoch: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ParkAsk {
    pub agent_id: AgentId,
    pub until: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TransferAsk {
    pub agent_id: AgentId,
    pub to: Target,
    pub owner_epoch: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WrapUpAsk {
    pub agent_id: AgentId,
    /// Null: whatever part of this conversation the agent has in after-call work.
    pub part_id: Option<PartId>,
    pub code: Option<WrapUpCodeId>,
    pub notes: Option<String>,
    pub tags: Vec<String>,
}

/// Load on an agent by work that weft does not route, per media type (1.0 = one interaction).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SetLoad {
    pub agent_id: AgentId,
    pub load: BTreeMap<String, f64>,
}

shaped_record! {
    RoutingEvent, RoutingEventKind, "routing_event.avsc" {
        event_id: EventId,
        tenant: TenantId,
        occurred_at: Millis,
        recorded_at: Millis,
        conversation_id: Option<ConversationId>,
        stint_id: Option<StintId>,
        part_id: Option<PartId>,
        queue_id: Option<QueueId>,
        agent_id: Option<AgentId>,
        channel: Option<Channel>,
        account_id: Option<AccountId>,
        customer_key: Option<CustomerKey>,
        config_version: i64,
    }
    FlowStarted = flow_started: FlowMark,
    FlowStep = flow_step: FlowMark,
    FlowEnded = flow_ended: FlowMark,
    BotTurn = bot_turn: FlowMark,
    Queued = queued: Queued,
    Decision = decision: Box<Decision>,
    Offered = offered: Offered,
    Accepted = accepted: Accepted,
    Declined = declined: OfferEnded,
    NotAnswered = not_answered: OfferEnded,
    Withdrawn = withdrawn: OfferEnded,
    Connected = connected: Connected,
    Focused = focused: Mark,
    Unfocused = unfocused: Mark,
    Held = held: Mark,
    Resumed = resumed: Mark,
    Parked = parked: Mark,
    Unparked = unparked: Mark,
    TransferRequested = transfer_requested: Transferred,
    Transferred = transferred: Transferred,
    Abandoned = abandoned: LeftQueue,
    FlowedOut = flowed_out: LeftQueue,
    WrapUpStarted = wrap_up_started: WrapUpStarted,
    WrappedUp = wrapped_up: WrappedUp,
    Ended = ended: Ended,
    AgentStateChanged = agent_state_changed: AgentStateChanged,
    AgentQueuesChanged = agent_queues_changed: AgentQueuesChanged,
    Refused = refused: Refused,
    SegmentEnded = segment_ended: Box<SegmentEnded>,
    QueueVisitEnded = queue_visit_ended: Box<QueueVisitEnded>,
    ServiceLevelCounted = service_level_counted: ServiceLevelCounted,
    PartEnded = part_ended: Box<PartEnded>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FlowMark {
    pub flow_id: FlowId,
    pub version: i64,
    pub step: Option<String>,
    pub outcome: Option<String>,
}

/// Entered a queue: one visit begins.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Queued {
    /// Counted from 1 within the stint.
    pub visit_no: i64,
    pub skills: Vec<SkillId>,
    pub language: Option<String>,
    pub priority: i64,
    pub cause: Cause,
    pub position: i64,
}

/// Why this agent, or why nobody.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Decision {
    /// The rule that decided, e.g. `last_agent`, `longest_idle`.
    pub rule: String,
    pub rule_version: i64,
    /// Chosen agent; null when the conversation was passed over.
    pub chosen: Option<AgentId>,
    /// The ten best, best first.
    pub candidates: Vec<Candidate>,
    /// The others, counted by the reason they were not considered.
    pub excluded: BTreeMap<String, i64>,
    /// One sentence a person can read.
    pub reason: String,
    pub position: i64,
    pub waited_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Candidate {
    pub agent_id: AgentId,
    /// Score terms by name, e.g. `idle_ms`, `load`.
    pub terms: BTreeMap<String, f64>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Offered {
    pub offer_no: i64,
    pub owner_epoch: i64,
    pub expires_at: Millis,
    pub auto_accept: bool,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Accepted {
    pub offer_no: i64,
    pub alert_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OfferEnded {
    pub offer_no: i64,
    pub alert_ms: i64,
    pub reason: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Connected {
    pub owner_epoch: i64,
    pub wait_ms: i64,
    pub cause: Cause,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Mark {
    pub until: Option<Millis>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Transferred {
    pub transfer_kind: TransferKind,
    pub to: Target,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LeftQueue {
    pub wait_ms: i64,
    pub cause: Cause,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WrapUpStarted {
    pub deadline_at: Option<Millis>,
    pub policy: String,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WrappedUp {
    pub code: Option<WrapUpCodeId>,
    pub notes: Option<String>,
    pub tags: Vec<String>,
    pub acw_ms: i64,
}

/// The stint is over for routing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ended {
    pub cause: Cause,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AgentStateChanged {
    pub presence: Presence,
    pub secondary: Option<String>,
    pub routing_status: RoutingStatus,
    pub is_connected: bool,
    pub load: f64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AgentQueuesChanged {
    pub queues: Vec<QueueId>,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Refused {
    pub command_id: CommandId,
    /// `not_offered`, `not_owner`, `unknown_agent`, `unknown_conversation`, `wrong_state` …
    pub reason: String,
}

shaped_record! {
    /// Present state of each agent, open work item and queue; a tombstone ends it.
    RoutingView, RoutingViewKind, "routing_view.avsc" {
        event_id: EventId,
        tenant: TenantId,
        occurred_at: Millis,
        recorded_at: Millis,
        id: String,
    }
    Agent = agent: AgentView,
    Work = work: Box<WorkView>,
    Queue = queue: QueueView,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AgentView {
    pub agent_id: AgentId,
    pub presence: Presence,
    pub secondary: Option<String>,
    pub routing_status: RoutingStatus,
    pub is_connected: bool,
    pub load: f64,
    pub capacity: f64,
    pub since: Millis,
}

symbols! {
    /// Where an open work item stands.
    WorkState { Waiting = "waiting", Alerting = "alerting", Interacting = "interacting", Held = "held", Parked = "parked", WrapUp = "wrap_up", }
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WorkView {
    pub conversation_id: ConversationId,
    pub stint_id: StintId,
    pub part_id: Option<PartId>,
    pub customer_key: CustomerKey,
    pub channel: Channel,
    pub account_id: AccountId,
    pub customer_name: Option<String>,
    pub state: WorkState,
    pub queue_id: Option<QueueId>,
    pub agent_id: Option<AgentId>,
    pub owner_epoch: i64,
    pub since: Millis,
    pub queued_at: Option<Millis>,
    /// Counted from 1; null when not waiting.
    pub position: Option<i64>,
    pub estimated_wait_ms: Option<i64>,
    /// When the alert or after-call work runs out.
    pub deadline_at: Option<Millis>,
    pub last_seq: i64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct QueueView {
    pub queue_id: QueueId,
    pub waiting: i64,
    pub alerting: i64,
    pub interacting: i64,
    pub parked: i64,
    pub oldest_queued_at: Option<Millis>,
    pub agents_on_queue: i64,
    pub agents_idle: i64,
}
