//! `weft doctor --account`: what one channel account lacks, here and at its provider.

mod asking;
mod meta;
mod own;
mod x;

use std::path::PathBuf;

use delivery::core::event::Account;
use schemas::config::{ApiClient, ChannelAccount, Deployment, Endpoint, Entity};
use schemas::ids::AccountId;
use schemas::records::Channel;
use serde_json::{Value as Json, json};
use stream::Timestamp;

use crate::documents::load;
use crate::journal::applied;
use crate::output::{Output, Rows, nearest};
use crate::reach::Reach;
use crate::verbs::apply;
use crate::{Failure, Verdict};
use asking::Asking;

/// A token is called for this long before its end; so is the alert (`deploy/prometheus/weft.rules.yml`).
const RENEW_MS: i64 = 14 * 86_400_000;

/// How something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Good,
    Wrong,
    /// Nobody could tell.
    Unknown,
}

impl State {
    fn mark(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Wrong => "✗",
            Self::Unknown => "?",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
        }
    }
}

/// One thing looked at.
#[derive(Debug)]
struct Line {
    check: &'static str,
    state: State,
    found: String,
    /// The way out; empty where nothing is to be done.
    todo: String,
}

impl Line {
    fn good(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, state: State::Good, found: found.into(), todo: String::new() }
    }

    fn wrong(check: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { check, state: State::Wrong, found: found.into(), todo: todo.into() }
    }

    fn unknown(check: &'static str, found: impl Into<String>, todo: impl Into<String>) -> Self {
        Self { check, state: State::Unknown, found: found.into(), todo: todo.into() }
    }
}

/// An account and what is configured around it.
struct Case {
    tenant: String,
    id: String,
    spec: ChannelAccount,
    /// The account as delivery uses it.
    account: Account,
    endpoint: Option<(String, Endpoint)>,
    deployments: Vec<(String, Deployment)>,
    clients: Vec<(String, ApiClient)>,
}

/// Looks at an account, as it is in force or as these files say.
pub(super) fn run(
    reach: &Reach,
    output: &mut Output,
    (tenant, id): (Option<&str>, &str),
    files: &[PathBuf],
) -> Result<Verdict, Failure> {
    let case = case(entities(reach, files)?, tenant, id)?;
    let asking = Asking::new(reach)?;
    let mut lines = own::secrets(&case);
    lines.extend(match case.spec.channel {
        Channel::Whatsapp | Channel::Facebook | Channel::Instagram => meta::lines(&case, &asking),
        Channel::Twitter => x::lines(&case, &asking),
        Channel::Open => own::open(&case, &asking),
        Channel::Web => own::web(&case, &asking),
        Channel::Unknown => Vec::new(),
    });
    show(output, &case, &lines)?;
    Ok(Verdict::good_if(lines.iter().all(|line| line.state != State::Wrong)))
}

fn show(output: &mut Output, case: &Case, lines: &[Line]) -> Result<(), Failure> {
    let (tenant, id, channel) = (&case.tenant, &case.id, case.spec.channel);
    let mut rows = Rows::new(["", "check", "found", "what to do"]);
    let mut list = Vec::new();
    for Line { check, state, found, todo } in lines {
        rows.push([state.mark(), check, found, todo]);
        list.push(json!({ "check": check, "state": state.word(), "found": found, "todo": todo }));
    }
    output.say(format_args!("{id} of {tenant}, {channel}"))?;
    output.result(&json!({ "tenant": tenant, "account": id, "channel": channel, "checks": list }), &rows)
}

struct Known {
    tenant: String,
    id: String,
    entity: Entity,
}

fn entities(reach: &Reach, files: &[PathBuf]) -> Result<Vec<Known>, Failure> {
    if !files.is_empty() {
        let known = |document: crate::documents::Document| Known {
            tenant: document.tenant,
            id: document.id,
            entity: document.entity,
        };
        return Ok(load(files)?.into_iter().map(known).collect());
    }
    let in_force = applied(reach, &reach.codec(apply::CONFIG)?)?;
    let known = in_force.into_values().filter_map(|one| {
        let entity = one.entity()?;
        Some(Known { tenant: one.entity.tenant.to_string(), id: one.entity.id, entity })
    });
    Ok(known.collect())
}

fn case(entities: Vec<Known>, tenant: Option<&str>, id: &str) -> Result<Case, Failure> {
    let accounts = || entities.iter().filter(|one| matches!(one.entity, Entity::ChannelAccount(_)));
    let is_it = |one: &&Known| one.id == id && tenant.is_none_or(|tenant| tenant == one.tenant);
    let found: Vec<&Known> = accounts().filter(is_it).collect();
    let one = match found.as_slice() {
        [one] => *one,
        [] => {
            let there: Vec<&str> = accounts().map(|one| one.id.as_str()).collect();
            let near = nearest(id, there.iter().copied());
            let hint = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
            return Err(Failure::Usage(format!("no ChannelAccount `{id}`{hint} {}", listed(&there))));
        }
        several => {
            let tenants: Vec<&str> = several.iter().map(|one| one.tenant.as_str()).collect();
            return Err(Failure::Usage(format!("`{id}` is an account of {}: say --tenant", tenants.join(" and of "))));
        }
    };
    let Entity::ChannelAccount(spec) = &one.entity else { unreachable!("only accounts are looked for") };
    let (tenant, spec) = (one.tenant.clone(), ChannelAccount::clone(spec));
    let account = delivery::intake::configuration::translate(&AccountId::new(id), spec.clone())
        .map_err(|reject| Failure::Wrong(format!("{id}: {}", reject.detail)))?;
    let mut case =
        Case { tenant, id: id.into(), spec, account, endpoint: None, deployments: Vec::new(), clients: Vec::new() };
    for Known { tenant, id, entity } in entities {
        if tenant == case.tenant {
            case.add(id, entity);
        }
    }
    Ok(case)
}

/// Names so many accounts at most.
const LISTED_MAX: usize = 20;

fn listed(there: &[&str]) -> String {
    let more = there.len().saturating_sub(LISTED_MAX);
    let names = there.iter().take(LISTED_MAX).map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
    match (there.len(), more) {
        (0, _) => "(there is none yet: `weft apply` makes them)".to_owned(),
        (_, 0) => format!("(there are {names})"),
        (_, more) => format!("(there are {names} and {more} more: `weft get ChannelAccount`)"),
    }
}

impl Case {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other kinds have nothing to do with an account")]
    fn add(&mut self, id: String, entity: Entity) {
        match entity {
            Entity::Endpoint(endpoint) if self.spec.endpoint.as_ref() == Some(&id) => {
                self.endpoint = Some((id, endpoint));
            }
            Entity::Deployment(deployment) if deployment.account == self.id => self.deployments.push((id, *deployment)),
            Entity::ApiClient(client) if client.accounts.is_empty() || client.accounts.contains(&self.id) => {
                self.clients.push((id, client));
            }
            _ => {}
        }
    }

    /// The platform's id of the account.
    fn provider_id(&self) -> &str {
        &self.account.route.provider_account_id
    }
}

/// A token that ends then: whether it will be noticed in time.
fn end_of_token(case: &Case, ends_at_ms: i64) -> Line {
    const CHECK: &str = "token's end";
    let (now, ends) = (stream::clock::now().as_ms(), Timestamp::from_ms(ends_at_ms).to_string());
    let renew = "make a new token and put it where outbound.access_token points; it is in use within seconds";
    if ends_at_ms <= now {
        return Line::wrong(CHECK, format!("it ended at {ends}"), renew);
    }
    if ends_at_ms - now < RENEW_MS {
        return Line::wrong(CHECK, format!("it ends at {ends}"), renew);
    }
    if case.account.token_expires_at.is_none_or(|told| told.abs_diff(ends_at_ms) > 86_400_000) {
        let todo = format!("set outbound.token_expires_at: {ends}, or no alert comes before");
        return Line::wrong(CHECK, format!("it ends at {ends}, which the configuration does not say"), todo);
    }
    Line::good(CHECK, format!("it ends at {ends}; the alert comes before"))
}

/// What is needed and not among what is there.
fn missing<'a>(needed: &[&'a str], there: &[&str]) -> Vec<&'a str> {
    needed.iter().copied().filter(|one| !there.contains(one)).collect()
}

/// The texts of a list.
fn texts(list: &Json) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}
