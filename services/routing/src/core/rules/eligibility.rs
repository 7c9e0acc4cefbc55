//! R1, R3: who may take what.
//!
//! Evaluation `all` asks for every skill of the queue and the language; `none` for neither.

use std::collections::BTreeSet;

use schemas::config::{Agent, Queue, SkillEvaluation};
use schemas::ids::{AgentId, LanguageId, QueueId, SkillId, TenantId};
use schemas::records::Presence;

use super::capacity;
use crate::core::index::Lane;
use crate::core::state::{AgentKey, AgentRow, State};

/// Whether an agent can take a lane's work now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// They can.
    Ready,
    /// They cannot, for one of [`REASONS`].
    Excluded(&'static str),
}

/// Why somebody cannot, in the order in which it is looked at.
pub const REASONS: &[&str] =
    &["not_configured", "off_queue", "not_connected", "not_responding", "no_capacity", "skill", "language"];

/// On queue and connected: offers can reach them.
pub fn is_on_queue(row: &AgentRow) -> bool {
    row.presence == Presence::OnQueue && row.is_connected()
}

/// Whether an agent can take anything at all.
pub fn available(agent: Option<&Agent>, row: &AgentRow) -> Standing {
    let Some(agent) = agent else { return Standing::Excluded("not_configured") };
    if row.presence != Presence::OnQueue {
        Standing::Excluded("off_queue")
    } else if !row.is_connected() {
        Standing::Excluded("not_connected")
    } else if row.not_responding {
        Standing::Excluded("not_responding")
    } else if !capacity::has_room(agent, row.load) {
        Standing::Excluded("no_capacity")
    } else {
        Standing::Ready
    }
}

fn fits(agent: &Agent, queue: &Queue, language: Option<&LanguageId>) -> Standing {
    let lacks_skill = |skill: &String| !agent.skills.contains_key(skill);
    if queue.evaluation == SkillEvaluation::All && queue.skills.iter().any(lacks_skill) {
        return Standing::Excluded("skill");
    }
    match language {
        Some(language) if !agent.languages.contains_key(language.as_str()) => Standing::Excluded("language"),
        _ => Standing::Ready,
    }
}

/// What a conversation of this queue asks for.
pub fn skills_asked(queue: &Queue) -> Vec<SkillId> {
    match queue.evaluation {
        SkillEvaluation::All => queue.skills.iter().map(SkillId::new).collect(),
        SkillEvaluation::None => Vec::new(),
    }
}

/// The language a conversation of this queue asks for: the customer's if the tenant has it
/// configured (`pt_BR`, else `pt`), else the queue's.
pub fn language_asked(state: &State, tenant: &TenantId, queue: &Queue, customer: Option<&str>) -> Option<LanguageId> {
    if queue.evaluation == SkillEvaluation::None {
        return None;
    }
    let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or(tag).to_lowercase();
    let spellings = customer.map(|tag| [LanguageId::new(tag), LanguageId::new(primary(tag))]);
    let known = spellings.into_iter().flatten().find(|language| state.knows_language(tenant, language));
    known.or_else(|| queue.language.as_deref().map(LanguageId::new))
}

/// Every lane that a queue can have.
fn lanes_of(state: &State, tenant: &TenantId, id: &QueueId, queue: &Queue) -> BTreeSet<Lane> {
    let lane = |language| Lane { tenant: tenant.clone(), queue: id.clone(), language };
    match queue.evaluation {
        SkillEvaluation::None => BTreeSet::from([lane(None)]),
        SkillEvaluation::All => {
            let own = queue.language.as_deref().map(LanguageId::new);
            let spoken = state.languages(tenant).cloned().map(Some);
            std::iter::once(own).chain(spoken).map(lane).collect()
        }
    }
}

/// How an agent stands to each lane of the queues they are a member of.
pub fn standings(state: &State, key: &AgentKey, row: &AgentRow) -> Vec<(Lane, Standing)> {
    let agent = state.agent(key);
    let available = available(agent, row);
    let mut standings = Vec::new();
    for id in queues_of(state, key) {
        let Some(queue) = state.queue(&key.0, id) else { continue };
        for lane in lanes_of(state, &key.0, id, queue) {
            let standing = match (available, agent) {
                (Standing::Ready, Some(agent)) => fits(agent, queue, lane.language.as_ref()),
                (other, _) => other,
            };
            standings.push((lane, standing));
        }
    }
    standings
}

/// The queues an agent is a member of.
pub fn queues_of<'a>(state: &'a State, key: &'a AgentKey) -> impl Iterator<Item = &'a QueueId> {
    let from = (key.clone(), QueueId::default());
    state.index.memberships.range(from..).take_while(move |(agent, _)| agent == key).map(|(_, queue)| queue)
}

/// Whether an agent is a member of a queue.
pub fn is_member(state: &State, tenant: &TenantId, agent: &AgentId, queue: &QueueId) -> bool {
    state.index.memberships.contains(&((tenant.clone(), agent.clone()), queue.clone()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::core::state::Load;

    fn agent(skills: &[&str], languages: &[&str]) -> Agent {
        let rated = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), 3)).collect::<BTreeMap<_, u8>>();
        Agent { skills: rated(skills), languages: rated(languages), ..Agent::default() }
    }

    fn queue(evaluation: &str, skills: &[&str]) -> Queue {
        let spec = serde_json::json!({"name": "q", "members": [], "evaluation": evaluation, "skills": skills});
        serde_json::from_value(spec).unwrap()
    }

    #[test]
    fn all_asks_for_every_skill_and_the_language_and_none_for_no_skill() {
        let german = LanguageId::new("de");
        for (evaluation, asked, has, language, speaks, expected) in [
            ("all", vec![], vec![], None, vec![], Standing::Ready),
            ("all", vec!["a", "b"], vec!["a", "b", "c"], None, vec![], Standing::Ready),
            ("all", vec!["a", "b"], vec!["a"], None, vec![], Standing::Excluded("skill")),
            ("all", vec!["a"], vec!["a"], Some(&german), vec!["en"], Standing::Excluded("language")),
            ("all", vec!["a"], vec!["a"], Some(&german), vec!["de"], Standing::Ready),
            ("none", vec!["a"], vec![], None, vec![], Standing::Ready),
        ] {
            let standing = fits(&agent(&has, &speaks), &queue(evaluation, &asked), language);
            assert_eq!(standing, expected, "{evaluation} {asked:?} {has:?} {language:?}");
        }
    }

    #[test]
    fn the_first_thing_in_the_way_is_the_reason() {
        let known = agent(&[], &[]);
        let on = AgentRow {
            presence: Presence::OnQueue,
            gateways: BTreeMap::from([("g".to_owned(), None)]),
            ..AgentRow::new(0)
        };
        let full = Load { talking: 4, ..Load::default() };
        for (row, expected) in [
            (on.clone(), Standing::Ready),
            (AgentRow { presence: Presence::Break, ..on.clone() }, Standing::Excluded("off_queue")),
            (AgentRow { gateways: BTreeMap::new(), ..on.clone() }, Standing::Excluded("not_connected")),
            (AgentRow { not_responding: true, ..on.clone() }, Standing::Excluded("not_responding")),
            (AgentRow { load: full, ..on.clone() }, Standing::Excluded("no_capacity")),
        ] {
            assert_eq!(available(Some(&known), &row), expected);
        }
        assert_eq!(available(None, &on), Standing::Excluded("not_configured"));
    }
}
