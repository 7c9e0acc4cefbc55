//! `weft dlq`: what could not be worked, and what to do about it.

mod redrive;

use std::io::Write;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::{Args, Subcommand};
use schemas::records::RawRequest;
use schemas::topics::CHANNEL_RAW;
use serde_json::{Value as Json, json};

use crate::letters::{Deed, Letter, Which};
use crate::output::{Output, Rows};
use crate::reach::Reach;
use crate::{Failure, Verdict};

/// Characters of a detail in the list; `show` prints it whole.
const DETAIL_CHARS_MAX: usize = 80;

/// Look at dead letters, send them again, or put them aside
///
/// A record that a service cannot work goes to `<topic>.dlq` with its bytes, its place and the
/// reason; the service goes on. What was done about a letter is kept on audit.events, as long as the
/// letter itself.
#[derive(Subcommand)]
pub(super) enum Dlq {
    List(List),
    Show(Show),
    Redrive(redrive::Redrive),
    Discard(Discard),
    Export(Export),
}

/// List dead letters, the open ones unless asked for all
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft dlq list\n  weft dlq list --topic routing.commands --reason undecodable\n  weft dlq list --all -o json"
)]
pub(super) struct List {
    #[command(flatten)]
    which: Which,
    /// Also those redriven or discarded
    #[arg(long)]
    all: bool,
}

/// Show dead letters whole: why, where from, headers, the original's bytes
#[derive(Args)]
#[command(after_help = "Example:\n  weft dlq show routing.commands.dlq-0@17")]
pub(super) struct Show {
    #[command(flatten)]
    which: Which,
}

/// Put dead letters aside: they are no longer open, and stay on the topic until they expire
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft dlq discard routing.commands.dlq-0@17 --by ana\n  weft dlq discard --reason unknown_account --dry-run"
)]
pub(super) struct Discard {
    #[command(flatten)]
    which: Which,
    /// Say which, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Who decides, for the audit
    #[arg(long, default_value = "weft dlq discard", value_name = "NAME")]
    by: String,
}

/// Write dead letters to a file, one JSON object a line, bytes in base64
#[derive(Args)]
#[command(after_help = "Example:\n  weft dlq export --topic channel.raw --file letters.jsonl")]
pub(super) struct Export {
    #[command(flatten)]
    which: Which,
    /// Where to; standard output if left out
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
}

impl Dlq {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        match self {
            Self::List(verb) => verb.run(reach, output),
            Self::Show(verb) => verb.run(reach, output),
            Self::Redrive(verb) => verb.run(reach, output),
            Self::Discard(verb) => verb.run(reach, output),
            Self::Export(verb) => verb.run(reach, output),
        }
    }
}

/// For verbs that change something: all letters only when that is said.
fn narrowed(which: &Which) -> Result<(), Failure> {
    if which.is_narrowed() {
        return Ok(());
    }
    Err(Failure::Usage("say which: places, --topic, --service, --reason or --key; `weft dlq list` shows them".into()))
}

impl List {
    fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let codec = self.which.codec(reach)?;
        let mut rows = Rows::new(["place", "at", "service", "reason", "detail", "key", "standing"]);
        let mut list = Vec::new();
        self.which.each(reach, &codec, |letter| {
            if self.all || letter.deed.is_none() {
                let detail: String = letter.dead.detail.chars().take(DETAIL_CHARS_MAX).collect();
                let (at, key, standing) = (letter.at.to_string(), letter.key(), letter.standing().to_owned());
                let (service, reason) = (letter.dead.service.clone(), letter.dead.reason.clone());
                rows.push([letter.place.clone(), at, service, reason, detail, key, standing]);
                list.push(letter.json());
            }
            Ok(())
        })?;
        let (count, word) = (list.len(), if self.all { "dead letters" } else { "open dead letters" });
        output.result(&Json::Array(list), &rows)?;
        output.say(format_args!("{count} {word}"))?;
        Ok(Verdict::Good)
    }
}

impl Show {
    fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        narrowed(&self.which)?;
        let codec = self.which.codec(reach)?;
        let mut found = 0_u64;
        self.which.each(reach, &codec, |letter| {
            found += 1;
            let mut json = letter.json();
            let bytes = letter.dead.source_value.as_deref().unwrap_or_default();
            json["source_value"] = match codec.decode::<RawRequest>(bytes) {
                Ok(raw) if letter.dead.source_topic == CHANNEL_RAW.name => request(&raw),
                Ok(_) | Err(_) => codec.decode_json(bytes).unwrap_or_else(|_| readable(bytes)),
            };
            output.line(format_args!("{json:#}"))
        })?;
        Ok(Verdict::good_if(found > 0))
    }
}

/// A webhook, its body as text.
fn request(raw: &RawRequest) -> Json {
    json!({
        "endpoint": raw.endpoint, "method": raw.method, "query": raw.query, "headers": raw.headers,
        "received_at_ms": raw.received_at, "body": readable(&raw.body),
    })
}

/// Bytes that are no record of ours, as text where they are text.
fn readable(bytes: &[u8]) -> Json {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!({ "text": text }),
        Err(_) => json!({ "base64": BASE64.encode(bytes) }),
    }
}

impl Discard {
    fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        narrowed(&self.which)?;
        let codec = self.which.codec(reach)?;
        let publisher = reach.publisher()?;
        let mut places = Vec::new();
        self.which.each(reach, &codec, |letter| {
            if letter.deed.is_some() {
                return Ok(());
            }
            if !self.dry_run {
                let mark = letter.mark(Deed::Discarded, &self.by, &codec)?;
                let published = reach.wait(publisher.publish(vec![mark]));
                published
                    .map_err(|error| Failure::Away(format!("{}: not known to be put aside: {error}", letter.place)))?;
            }
            places.push(letter.place);
            Ok(())
        })?;
        let mut rows = Rows::new(["discarded"]);
        places.iter().for_each(|place| rows.push([place.clone()]));
        output.result(&json!({ "discarded": places }), &rows)?;
        let word = if self.dry_run { "would be put aside (dry run)" } else { "put aside" };
        output.say(format_args!("{} {word}", places.len()))?;
        Ok(Verdict::Good)
    }
}

impl Export {
    fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let codec = self.which.codec(reach)?;
        let mut file = match &self.file {
            None => None,
            Some(path) => {
                let file = std::fs::File::create(path);
                Some(std::io::BufWriter::new(file.map_err(|error| unwritable(path, &error))?))
            }
        };
        let mut count = 0_u64;
        self.which.each(reach, &codec, |letter| {
            count += 1;
            let json = exported(&letter);
            match (&mut file, &self.file) {
                (Some(file), Some(path)) => writeln!(file, "{json}").map_err(|error| unwritable(path, &error)),
                (None, _) | (_, None) => output.json_line(&json),
            }
        })?;
        if let (Some(mut file), Some(path)) = (file, &self.file) {
            file.flush().map_err(|error| unwritable(path, &error))?;
            output.say(format_args!("{count} dead letters written to {}", path.display()))?;
        }
        Ok(Verdict::Good)
    }
}

fn exported(letter: &Letter) -> Json {
    let mut json = letter.json();
    json["source_key_base64"] = letter.dead.source_key.as_deref().map(|key| BASE64.encode(key)).into();
    json["source_value_base64"] = letter.dead.source_value.as_deref().map(|value| BASE64.encode(value)).into();
    json
}

fn unwritable(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::Usage(format!("{}: {error}", path.display()))
}
