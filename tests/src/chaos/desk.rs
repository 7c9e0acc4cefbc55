//! People on both sides who take the house as it is: customers who write through ingest, agents who
//! accept, answer, end and wrap up through the gateway, or leave an offer alone now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use stream::clock;

use super::dice::Dice;
use super::history::History;
use crate::agents::Agent;
use crate::company::{Account, Company};
use crate::customers::Customer;
use crate::stack::Stack;

/// Accounts whose customers write through ingest.
const ACCOUNTS: [Account; 2] = [Account::Billing, Account::Shop];
const AGAIN_AFTER: Duration = Duration::from_millis(250);
const LOOK_EVERY: Duration = Duration::from_millis(60);
/// Offers left alone, percent.
const IGNORED: u64 = 8;
/// Answers after which an agent ends the talk.
const ANSWERS_MAX: u32 = 4;

/// Customers and agents of one company.
pub struct Desk {
    customers: Vec<Arc<Customer>>,
    agents: Vec<Arc<Agent>>,
    history: Arc<History>,
    seed: u64,
}

impl Desk {
    /// So many customers on each account, and all agents of its queues.
    ///
    /// # Errors
    /// If the stack lacks an address or a secret.
    pub fn new(
        stack: &Stack,
        company: &Company,
        each: usize,
        history: Arc<History>,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let (mut customers, mut agents) = (Vec::new(), Vec::new());
        for account in ACCOUNTS {
            for no in 0..each {
                let is_number = account.channel() == "whatsapp";
                let id =
                    if is_number { format!("49{:07}{no:04}", seed % 10_000_000) } else { format!("guest-{seed}-{no}") };
                customers.push(Arc::new(Customer::new(stack, company, account, &format!("Nr {no}"), id)?));
            }
            for id in account.members() {
                agents.push(Agent::new(stack, &company.tenant, id)?);
            }
        }
        Ok(Self { customers, agents, history, seed })
    }

    /// Writes and answers until told to end; then everybody finishes what they were at.
    pub async fn run(&self, is_over: &AtomicBool, pause_ms: (u64, u64)) {
        let customers = self.customers.iter().map(|customer| self.writes(customer, is_over, pause_ms));
        let agents = self.agents.iter().map(|agent| self.answers(agent, is_over));
        tokio::join!(futures::future::join_all(customers), futures::future::join_all(agents));
    }

    async fn writes(&self, customer: &Customer, is_over: &AtomicBool, pause_ms: (u64, u64)) {
        let mut dice = Dice::of(self.seed, &customer.id);
        let key = customer.key.as_u128();
        while !is_over.load(Ordering::Relaxed) {
            let pause = Duration::from_millis(dice.between(pause_ms.0, pause_ms.1));
            tokio::time::sleep(pause).await;
            let Ok((id, webhook)) = customer.message(&format!("question of {}", customer.id)) else { return };
            let no = self.history.writes(key, &id, clock::now().as_ms());
            while !matches!(customer.post(&webhook).await, Ok(200..300)) {
                tokio::time::sleep(AGAIN_AFTER).await;
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
            }
            self.history.wrote(key, no, clock::now().as_ms());
            if dice.chance(5) {
                // A platform that did not see our answer; the second is no other message.
                let _any = customer.post(&webhook).await;
            }
        }
    }

    async fn answers(&self, agent: &Arc<Agent>, is_over: &AtomicBool) {
        let mut dice = Dice::of(self.seed, &agent.id);
        let mut talks = Talks::default();
        while agent.sit_down().await.is_err() && !is_over.load(Ordering::Relaxed) {}
        while !is_over.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK_EVERY).await;
            if !matches!(agent.seen().routing_status.as_str(), "idle" | "interacting") {
                // What is refused or lost is asked for again at the next look.
                let _asked = agent.presence("on_queue").await;
            }
            talks.step(agent, &mut dice).await;
        }
    }
}

/// What one agent has in hand.
#[derive(Default)]
struct Talks {
    offers: usize,
    heard: usize,
    messages: BTreeSet<String>,
    answers: BTreeMap<String, u32>,
    said: u32,
}

impl Talks {
    /// One thing after the other; what is refused or gets no answer is the house's own affair, and
    /// the checker's.
    async fn step(&mut self, agent: &Arc<Agent>, dice: &mut Dice) {
        let offered: Vec<String> =
            agent.seen().offers.iter().skip(self.offers).map(|offer| offer.conversation_id.clone()).collect();
        self.offers += offered.len();
        for conversation in offered {
            if !dice.chance(IGNORED) {
                let _accepted = agent.accept(&conversation).await;
            }
        }
        let (heard, count) = {
            let seen = agent.seen();
            let new = seen.heard.iter().skip(self.heard).filter(|heard| heard.direction == "inbound");
            let new = new.map(|heard| (heard.conversation_id.clone(), heard.message_id.clone()));
            (new.collect::<Vec<_>>(), seen.heard.len())
        };
        self.heard = count;
        let open: Vec<String> = agent.seen().work.keys().cloned().collect();
        for (conversation, message) in heard {
            if self.messages.insert(message) && open.contains(&conversation) {
                self.answer(agent, &conversation).await;
            }
        }
    }

    async fn answer(&mut self, agent: &Arc<Agent>, conversation: &str) {
        self.said += 1;
        let _sent = agent.insists(conversation, &format!("{} says {}", agent.id, self.said)).await;
        let answers = self.answers.entry(conversation.to_owned()).or_default();
        *answers += 1;
        if *answers >= ANSWERS_MAX {
            *answers = 0;
            let _ended = agent.disconnect(conversation).await;
            let _wrapped = agent.wrap_up(conversation, "resolved").await;
        }
    }
}
