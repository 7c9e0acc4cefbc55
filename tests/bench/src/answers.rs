//! Whether threading's answers are right: each message once, with the next number of its customer.

use anyhow::{Context, ensure};
use rdkafka::Message;
use schemas::records::{ConversationEvent, ConversationEventKind};
use schemas::topics::CONVERSATION_EVENTS;

use crate::corpus::{Corpus, number_of};
use crate::house::House;

/// Compares `conversation.events` with what `messages` messages of the corpus must become.
///
/// # Errors
/// The first answer that is wrong, or how many are missing.
pub fn compare(house: &House<'_>, corpus: &Corpus, messages: u64) -> anyhow::Result<()> {
    let size = usize::try_from(messages)?;
    let mut last = vec![0u32; usize::try_from(corpus.customers())?];
    let mut expected = Vec::with_capacity(size);
    for message in 0..messages {
        let seq = &mut last[usize::try_from(corpus.customer_of(message))?];
        *seq += 1;
        expected.push(*seq);
    }
    let mut seen = vec![false; size];
    house.cluster.read(&[CONVERSATION_EVENTS.name], |record| {
        let payload = record.payload().context("an event has a payload")?;
        let event: ConversationEvent = house.codec.decode(payload)?;
        let ConversationEventKind::MessageAdded(added) = &event.kind else { return Ok(()) };
        let id = added.provider_event_id.as_deref().context("a customer's message has the provider's id")?;
        let number = number_of(id).with_context(|| format!("{id} was never sent"))?;
        let at = usize::try_from(number)?;
        ensure!(at < size, "{id} was never sent");
        ensure!(!seen[at], "{id} is there twice");
        seen[at] = true;
        let (seq, wanted) = (event.seq, i64::from(expected[at]));
        ensure!(seq == wanted, "{id} has number {seq}, expected {wanted}");
        let key = corpus.key(corpus.customer_of(number));
        ensure!(event.customer_key == key, "{id} stands in the conversation of {}", event.customer_key);
        Ok(())
    })?;
    let missing = seen.iter().filter(|seen| !**seen).count();
    ensure!(missing == 0, "{missing} of {messages} messages are missing");
    Ok(())
}
