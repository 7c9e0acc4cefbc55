//! Documents name each other: every name must lead somewhere, in the set or on the topic.

use std::collections::BTreeMap;

use schemas::config::{Agent, Entity, EntityKind, Queue};
use schemas::records::{Channel, ConfigEntity};

use super::{Document, Problem, key};
use crate::journal::Applied;
use crate::output::nearest;

/// Everything that can be referred to, by key; of an account, its channel.
pub(crate) type Known = BTreeMap<String, Option<Channel>>;

/// Names that lead nowhere.
pub(crate) fn check_references(documents: &[Document], applied: &Known) -> Vec<Problem> {
    let mut known = applied.clone();
    known.extend(documents.iter().map(|document| (document.key(), channel_of(&document.entity))));
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
    }
    problems
}

/// The channel of an account.
pub(crate) fn channel_of(entity: &Entity) -> Option<Channel> {
    if let Entity::ChannelAccount(account) = entity { Some(account.channel) } else { None }
}

/// Guests of a deployment write to a web account: any other would send their answers elsewhere.
fn wrong_channel(document: &Document, known: &Known) -> Option<Problem> {
    let Entity::Deployment(deployment) = &document.entity else { return None };
    let account = key(&document.tenant, EntityKind::ChannelAccount.as_str(), &deployment.account);
    let channel = known.get(&account).copied().flatten().filter(|channel| *channel != Channel::Web)?;
    let text = format!("expected an account of channel web, `{}` is one of {channel}", deployment.account);
    Some(document.problem(&["account"], text))
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
