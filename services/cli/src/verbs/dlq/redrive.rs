//! `weft dlq redrive`: dead letters back to where they came from.

use std::time::Duration;

use clap::Args;
use schemas::codec::Codec;
use schemas::records::{ConversationEvent, RawRequest, Resend};
use schemas::topics::{CHANNEL_RAW, CONVERSATION_EVENTS};
use serde_json::{Value as Json, json};
use stream::{Output as Written, Publisher};

use super::narrowed;
use crate::letters::{Deed, Letter, Which};
use crate::output::{Output, Rows};
use crate::reach::Reach;
use crate::resends::request;
use crate::{Failure, Verdict};

/// Says on a record from which dead letter it was taken.
const REDRIVEN_HEADER: &str = "weft-redriven";
/// Where a webhook of a signature header is posted.
const SIGNED: [(&str, &str); 2] = [("x-hub-signature-256", "meta"), ("x-twitter-webhooks-signature", "x")];

/// Send dead letters again
///
/// A record goes back to its topic with its key, bytes and headers; those of one key keep their
/// order. What was already worked is dropped by its id, so sending twice does no harm. A webhook
/// (channel.raw) is posted to ingest again, with the signature it came with. A send that ran out of
/// attempts is asked of delivery alone, which begins its schedule anew and asks for consent. Letters
/// already redriven or discarded are left out unless --again.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft dlq redrive --topic routing.commands --reason undecodable --dry-run\n  weft dlq redrive channel.raw.dlq-2@40 --by ana\n  weft dlq redrive --reason unknown_account --rate 20"
)]
pub(in crate::verbs) struct Redrive {
    #[command(flatten)]
    which: Which,
    /// At most so many a second
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate: u32,
    /// Also letters that were redriven or discarded before
    #[arg(long)]
    again: bool,
    /// Say what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Who decides, for the audit
    #[arg(long, default_value = "weft dlq redrive", value_name = "NAME")]
    by: String,
}

/// How a letter goes back.
#[derive(Debug, PartialEq)]
enum Way {
    Topic(Box<Written>),
    Ingest {
        path: String,
        body: Vec<u8>,
        headers: Vec<(String, String)>,
    },
    /// Not at all, for this reason.
    None(&'static str),
}

/// The servers a redrive needs.
struct Servers<'a> {
    reach: &'a Reach,
    codec: &'a Codec,
    publisher: &'a Publisher,
    http: reqwest::Client,
}

impl Redrive {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        narrowed(&self.which)?;
        let (codec, publisher) = (self.which.codec(reach)?, reach.publisher()?);
        let servers = Servers { reach, codec: &codec, publisher: &publisher, http: reqwest::Client::new() };
        let mut rows = Rows::new(["place", "to", "outcome"]);
        let (mut list, mut sent, mut stuck) = (Vec::new(), 0_u64, 0_u64);
        self.which.each(reach, &codec, |letter| {
            if letter.deed.is_some() && !self.again {
                return Ok(());
            }
            let outcome = self.one(&servers, &letter)?;
            *(if outcome.is_ok() { &mut sent } else { &mut stuck }) += 1;
            let word = outcome.err().unwrap_or_else(|| if self.dry_run { "would be sent" } else { "sent" }.to_owned());
            list.push(json!({ "place": letter.place, "to": letter.dead.source_topic, "outcome": word }));
            rows.push([letter.place, letter.dead.source_topic, word]);
            Ok(())
        })?;
        output.result(&Json::Array(list), &rows)?;
        let done = if self.dry_run { "would be sent (dry run)" } else { "sent" };
        output.say(format_args!("{sent} {done}, {stuck} cannot be"))?;
        Ok(Verdict::good_if(stuck == 0))
    }

    /// The inner result is the letter's, the outer one the servers'.
    fn one(&self, servers: &Servers<'_>, letter: &Letter) -> Result<Result<(), String>, Failure> {
        let way = way(letter, servers.codec);
        if let Way::None(why) = way {
            return Ok(Err(why.to_owned()));
        }
        if self.dry_run {
            return Ok(Ok(()));
        }
        servers.reach.pause(Duration::from_secs(1) / self.rate);
        let mut records = Vec::new();
        match way {
            Way::Topic(record) => records.push(*record),
            Way::Ingest { path, body, headers } => {
                if let Err(why) = servers.post(&path, body, headers)? {
                    return Ok(Err(why));
                }
            }
            Way::None(_) => {}
        }
        records.push(letter.mark(Deed::Redriven, &self.by, servers.codec)?);
        let published = servers.reach.wait(servers.publisher.publish(records));
        published.map_err(|error| Failure::Away(format!("{}: not known to be sent: {error}", letter.place)))?;
        Ok(Ok(()))
    }
}

impl Servers<'_> {
    fn post(&self, path: &str, body: Vec<u8>, headers: Vec<(String, String)>) -> Result<Result<(), String>, Failure> {
        let base = self.reach.config.ingest.url();
        let url = format!("{base}{path}");
        let request = self.http.post(&url).body(body);
        let request = headers.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        let away = |error: reqwest::Error| {
            Failure::Away(format!("ingest at {base} cannot be reached ({error}); WEFT_INGEST__LISTEN names another"))
        };
        let answer = self.reach.wait(request.send()).map_err(away)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(Ok(()));
        }
        Ok(Err(format!("ingest answered {status}: its signature may be of a secret that is gone")))
    }
}

fn way(letter: &Letter, codec: &Codec) -> Way {
    let dead = &letter.dead;
    if dead.source_topic == CHANNEL_RAW.name {
        return webhook(letter, codec);
    }
    if dead.source_topic == CONVERSATION_EVENTS.name && dead.reason == "exhausted" {
        return exhausted(letter, codec);
    }
    let key = dead.source_key.clone().unwrap_or_default();
    let mut record = match &dead.source_value {
        Some(value) => Written::new(dead.source_topic.clone(), key, value.clone()),
        None => Written::tombstone(dead.source_topic.clone(), key),
    };
    let own = [stream::TRANSACTION_HEADER, stream::NUMBER_HEADER, REDRIVEN_HEADER];
    for (name, value) in dead.source_headers.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
        record = record.header(name.clone(), value.clone());
    }
    Way::Topic(Box::new(record.header(REDRIVEN_HEADER, letter.place.clone())))
}

/// A send that ran out of attempts: others read its record too, so delivery alone is asked.
fn exhausted(letter: &Letter, codec: &Codec) -> Way {
    let dead = &letter.dead;
    let value = dead.source_value.clone().unwrap_or_default();
    let Ok(event) = codec.decode::<ConversationEvent>(&value) else { return Way::None("its event cannot be read") };
    let resend = Resend {
        mode: "redrive".into(),
        request_id: letter.place.clone(),
        attempts: i64::from(dead.attempt),
        customer_id: None,
        event: value,
    };
    match request(codec, &event, resend, letter.at.as_ms()) {
        Ok(record) => Way::Topic(Box::new(record.header(REDRIVEN_HEADER, letter.place.clone()))),
        Err(_) => Way::None("the request to send it again cannot be written"),
    }
}

/// Only ingest can read a webhook, and only with the signature it came with.
fn webhook(letter: &Letter, codec: &Codec) -> Way {
    let raw = letter.dead.source_value.as_deref().map(|bytes| codec.decode::<RawRequest>(bytes));
    let Some(Ok(raw)) = raw else { return Way::None("its raw request cannot be read") };
    let signed = SIGNED.iter().find(|(header, _)| raw.headers.contains_key(*header));
    let Some((_, platform)) = signed else {
        return Way::None("came with a bearer token, which is not kept: its sender must send it again");
    };
    let path = format!("/webhooks/{platform}/{}", raw.endpoint);
    Way::Ingest { path, body: raw.body, headers: raw.headers.into_iter().collect() }
}
