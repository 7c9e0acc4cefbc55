//! Commands as records.

use std::sync::Arc;

use futures::future::BoxFuture;
use schemas::codec::{Codec, CodecError};
use schemas::ids::{AgentId, CommandId, EventId, TenantId};
use schemas::records::{ConnectionChange, ConnectionsHeld, RoutingCommand, RoutingCommandKind};
use schemas::topics::{CONVERSATION_COMMANDS, ROUTING_COMMANDS};
use stream::{Output, PublishError, Publisher, TRACE_HEADER, Timestamp};
use telemetry::TraceContext;

use crate::core::{AgentRef, Command};
use crate::metrics::Metrics;

/// Where records are written: Kafka, or a test's own list.
pub trait Log: Send + Sync + 'static {
    /// Resolves once all of them are durable.
    fn publish(&self, outputs: Vec<Output>) -> BoxFuture<'_, Result<(), PublishError>>;
}

impl Log for Publisher {
    fn publish(&self, outputs: Vec<Output>) -> BoxFuture<'_, Result<(), PublishError>> {
        Box::pin(Publisher::publish(self, outputs))
    }
}

/// Why a command is not known to be durable.
#[derive(Debug, thiserror::Error)]
pub enum NotDurable {
    /// A fault of this build.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Kafka.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// A change of who is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The agent's first socket opened.
    Back(AgentRef),
    /// The agent's last socket closed.
    Lost(AgentRef),
    /// Everybody of a tenant who is connected here.
    Held(TenantId, Vec<AgentId>),
}

/// Encodes and publishes.
#[derive(Clone)]
pub struct Commands {
    codec: Arc<Codec>,
    log: Arc<dyn Log>,
    metrics: Metrics,
    gateway_id: Arc<str>,
}

impl Commands {
    /// `gateway_id` tells this process from other gateways.
    pub fn new(codec: Arc<Codec>, log: Arc<dyn Log>, metrics: Metrics, gateway_id: &str) -> Self {
        Self { codec, log, metrics, gateway_id: gateway_id.into() }
    }

    /// Resolves once the command is durable.
    pub async fn publish(&self, command: &Command) -> Result<(), NotDurable> {
        let (topic, key, id, payload) = match command {
            Command::Routing(record) => {
                let payload = self.codec.encode(ROUTING_COMMANDS.name, record)?;
                (ROUTING_COMMANDS.name, record.tenant.as_str().to_owned(), record.command_id, payload)
            }
            Command::Conversation(record) => {
                let payload = self.codec.encode(CONVERSATION_COMMANDS.name, record)?;
                (CONVERSATION_COMMANDS.name, record.customer_key.to_string(), record.command_id, payload)
            }
        };
        let trace = TraceContext::root(id.as_u128().to_be_bytes()).to_string();
        let output = Output::new(topic, key.into_bytes(), payload).header(TRACE_HEADER, trace.into_bytes());
        self.log.publish(vec![output]).await?;
        self.metrics.records_out.with_label_values(&["gateway", topic]).inc();
        Ok(())
    }

    /// Tells routing who is connected.
    pub async fn notify(&self, notice: Notice, now: Timestamp) -> Result<(), NotDurable> {
        let gateway_id = self.gateway_id.to_string();
        let change =
            |agent: &AgentRef| ConnectionChange { agent_id: agent.agent.clone(), gateway_id: gateway_id.clone() };
        let (tenant, about, kind) = match &notice {
            Notice::Back(agent) => {
                (&agent.tenant, agent.agent.as_str(), RoutingCommandKind::ConnectionBack(change(agent)))
            }
            Notice::Lost(agent) => {
                (&agent.tenant, agent.agent.as_str(), RoutingCommandKind::ConnectionLost(change(agent)))
            }
            Notice::Held(tenant, agents) => {
                let held = ConnectionsHeld { gateway_id: gateway_id.clone(), agent_ids: agents.clone() };
                (tenant, "", RoutingCommandKind::ConnectionsHeld(held))
            }
        };
        let at = now.as_ms().to_string();
        let command_id = CommandId::derive(&[tenant.as_str(), about, &self.gateway_id, kind.name(), &at]);
        let command = RoutingCommand {
            event_id: EventId::derive(&[&command_id.to_string(), "command"]),
            tenant: tenant.clone(),
            occurred_at: now.as_ms(),
            recorded_at: now.as_ms(),
            command_id,
            conversation_id: None,
            stint_id: None,
            customer_key: None,
            kind,
        };
        self.publish(&Command::Routing(command)).await
    }
}
