//! `weft verify`: does everything add up.

mod tally;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use schemas::codec::Codec;
use schemas::topics::{self, Topic};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use stream::clock::Stamp;

use crate::journal::Entry;
use crate::output::{Output, Rows};
use crate::reach::{Reach, quoted};
use crate::{Failure, Verdict};
use tally::{Balance, Tally};

/// How long between two looks while something is still under way.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// Check that everything adds up
#[derive(Subcommand)]
pub(super) enum Verify {
    Conservation(Conservation),
}

/// Count every message, stint, offer and part through all topics and into ClickHouse
///
/// Each line is a balance: what went in equals what came out plus what is still there. While
/// work is under way a balance may be open for a moment, so the count is repeated until it is
/// even or --wait is over. Exit code 1 when something does not add up.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft verify conservation\n  weft verify conservation --tenant acme --wait 30 -o json"
)]
pub(super) struct Conservation {
    /// Only this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// How long to wait for work under way, seconds
    #[arg(long, default_value_t = 10)]
    wait: u64,
    /// Leave ClickHouse out
    #[arg(long)]
    topics_only: bool,
}

const COUNTED: &[Topic] = &[
    topics::CHANNEL_INBOUND,
    topics::CONVERSATION_EVENTS,
    topics::CONVERSATION_VIEWS,
    topics::ROUTING_EVENTS,
    topics::ROUTING_VIEWS,
    topics::DELIVERY_EVENTS,
];

impl Verify {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let Self::Conservation(conservation) = self;
        conservation.run(reach, output)
    }
}

impl Conservation {
    fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let codec = reach.codec(COUNTED)?;
        let began = Stamp::now();
        let limit = Duration::from_secs(self.wait);
        let (tally, balances) = loop {
            let tally = self.count(reach, &codec)?;
            let mut balances = tally.balances();
            if !self.topics_only {
                balances.extend(self.facts(reach, &tally)?);
            }
            if balances.iter().all(Balance::is_even) || began.elapsed() >= limit {
                break (tally, balances);
            }
            reach.pause(LOOK_AGAIN);
        };
        show(output, &balances)?;
        if let Some(topic) = tally.cut_off() {
            output.say(format_args!(
                "{topic} no longer holds its first records: retention has begun, counts cannot be even"
            ))?;
        }
        let even = balances.iter().all(Balance::is_even);
        output.say(if even { "everything adds up" } else { "something does not add up" })?;
        Ok(Verdict::good_if(even))
    }

    fn count(&self, reach: &Reach, codec: &Codec) -> Result<Tally, Failure> {
        let mut tally = Tally::default();
        let dead_letters = topics::dead_letter_topic(topics::CHANNEL_INBOUND.name);
        let names: Vec<_> = COUNTED.iter().map(|topic| topic.name).chain([dead_letters.as_str()]).collect();
        reach.read(&names, |record| {
            let entry = Entry::of(codec, &record);
            let tenant = entry.text("tenant");
            let ours = self.tenant.as_ref().is_none_or(|wanted| tenant.is_empty() || tenant == wanted);
            if ours {
                tally.add(&entry);
            }
        })?;
        Ok(tally)
    }

    /// ClickHouse's counts beside ours.
    fn facts(&self, reach: &Reach, tally: &Tally) -> Result<Vec<Balance>, Failure> {
        #[derive(Deserialize)]
        struct Count {
            what: String,
            count: i64,
        }
        let only = self.tenant.as_ref().map_or_else(String::new, |tenant| format!(" AND tenant = {}", quoted(tenant)));
        let count = |what: &str, table: &str, filter: &str| {
            format!("SELECT {} AS what, toInt64(count()) AS count FROM {table} WHERE {filter}{only}", quoted(what))
        };
        let statement = [
            count("messages", "weft_raw.messages FINAL", "true"),
            count("delivery changes", "weft_raw.deliveries FINAL", "true"),
            count("ended stints", "weft_raw.stints", "isNotNull(ended_at)"),
            count("queue entries", "weft_raw.queue_entries FINAL", "true"),
            count("queue visits", "weft_raw.queue_visits FINAL", "true"),
            count("parts", "weft_raw.parts FINAL", "true"),
            self.report("stints in report_interactions", "report_interactions", "true"),
            self.report(
                "agent parts in report_interaction_details",
                "report_interaction_details",
                "row_kind = 'agent_part'",
            ),
        ];
        let rows: Vec<Count> = reach.clickhouse().rows(&statement.join("\nUNION ALL\n"))?;
        let found: BTreeMap<_, _> = rows.into_iter().map(|row| (row.what, row.count)).collect();
        Ok(tally
            .facts()
            .into_iter()
            .map(|(what, expected)| {
                Balance::new(format!("ClickHouse: {what}"), expected, found.get(what).copied().unwrap_or(0), "")
            })
            .collect())
    }

    /// Completed rows of a report, over all time.
    fn report(&self, what: &str, view: &str, filter: &str) -> String {
        let tenant = quoted(self.tenant.as_deref().unwrap_or("*"));
        format!(
            "SELECT {} AS what, toInt64(count()) AS count FROM weft.{view}(tenant = {tenant}, \
             from_time = '1970-01-01 00:00:00', to_time = '2100-01-01 00:00:00', tz = 'UTC', \
             time_field = 'completed') WHERE NOT is_open AND {filter}",
            quoted(what)
        )
    }
}

fn show(output: &mut Output, balances: &[Balance]) -> Result<(), Failure> {
    let mut rows = Rows::new(["balance", "in", "out", "", "remarks"]);
    for balance in balances {
        let mark = if balance.is_even() { "✓" } else { "✗" };
        rows.push([&balance.what, &balance.expected.to_string(), &balance.found.to_string(), mark, &balance.remarks]);
    }
    let list = balances.iter().map(|balance| {
        json!({
            "balance": balance.what, "in": balance.expected, "out": balance.found, "even": balance.is_even(),
            "remarks": balance.remarks,
        })
    });
    output.result(&Json::Array(list.collect()), &rows)
}
