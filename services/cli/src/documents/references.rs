//! Documents name each other: every name must lead somewhere, in the set or on the topic.

use std::collections::BTreeMap;

use schemas::config::{Agent, Entity, EntityKind, Queue, SecretRef};
use schemas::records::{Channel, ConfigEntity};

use super::{Document, Problem, key};
use crate::journal::Applied;
use crate::output::nearest;

/// What of an entity the ones beside it must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// An account of this channel.
    Account(Channel),
    /// A deployment whose guests write to this account.
    Deployment(String),
    /// An endpoint whose requests are signed with one of these.
    Endpoint(Vec<SecretRef>),
    /// Anything else.
    Other,
}

/// Everything that can be referred to, by key.
pub(crate) type Known = BTreeMap<String, Role>;

/// What is wrong between documents, and between them and what is applied: names that lead nowhere or to the wrong
/// thing, and things that two may not share.
pub(crate) fn check_references(documents: &[Document], applied: &Known) -> Vec<Problem> {
    let own: Known = documents.iter().map(|document| (document.key(), role_of(&document.entity))).collect();
    let mut known = applied.clone();
    known.extend(own.clone());
    let mut problems = Vec::new();
    for document in documents {
        for (kind, id, path) in references(&document.tenant, &document.entity) {
            let path: Vec<_> = path.iter().map(String::as_str).collect();
            let wanted = key(&document.tenant, kind.as_str(), &id);
            if !known.contains_key(&wanted) {
                problems.push(document.problem(&path, nowhere(document, kind, &id, &known)));
            }
        }
        problems.extend(wrong_channel(document, &known));
        problems.extend(left_alone(document, applied.iter().filter(|(key, _)| !own.contains_key(*key))));
        problems.extend(shared_secret(document, &known));
    }
    problems
}

/// What of it others must fit.
pub(crate) fn role_of(entity: &Entity) -> Role {
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other kinds are only named")]
    match entity {
        Entity::ChannelAccount(account) => Role::Account(account.channel),
        Entity::Deployment(deployment) => Role::Deployment(deployment.account.clone()),
        Entity::Endpoint(endpoint) => Role::Endpoint(endpoint.secrets.clone()),
        _ => Role::Other,
    }
}

/// Guests of a deployment write to a web account: any other would send their answers elsewhere.
fn wrong_channel(document: &Document, known: &Known) -> Option<Problem> {
    let Entity::Deployment(deployment) = &document.entity else { return None };
    let account = key(&document.tenant, EntityKind::ChannelAccount.as_str(), &deployment.account);
    let Some(Role::Account(channel)) = known.get(&account) else { return None };
    let text = format!("expected an account of channel web, `{}` is one of {channel}", deployment.account);
    (*channel != Channel::Web).then(|| document.problem(&["account"], text))
}

/// The same from the other side: an account stays web as long as a deployment that was applied before names it.
fn left_alone<'a>(document: &Document, applied: impl Iterator<Item = (&'a String, &'a Role)>) -> Option<Problem> {
    let Entity::ChannelAccount(account) = &document.entity else { return None };
    let prefix = key(&document.tenant, EntityKind::Deployment.as_str(), "");
    let mut deployments = applied.filter_map(|(key, role)| Some((key.strip_prefix(&prefix)?, role)));
    let (id, _) = deployments.find(|(_, role)| matches!(role, Role::Deployment(of) if *of == document.id))?;
    let text = format!("expected channel web: guests of Deployment `{id}` write to this account");
    (account.channel != Channel::Web).then(|| document.problem(&["channel"], text))
}

/// A signature tells by which endpoint a request came only if no other endpoint of the tenant has its secret.
fn shared_secret(document: &Document, known: &Known) -> Option<Problem> {
    let Entity::Endpoint(endpoint) = &document.entity else { return None };
    let prefix = key(&document.tenant, EntityKind::Endpoint.as_str(), "");
    let of_tenant = known.iter().filter_map(|(key, role)| Some((key.strip_prefix(&prefix)?, role)));
    let (id, _) = of_tenant.filter(|(id, _)| *id != document.id).find(|(_, role)| {
        matches!(role, Role::Endpoint(secrets) if secrets.iter().any(|secret| endpoint.secrets.contains(secret)))
    })?;
    Some(document.problem(&["secrets"], format!("expected secrets of its own, found one of Endpoint `{id}`")))
}

fn nowhere(document: &Document, kind: EntityKind, id: &str, known: &Known) -> String {
    let kind = kind.as_str();
    let prefix = key(&document.tenant, kind, "");
    let there: Vec<_> = known.keys().filter_map(|key| key.strip_prefix(&prefix)).collect();
    match nearest(id, there.iter().copied()) {
        Some(near) => format!("no {kind} `{id}` in these documents or applied before, did you mean `{near}`?"),
        None => format!("no {kind} `{id}` in these documents or applied before"),
    }
}

type Reference = (EntityKind, String, Vec<String>);

/// Who of those in force refers to an entity, as `Kind id`.
pub(crate) fn referring(in_force: &BTreeMap<String, Applied>, tenant: &str, kind: EntityKind, id: &str) -> Vec<String> {
    let of_tenant = in_force.values().map(|one| &one.entity).filter(|one| one.tenant.as_str() == tenant);
    let refers = |one: &&ConfigEntity| {
        let entity = EntityKind::from_name(&one.kind).and_then(|kind| Entity::from_json(kind, &one.body).ok());
        let named = entity.map(|entity| references(tenant, &entity)).unwrap_or_default();
        named.iter().any(|(of, named, _)| *of == kind && named == id)
    };
    of_tenant.filter(refers).map(|one| format!("{} {}", one.kind, one.id)).collect()
}

fn references(tenant: &str, entity: &Entity) -> Vec<Reference> {
    let tenant = (EntityKind::Tenant, tenant.to_owned(), Vec::new());
    let mut all = vec![tenant];
    match entity {
        Entity::Queue(queue) => all.extend(of_queue(queue)),
        Entity::Agent(agent) => all.extend(of_agent(agent)),
        Entity::ChannelAccount(account) => {
            all.push((EntityKind::Queue, account.queue.clone(), vec!["queue".into()]));
            let endpoint = account.endpoint.iter();
            all.extend(endpoint.map(|id| (EntityKind::Endpoint, id.clone(), vec!["endpoint".into()])));
            let bot = account.bot.iter();
            all.extend(bot.map(|id| (EntityKind::Bot, id.clone(), vec!["bot".into()])));
        }
        Entity::Bot(bot) => {
            let endpoint = bot.endpoint.iter();
            all.extend(endpoint.map(|id| (EntityKind::Endpoint, id.clone(), vec!["endpoint".into()])));
        }
        Entity::Deployment(deployment) => {
            all.push((EntityKind::ChannelAccount, deployment.account.clone(), vec!["account".into()]));
        }
        Entity::ApiClient(client) => all.extend(listed(EntityKind::ChannelAccount, &client.accounts, &["accounts"])),
        Entity::EntryPoint(entry) => {
            all.push((EntityKind::ChannelAccount, entry.account.clone(), vec!["account".into()]));
        }
        Entity::Tenant(_)
        | Entity::Endpoint(_)
        | Entity::Skill(_)
        | Entity::Language(_)
        | Entity::WrapUpCode(_)
        | Entity::Template(_) => {}
    }
    all
}

fn of_queue(queue: &Queue) -> Vec<Reference> {
    let mut all = listed(EntityKind::Agent, &queue.members, &["members"]);
    all.extend(listed(EntityKind::Skill, &queue.skills, &["skills"]));
    all.extend(listed(EntityKind::WrapUpCode, &queue.wrap_up.codes, &["wrap_up", "codes"]));
    let language = queue.language.iter();
    all.extend(language.map(|id| (EntityKind::Language, id.clone(), vec!["language".into()])));
    all
}

fn of_agent(agent: &Agent) -> Vec<Reference> {
    let under = |kind, path: &'static str| move |id: &String| (kind, id.clone(), vec![path.to_owned(), id.clone()]);
    let skills = agent.skills.keys().map(under(EntityKind::Skill, "skills"));
    let languages = agent.languages.keys().map(under(EntityKind::Language, "languages"));
    skills.chain(languages).collect()
}

fn listed(kind: EntityKind, ids: &[String], path: &[&str]) -> Vec<Reference> {
    let place = |number: usize| path.iter().map(|part| (*part).to_owned()).chain([number.to_string()]).collect();
    ids.iter().enumerate().map(|(number, id)| (kind, id.clone(), place(number))).collect()
}
