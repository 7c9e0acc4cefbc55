//! What a document must keep beyond its shape.

mod web;

use schemas::config::{
    Agent, ApiClient, Bot, ChannelAccount, Endpoint, Entity, EntryPoint, Platform, Queue, Template, Tenant,
};
use schemas::records::Channel;
use serde_saphyr::Location;

use super::tree::Tree;
use super::{Document, ID_BYTES_MAX, Problem};

/// Fields that hold secrets wherever they stand.
const SECRETS: &[&str] = &[
    "secrets",
    "verify_token",
    "access_token",
    "webhook_secrets",
    "legacy_secret",
    "consumer_key",
    "consumer_secret",
    "token",
    "token_secret",
    "secret",
];

/// Ids are parts of keys and of addresses.
pub(super) fn id(id: &str) -> Result<(), String> {
    let fits = |c: char| c.is_alphanumeric() || "-_.:@+".contains(c);
    if !id.is_empty() && id.len() <= ID_BYTES_MAX && id.chars().all(fits) {
        return Ok(());
    }
    Err(format!("expected an id of letters, digits and -_.:@+, at most {ID_BYTES_MAX} bytes, found {id:?}"))
}

/// The first secret that is written out instead of referred to.
pub(super) fn secret_value(spec: &Tree) -> Option<(Location, &str)> {
    for (name, value) in spec.entries() {
        if SECRETS.contains(&name) {
            let listed = value.items().iter().chain([value]);
            if let Some(scalar) = listed.into_iter().find(|one| one.is_scalar()) {
                return Some((scalar.location(), name));
            }
        } else if let Some(found) = secret_value(value) {
            return Some(found);
        }
    }
    None
}

/// Values that have the right type and no meaning.
pub(super) fn problems(document: &Document) -> Vec<Problem> {
    let found: Vec<(Vec<&str>, String)> = match &document.entity {
        Entity::Tenant(tenant) => of_tenant(tenant),
        Entity::Endpoint(endpoint) => of_endpoint(endpoint),
        Entity::Bot(bot) => of_bot(bot),
        Entity::ChannelAccount(account) => of_account(account),
        Entity::Deployment(deployment) => web::of_deployment(deployment),
        Entity::Queue(queue) => of_queue(queue),
        Entity::Agent(agent) => of_agent(agent),
        Entity::Template(template) => of_template(template),
        Entity::EntryPoint(entry) => of_entry_point(entry),
        Entity::ApiClient(client) => of_client(client),
        Entity::Skill(_) | Entity::Language(_) | Entity::WrapUpCode(_) => Vec::new(),
    };
    found.into_iter().map(|(path, text)| document.problem(&path, text)).collect()
}

type Found<'a> = Vec<(Vec<&'a str>, String)>;

fn of_tenant(tenant: &Tenant) -> Found<'_> {
    let mut found = not_negative([(vec!["window", "minutes"], tenant.window.minutes)]);
    if jiff::tz::TimeZone::get(&tenant.timezone).is_err() {
        let text = format!("expected an IANA zone such as Europe/Berlin, found {:?}", tenant.timezone);
        found.push((vec!["timezone"], text));
    }
    for (channel, minutes) in &tenant.window.per_channel {
        if *channel == Channel::Unknown {
            found.push((vec!["window", "per_channel"], unknown_channel()));
        }
        found.extend(not_negative([(vec!["window", "per_channel", channel.as_str()], Some(*minutes))]));
    }
    found
}

fn of_endpoint(endpoint: &Endpoint) -> Found<'_> {
    let mut found = Vec::new();
    if endpoint.secrets.is_empty() {
        found.push((vec!["secrets"], "expected at least one app secret, found none".to_owned()));
    }
    if endpoint.platform == Platform::Meta && endpoint.verify_token.is_none() {
        found.push((vec!["platform"], "a Meta endpoint needs verify_token for its handshake".to_owned()));
    }
    found
}

fn of_bot(bot: &Bot) -> Found<'_> {
    let mut found = Vec::new();
    if bot.secrets.is_empty() {
        found.push((vec!["secrets"], "expected at least one signing secret, found none".to_owned()));
    }
    if reqwest::Url::parse(&bot.url).is_err() {
        found.push((vec!["url"], "expected an address such as https://host/path".to_owned()));
    }
    for (path, value) in [("timeout_ms", bot.timeout_ms), ("turns_max", bot.turns_max)] {
        if value < 1 {
            found.push((vec![path], format!("expected 1 or more, found {value}")));
        }
    }
    found
}

fn of_account(account: &ChannelAccount) -> Found<'_> {
    let outbound = &account.outbound;
    let mut found = not_negative([
        (vec!["window_minutes"], account.window_minutes),
        (vec!["outbound", "order_hold_max_s"], outbound.order_hold_max_s),
        (vec!["outbound", "timeout_ms"], outbound.timeout_ms),
    ]);
    let mut needs = |path: &'static str, there: bool, what: &str| {
        if !there {
            found.push((vec![path], format!("a {} account needs {what}", account.channel)));
        }
    };
    match account.channel {
        Channel::Unknown => found.push((vec!["channel"], unknown_channel())),
        Channel::Whatsapp | Channel::Facebook | Channel::Instagram | Channel::Twitter => {
            needs("channel", account.endpoint.is_some(), "endpoint: the webhook address its events come in by");
            needs("channel", account.provider_account_id.is_some(), "provider_account_id: the platform's id of it");
        }
        Channel::Open | Channel::Web => {
            needs("endpoint", account.endpoint.is_none(), "no endpoint: its events come in by bearer token");
        }
    }
    let (shortest, longest) = (ChannelAccount::SESSION_MINUTES_MIN, ChannelAccount::SESSION_MINUTES_MAX);
    if account.session_minutes.is_some_and(|minutes| !(shortest..=longest).contains(&minutes)) {
        found.push((vec!["session_minutes"], format!("expected {shortest} to {longest} minutes")));
    }
    if account.session_minutes.is_some() && account.channel != Channel::Web {
        found.push((vec!["session_minutes"], "only a web account has sessions".to_owned()));
    }
    let expiry = outbound.token_expires_at.as_deref();
    if expiry.is_some_and(|text| text.parse::<jiff::Timestamp>().is_err()) {
        found.push((
            vec!["outbound", "token_expires_at"],
            "expected an instant such as 2027-01-31T12:00:00Z".to_owned(),
        ));
    }
    if outbound.calls_per_s.is_some_and(|rate| !(0.001..=100_000.0).contains(&rate)) {
        found.push((vec!["outbound", "calls_per_s"], "expected 0.001 to 100000 calls a second".to_owned()));
    }
    if outbound.retry_schedule_s.iter().any(|wait| !wait.is_finite() || *wait < 0.0) {
        found.push((vec!["outbound", "retry_schedule_s"], "expected waits of 0 s or more".to_owned()));
    }
    for (path, address) in [("api_url", &outbound.api_url), ("webhook_url", &outbound.webhook_url)] {
        if address.as_ref().is_some_and(|address| reqwest::Url::parse(address).is_err()) {
            found.push((vec!["outbound", path], "expected an address such as https://host/path".to_owned()));
        }
    }
    found
}

fn of_queue(queue: &Queue) -> Found<'_> {
    let mut found = not_negative([
        (vec!["alerting_timeout_s"], Some(queue.alerting_timeout_s)),
        (vec!["service_level", "target_s"], Some(queue.service_level.target_s)),
        (vec!["last_agent", "wait_s"], Some(queue.last_agent.wait_s)),
        (vec!["wrap_up", "timeout_s"], Some(queue.wrap_up.timeout_s)),
        (vec!["patience_s"], queue.patience_s),
        (vec!["short_abandon_s"], Some(queue.short_abandon_s)),
        (vec!["agent_grace_s"], Some(queue.agent_grace_s)),
        (vec!["closing_grace_min"], Some(queue.closing_grace_min)),
        (vec!["window_minutes"], queue.window_minutes),
        (vec!["acw_reentry_s"], Some(queue.acw_reentry_s)),
    ]);
    if !(0.0..=1.0).contains(&queue.service_level.ratio) {
        let text = format!("expected a share from 0 to 1 such as 0.8, found {}", queue.service_level.ratio);
        found.push((vec!["service_level", "ratio"], text));
    }
    found
}

fn of_agent(agent: &Agent) -> Found<'_> {
    let mut found = Vec::new();
    for (path, levels) in [("skills", &agent.skills), ("languages", &agent.languages)] {
        for (name, level) in levels.iter().filter(|(_, level)| **level > 5) {
            found.push((vec![path, name.as_str()], format!("expected a proficiency from 0 to 5, found {level}")));
        }
    }
    found.extend(not_negative(
        agent.capacity.iter().map(|(medium, most)| (vec!["capacity", medium.as_str()], Some(*most))),
    ));
    found
}

fn of_template(template: &Template) -> Found<'_> {
    let holes = template.text.matches("{{").count();
    let numbered = (1..=holes).filter(|no| template.text.contains(&format!("{{{{{no}}}}}"))).count();
    let mut found = Vec::new();
    if template.text.trim().is_empty() {
        found.push((vec!["text"], "expected the text that channels without templates show".to_owned()));
    }
    if numbered != holes {
        found.push((vec!["text"], "expected holes {{1}}, {{2}} … without a gap, each once".to_owned()));
    }
    found
}

fn of_entry_point(entry: &EntryPoint) -> Found<'_> {
    if entry.reference.is_some() || entry.text.as_deref().is_some_and(|text| !text.trim().is_empty()) {
        return Vec::new();
    }
    vec![(vec!["name"], "expected reference or text: by neither could it be known".to_owned())]
}

fn of_client(client: &ApiClient) -> Found<'_> {
    let is_hash =
        |hash: &&String| hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if client.token_hashes.iter().all(|hash| is_hash(&hash)) {
        return Vec::new();
    }
    vec![(vec!["token_hashes"], "expected SHA-256 in lower-case hex, as `weft token mint` says it".to_owned())]
}

fn not_negative<'a>(values: impl IntoIterator<Item = (Vec<&'a str>, Option<i64>)>) -> Found<'a> {
    let negative = values.into_iter().filter_map(|(path, value)| Some((path, value.filter(|value| *value < 0)?)));
    negative.map(|(path, value)| (path, format!("expected 0 or more, found {value}"))).collect()
}

fn unknown_channel() -> String {
    let known: Vec<_> = Channel::ALL.iter().filter(|one| **one != Channel::Unknown).map(|one| one.as_str()).collect();
    format!("unknown channel, expected one of {}", known.join(", "))
}
