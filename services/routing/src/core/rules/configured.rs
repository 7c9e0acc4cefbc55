//! R16: configuration changes apply to waiting work at once.
//!
//! Who may take what is worked out anew for the agents and conversations that a document is
//! about; offers already made stand.

use std::collections::BTreeSet;

use schemas::config::Entity;
use schemas::ids::{AccountId, AgentId, ConversationId, LanguageId, QueueId, TenantId, WrapUpCodeId};
use schemas::records::{Cause, Presence, VisitOutcome};

use super::order::Rank;
use super::{eligibility, facts, offer, owner_away, requeue};
use crate::core::event::Configured;
use crate::core::state::{AgentKey, BotSpec, QueueKey, SettingKey, SettingRow, Spec, State};
use crate::core::turn::{Dims, Turn};

/// Takes a document over; an older version than the one in force is ignored.
pub fn apply(turn: &mut Turn<'_>, configured: Configured) {
    let (key, spec) = read(configured.tenant, &configured.kind, &configured.id, configured.entity);
    let former = turn.state.settings.get(&key).cloned();
    let known = former.as_ref().map_or(0, |row| row.version);
    let (version, spec) = match configured.version {
        Some(version) => (version, spec),
        None => (known + 1, Spec::Removed),
    };
    let is_removal_of_nothing = spec == Spec::Removed && former.as_ref().is_none_or(|row| row.spec == Spec::Removed);
    if version <= known || is_removal_of_nothing {
        return;
    }
    let mut tenant = turn.state.tenants.get(key.tenant()).cloned().unwrap_or_default();
    tenant.config_version += version - known;
    turn.state.tenants.put(key.tenant().clone(), tenant);
    let former = former.map_or(Spec::Removed, |row| row.spec);
    put(turn, key.clone(), former, SettingRow { version, spec });
    follow(turn, &key);
}

fn read(tenant: TenantId, kind: &str, id: &str, entity: Option<Entity>) -> (SettingKey, Spec) {
    match kind {
        "Queue" => (SettingKey::Queue(tenant, QueueId::new(id)), spec_of(entity)),
        "Agent" => (SettingKey::Agent(tenant, AgentId::new(id)), spec_of(entity)),
        "ChannelAccount" => (SettingKey::Account(tenant, AccountId::new(id)), spec_of(entity)),
        "Bot" => (SettingKey::Bot(tenant, id.to_owned()), spec_of(entity)),
        "Language" => (SettingKey::Language(tenant, LanguageId::new(id)), spec_of(entity)),
        "WrapUpCode" => (SettingKey::WrapUpCode(tenant, WrapUpCodeId::new(id)), spec_of(entity)),
        _ => (SettingKey::Other(tenant, kind.to_owned(), id.to_owned()), Spec::Exists),
    }
}

fn spec_of(entity: Option<Entity>) -> Spec {
    match entity {
        Some(Entity::Queue(queue)) => Spec::Queue(queue),
        Some(Entity::Agent(agent)) => Spec::Agent(agent),
        Some(Entity::ChannelAccount(account)) => Spec::Account { queue: QueueId::new(account.queue), bot: account.bot },
        Some(Entity::Bot(bot)) => Spec::Bot(BotSpec { timeout_ms: bot.timeout_ms, turns_max: bot.turns_max }),
        Some(
            Entity::Tenant(_)
            | Entity::Endpoint(_)
            | Entity::Deployment(_)
            | Entity::Skill(_)
            | Entity::Language(_)
            | Entity::WrapUpCode(_)
            | Entity::Template(_)
            | Entity::EntryPoint(_)
            | Entity::ApiClient(_),
        ) => Spec::Exists,
        None => Spec::Removed,
    }
}

/// Stores a document with the indexes of everybody it is about in step.
fn put(turn: &mut Turn<'_>, key: SettingKey, former: Spec, row: SettingRow) {
    let agents = concerned(turn.state, &key, &[&former, &row.spec]);
    for (agent, row) in &agents {
        let standings = eligibility::standings(turn.state, agent, row);
        turn.queues.extend(standings.iter().map(|(lane, _)| (agent.0.clone(), lane.queue.clone())));
        turn.state.index.agent(agent, row, standings, -1);
    }
    if let SettingKey::Queue(tenant, queue) = &key {
        let queue = (tenant.clone(), queue.clone());
        turn.state.index.members(&queue, &former, -1);
        turn.state.index.members(&queue, &row.spec, 1);
        turn.queues.insert(queue);
    }
    turn.state.settings.put(key, row);
    for (agent, row) in agents {
        let standings = eligibility::standings(turn.state, &agent, &row);
        turn.queues.extend(standings.iter().map(|(lane, _)| (agent.0.clone(), lane.queue.clone())));
        turn.state.index.agent(&agent, &row, standings, 1);
        turn.feed.insert((row.idle_since, agent.clone()));
        turn.state.agents.put(agent, row);
    }
}

/// Agents whose standing may depend on a document.
fn concerned(state: &State, key: &SettingKey, specs: &[&Spec]) -> Vec<(AgentKey, crate::core::state::AgentRow)> {
    let keys: BTreeSet<AgentKey> = match key {
        SettingKey::Agent(tenant, agent) => BTreeSet::from([(tenant.clone(), agent.clone())]),
        SettingKey::Queue(tenant, _) => {
            let members = specs.iter().flat_map(|spec| match spec {
                Spec::Queue(queue) => queue.members.as_slice(),
                Spec::Agent(_) | Spec::Account { .. } | Spec::Bot(_) | Spec::Exists | Spec::Removed => &[],
            });
            members.map(|member| (tenant.clone(), AgentId::new(member))).collect()
        }
        SettingKey::Language(tenant, _) => {
            let from = (tenant.clone(), AgentId::default());
            let all = state.agents.range(from..).take_while(|((of, _), _)| of == tenant);
            all.map(|(key, _)| key.clone()).collect()
        }
        SettingKey::Account(..) | SettingKey::Bot(..) | SettingKey::WrapUpCode(..) | SettingKey::Other(..) => {
            BTreeSet::new()
        }
    };
    keys.into_iter().filter_map(|key| state.agents.get(&key).cloned().map(|row| (key, row))).collect()
}

/// What a changed document means for what is going on.
fn follow(turn: &mut Turn<'_>, key: &SettingKey) {
    match key {
        SettingKey::Queue(tenant, queue) => ask_again(turn, &(tenant.clone(), queue.clone())),
        SettingKey::Language(tenant, _) => {
            for queue in turn.state.queues_of(tenant) {
                ask_again(turn, &(tenant.clone(), queue));
            }
        }
        SettingKey::Agent(tenant, agent) => {
            let key = (tenant.clone(), agent.clone());
            if turn.state.agent(&key).is_none() && turn.state.agents.contains(&key) {
                turn.change_agent(&key, |row| row.presence = Presence::Offline);
                offer::withdraw_all(turn, &key, "agent_removed");
                owner_away::refresh(turn, &key);
            }
        }
        SettingKey::Account(tenant, account) => route_stranded(turn, tenant, account),
        SettingKey::Bot(..) | SettingKey::WrapUpCode(..) | SettingKey::Other(..) => {}
    }
}

fn in_line(state: &State, queue: &QueueKey) -> Vec<ConversationId> {
    let from = (queue.clone(), Rank::MIN, ConversationId::default());
    state.index.line.range(from..).take_while(|(of, _, _)| of == queue).map(|(_, _, id)| *id).collect()
}

fn ask_again(turn: &mut Turn<'_>, queue: &QueueKey) {
    for id in in_line(turn.state, queue) {
        let Some(mut row) = turn.state.work.get(&id).cloned() else { continue };
        requeue::ask(turn.state, &mut row);
        if turn.state.work.get(&id) != Some(&row) {
            turn.to_place(&row);
            turn.put_work(id, Some(row));
        }
    }
}

/// Conversations that came before their account was configured enter its queue.
fn route_stranded(turn: &mut Turn<'_>, tenant: &TenantId, account: &AccountId) {
    let Some(queue) = turn.state.account_queue(tenant, account).cloned() else { return };
    for id in in_line(turn.state, &(tenant.clone(), QueueId::default())) {
        let Some(mut row) = turn.state.work.get(&id).filter(|row| row.facts.account == *account).cloned() else {
            continue;
        };
        let end = facts::VisitEnd {
            outcome: VisitOutcome::FlowedOut,
            cause: Cause::Operator,
            method: "standard",
            service_level_met: None,
            is_short_abandon: false,
        };
        facts::visit(turn, &row, Dims::queue(&row.queue), end);
        row.queue = queue.clone();
        requeue::enter(turn, row, Cause::Operator);
    }
}

#[cfg(test)]
mod tests {
    use crate::core::testing::{Bench, secs};

    #[test]
    fn a_new_member_gets_what_is_waiting_at_once() {
        let mut bench = Bench::simple();
        bench.configure_agent("eve", "{}").on_queue("eve").arrive("c1");
        assert_eq!(bench.offered_to("c1"), None);
        bench.configure_queue("sales", &["ada", "eve"], "{}");
        assert_eq!(bench.offered_to("c1").as_deref(), Some("eve"));
    }

    #[test]
    fn a_skill_no_longer_asked_for_is_no_longer_waited_for() {
        let mut bench = Bench::with_queue(r#"{"skills": ["refunds"]}"#);
        bench.on_queue("ada").arrive("c1");
        assert_eq!(bench.offered_to("c1"), None);
        bench.configure_queue("sales", &["ada"], "{}");
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ada"));
    }

    #[test]
    fn more_capacity_is_used_at_once() {
        let mut bench = Bench::simple();
        bench.configure_agent("ada", r#"{"capacity": {"message": 1}}"#).on_queue("ada");
        bench.arrive("c1").arrive_at("c2", secs(1));
        assert_eq!(bench.offered_to("c2"), None);
        bench.configure_agent("ada", r#"{"capacity": {"message": 2}}"#);
        assert_eq!(bench.offered_to("c2").as_deref(), Some("ada"));
    }

    #[test]
    fn a_language_counts_once_the_tenant_has_it() {
        let mut bench = Bench::simple();
        bench.arrive_speaking("c1", "de_AT", secs(0)).configure_language("de").on_queue("ada");
        assert_eq!(bench.offered_to("c1"), None);
        bench.configure_agent("ben", r#"{"languages": {"de": 5}}"#).on_queue("ben");
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ben"));
    }

    #[test]
    fn a_conversation_of_an_account_nobody_knew_is_routed_once_it_is_configured() {
        let mut bench = Bench::simple();
        bench.on_queue("ada").arrive_by("late", "c1", secs(0));
        assert_eq!(bench.waiting(""), 1);
        bench.configure_account("late", "sales");
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ada"));
    }

    #[test]
    fn every_change_raises_the_version_that_events_carry() {
        let mut bench = Bench::simple();
        bench.arrive("c1");
        let before = bench.last_config_version();
        bench.configure_language("de").arrive("c2");
        assert_eq!(bench.last_config_version(), before + 1);
    }
}
