//! Instruction counts of the kernels, by callgrind, against a baseline in the tree.
//!
//! Written by hand because `gungraun` and `iai-callgrind` need a runner of the same version to be
//! built from source beside them; all that is used of it here is `--toggle-collect`, which counts
//! inside one function alone. Counts are those of the build that CI makes anyway, so a gate costs
//! seconds; they differ between compilers, which is why the toolchain is pinned.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};
use schemas::codec::Codec;
use schemas::ids::KeySecret;
use schemas::records::{ConversationEvent, InboundEvent};
use schemas::topics::{CHANNEL_INBOUND, CONVERSATION_EVENTS, TOPICS};
use stream::{Outbox, Station};
use threading::ThreadingStation;
use threading::metrics::Metrics;

use crate::corpus::Corpus;
use crate::kernels::{self, Rooms};

/// Kernels by name.
pub const KERNELS: [&str; 6] =
    ["codec_encode", "codec_decode", "threading_apply", "threading_outlets", "changelog_rows", "changelog_restore"];

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels.toml");
const TIMES: u64 = 200;
const CUSTOMERS: u64 = 50;
/// A change beyond this share fails, or asks for a new baseline.
const TOLERANCE: f64 = 0.03;
/// Where the system puts the program, and when the allocator cleans up, changes a count by some hundredths.
/// Both only add to it: the least of so many counts is compared.
const COUNTS: usize = 5;

/// What is counted: callgrind collects inside this function alone.
#[inline(never)]
pub fn weft_counted(work: &mut dyn FnMut()) {
    work();
}

/// Runs one kernel so often that setting up does not show; nothing is measured here.
///
/// # Errors
/// If there is no such kernel.
pub fn run(kernel: &str) -> anyhow::Result<()> {
    let codec = Codec::offline(TOPICS);
    let corpus = Corpus::new(1, CUSTOMERS);
    let messages: Vec<InboundEvent> = (0..TIMES).map(|number| corpus.message(number)).collect();
    let events: Vec<ConversationEvent> = messages.iter().map(kernels::message_added).collect();
    let encode = |message: &InboundEvent| -> anyhow::Result<(String, Vec<u8>)> {
        let key = message.customer_key.unwrap_or_default().to_string();
        Ok((key, codec.encode(CHANNEL_INBOUND.name, message)?))
    };
    let inputs: Vec<(String, Vec<u8>)> = messages.iter().map(encode).collect::<anyhow::Result<_>>()?;
    let registry = telemetry::Admin::new("bench")?.registry;
    let metrics = Metrics::register(&registry)?;
    let station = ThreadingStation::new(Codec::offline(TOPICS), KeySecret::new("bench"), metrics);
    let mut rooms = Rooms::new(&station);
    // Warm: tables made, writers used once.
    rooms.apply(rooms.intake(&inputs[..10])?);
    match kernel {
        "codec_encode" => weft_counted(&mut || {
            events.iter().for_each(|event| drop(black_box(codec.encode(CONVERSATION_EVENTS.name, event))));
        }),
        "codec_decode" => weft_counted(&mut || {
            inputs.iter().for_each(|(_, bytes)| drop(black_box(codec.decode::<InboundEvent>(bytes))));
        }),
        "threading_apply" => {
            let mut events = Some(rooms.intake(&inputs)?);
            weft_counted(&mut || drop(black_box(events.take().map(|events| rooms.apply(events)))));
        }
        "threading_outlets" => {
            let mut effects = Some(rooms.apply(rooms.intake(&inputs)?));
            let mut out = Outbox::new();
            weft_counted(&mut || {
                effects.take().into_iter().flatten().for_each(|effect| station.outlet(effect, &mut out));
            });
        }
        "changelog_rows" => {
            rooms.apply(rooms.intake(&inputs)?);
            weft_counted(&mut || drop(black_box(rooms.changes())));
        }
        "changelog_restore" => {
            rooms.apply(rooms.intake(&inputs)?);
            let rows = rooms.changes();
            let mut restored = Rooms::new(&station);
            let mut result = Ok(());
            weft_counted(&mut || result = restored.restore(&rows));
            result?;
        }
        _ => bail!("there is no kernel {kernel}; expected one of {}", KERNELS.join(", ")),
    }
    Ok(())
}

/// Compares; true if no kernel needs more than its baseline.
///
/// # Errors
/// If valgrind is missing, or there is no baseline.
pub fn check() -> anyhow::Result<(String, bool)> {
    let text = std::fs::read_to_string(BASELINE).with_context(|| format!("{BASELINE}: run `make kernels`"))?;
    let baseline: BTreeMap<String, u64> = toml::from_str(&text).with_context(|| BASELINE.to_owned())?;
    let mut out = String::new();
    let mut good = true;
    for kernel in KERNELS {
        let counted = least(kernel)?;
        let Some(before) = baseline.get(kernel).copied() else {
            writeln!(out, "{kernel:<20} {counted:>9} instructions, no baseline: run `make kernels`")?;
            good = false;
            continue;
        };
        let change = counted as f64 / before as f64 - 1.0;
        let verdict = if change > TOLERANCE {
            good = false;
            "TOO MANY: make it cheaper, or run `make kernels` and commit the baseline with the reason"
        } else if change < -TOLERANCE {
            "better: run `make kernels` and commit the baseline, so that it stays"
        } else {
            "as before"
        };
        writeln!(
            out,
            "{kernel:<20} {counted:>9} instructions, baseline {before:>9}, {:+.1} %: {verdict}",
            change * 100.0
        )?;
    }
    Ok((out, good))
}

/// Writes the baseline.
///
/// # Errors
/// If valgrind is missing.
pub fn update() -> anyhow::Result<(String, bool)> {
    let mut text =
        "# Instructions of each kernel for one record, in the development profile; written by `make kernels`.\n"
            .to_owned();
    for kernel in KERNELS {
        writeln!(text, "{kernel} = {}", least(kernel)?)?;
    }
    std::fs::write(BASELINE, &text)?;
    Ok((text, true))
}

/// The least of [`COUNTS`] counts.
fn least(kernel: &str) -> anyhow::Result<u64> {
    let counts = (0..COUNTS).map(|_| count(kernel)).collect::<anyhow::Result<Vec<_>>>()?;
    counts.into_iter().min().context("expected a count")
}

/// Instructions of a kernel for one record.
fn count(kernel: &str) -> anyhow::Result<u64> {
    let program = std::env::current_exe()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*weft_counted*"])
        .arg(Path::new(&program))
        .args(["run", kernel])
        .output()
        .context("valgrind is missing: run `make setup`")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{kernel} failed under valgrind: {said}");
    let line =
        said.lines().find_map(|line| line.split_once("Collected : ")).context("expected a count of callgrind")?;
    let total: u64 = line.1.trim().parse()?;
    ensure!(total > TIMES, "{kernel} was not counted: {total} instructions");
    Ok(total / TIMES)
}
