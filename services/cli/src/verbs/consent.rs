//! `weft consent`: opt-ins and opt-outs gathered elsewhere.

mod table;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ingest::core::outreach::{self, Asker};
use ingest::intake::knowledge::Knowledge;
use schemas::codec::Codec;
use schemas::ids::EventId;
use schemas::records::{ConversationCommand, SetConsent};
use schemas::topics::{CONFIG_ENTITIES, CONVERSATION_COMMANDS, CUSTOMER_ALIASES, Topic};
use serde_json::json;
use stream::Output as Written;

use crate::output::{Output, Rows};
use crate::reach::{Reach, registry};
use crate::{Failure, Verdict};
use table::Line;

const TOPICS: &[Topic] = &[CONFIG_ENTITIES, CUSTOMER_ALIASES, CONVERSATION_COMMANDS];
/// Records written before their acknowledgements are waited for.
const RECORDS_AT_ONCE: usize = 1_000;

/// Record consents that were gathered elsewhere
#[derive(Subcommand)]
pub(super) enum Consent {
    Import(Import),
}

/// Import opt-ins and opt-outs from a file
///
/// CSV with a header, or one JSON object a line: account, customer, purpose (`all`: everything),
/// granted (yes or no), and if there is more to say channel, source, proof, occurred_at (ISO 8601;
/// now, if left out). All lines are checked before the first is written. Of two words about one
/// purpose the later counts, whatever the order in which they come; the same line twice counts once.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft consent import optins.csv --tenant acme --source 'web form' --dry-run\n  weft consent import crm.jsonl --tenant acme --by ana"
)]
pub(super) struct Import {
    /// The file
    file: PathBuf,
    /// Whose customers they are
    #[arg(long)]
    tenant: String,
    /// How consents were gathered whose line does not say
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// Check, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Who imports
    #[arg(long, default_value = "weft consent import", value_name = "NAME")]
    by: String,
}

impl Consent {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let Self::Import(import) = self;
        import.run(reach, output)
    }
}

impl Import {
    fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let text = std::fs::read_to_string(&self.file)
            .map_err(|error| Failure::Usage(format!("{}: {error}", self.file.display())))?;
        let codec = reach.codec(TOPICS)?;
        let knowledge = self.knowledge(reach, &codec)?;
        let mut problems = Rows::new(["line", "problem"]);
        let (mut list, mut commands) = (Vec::new(), Vec::new());
        for (no, line) in table::read(&text) {
            match line.and_then(|line| self.command(reach, &knowledge, &line)) {
                Ok(command) => commands.push(command),
                Err(why) => {
                    list.push(json!({ "line": no, "problem": why }));
                    problems.push([no.to_string(), why]);
                }
            }
        }
        let (good, bad) = (commands.len(), list.len());
        if bad > 0 {
            output.result(&json!({ "consents": good, "problems": list }), &problems)?;
            output.say(format_args!("{bad} lines cannot be used; nothing was written"))?;
            return Ok(Verdict::Wrong);
        }
        if !self.dry_run {
            write(reach, &codec, commands)?;
        }
        output.result(&json!({ "consents": good, "problems": [] }), &problems)?;
        let done = if self.dry_run { "would be recorded (dry run)" } else { "recorded" };
        output.say(format_args!("{good} consents {done}"))?;
        Ok(Verdict::Good)
    }

    /// Accounts, and other spellings of customers' ids.
    fn knowledge(&self, reach: &Reach, codec: &Codec) -> Result<Knowledge, Failure> {
        let (knowledge, mut unread) = (Knowledge::default(), None);
        reach.read(&[CONFIG_ENTITIES.name, CUSTOMER_ALIASES.name], |record| {
            if let Err(error) = knowledge.learn(codec, &record) {
                unread.get_or_insert(error.to_string());
            }
        })?;
        match unread {
            None => Ok(knowledge),
            Some(error) => Err(Failure::Wrong(format!("configuration cannot be read: {error}"))),
        }
    }

    fn command(&self, reach: &Reach, knowledge: &Knowledge, line: &Line) -> Result<ConversationCommand, String> {
        let secret = reach.config.need_key_secret().map_err(|failure| failure.to_string())?;
        let source = line.source.clone().or_else(|| self.source.clone());
        let source = source.ok_or("expected a source: how the consent was gathered; --source gives one for all")?;
        let (tenant, directory) = (self.tenant.as_str().into(), knowledge.now());
        let account = directory.account_called(&tenant, line.channel, &line.account);
        let account = account.ok_or_else(|| format!("no account {:?} of tenant {tenant}", line.account))?;
        let whom = outreach::whom(&directory, &secret, &tenant, account, &line.customer);
        if whom.customer.id.is_empty() {
            return Err(format!("expected the id of a {} customer", whom.channel));
        }
        let at = line.occurred_at.unwrap_or_else(|| stream::clock::now().as_ms());
        let (word, moment) = (line.granted.to_string(), at.to_string());
        let key = EventId::derive(&[&line.purpose, &word, &source, &moment]).to_string();
        let asker = Asker { tenant, client: self.by.as_str().into(), key, at: stream::clock::now().as_ms() };
        let (purpose, granted, proof) = (line.purpose.clone(), line.granted, line.proof.clone());
        Ok(outreach::consent(&asker, whom, at, SetConsent { purpose, granted, source, proof }))
    }
}

fn write(reach: &Reach, codec: &Codec, commands: Vec<ConversationCommand>) -> Result<(), Failure> {
    let publisher = reach.publisher()?;
    let mut records = Vec::with_capacity(commands.len());
    for command in commands {
        let bytes = codec.encode(CONVERSATION_COMMANDS.name, &command).map_err(|error| registry(&error))?;
        records.push(Written::new(CONVERSATION_COMMANDS.name, command.customer_key.to_string(), bytes));
    }
    let mut written = 0;
    while !records.is_empty() {
        let rest = records.split_off(records.len().min(RECORDS_AT_ONCE));
        let count = records.len();
        reach.wait(publisher.publish(records)).map_err(|error| {
            Failure::Away(format!("{written} consents are recorded, more are not known to be: {error}; import again"))
        })?;
        written += count;
        records = rest;
    }
    Ok(())
}
