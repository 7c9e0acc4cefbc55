//! `weft channel`: what a webhook body says, and what a message becomes, without Kafka.

use std::io::{Read, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value as Json;

use crate::output::Output;
use crate::{Failure, Verdict};

/// Look at channels' webhook bodies and requests
#[derive(Subcommand)]
pub(super) enum Channel {
    Parse(Parse),
    Render(Render),
}

/// Print one JSON object a line for every event in webhook bodies
///
/// Needs no servers and no settings. A body of a foreign object prints nothing; exit code 1 if one could not be read at
/// all, the others are printed still.
#[derive(Args)]
#[command(after_help = "Examples:\n  weft channel parse whatsapp body.json\n  curl … | weft channel parse open")]
pub(super) struct Parse {
    #[command(flatten)]
    given: Given,
}

/// Print the provider requests that a normalized outbound message becomes, one JSON object a line
///
/// A message is JSON: `text`, `attachments`, `choices`, `content_kind`, `provider_fields`, alone or under `content`
/// beside `to`. Needs no servers and no settings; secrets are stars. Exit code 1 if one could not be read or sent.
#[derive(Args)]
#[command(after_help = "Examples:\n  weft channel render instagram message.json\n  \
    echo '{\"text\":\"Which?\",\"choices\":[{\"title\":\"Red\"}]}' | weft channel render whatsapp")]
pub(super) struct Render {
    #[command(flatten)]
    given: Given,
}

#[derive(Args)]
struct Given {
    /// Channel kind: whatsapp, facebook, instagram, twitter or open
    #[arg(value_name = "KIND", value_parser = ["whatsapp", "facebook", "instagram", "twitter", "open"])]
    kind: String,
    /// One a file; standard input if none is named
    file: Vec<PathBuf>,
}

impl Channel {
    pub(super) fn run(&self, output: &mut Output) -> Result<Verdict, Failure> {
        match self {
            Self::Parse(parse) => parse.given.each(output, ingest::parse_report),
            Self::Render(render) => {
                render.given.each(output, |kind, body| delivery::render_report(kind.parse().unwrap_or_default(), body))
            }
        }
    }
}

impl Given {
    fn each(
        &self,
        output: &mut Output,
        read: impl Fn(&str, &[u8]) -> Result<Vec<Json>, String>,
    ) -> Result<Verdict, Failure> {
        let mut verdict = Verdict::Good;
        for (name, body) in self.bodies() {
            match body.map_err(|error| error.to_string()).and_then(|body| read(&self.kind, &body)) {
                Ok(lines) => {
                    for line in lines {
                        output.json_line(&named(&name, line))?;
                    }
                }
                Err(error) => {
                    verdict = Verdict::Wrong;
                    writeln!(std::io::stderr(), "{name}: {error}")?;
                }
            }
        }
        Ok(verdict)
    }

    /// Name and bytes of each body, read when its turn comes.
    fn bodies(&self) -> impl Iterator<Item = (String, std::io::Result<Vec<u8>>)> {
        let stdin = self.file.is_empty().then(|| {
            let mut body = Vec::new();
            let read = std::io::stdin().read_to_end(&mut body);
            ("-".to_owned(), read.map(|_| body))
        });
        let files = self.file.iter().map(|path| (path.display().to_string(), std::fs::read(path)));
        stdin.into_iter().chain(files)
    }
}

/// The line with the file it came from in front.
fn named(file: &str, event: Json) -> Json {
    let mut named = serde_json::Map::from_iter([("file".to_owned(), Json::String(file.to_owned()))]);
    if let Json::Object(fields) = event {
        named.extend(fields);
    }
    Json::Object(named)
}
