//! From a customer's webhook to a routed conversation: ingest, threading, routing and threading
//! again, the last three each in a transaction; told by a reader of committed records.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use access::{Claims, Subject, TokenSecrets};
use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use rdkafka::Message;
use rdkafka::consumer::Consumer;
use schemas::ids::{AccountId, CustomerKey, KeySecret, TenantId};
use schemas::records::{ConversationEvent, ConversationEventKind, OwnerKind};
use schemas::topics::CONVERSATION_EVENTS;
use stream::clock::{self, Stamp};

use crate::cluster::rest;
use crate::config;
use crate::house::House;
use crate::report::{Goal, Report, Row};

const CUSTOMERS: u64 = 20_000;
const SENDERS: u64 = 24;
/// The company, account and client of `deploy/demo`.
const TENANT: &str = "demo";
const ACCOUNT: &str = "shop-chat";
const READY_MAX: Duration = Duration::from_secs(60);
const ROUTED_MAX: Duration = Duration::from_secs(120);
/// Of the highest rate, latency is measured at a quarter.
const SHARE: f64 = 0.25;

/// Customers, each with the moment their message was due.
type Due = Mutex<BTreeMap<CustomerKey, Stamp>>;

/// Measures it.
///
/// # Errors
/// If a message is not routed, or anything fails.
pub(super) fn run(house: &House<'_>) -> anyhow::Result<Report> {
    house.renew(&schemas::topics::plan(house.options.partitions, house.options.partitions))?;
    apply(house, "deploy/demo".as_ref())?;
    let listen = format!("127.0.0.1:{}", crate::service::free_port()?);
    let mut ingest = house.launch("ingest", &[("WEFT_INGEST__LISTEN", listen.clone())])?;
    let mut threading = house.launch("threading", &[])?;
    let mut routing = house.launch("routing", &[])?;
    for service in [&mut ingest, &mut threading, &mut routing] {
        service.ready(READY_MAX)?;
    }
    let door = Door::new(house, listen.parse()?)?;
    door.knock()?;
    let customers = house.options.records(CUSTOMERS);
    // A first look that nobody counts: connections, caches, the broker's compiler.
    poured(house, &door, "warm", customers / 4, f64::INFINITY)?;
    let mut highest = Vec::new();
    for repetition in 1..=house.options.repetitions() {
        let (rate, _) = poured(house, &door, &format!("full{repetition}"), customers / 2, f64::INFINITY)?;
        highest.push(rate);
    }
    let rate = crate::report::median(&highest) * SHARE;
    house.say(&format!("at {rate:.0} messages a second"));
    let mut latencies: [Vec<f64>; 3] = Default::default();
    for repetition in 1..=house.options.repetitions() {
        let (_, took) = poured(house, &door, &format!("calm{repetition}"), customers / 2, rate)?;
        let shares = [0.5, 0.99, 0.999];
        latencies
            .iter_mut()
            .zip(shares)
            .for_each(|(all, share)| all.push(took.value_at_quantile(share) as f64 / 1000.0));
    }
    for service in [ingest, threading, routing] {
        service.stop()?;
    }
    let sizes = format!(
        "{} new customers a repetition, {rate:.0} messages/s (a quarter of the highest rate), open loop, {} partitions",
        customers / 2,
        house.options.partitions
    );
    let mut report = Report::new("journey", sizes);
    let goals = [Goal::AtMost { must: 500.0, target: 100.0 }, Goal::AtMost { must: 500.0, target: 250.0 }, Goal::Told];
    for ((name, values), goal) in ["p50", "p99", "p99.9"].iter().zip(&latencies).zip(goals) {
        report.row(Row::of(format!("webhook due → routed and committed, {name}"), "ms", values, goal));
    }
    report.row(Row::of("highest rate, webhook → routed and committed", "messages/s", &highest, Goal::Told));
    Ok(report)
}

/// Applies the configuration that lies there.
pub(super) fn apply(house: &House<'_>, path: &Path) -> anyhow::Result<()> {
    let weft = house.environment.programs.join("weft");
    let applied = Command::new(&weft).args(["apply", "-f"]).arg(path).output()?;
    ensure!(applied.status.success(), "`weft apply` failed: {}", String::from_utf8_lossy(&applied.stderr));
    Ok(())
}

/// Ingest's public door, as an integration uses it.
struct Door {
    address: SocketAddr,
    token: String,
    secret: KeySecret,
}

impl Door {
    fn new(house: &House<'_>, address: SocketAddr) -> anyhow::Result<Self> {
        let secrets = config::secrets()?;
        let token = TokenSecrets::parse(&secrets.token)?.mint(&Claims {
            tenant: TENANT.to_owned(),
            subject: Subject::Client("shop-backend".to_owned()),
            scopes: vec!["inbound".into()],
            supervisor: false,
            expires_at_ms: None,
            id: "bench".to_owned(),
        });
        house.say("services are ready");
        Ok(Self { address, token, secret: KeySecret::new(secrets.key) })
    }

    /// Waits until ingest knows the account.
    fn knock(&self) -> anyhow::Result<()> {
        let began = Stamp::now();
        let mut socket = TcpStream::connect(self.address)?;
        loop {
            let status = self.post(&mut socket, "nobody")?;
            if status == 200 {
                return Ok(());
            }
            ensure!(began.elapsed() < READY_MAX, "ingest answers {status}");
            rest(Duration::from_millis(100));
        }
    }

    fn key(&self, customer: &str) -> CustomerKey {
        CustomerKey::derive(&self.secret, &TenantId::new(TENANT), "open", &AccountId::new(ACCOUNT), customer)
    }

    /// Posts a customer's first message on a kept connection; the status of the answer.
    fn post(&self, socket: &mut TcpStream, customer: &str) -> anyhow::Result<u16> {
        let at = jiff::Timestamp::from_millisecond(clock::now().as_ms())?;
        let body = serde_json::json!({
            "channel": {
                "to": {"id": ACCOUNT},
                "from": {"id": customer, "idType": "Opaque", "nickname": customer},
                "time": at.to_string(),
                "messageId": format!("{customer}.1"),
            },
            "direction": "Inbound", "type": "Text", "text": "where is my parcel, please?",
        })
        .to_string();
        let request = format!(
            "POST /api/v2/conversations/messages/{ACCOUNT}/inbound/open/message HTTP/1.1\r\nhost: bench\r\n\
            authorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        socket.write_all(request.as_bytes())?;
        answered(socket)
    }
}

/// Reads one answer with its body.
pub(super) fn answered(socket: &mut TcpStream) -> anyhow::Result<u16> {
    let mut buffer = Vec::with_capacity(1024);
    let mut chunk = [0; 1024];
    loop {
        let count = socket.read(&mut chunk)?;
        ensure!(count > 0, "ingest closed the connection");
        buffer.extend_from_slice(&chunk[..count]);
        let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        if buffer.len() < end + 4 + length.unwrap_or(0) {
            continue;
        }
        return head.get(9..12).and_then(|status| status.parse().ok()).context("expected a status line");
    }
}

/// New customers write at a rate; how many were routed a second, and how long each took from the
/// moment the message was due, in microseconds.
fn poured(house: &House<'_>, door: &Door, run: &str, count: u64, rate: f64) -> anyhow::Result<(f64, Histogram<u64>)> {
    let due = Due::default();
    let next = AtomicU64::new(0);
    let group = format!("weft-bench.journey.{run}.{}", clock::now().as_ms());
    let events = house.cluster.consumer(&group, "read_committed")?;
    let partitions = house.options.partitions;
    let mut list = rdkafka::TopicPartitionList::new();
    for (partition, end) in (0..partitions).zip(house.cluster.ends(CONVERSATION_EVENTS.name)?) {
        list.add_partition_offset(CONVERSATION_EVENTS.name, partition, rdkafka::Offset::Offset(end))?;
    }
    events.assign(&list)?;
    let run = format!("{run}-{}", clock::now().as_ms());
    let began = Stamp::now();
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|_| {
                scope.spawn(|| -> anyhow::Result<()> {
                    let mut socket = TcpStream::connect(door.address)?;
                    socket.set_nodelay(true)?;
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return Ok(());
                        }
                        let customer = format!("{run}-{number}");
                        let wait = Duration::from_secs_f64(number as f64 / rate);
                        let at = if rate.is_finite() { began.plus(wait) } else { Stamp::now() };
                        rest(at.remaining());
                        due.lock().map_err(|_| anyhow::anyhow!("a sender panicked"))?.insert(door.key(&customer), at);
                        let mut status = door.post(&mut socket, &customer)?;
                        while status == 503 {
                            rest(Duration::from_millis(5));
                            status = door.post(&mut socket, &customer)?;
                        }
                        ensure!(status == 200, "ingest answers {status}");
                    }
                })
            })
            .collect();
        let routed = routed(house, &events, &due, count);
        for sender in senders {
            sender.join().map_err(|_| anyhow::anyhow!("a sender panicked"))??;
        }
        let took = routed?;
        Ok((count as f64 / began.elapsed().as_secs_f64(), took))
    })
}

/// Waits until every customer's conversation belongs to a queue.
fn routed(
    house: &House<'_>,
    events: &rdkafka::consumer::BaseConsumer,
    due: &Due,
    count: u64,
) -> anyhow::Result<Histogram<u64>> {
    let mut took = Histogram::new(3)?;
    let mut moved = Stamp::now();
    while took.len() < count {
        let Some(message) = events.poll(Duration::from_millis(5)) else {
            ensure!(moved.elapsed() < ROUTED_MAX, "{} of {count} conversations were routed", took.len());
            continue;
        };
        let seen = Stamp::now();
        let message = message?;
        let event: ConversationEvent = house.codec.decode(message.payload().context("an event has a payload")?)?;
        let ConversationEventKind::OwnerChanged(changed) = &event.kind else { continue };
        if changed.owner_kind != OwnerKind::Queue {
            continue;
        }
        let mut due = due.lock().map_err(|_| anyhow::anyhow!("a sender panicked"))?;
        if let Some(at) = due.remove(&event.customer_key) {
            took.record(u64::try_from(seen.since(at).as_micros())?)?;
            moved = seen;
        }
    }
    Ok(took)
}
