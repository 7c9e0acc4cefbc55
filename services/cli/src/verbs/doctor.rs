//! `weft doctor`: what is wrong here, and what to do about it.

mod account;

use std::path::PathBuf;

use clap::Args;
use schemas::topics::{self, plan};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use stream::clock;

use super::schema::Standing;
use super::topic::Gap;
use super::{apply, migrate, schema, topic};
use crate::journal::applied;
use crate::output::{Output, Rows, duration};
use crate::reach::Reach;
use crate::{Failure, Verdict};

/// Clocks further apart than this make reports and windows wrong.
const SKEW_MS_MAX: i64 = 1_000;

/// Look at everything weft stands on, and say what to do where something is wrong
///
/// Servers, topics and their settings, schemas, migrations, secrets, clocks; with --account one channel account
/// instead: its secrets, its token and the token's end, what its provider sends us and where to, whether our own
/// side answers. Changes nothing; exit code 1 if something is wrong.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft doctor\n  weft doctor --account whatsapp-main\n  weft doctor --account whatsapp-main -f channels.yaml   (before it is applied)\n\nSecrets are read where the configuration says, so run it where delivery runs, with the same environment."
)]
pub(super) struct Doctor {
    /// Look at this channel account
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// Whose account, if several tenants have one of this name
    #[arg(long, requires = "account")]
    tenant: Option<String>,
    /// Documents to look at instead of those in force; file or directory, may be repeated
    #[arg(short, long = "file", value_name = "PATH", requires = "account")]
    file: Vec<PathBuf>,
}

struct Finding {
    what: &'static str,
    /// What was found, or what is wrong and the way out.
    result: Result<String, String>,
}

impl Doctor {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        if let Some(id) = &self.account {
            return account::run(reach, output, (self.tenant.as_deref(), id), &self.file);
        }
        let mut findings: Vec<Finding> = Vec::new();
        for (what, needs, check) in CHECKS {
            let is_away = |finding: &&Finding| needs.contains(&finding.what) && finding.result.is_err();
            let result = match findings.iter().find(is_away) {
                Some(away) => Err(format!("not looked at, because of {}", away.what)),
                None => check(reach),
            };
            findings.push(Finding { what, result });
        }
        let mut rows = Rows::new(["", "what", "found"]);
        let mut list = Vec::new();
        for Finding { what, result } in &findings {
            let (mark, text) = result.as_ref().map_or_else(|wrong| ("✗", wrong), |good| ("✓", good));
            rows.push([mark, what, text]);
            list.push(json!({ "what": what, "ok": result.is_ok(), "found": text }));
        }
        output.result(&Json::Array(list), &rows)?;
        Ok(Verdict::good_if(findings.iter().all(|finding| finding.result.is_ok())))
    }
}

type Check = fn(&Reach) -> Result<String, String>;

/// What is looked at, after what, and how.
const CHECKS: &[(&str, &[&str], Check)] = &[
    ("secrets", &[], secrets),
    ("Kafka", &[], kafka),
    ("topics", &["Kafka"], topics_there),
    ("schema registry", &[], registry),
    ("ClickHouse", &[], clickhouse),
    ("migrations", &["ClickHouse"], migrations),
    ("clocks", &["ClickHouse"], clocks),
    ("configuration", &["Kafka", "topics", "schema registry"], configuration),
];

fn words(failure: Failure) -> String {
    failure.to_string()
}

fn secrets(reach: &Reach) -> Result<String, String> {
    let key = reach.config.need_key_secret().map_err(words)?;
    reach.config.need_token_secrets().map_err(words)?;
    Ok(format!("both are set, the key secret's fingerprint is {}", key.fingerprint()))
}

fn kafka(reach: &Reach) -> Result<String, String> {
    let there = reach.admin().map_err(words)?.partitions().map_err(|fault| words(reach.kafka_away(&fault)))?;
    Ok(format!("{} answers, {} topics", reach.config.kafka.bootstrap, there.len()))
}

/// The counts are those of one topic of each group: the others must have the same.
fn topics_there(reach: &Reach) -> Result<String, String> {
    let there = reach.admin().map_err(words)?.partitions().map_err(|fault| words(reach.kafka_away(&fault)))?;
    let count =
        |name: &str| there.get(name).copied().ok_or_else(|| format!("{name} is missing; run `weft topics apply`"));
    let customer = count(topics::CHANNEL_INBOUND.name)?;
    let domain = count(topics::ROUTING_COMMANDS.name)?;
    let gaps = topic::gaps(reach, plan(customer, domain)).map_err(words)?;
    let open: Vec<_> = gaps.iter().filter(|(_, gap)| *gap != Gap::None).map(|(topic, _)| topic.name.as_str()).collect();
    if open.is_empty() {
        return Ok(format!("{} as planned, {customer} partitions by customer, {domain} by domain", gaps.len()));
    }
    let way_out =
        format!("run `weft topics plan --customer-partitions {customer} --domain-partitions {domain}`, then apply");
    Err(format!("{} differ from the plan: {}; {way_out}", open.len(), open.join(", ")))
}

fn registry(reach: &Reach) -> Result<String, String> {
    let standings = schema::standings(reach).map_err(words)?;
    let missing = standings.iter().filter(|(_, _, standing)| !matches!(standing, Standing::Registered(_))).count();
    let url = &reach.config.schema_registry.url;
    match missing {
        0 => Ok(format!("{url} answers, {} subjects hold this build's schemas", standings.len())),
        n => Err(format!(
            "{url} answers, {n} of {} schemas are not registered; run `weft schemas register`",
            standings.len()
        )),
    }
}

fn clickhouse(reach: &Reach) -> Result<String, String> {
    let version = reach.clickhouse().ask("SELECT version()").map_err(words)?;
    let version = String::from_utf8_lossy(&version).trim().to_owned();
    Ok(format!("{} answers, version {version}", reach.config.clickhouse.url))
}

fn migrations(reach: &Reach) -> Result<String, String> {
    let pending = migrate::pending(reach).map_err(words)?;
    if pending.is_empty() {
        return Ok("all of this build's are applied".into());
    }
    Err(format!("{} not applied: {}; run `weft migrate`", pending.len(), pending.join(", ")))
}

fn clocks(reach: &Reach) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Now {
        ms: i64,
    }
    let before = clock::now();
    let now: Vec<Now> = reach.clickhouse().rows("SELECT toUnixTimestamp64Milli(now64(3)) AS ms").map_err(words)?;
    let after = clock::now();
    let theirs = now.first().map_or(0, |now| now.ms);
    let skew = (theirs - after.as_ms()).max(before.as_ms() - theirs).max(0);
    if skew <= SKEW_MS_MAX {
        return Ok(format!("ClickHouse's and ours are at most {} apart", duration(skew + after.ms_since(before))));
    }
    Err(format!("ClickHouse's is {} from ours; set both by NTP", duration(skew)))
}

fn configuration(reach: &Reach) -> Result<String, String> {
    let entities = applied(reach, &reach.codec(apply::CONFIG).map_err(words)?).map_err(words)?;
    let tenants: Vec<_> = entities.values().filter(|one| one.entity.kind == "Tenant").collect();
    if tenants.is_empty() {
        return Err("nothing is applied; run `weft apply -f …`".into());
    }
    let ours = reach.config.key_secret().map(|secret| secret.fingerprint());
    let strange = tenants.iter().find(|one| one.spec()["key_fingerprint"].as_str() != ours.as_deref());
    if let (Some(tenant), Some(ours)) = (strange, ours) {
        let theirs = &tenant.spec()["key_fingerprint"];
        let id = &tenant.entity.id;
        return Err(format!("tenant {id} was applied with the key secret {theirs}, ours is {ours}; use that secret"));
    }
    Ok(format!("{} documents of {} tenants", entities.len(), tenants.len()))
}
