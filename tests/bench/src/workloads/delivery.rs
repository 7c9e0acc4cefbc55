//! Messages of agents to a channel that takes 200 ms for each call: how many calls a processor can
//! make, beside the HTTP client alone; and how long others wait while one account is dead.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use hdrhistogram::Histogram;
use rdkafka::producer::BaseRecord;
use schemas::ids::{ConversationId, CustomerKey, EventId, KeySecret, MessageId};
use schemas::records::{
    Channel, Content, ConversationEvent, ConversationEventKind, Customer, Direction, MessageAdded, Sender, SenderKind,
};
use schemas::topics::CONVERSATION_EVENTS;
use serde_json::{Value, json};
use stream::clock::{self, Stamp};
use tokio::runtime::Runtime;

use super::journey::apply;
use crate::cluster::{drain, rest, send};
use crate::config;
use crate::house::House;
use crate::proc;
use crate::report::{Goal, Report, Row};
use crate::service::Service;

const MESSAGES: u64 = 40_000;
const LATENCY: Duration = Duration::from_millis(200);
const ACCOUNTS: u64 = 10;
/// The last account is the one that dies.
const DEAD: u64 = ACCOUNTS - 1;
/// Calls out at one time of each account on each partition: 4000 in all on four.
const CALLS_MAX: u64 = 100;
/// Messages a second while others' wait is measured.
const CALM_PER_S: f64 = 500.0;
const CALM_S: u64 = 10;
const READY_MAX: Duration = Duration::from_secs(60);
const SETTLED_MAX: Duration = Duration::from_secs(300);
const TENANT: &str = "bench";

/// Measures it.
///
/// # Errors
/// If a message is lost or sent twice, or anything fails.
pub(super) fn run(house: &House<'_>) -> anyhow::Result<Report> {
    house.renew(&schemas::topics::plan(house.options.partitions, house.options.partitions))?;
    let runtime = Runtime::new()?;
    let platform = Arc::new(Platform::default());
    let address = runtime.block_on(serve(Arc::clone(&platform)))?;
    apply(house, &documents(house, address)?)?;
    let mut service = house.launch("delivery", &[("WEFT_DELIVERY__ACCOUNT_CALLS_MAX", CALLS_MAX.to_string())])?;
    service.ready(READY_MAX)?;
    let mut bench =
        Bench { house, service, platform, secret: KeySecret::new(config::secrets()?.key), sent: 0, settled: 0.0 };
    let (count, repetitions) = (house.options.records(MESSAGES), house.options.repetitions());
    // A first look that nobody counts.
    bench.backlog(count / 4)?;
    let (mut pairs, mut a_core) = (Vec::new(), Vec::new());
    for repetition in 1..=repetitions {
        let raw = runtime.block_on(alone(address, count))?;
        let (rate, cpu_us) = bench.backlog(count)?;
        house.say(&format!("{repetition} of {repetitions}: {rate:.0} calls/s, {cpu_us:.1} µs; client alone {raw:.0}"));
        pairs.push((rate, raw));
        a_core.push((1e6 / cpu_us, cpu_us));
    }
    let (mut waits, mut calm_ms) = (Vec::new(), Vec::new());
    for repetition in 1..=repetitions {
        let calm = bench.calm()?;
        bench.platform.is_dead.store(1, Ordering::Relaxed);
        let beside_dead = bench.calm()?;
        bench.platform.is_dead.store(0, Ordering::Relaxed);
        house.say(&format!(
            "{repetition} of {repetitions}: p99 {calm:.1} ms, beside a dead account {beside_dead:.1} ms"
        ));
        waits.push((beside_dead, calm));
        calm_ms.push(calm);
    }
    bench.service.stop()?;
    let sizes = format!(
        "{count} messages a repetition to {ACCOUNTS} accounts, {} ms a call, {} partitions; waits at {CALM_PER_S} a second",
        LATENCY.as_millis(),
        house.options.partitions
    );
    let mut report = Report::new("delivery", sizes);
    report.row(Row::beside("calls, whole machine", "calls/s", &pairs, Goal::Told));
    let goal = Goal::AtLeast { must: 5_000.0, target: 20_000.0 };
    let rates: Vec<f64> = a_core.iter().map(|(rate, _)| *rate).collect();
    report.row(Row::of("calls a second of processor time", "calls/s", &rates, goal));
    let cpu: Vec<f64> = a_core.iter().map(|(_, cpu_us)| *cpu_us).collect();
    report.row(Row::of("CPU of delivery a call", "µs", &cpu, Goal::Told));
    report.row(Row::of("message due → call, p99", "ms", &calm_ms, Goal::Told));
    let goal = Goal::AtMost { must: 2.0, target: 1.2 };
    report.row(Row::beside("the same of others while one account is dead", "ms", &waits, goal));
    Ok(report)
}

/// When each message first came, and how often.
type Calls = Vec<(Option<Stamp>, u32)>;

/// WhatsApp, as far as an answer goes; remembers its calls.
#[derive(Default)]
struct Platform {
    calls: Mutex<Calls>,
    is_dead: AtomicU64,
}

async fn serve(platform: Arc<Platform>) -> anyhow::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/{account}/messages", post(called)).with_state(platform);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

async fn called(State(platform): State<Arc<Platform>>, Path(account): Path<u64>, body: Bytes) -> Response {
    let number = serde_json::from_slice::<Value>(&body).ok().and_then(|body| body["to"].as_str()?.parse::<u64>().ok());
    let Some(number) = number else { return StatusCode::BAD_REQUEST.into_response() };
    platform.note(number);
    if account == DEAD && platform.is_dead.load(Ordering::Relaxed) == 1 {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(LATENCY).await;
    let id = format!("wamid.{number}");
    Json(json!({"messaging_product": "whatsapp", "messages": [{"id": id}]})).into_response()
}

impl Platform {
    /// A call to somebody who is no customer of ours counts for nothing.
    fn note(&self, number: u64) {
        let Ok(mut calls) = self.calls.lock() else { return };
        let place = number.checked_sub(PERSONS).and_then(|place| usize::try_from(place).ok());
        if let Some((first, count)) = place.and_then(|place| calls.get_mut(place)) {
            first.get_or_insert_with(Stamp::now);
            *count += 1;
        }
    }
}

/// Phone numbers of the customers begin here.
const PERSONS: u64 = 490_000_000_000;

fn documents(house: &House<'_>, address: SocketAddr) -> anyhow::Result<PathBuf> {
    let mut text = format!(
        "kind: Tenant\ntenant: {TENANT}\nid: {TENANT}\nspec: {{name: Bench}}\n---\n\
         kind: Queue\ntenant: {TENANT}\nid: all\nspec: {{name: All, members: []}}\n---\n\
         kind: Endpoint\ntenant: {TENANT}\nid: bench-meta\nspec: {{platform: meta, secrets: [{{env: DEMO_META_APP_SECRET}}], verify_token: {{env: DEMO_META_VERIFY_TOKEN}}}}\n"
    );
    for account in 0..ACCOUNTS {
        text += &format!(
            "---\nkind: ChannelAccount\ntenant: {TENANT}\nid: number-{account}\nspec:\n  channel: whatsapp\n  \
             name: Number {account}\n  provider_account_id: \"{account}\"\n  endpoint: bench-meta\n  queue: all\n  \
             outbound:\n    api_url: http://{address}\n    access_token: {{env: DEMO_WHATSAPP_ACCESS_TOKEN}}\n    \
             calls_per_s: 100000\n    timeout_ms: 2000\n    retry_schedule_s: [1, 2, 5]\n"
        );
    }
    let file = house.options.stack.join("bench-accounts.yaml");
    std::fs::write(&file, text)?;
    Ok(file)
}

/// The HTTP client that delivery is built on, with as many calls out: calls a second.
async fn alone(address: SocketAddr, count: u64) -> anyhow::Result<f64> {
    let http = reqwest::Client::builder().pool_max_idle_per_host(usize::MAX).build()?;
    let next = Arc::new(AtomicU64::new(0));
    let began = Stamp::now();
    let callers: Vec<_> = (0..CALLS_MAX * ACCOUNTS * 4)
        .map(|_| {
            let (http, next) = (http.clone(), Arc::clone(&next));
            tokio::spawn(async move {
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    let body = json!({"messaging_product": "whatsapp", "to": "0", "type": "text",
                        "text": {"body": "It comes tomorrow."}});
                    let answer =
                        http.post(format!("http://{address}/0/messages")).body(body.to_string()).send().await?;
                    let _read = answer.bytes().await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}

/// Delivery at work, and what it was given so far.
struct Bench<'a> {
    house: &'a House<'a>,
    service: Service,
    platform: Arc<Platform>,
    secret: KeySecret,
    sent: u64,
    settled: f64,
}

impl Bench<'_> {
    /// Gives so many messages at a rate, each to a customer of its own; when each was due.
    fn give(&mut self, count: u64, rate: f64) -> anyhow::Result<Vec<Stamp>> {
        let producer = self.house.cluster.producer()?;
        let (first, began) = (self.sent, Stamp::now());
        self.sent += count;
        self.calls()?.resize(usize::try_from(self.sent)?, (None, 0));
        let mut due = Vec::new();
        for number in first..self.sent {
            let at = began.plus(Duration::from_secs_f64((number - first) as f64 / rate));
            let at = if rate.is_finite() { at } else { Stamp::now() };
            if rate.is_finite() && !at.remaining().is_zero() {
                producer.poll(Duration::ZERO);
                rest(at.remaining());
            }
            let (key, payload) = self.message(number)?;
            send(&producer, BaseRecord::to(CONVERSATION_EVENTS.name).key(key.as_bytes()).payload(&payload))?;
            due.push(at);
        }
        drain(&producer)?;
        Ok(due)
    }

    fn message(&self, number: u64) -> anyhow::Result<(String, Vec<u8>)> {
        let (account, person) = (format!("number-{}", number % ACCOUNTS), (PERSONS + number).to_string());
        let account = account.as_str().into();
        let key = CustomerKey::derive(&self.secret, &TENANT.into(), "whatsapp", &account, &person);
        let now_ms = clock::now().as_ms();
        let added = MessageAdded {
            message_id: MessageId::derive(&["bench", &person]),
            direction: Direction::Outbound,
            sender: Sender { kind: SenderKind::Agent, id: Some("eva".into()) },
            content: Content::text("It comes tomorrow."),
            customer: Some(Customer { id: person.clone(), id_type: "phone".into(), ..Customer::default() }),
            window_ends_at: Some(now_ms + 86_400_000),
            ..MessageAdded::default()
        };
        let event = ConversationEvent {
            event_id: EventId::derive(&["bench", &person]),
            tenant: TENANT.into(),
            occurred_at: now_ms,
            recorded_at: now_ms,
            conversation_id: ConversationId::derive(&["bench", &person]),
            stint_id: None,
            seq: 1,
            channel: Channel::Whatsapp,
            account_id: account,
            customer_key: key,
            kind: ConversationEventKind::MessageAdded(Box::new(added)),
        };
        Ok((key.to_string(), self.house.codec.encode(CONVERSATION_EVENTS.name, &event)?))
    }

    fn calls(&self) -> anyhow::Result<MutexGuard<'_, Calls>> {
        self.platform.calls.lock().ok().context("the platform panicked")
    }

    /// Waits until delivery knows so many more messages to be sent.
    fn settle(&mut self, count: u64) -> anyhow::Result<()> {
        let began = Stamp::now();
        let goal = self.settled + count as f64;
        loop {
            let sent = self.service.metric("weft_delivery_attempts_total", "outcome=\"sent\"")?;
            if sent >= goal {
                self.settled = sent;
                return Ok(());
            }
            ensure!(began.elapsed() < SETTLED_MAX, "{sent} of {goal} messages were sent");
            rest(Duration::from_millis(50));
        }
    }

    /// As many messages as there are, all at once: calls a second, and CPU of delivery for each.
    fn backlog(&mut self, count: u64) -> anyhow::Result<(f64, f64)> {
        let first = usize::try_from(self.sent)?;
        let (before, began) = (proc::cpu_s(self.service.pid())?, Stamp::now());
        self.give(count, f64::INFINITY)?;
        self.settle(count)?;
        let (took, cpu) = (began.elapsed(), proc::cpu_s(self.service.pid())? - before);
        let once = self.calls()?.iter().skip(first).filter(|(_, count)| *count == 1).count();
        ensure!(once as u64 == count, "{once} of {count} messages were called for once");
        Ok((count as f64 / took.as_secs_f64(), cpu * 1e6 / count as f64))
    }

    /// A steady trickle: from due to the call, p99 of all accounts but the one that dies, ms.
    fn calm(&mut self) -> anyhow::Result<f64> {
        let first = usize::try_from(self.sent)?;
        let count = (CALM_PER_S as u64) * if self.house.options.short { CALM_S / 3 } else { CALM_S };
        let due = self.give(count, CALM_PER_S)?;
        let began = Stamp::now();
        let is_dead = |number: usize| number as u64 % ACCOUNTS == DEAD;
        loop {
            let calls: Vec<_> = self.calls()?.iter().skip(first).map(|(at, _)| *at).collect();
            let others: Vec<_> = (first..)
                .zip(calls.iter().zip(&due))
                .filter(|(number, _)| !is_dead(*number))
                .map(|(_, one)| one)
                .collect();
            if others.iter().all(|(at, _)| at.is_some()) {
                let mut took = Histogram::<u64>::new(3)?;
                for (at, due) in others {
                    took.record(u64::try_from(at.map_or(0, |at| at.since(*due).as_micros()))?)?;
                }
                self.recover()?;
                return Ok(took.value_at_quantile(0.99) as f64 / 1000.0);
            }
            ensure!(began.elapsed() < SETTLED_MAX, "some of the living accounts' messages were not called for");
            rest(Duration::from_millis(50));
        }
    }

    /// Waits until everything given so far was called for, the dead account living again.
    fn recover(&mut self) -> anyhow::Result<()> {
        self.platform.is_dead.store(0, Ordering::Relaxed);
        let began = Stamp::now();
        while self.calls()?.iter().any(|(_, count)| *count == 0) {
            ensure!(began.elapsed() < SETTLED_MAX, "the dead account's messages were never called for");
            rest(Duration::from_millis(50));
        }
        Ok(())
    }
}
