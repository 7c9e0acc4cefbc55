//! Many customers at once: how fast a webhook reaches a desktop, and what remains when services die
//! meanwhile.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::ensure;
use futures::future::try_join_all;
use stream::clock::Stamp;

use crate::company::Account;
use crate::customers::{Customer, Reply};
use crate::reports;
use crate::talk::Talk;
use crate::wait::wait_for;
use crate::world::World;

/// Until the last message of a burst stands on a desktop.
const BURST_MAX: Duration = Duration::from_secs(20);
/// A phone confirms what it shows this often.
const CONFIRM_AFTER: Duration = Duration::from_millis(50);
/// Until every reply of a load reached its customer.
const SETTLED_MAX: Duration = Duration::from_secs(60);

/// Times from a webhook's due moment to the agent's socket, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// Half were faster.
    pub p50_ms: f64,
    /// All but one of a hundred were faster.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
    /// How many.
    pub messages: usize,
}

/// Sends `messages` at a constant rate from `customers` people in talks, and measures how long each
/// took to the agent's socket, counted from the moment it was due.
///
/// # Errors
/// If one does not arrive.
pub async fn burst(world: &World, customers: usize, messages: usize, per_second: f64) -> anyhow::Result<Latency> {
    let mut talks = begin(world, customers).await?;
    let begun = Stamp::now();
    let sent = try_join_all((0..messages).map(|no| {
        let customer = talks[no % customers].customer.clone();
        let due = begun.plus(Duration::from_secs_f64(no as f64 / per_second));
        async move {
            tokio::time::sleep(due.remaining()).await;
            let text = format!("burst {no}");
            customer.writes(&text).await?;
            anyhow::Ok((text, due))
        }
    }))
    .await?;
    for no in 0..messages {
        talks[no % customers].customer_wrote();
    }
    let mut took_ms = wait_for("the whole burst on the desktops", BURST_MAX, || async {
        let arrived = arrivals(&talks);
        let took = sent.iter().filter_map(|(text, due)| Some(arrived.get(text)?.since(*due).as_secs_f64() * 1000.0));
        let took: Vec<f64> = took.collect();
        if took.len() == messages { Ok(took) } else { Err(format!("{} of {messages}", took.len())) }
    })
    .await?;
    try_join_all(talks.into_iter().map(|talk| talk.finish("resolved"))).await?;
    took_ms.sort_unstable_by(f64::total_cmp);
    let rank = |share: f64| took_ms[((messages as f64 * share).ceil() as usize).clamp(1, messages) - 1];
    Ok(Latency { p50_ms: rank(0.5), p99_ms: rank(0.99), max_ms: rank(1.0), messages })
}

fn arrivals(talks: &[Talk<'_>]) -> BTreeMap<String, Stamp> {
    let mut first = BTreeMap::new();
    for talk in talks {
        for heard in &talk.agent.seen().heard {
            first.entry(heard.text.clone()).or_insert(heard.at);
        }
    }
    first
}

async fn begin(world: &World, customers: usize) -> anyhow::Result<Vec<Talk<'_>>> {
    let mut talks = Vec::new();
    for no in 0..customers {
        let customer = world.customer(Account::Billing, &format!("Nr {no}"))?;
        talks.push(Talk::begin(world, &customer, &format!("hello from {no}")).await?);
    }
    Ok(talks)
}

/// Talks that go on for as long as they are wanted.
#[derive(Debug, Default)]
pub struct Load {
    exchanged: AtomicUsize,
    is_enough: AtomicBool,
}

impl Load {
    /// Messages that were acknowledged or answered so far, both ways.
    pub fn exchanged(&self) -> usize {
        self.exchanged.load(Ordering::Relaxed)
    }

    /// Lets every talk come to its end.
    pub fn enough(&self) {
        self.is_enough.store(true, Ordering::Relaxed);
    }

    /// Keeps `customers` talks going, each a message and a reply every `pause`, until enough; then
    /// checks that nothing was lost and nothing doubled.
    ///
    /// # Errors
    /// Naming what was lost or doubled.
    pub async fn run(&self, world: &World, customers: usize, pause: Duration) -> anyhow::Result<()> {
        let talks = begin(world, customers).await?;
        let phones: Vec<_> = talks.iter().map(|talk| Arc::clone(&talk.customer)).collect();
        let finished = async {
            let talked = try_join_all(talks.into_iter().map(|talk| self.talk(talk, pause))).await?;
            try_join_all(talked.into_iter().map(|one| one.finished(world))).await
        };
        let finished = tokio::select! {
            finished = finished => finished?,
            failed = try_join_all(phones.iter().map(|customer| confirm(world, customer))) => return failed.map(drop),
        };
        for told in &finished {
            told.is_whole(world).await?;
        }
        Ok(())
    }

    async fn talk<'w>(&self, mut talk: Talk<'w>, pause: Duration) -> anyhow::Result<Talked<'w>> {
        let (mut wrote, mut answered) =
            (vec![format!("hello from {}", talk.customer.name.trim_start_matches("Nr "))], Vec::new());
        while !self.is_enough.load(Ordering::Relaxed) {
            let no = wrote.len();
            let question = format!("question {no}");
            talk.customer.writes(&question).await?;
            talk.customer_wrote();
            wrote.push(question);
            self.exchanged.fetch_add(1, Ordering::Relaxed);
            let answer = format!("answer {no}");
            talk.agent.insists(&talk.conversation_id, &answer).await?;
            talk.agent_wrote();
            answered.push(answer);
            self.exchanged.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(pause).await;
        }
        Ok(Talked { talk, wrote, answered })
    }
}

/// Tells weft of every reply that it was delivered, as phones do, for as long as it is polled.
async fn confirm(world: &World, customer: &Customer) -> anyhow::Result<()> {
    let mut confirmed = 0;
    loop {
        for reply in world.outside.replies_to(customer).iter().skip(confirmed) {
            customer.deliver(&customer.receipt(reply, "delivered")?).await?;
            confirmed += 1;
        }
        tokio::time::sleep(CONFIRM_AFTER).await;
    }
}

/// A talk of the load, and what was said in it as far as the outside knows.
struct Talked<'w> {
    talk: Talk<'w>,
    wrote: Vec<String>,
    answered: Vec<String>,
}

/// The same after its end.
struct Told {
    name: String,
    conversation_id: String,
    wrote: Vec<String>,
    answered: Vec<String>,
    replies: Vec<Reply>,
}

impl Talked<'_> {
    async fn finished(self, world: &World) -> anyhow::Result<Told> {
        let customer = self.talk.customer.clone();
        let conversation_id = self.talk.conversation_id.clone();
        let what = format!("every reply at the side of {}", customer.name);
        let replies = wait_for(&what, SETTLED_MAX, || async {
            let replies = world.outside.replies_to(&customer);
            let missing = |text: &&String| !replies.iter().any(|reply| reply.text == **text);
            let missing: Vec<&String> = self.answered.iter().filter(missing).collect();
            if missing.is_empty() { Ok(replies) } else { Err(format!("missing {missing:?}")) }
        })
        .await?;
        self.talk.finish("resolved").await?;
        let (name, wrote, answered) = (customer.name.clone(), self.wrote, self.answered);
        Ok(Told { name, conversation_id, wrote, answered, replies })
    }
}

impl Told {
    /// Each message stands in the transcript once and in unbroken sequence; each reply came once,
    /// but for attempts that weft itself recorded as ambiguous.
    async fn is_whole(&self, world: &World) -> anyhow::Result<()> {
        let mut expected: Vec<&str> = self.wrote.iter().chain(&self.answered).map(String::as_str).collect();
        expected.sort_unstable();
        wait_for(&format!("the whole transcript of {}", self.name), SETTLED_MAX, || async {
            let rows = world.reports.transcript(&self.conversation_id).await.map_err(|error| format!("{error:#}"))?;
            let mut found: Vec<&str> = rows.iter().map(|row| reports::text(row, "text")).collect();
            found.sort_unstable();
            let unbroken = rows.iter().zip(1..).all(|(row, seq)| reports::count(row, "seq") == seq);
            if found == expected && unbroken { Ok(()) } else { Err(difference(&expected, &found)) }
        })
        .await?;
        let doubled = self.replies.len() as i64 - self.answered.len() as i64;
        let ambiguous = ambiguous_in(world, &self.conversation_id).await?;
        ensure!(
            doubled <= ambiguous,
            "{doubled} replies reached {} twice, of which {ambiguous} are recorded as ambiguous",
            self.name
        );
        Ok(())
    }
}

async fn ambiguous_in(world: &World, conversation_id: &str) -> anyhow::Result<i64> {
    let tenant = &world.company.tenant;
    let rows = world
        .reports
        .ask(&format!(
            "SELECT count() AS n FROM weft_raw.deliveries FINAL \
             WHERE tenant = '{tenant}' AND conversation_id = '{conversation_id}' AND state = 'ambiguous'"
        ))
        .await?;
    Ok(rows.first().map_or(0, |row| reports::count(row, "n")))
}

/// What is missing and what is too much.
fn difference(expected: &[&str], found: &[&str]) -> String {
    let of = |texts: &[&str]| {
        let mut counts = BTreeMap::<String, i64>::new();
        for text in texts {
            *counts.entry((*text).to_owned()).or_default() += 1;
        }
        counts
    };
    let (expected, found) = (of(expected), of(found));
    let all = expected.keys().chain(found.keys());
    let count = |counts: &BTreeMap<String, i64>, text: &String| counts.get(text).copied().unwrap_or(0);
    let mut off: Vec<String> = all
        .filter(|text| count(&expected, text) != count(&found, text))
        .map(|text| format!("{text:?} {} times, expected {}", count(&found, text), count(&expected, text)))
        .collect();
    off.dedup();
    if off.is_empty() { "a broken sequence".into() } else { off.join(", ") }
}
