//! The bulk of the load: inbound events and sends, written straight to their topics as ingest and the
//! gateway would write them. What a customer says next waits for the acknowledgement of what they
//! said before; what is not acknowledged is written again, as platforms do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use schemas::codec::Codec;
use schemas::ids::{CommandId, CustomerKey, EventId};
use schemas::records::{
    Channel, Content, ConversationCommand, ConversationCommandKind, Customer, InboundEvent, InboundKind,
    InboundMessage, SendMessage, Sender, SenderKind,
};
use schemas::topics::{CHANNEL_INBOUND, CONVERSATION_COMMANDS};
use stream::clock::{self, Stamp};
use stream::{KafkaSettings, Output, Publisher};

use super::history::History;
use crate::company::{Account, Company};
use crate::stack::Stack;

/// Records that go out together, each of another customer.
const BATCH: usize = 100;
/// Every so manyth round a customer's side writes instead of the customer.
const ROUNDS_PER_SEND: u64 = 20;
const AGAIN_AFTER: Duration = Duration::from_millis(300);

/// How much, how fast, by how many.
#[derive(Debug, Clone, Copy)]
pub struct Volume {
    /// Records in all.
    pub messages: usize,
    /// Records a second.
    pub per_second: f64,
    /// People.
    pub customers: usize,
    /// Makes ids that no other run made.
    pub seed: u64,
}

/// The generator.
pub struct Flood {
    publisher: Publisher,
    codec: Codec,
    company: Company,
    people: Vec<(CustomerKey, String)>,
    history: Arc<History>,
    volume: Volume,
}

impl Flood {
    /// A generator for a company's shop.
    ///
    /// # Errors
    /// If Kafka's client or the secrets are lacking.
    pub fn new(
        stack: &Stack,
        company: &Company,
        codec: Codec,
        history: Arc<History>,
        volume: Volume,
    ) -> anyhow::Result<Self> {
        let secret = stack.key_secret()?;
        let (tenant, account) = (company.tenant.as_str().into(), Account::Shop.id().into());
        let person = |no: usize| {
            let id = format!("flood-{}-{no}", volume.seed);
            (CustomerKey::derive(&secret, &tenant, Account::Shop.channel(), &account, &id), id)
        };
        Ok(Self {
            publisher: Publisher::connect(&settings(stack)?, "weft-chaos-flood")?,
            codec,
            company: company.clone(),
            people: (0..volume.customers).map(person).collect(),
            history,
            volume,
        })
    }

    /// Writes until everything is acknowledged, or until told to end.
    ///
    /// # Errors
    /// If a record cannot be encoded.
    pub async fn run(&self, is_over: &AtomicBool) -> anyhow::Result<()> {
        let begun = Stamp::now();
        let (mut written, mut round) = (0, 0);
        while written < self.volume.messages {
            for first in (0..self.people.len()).step_by(BATCH) {
                let due = begun.plus(Duration::from_secs_f64(written as f64 / self.volume.per_second));
                tokio::time::sleep(due.remaining()).await;
                if is_over.load(Ordering::Relaxed) || written >= self.volume.messages {
                    return Ok(());
                }
                let people = first..(first + BATCH).min(self.people.len());
                written += people.len();
                self.batch(people, round, is_over).await?;
            }
            round += 1;
        }
        Ok(())
    }

    async fn batch(&self, people: std::ops::Range<usize>, round: u64, is_over: &AtomicBool) -> anyhow::Result<()> {
        let now = clock::now().as_ms();
        let mut outputs = Vec::new();
        let mut noted = Vec::new();
        for no in people {
            let (key, person) = &self.people[no];
            let is_send = (round + no as u64) % ROUNDS_PER_SEND == ROUNDS_PER_SEND - 1;
            let id = format!("{person}-{round}");
            let (topic, bytes) = if is_send {
                let command = self.send(*key, person, &id, now);
                noted.push((None, self.history.asks(&command.command_id.to_string(), now)));
                (CONVERSATION_COMMANDS.name, self.codec.encode(CONVERSATION_COMMANDS.name, &command)?)
            } else {
                noted.push((Some(key.as_u128()), self.history.writes(key.as_u128(), &id, now)));
                let event = self.message(*key, person, &id, now);
                (CHANNEL_INBOUND.name, self.codec.encode(CHANNEL_INBOUND.name, &event)?)
            };
            outputs.push(Output::new(topic, key.to_string(), bytes));
        }
        while let Err(error) = self.publisher.publish(outputs.clone()).await {
            tracing::debug!(%error, "written again");
            if is_over.load(Ordering::Relaxed) {
                return Ok(());
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        let now = clock::now().as_ms();
        for (customer, no) in noted {
            match customer {
                Some(customer) => self.history.wrote(customer, no, now),
                None => self.history.asked(no, now),
            }
        }
        Ok(())
    }

    fn message(&self, key: CustomerKey, person: &str, id: &str, now: i64) -> InboundEvent {
        let tenant = self.company.tenant.as_str();
        InboundEvent {
            event_id: EventId::derive(&[tenant, "open", Account::Shop.id(), "message", id]),
            tenant: tenant.into(),
            occurred_at: now,
            recorded_at: now,
            channel: Some(Channel::Open),
            account_id: Some(Account::Shop.id().into()),
            customer_key: Some(key),
            customer: Some(customer(person)),
            provider_event_id: id.to_owned(),
            received_at: now,
            window_ends_at: None,
            kind: InboundKind::Message(Box::new(InboundMessage { content: Content::text(format!("in {id}")) })),
        }
    }

    fn send(&self, key: CustomerKey, person: &str, id: &str, now: i64) -> ConversationCommand {
        let tenant = self.company.tenant.as_str();
        let sender = Sender { kind: SenderKind::Api, id: Some("shop-backend".into()) };
        let send = SendMessage { sender, content: Content::text(format!("out {id}")), ..SendMessage::default() };
        ConversationCommand {
            event_id: EventId::derive(&[tenant, "send", id]),
            tenant: tenant.into(),
            occurred_at: now,
            recorded_at: now,
            command_id: CommandId::derive(&[tenant, id]),
            channel: Channel::Open,
            account_id: Account::Shop.id().into(),
            customer_key: key,
            customer: Some(customer(person)),
            conversation_id: None,
            kind: ConversationCommandKind::Send(Box::new(send)),
        }
    }
}

fn customer(person: &str) -> Customer {
    Customer { id: person.to_owned(), id_type: "Opaque".into(), ..Customer::default() }
}

/// Kafka as the bench reaches it: past every proxy.
///
/// # Errors
/// If the stack does not say where it is.
pub fn settings(stack: &Stack) -> anyhow::Result<KafkaSettings> {
    let bootstrap = stack.variable("WEFT_KAFKA__BOOTSTRAP")?.to_owned();
    Ok(KafkaSettings { bootstrap, ..KafkaSettings::default() })
}
