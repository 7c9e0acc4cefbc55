//! Signed webhooks of WhatsApp at ingest's public door, each durable before its 200, beside the bare
//! HTTP stack that answers 200 to the same requests. The generator shares the machine with both.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use hdrhistogram::Histogram;
use hmac::{Hmac, KeyInit, Mac};
use schemas::topics::CHANNEL_INBOUND;
use sha2::Sha256;
use stream::clock::{self, Stamp};

use super::journey::{answered, apply};
use crate::cluster::rest;
use crate::config;
use crate::house::House;
use crate::proc;
use crate::report::{Goal, Report, Row, median};
use crate::service::free_port;

const WEBHOOKS: u64 = 100_000;
const SENDERS: usize = 48;
/// The endpoint and a number of `deploy/demo`.
const PATH: &str = "/webhooks/meta/demo-meta";
const NUMBER: &str = "106540000000001";
const READY_MAX: Duration = Duration::from_secs(60);
/// Of the highest rate, latency is measured at a half.
const SHARE: f64 = 0.5;

/// One round.
struct Poured {
    rate: f64,
    took: Histogram<u64>,
    /// Processor time of all processes of ours and the broker's, microseconds a webhook: generator,
    /// ingest, broker.
    cpu_us: [f64; 3],
}

/// Measures it.
///
/// # Errors
/// If a webhook is refused or lost, or anything fails.
pub(super) fn run(house: &House<'_>) -> anyhow::Result<Report> {
    house.renew(&schemas::topics::plan(house.options.partitions, house.options.partitions))?;
    apply(house, "deploy/demo".as_ref())?;
    let listen = format!("127.0.0.1:{}", free_port()?);
    let limits = "1000000".to_owned();
    let settings = [("WEFT_INGEST__LISTEN", listen.clone()), ("WEFT_INGEST__ENDPOINT_REQUESTS_PER_S_MAX", limits)];
    let mut service = house.launch("ingest", &settings)?;
    service.ready(READY_MAX)?;
    let (door, pid) = (listen.parse()?, service.pid());
    let (count, repetitions) = (house.options.records(WEBHOOKS), house.options.repetitions());
    let runtime = tokio::runtime::Runtime::new()?;
    let bare = runtime.block_on(bare())?;
    // A first look that nobody counts: connections, caches, the broker's compiler.
    pour(house, (door, pid), &webhooks("warm", count / 4)?, f64::INFINITY)?;
    let (mut pairs, mut cpu): (Vec<(f64, f64)>, Vec<[f64; 3]>) = Default::default();
    for repetition in 1..=repetitions {
        let requests = webhooks(&format!("full{repetition}"), count)?;
        let raw = pour(house, (bare, std::process::id()), &requests, f64::INFINITY)?;
        let ours = durable(house, (door, pid), &requests, f64::INFINITY)?;
        house.say(&format!("{repetition} of {repetitions}: {:.0} webhooks/s; bare {:.0}", ours.rate, raw.rate));
        pairs.push((ours.rate, raw.rate));
        cpu.push(ours.cpu_us);
    }
    let highest = median(&pairs.iter().map(|(rate, _)| *rate).collect::<Vec<_>>());
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    for repetition in 1..=repetitions {
        let requests = webhooks(&format!("half{repetition}"), count / 2)?;
        let took = durable(house, (door, pid), &requests, highest * SHARE)?.took;
        p50.push(took.value_at_quantile(0.5) as f64 / 1000.0);
        p99.push(took.value_at_quantile(0.99) as f64 / 1000.0);
    }
    service.stop()?;
    let sizes = format!(
        "{count} webhooks of one message a repetition, {SENDERS} connections, {} partitions; latency at {:.0} a second, \
         open loop",
        house.options.partitions,
        highest * SHARE
    );
    let mut report = Report::new("ingest", sizes);
    let beside = Row::beside("", "", &pairs, Goal::Told);
    let rates: Vec<f64> = pairs.iter().map(|(rate, _)| *rate).collect();
    let goal = Goal::AtLeast { must: 20_000.0, target: 40_000.0 };
    let durable = Row::of("signed webhooks, durable before the 200, whole machine", "webhooks/s", &rates, goal);
    report.row(Row { limit: beside.limit, ratio: beside.ratio, ..durable });
    for (at, name) in ["the generator", "ingest", "the broker"].into_iter().enumerate() {
        let of: Vec<f64> = cpu.iter().map(|cpu| cpu[at]).collect();
        report.row(Row::of(format!("CPU of {name} a webhook"), "µs", &of, Goal::Told));
    }
    report.row(Row::of("webhook due → 200, p50, at half the rate", "ms", &p50, Goal::Told));
    let goal = Goal::AtMost { must: 50.0, target: 50.0 };
    report.row(Row::of("webhook due → 200, p99, at half the rate", "ms", &p99, goal));
    Ok(report)
}

/// The HTTP stack that ingest is built on, taking bodies and saying 200.
async fn bare() -> anyhow::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let router = Router::new().route(PATH, post(async |_body: Bytes| StatusCode::OK));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// Whole requests, signed, each of a customer of its own.
fn webhooks(run: &str, count: u64) -> anyhow::Result<Vec<Vec<u8>>> {
    let secret = config::meta_secret()?;
    let now_ms = clock::now().as_ms();
    (0..count)
        .map(|number| {
            let person = format!("49{:013}", number + 1);
            let body = serde_json::json!({
                "object": "whatsapp_business_account",
                "entry": [{"id": "102290129340398", "changes": [{"field": "messages", "value": {
                    "messaging_product": "whatsapp",
                    "metadata": {"display_phone_number": "15550001000", "phone_number_id": NUMBER},
                    "contacts": [{"profile": {"name": "Somebody"}, "wa_id": person}],
                    "messages": [{
                        "from": person, "id": format!("wamid.{run}.{now_ms}.{number}"),
                        "timestamp": (now_ms / 1000).to_string(), "type": "text",
                        "text": {"body": "where is my parcel, please?"},
                    }],
                }}]}],
            })
            .to_string();
            let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?.chain_update(&body);
            let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            let head = format!(
                "POST {PATH} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
                 x-hub-signature-256: sha256={hex}\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            Ok((head + &body).into_bytes())
        })
        .collect()
}

/// The same, and every acknowledged message lies on `channel.inbound` once.
fn durable(house: &House<'_>, to: (SocketAddr, u32), requests: &[Vec<u8>], rate: f64) -> anyhow::Result<Poured> {
    let before: i64 = house.cluster.ends(CHANNEL_INBOUND.name)?.iter().sum();
    let poured = pour(house, to, requests, rate)?;
    let after: i64 = house.cluster.ends(CHANNEL_INBOUND.name)?.iter().sum();
    let (arrived, sent) = (after - before, requests.len());
    ensure!(usize::try_from(arrived)? == sent, "{sent} messages were acknowledged, {arrived} lie on the topic");
    Ok(poured)
}

/// Posts requests over kept connections at a rate; how long each took from the moment it was due, in
/// microseconds.
fn pour(house: &House<'_>, (door, pid): (SocketAddr, u32), requests: &[Vec<u8>], rate: f64) -> anyhow::Result<Poured> {
    let cpu = || -> anyhow::Result<[f64; 3]> {
        let broker = house.broker.map_or(Ok(f64::NAN), proc::cpu_s)?;
        Ok([proc::cpu_s(std::process::id())?, proc::cpu_s(pid)?, broker])
    };
    let (next, before) = (AtomicUsize::new(0), cpu()?);
    let began = Stamp::now();
    let sender = || -> anyhow::Result<Histogram<u64>> {
        let mut took = Histogram::new(3)?;
        let mut socket = TcpStream::connect(door)?;
        socket.set_nodelay(true)?;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(request) = requests.get(number) else { return Ok(took) };
            let due = began.plus(Duration::from_secs_f64(number as f64 / rate));
            let due = if rate.is_finite() { due } else { Stamp::now() };
            rest(due.remaining());
            std::io::Write::write_all(&mut socket, request)?;
            let status = answered(&mut socket)?;
            ensure!(status == 200, "expected 200, got {status}");
            took.record(u64::try_from(due.elapsed().as_micros())?)?;
        }
    };
    let took = std::thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS).map(|_| scope.spawn(sender)).collect();
        let mut took = Histogram::new(3)?;
        for sender in senders {
            took.add(sender.join().ok().context("a sender panicked")??)?;
        }
        anyhow::Ok(took)
    })?;
    let (rate, after) = (requests.len() as f64 / began.elapsed().as_secs_f64(), cpu()?);
    let mut cpu_us = [0.0; 3];
    for ((cpu, after), before) in cpu_us.iter_mut().zip(after).zip(before) {
        *cpu = (after - before) * 1e6 / requests.len() as f64;
    }
    Ok(Poured { rate, took, cpu_us })
}
