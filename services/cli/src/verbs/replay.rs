//! `weft replay`: a webhook's past, once more.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use schemas::codec::Codec;
use schemas::ids::{CustomerKey, EventId, MessageId};
use schemas::records::{
    Channel, ConversationEvent, ConversationEventKind, DeliveryEvent, DeliveryEventKind, Direction, Resend,
};
use schemas::topics::{CONVERSATION_EVENTS, DELIVERY_EVENTS, DELIVERY_REQUESTS, Topic};
use serde_json::json;
use stream::{InputRecord, Output as Written, Timestamp};

use crate::output::{Output, Rows};
use crate::reach::Reach;
use crate::resends::request;
use crate::{Failure, Verdict};

const TOPICS: &[Topic] = &[CONVERSATION_EVENTS, DELIVERY_EVENTS, DELIVERY_REQUESTS];
/// Requests written before their acknowledgements are waited for.
const RECORDS_AT_ONCE: usize = 1_000;

/// Post the webhooks of a span of time again
///
/// Messages and lifecycle events of one open-messaging account leave once more, in order for each
/// customer, with the webhook-id and the body that they had: a receiver that has them already knows
/// them by that. They wait behind what is under way, keep to the account's rate and to consent, and
/// reports count them once. What was refused then, for want of consent, say, stays where it is. What is
/// older than 30 days is gone.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft replay --tenant acme --account shop --from 2026-11-20T08:00:00Z --to 2026-11-20T10:00:00Z --dry-run\n  weft replay --tenant acme --account shop --from 2026-11-20T08:00:00Z --to 2026-11-20T10:00:00Z --customer 00112233445566778899aabbccddeeff"
)]
pub(super) struct Replay {
    /// Whose account
    #[arg(long)]
    tenant: String,
    /// The open-messaging account
    #[arg(long)]
    account: String,
    /// From this instant on, ISO 8601
    #[arg(long, value_parser = instant)]
    from: Timestamp,
    /// Until before this instant
    #[arg(long, value_parser = instant)]
    to: Timestamp,
    /// Of this customer alone, by key (`weft key`)
    #[arg(long, value_name = "KEY")]
    customer: Option<CustomerKey>,
    /// Say how many, and post nothing
    #[arg(long)]
    dry_run: bool,
}

/// What was found.
#[derive(Default)]
struct Found {
    /// The platform's ids of customers, for events that do not hold them.
    customers: BTreeMap<CustomerKey, String>,
    /// The events with their bytes, in order for each customer.
    events: Vec<(ConversationEvent, Vec<u8>)>,
    /// Messages that were never to leave.
    refused: BTreeSet<MessageId>,
    unread: Option<String>,
}

impl Replay {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        if self.to <= self.from {
            return Err(Failure::Usage("--to: expected an instant after --from".into()));
        }
        let codec = reach.codec(TOPICS)?;
        let mut found = Found::default();
        reach.read(&[CONVERSATION_EVENTS.name, DELIVERY_EVENTS.name], |record| {
            if let Err(error) = self.look_at(&codec, &record, &mut found) {
                found.unread.get_or_insert(format!("{} cannot be read: {error}", record.topic));
            }
        })?;
        if let Some(error) = found.unread {
            return Err(Failure::Wrong(error));
        }
        let refused = std::mem::take(&mut found.refused);
        found.events.retain(|(event, _)| !message_of(&event.kind).is_some_and(|id| refused.contains(&id)));
        let mut rows = Rows::new(["kind", "count"]);
        let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
        found.events.iter().for_each(|(event, _)| *kinds.entry(event.kind.name()).or_default() += 1);
        kinds.iter().for_each(|(kind, count)| rows.push([(*kind).to_owned(), count.to_string()]));
        let count = found.events.len();
        if !self.dry_run {
            post(reach, &codec, &found)?;
        }
        output.result(&json!({ "replayed": count, "kinds": kinds }), &rows)?;
        let done = if self.dry_run { "would leave again (dry run)" } else { "leave again" };
        output.say(format_args!("{count} webhooks {done}"))?;
        Ok(Verdict::Good)
    }

    fn look_at(&self, codec: &Codec, record: &InputRecord<'_>, found: &mut Found) -> Result<(), String> {
        let Some(bytes) = record.payload else { return Ok(()) };
        if record.topic == DELIVERY_EVENTS.name {
            let event: DeliveryEvent = codec.decode(bytes).map_err(|error| error.to_string())?;
            if event.tenant.as_str() == self.tenant && matches!(event.kind, DeliveryEventKind::Refused(_)) {
                found.refused.insert(event.message_id);
            }
            return Ok(());
        }
        let event: ConversationEvent = codec.decode(bytes).map_err(|error| error.to_string())?;
        let is_ours = event.tenant.as_str() == self.tenant && event.account_id.as_str() == self.account;
        if !is_ours || event.channel != Channel::Open || self.customer.is_some_and(|one| one != event.customer_key) {
            return Ok(());
        }
        if let ConversationEventKind::Opened(opened) = &event.kind {
            found.customers.insert(event.customer_key, opened.customer.id.clone());
        }
        if (self.from..self.to).contains(&record.timestamp) && is_posted(&event.kind) {
            found.events.push((event, bytes.to_vec()));
        }
        Ok(())
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only messages have the id of one")]
fn message_of(kind: &ConversationEventKind) -> Option<MessageId> {
    match kind {
        ConversationEventKind::MessageAdded(added) => Some(added.message_id),
        _ => None,
    }
}

/// Whether a webhook is told of it.
fn is_posted(kind: &ConversationEventKind) -> bool {
    match kind {
        ConversationEventKind::MessageAdded(added) => added.direction == Direction::Outbound && !added.already_sent,
        ConversationEventKind::Opened(_)
        | ConversationEventKind::Reopened(_)
        | ConversationEventKind::OwnerChanged(_)
        | ConversationEventKind::StintEnded(_)
        | ConversationEventKind::Closed(_) => true,
        ConversationEventKind::MessageRefused(_)
        | ConversationEventKind::MessageEdited(_)
        | ConversationEventKind::MessageDeleted(_)
        | ConversationEventKind::Reacted(_)
        | ConversationEventKind::TurnEnded(_)
        | ConversationEventKind::AttributesChanged(_)
        | ConversationEventKind::NoteAdded(_)
        | ConversationEventKind::Linked(_)
        | ConversationEventKind::ConsentChanged(_)
        | ConversationEventKind::Signalled(_)
        | ConversationEventKind::Erased(_)
        | ConversationEventKind::Unknown(_) => false,
    }
}

fn post(reach: &Reach, codec: &Codec, found: &Found) -> Result<(), Failure> {
    let (publisher, now) = (reach.publisher()?, stream::clock::now());
    let request_id = EventId::derive(&["replay", &now.to_string()]).to_string();
    let mut written = 0;
    for some in found.events.chunks(RECORDS_AT_ONCE) {
        let one = |(event, bytes): &(ConversationEvent, Vec<u8>)| {
            let resend = Resend {
                mode: "replay".into(),
                request_id: request_id.clone(),
                attempts: 0,
                customer_id: found.customers.get(&event.customer_key).cloned(),
                event: bytes.clone(),
            };
            request(codec, event, resend, now.as_ms())
        };
        let records: Vec<Written> = some.iter().map(one).collect::<Result<_, _>>()?;
        reach.wait(publisher.publish(records)).map_err(|error| {
            Failure::Away(format!("{written} webhooks leave again, of more it is not known: {error}"))
        })?;
        written += some.len();
    }
    Ok(())
}

fn instant(text: &str) -> Result<Timestamp, String> {
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    let wrong = |_| format!("expected an instant such as 2026-11-20T08:00:00Z, found {text}");
    parsed.map(|instant| Timestamp::from_ms(instant.as_millisecond())).map_err(wrong)
}
