//! One agent's talk with one customer, watched from both ends.

use std::sync::Arc;
use std::time::Duration;

use crate::agents::Agent;
use crate::customers::{Customer, Reply};
use crate::narrator::Actor;
use crate::oracle::{OfferEnd, Part};
use crate::wait::wait_for;
use crate::world::World;

/// From one end to the other.
const ARRIVAL_MAX: Duration = Duration::from_secs(20);

/// A connected talk.
#[derive(Debug)]
pub struct Talk<'w> {
    world: &'w World,
    /// Who wrote.
    pub customer: Arc<Customer>,
    /// Who answers.
    pub agent: Arc<Agent>,
    /// The conversation's id.
    pub conversation_id: String,
    /// When the offer came, milliseconds since 1970.
    pub offered_ms: i64,
    entered_ms: i64,
    accepted_ms: i64,
    messages_in: i64,
    messages_out: i64,
}

impl<'w> Talk<'w> {
    /// The customer writes, whoever is offered it accepts.
    ///
    /// # Errors
    /// If the message is not acknowledged, offered or accepted.
    pub async fn begin(world: &'w World, customer: &Arc<Customer>, text: &str) -> anyhow::Result<Self> {
        world.narrator.tell(Actor::Customer, &customer.name, &wrote(customer, text));
        let written = customer.writes(text).await?;
        Self::taken_up(world, customer, Some(written.at_ms), 1).await
    }

    /// Whoever is offered the waiting customer accepts; `entered_ms` is when they entered the queue
    /// (none: just before the offer), `messages_in` how often they wrote since.
    ///
    /// # Errors
    /// If nobody is offered it, or the accept is refused.
    pub async fn taken_up(
        world: &'w World,
        customer: &Arc<Customer>,
        entered_ms: Option<i64>,
        messages_in: i64,
    ) -> anyhow::Result<Self> {
        let (agent, offer) = world.offer_of(customer).await?;
        let accepted = agent.accept(&offer.conversation_id).await?;
        world.oracle.offer(&agent.id, customer.account, OfferEnd::Accepted);
        world.narrator.tell(Actor::Agent, &agent.id, "accepts");
        Ok(Self {
            world,
            customer: Arc::clone(customer),
            agent,
            conversation_id: offer.conversation_id,
            offered_ms: offer.at_ms,
            entered_ms: entered_ms.unwrap_or(offer.at_ms),
            accepted_ms: accepted.at_ms,
            messages_in,
            messages_out: 0,
        })
    }

    /// The customer writes on, and the agent's desktop shows it.
    ///
    /// # Errors
    /// If it does not arrive.
    pub async fn customer_writes(&mut self, text: &str) -> anyhow::Result<()> {
        self.world.narrator.tell(Actor::Customer, &self.customer.name, &wrote(&self.customer, text));
        self.customer.writes(text).await?;
        self.messages_in += 1;
        self.shown(text).await.map(drop)
    }

    /// Counts a message that the customer wrote some other way.
    pub fn customer_wrote(&mut self) {
        self.messages_in += 1;
    }

    /// Counts a message that the agent wrote some other way.
    pub fn agent_wrote(&mut self) {
        self.messages_out += 1;
    }

    /// The agent opens the conversation and reads what was said before it was theirs.
    ///
    /// # Errors
    /// If it does not stand there.
    pub async fn reads(&self, text: &str) -> anyhow::Result<()> {
        wait_for(&format!("{text:?} in {}'s transcript", self.agent.id), ARRIVAL_MAX, || async {
            let texts = self.agent.opens(&self.conversation_id).await.map_err(|error| format!("{error:#}"))?;
            if texts.iter().any(|said| said == text) { Ok(()) } else { Err(format!("{texts:?}")) }
        })
        .await
    }

    /// Waits until a text that came during the talk stands on the agent's desktop; the message's id.
    ///
    /// # Errors
    /// If it does not arrive.
    pub async fn shown(&self, text: &str) -> anyhow::Result<String> {
        let what = format!("{text:?} on {}'s desktop", self.agent.id);
        wait_for(&what, ARRIVAL_MAX, || async {
            let seen = self.agent.seen();
            let heard =
                seen.heard.iter().find(|heard| heard.conversation_id == self.conversation_id && heard.text == text);
            heard.map(|heard| heard.message_id.clone()).ok_or_else(|| format!("{} other messages", seen.heard.len()))
        })
        .await
    }

    /// The agent writes, it reaches the customer's side, and WhatsApp says that it was sent.
    ///
    /// # Errors
    /// If it is refused, or does not arrive exactly once.
    pub async fn reply(&mut self, text: &str) -> anyhow::Result<Reply> {
        let reply = self.reply_unconfirmed(text).await?;
        if self.customer.account.channel() == "whatsapp" {
            self.customer.deliver(&self.customer.receipt(&reply, "sent")?).await?;
        }
        Ok(reply)
    }

    /// The agent writes and it reaches the customer's side; no receipt comes.
    ///
    /// # Errors
    /// If it is refused, or does not arrive exactly once.
    pub async fn reply_unconfirmed(&mut self, text: &str) -> anyhow::Result<Reply> {
        self.world.narrator.tell(Actor::Agent, &self.agent.id, &format!("\u{201c}{text}\u{201d}"));
        self.agent.reply(&self.conversation_id, text).await?;
        self.messages_out += 1;
        let reply = self.arrived(text).await?;
        let provider = self.customer.account.provider();
        self.world.narrator.tell(Actor::Provider, provider, &format!("shows it to {}", self.customer.name));
        Ok(reply)
    }

    /// The agent writes what the channel cannot show at once; all of it reaches the customer's side,
    /// in so many messages.
    ///
    /// # Errors
    /// If it is refused, or does not arrive whole.
    pub async fn reply_in_parts(&mut self, text: &str, parts: usize) -> anyhow::Result<()> {
        self.agent.reply(&self.conversation_id, text).await?;
        self.messages_out += 1;
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let what = format!("{parts} parts at {}'s side", self.customer.name);
        wait_for(&what, ARRIVAL_MAX, || async {
            let replies = self.world.outside.replies_to(&self.customer);
            let shown: Vec<&str> = replies.iter().map(|reply| reply.text.as_str()).collect();
            let is_whole = words(&shown.join(" ")) == words(text) && shown.len() == parts;
            if is_whole { Ok(()) } else { Err(format!("{} messages", shown.len())) }
        })
        .await?;
        let provider = self.customer.account.provider();
        self.world.narrator.tell(
            Actor::Provider,
            provider,
            &format!("shows {parts} messages to {}", self.customer.name),
        );
        Ok(())
    }

    /// Waits until a text stands at the customer's side, once.
    ///
    /// # Errors
    /// If it does not arrive exactly once.
    pub async fn arrived(&self, text: &str) -> anyhow::Result<Reply> {
        let what = format!("{text:?} at {}'s side", self.customer.name);
        wait_for(&what, ARRIVAL_MAX, || async {
            let replies = self.world.outside.replies_to(&self.customer);
            let mut same = replies.iter().filter(|reply| reply.text == text);
            match (same.next(), same.next()) {
                (Some(reply), None) => Ok(reply.clone()),
                (Some(_), Some(_)) => Err("it came twice".into()),
                (None, _) => Err(format!("{} other messages", replies.len())),
            }
        })
        .await
    }

    /// The customer's side says how far a reply came, and the agent sees it.
    ///
    /// # Errors
    /// If a receipt is not accepted or not seen.
    pub async fn receipt(&self, reply: &Reply, status: &str) -> anyhow::Result<()> {
        self.customer.deliver(&self.customer.receipt(reply, status)?).await?;
        self.sees(reply, status).await?;
        self.world.narrator.tell(Actor::House, "weft", &format!("{} sees: {status}", self.agent.id));
        Ok(())
    }

    /// Waits until the agent sees that a reply came this far.
    ///
    /// # Errors
    /// If it does not show.
    pub async fn sees(&self, reply: &Reply, status: &str) -> anyhow::Result<()> {
        let message_id = self.shown(&reply.text).await?;
        let what = format!("the state {status} on {}'s desktop", self.agent.id);
        wait_for(&what, ARRIVAL_MAX, || async {
            let states = self.agent.seen().states_of(&message_id);
            if states.iter().any(|state| state == status) { Ok(()) } else { Err(format!("{states:?}")) }
        })
        .await
    }

    /// The agent ends the talk and wraps it up; what the reports must say of it.
    ///
    /// # Errors
    /// If either is refused.
    pub async fn finish(self, code: &str) -> anyhow::Result<Part> {
        let ended = self.agent.disconnect(&self.conversation_id).await?;
        let wrapped = self.agent.wrap_up(&self.conversation_id, code).await?;
        self.world.narrator.tell(Actor::Agent, &self.agent.id, &format!("ends the talk and wraps up: {code}"));
        let part = self.part(ended.at_ms, wrapped.at_ms, code, "agent_disconnect");
        self.world.oracle.part(&part);
        Ok(part)
    }

    /// The agent was gone for too long: what the reports must say of the part that was taken from
    /// them at `at_ms`.
    pub fn taken_away(self, at_ms: i64) -> Part {
        let part = self.part(at_ms, at_ms, "TIMEOUT", "owner_away");
        self.world.oracle.part(&part);
        part
    }

    fn part(&self, ended_ms: i64, wrapped_ms: i64, code: &str, cause: &str) -> Part {
        let seconds = |from: i64, to: i64| (to - from) as f64 / 1000.0;
        Part {
            customer_key: self.customer.key.to_string(),
            account: self.customer.account,
            agent: self.agent.id.clone(),
            wait_s: Some(seconds(self.entered_ms, self.accepted_ms)),
            talk_s: seconds(self.accepted_ms, ended_ms),
            acw_s: seconds(ended_ms, wrapped_ms),
            messages_in: self.messages_in,
            messages_out: self.messages_out,
            code: code.to_owned(),
            end_cause: cause.to_owned(),
        }
    }
}

fn wrote(customer: &Customer, text: &str) -> String {
    format!("{}: \u{201c}{text}\u{201d}", customer.account.where_they_write())
}
