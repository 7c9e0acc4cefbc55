//! What must never be false of the state; a broken one stops the process.

use std::collections::BTreeMap;

use stream::Scope;

use super::index::lane_of;
use super::rules::{eligibility, order, selection};
use super::state::{AgentKey, Load, PartRow, PartStage, Stage, State, WorkRow};

/// Names the first broken invariant.
pub(super) fn check(state: &State, scope: Scope) -> Result<(), String> {
    match scope {
        Scope::Touched => {
            state.work.touched().filter_map(|id| state.work.get(id)).try_for_each(|row| work(state, row))?;
            state.parts.touched().filter_map(|id| state.parts.get(id)).try_for_each(|row| part(state, row))?;
            state.agents.touched().try_for_each(|key| agent(state, key))
        }
        Scope::All => {
            state.work.iter().try_for_each(|(_, row)| work(state, row))?;
            state.parts.iter().try_for_each(|(_, row)| part(state, row))?;
            state.agents.iter().try_for_each(|(key, _)| agent(state, key))?;
            loads(state)
        }
    }
}

/// R14, and that an owner exists.
fn work(state: &State, row: &WorkRow) -> Result<(), String> {
    let id = row.facts.conversation;
    match &row.stage {
        Stage::Waiting if row.visit.held_until.is_none() => match selection::agent_for(state, row) {
            Some(agent) => Err(format!("conversation {id} waits while {agent} is free (R14)")),
            None => Ok(()),
        },
        Stage::Waiting | Stage::Bot(_) => Ok(()),
        Stage::Alerting(offer) => {
            let key = (row.facts.tenant.clone(), offer.agent.clone());
            match state.agents.get(&key) {
                Some(agent) if agent.load.alerting > 0 => Ok(()),
                _ => Err(format!("conversation {id} alerts {} who has no offer", offer.agent)),
            }
        }
        Stage::With { part, .. } => match state.parts.get(part) {
            Some(held) if held.facts.stint == row.facts.stint => Ok(()),
            _ => Err(format!("conversation {id} is with part {part} that is not its own")),
        },
    }
}

/// Talk splits into whose turn it was; a live part is its conversation's.
fn part(state: &State, row: &PartRow) -> Result<(), String> {
    let (totals, id) = (&row.totals, row.facts.conversation);
    if row.stage == PartStage::Talking {
        let turns = totals.waiting_for_agent_ms + totals.waiting_for_customer_ms;
        let turn_at = row.turn_since - row.stage_since;
        if turns != totals.talk_ms + turn_at {
            return Err(format!("a part of {id} has {turns} ms of turns in {} ms of talk", totals.talk_ms + turn_at));
        }
    }
    let is_live = !matches!(row.stage, PartStage::WrapUp { .. });
    let is_known = state.work.get(&id).is_some_and(|work| work.facts.stint == row.facts.stint);
    if is_live && !is_known {
        return Err(format!("a live part of {id} has no stint"));
    }
    Ok(())
}

/// R14 from the agent's side.
fn agent(state: &State, key: &AgentKey) -> Result<(), String> {
    match selection::work_for(state, key) {
        Some(id) => Err(format!("{} is free while conversation {id} waits (R14)", key.1)),
        None => Ok(()),
    }
}

/// Loads and lane counts recounted.
fn loads(state: &State) -> Result<(), String> {
    let mut counted: BTreeMap<AgentKey, Load> = BTreeMap::new();
    for (_, row) in &state.work {
        if let Stage::Alerting(offer) = &row.stage {
            counted.entry((row.facts.tenant.clone(), offer.agent.clone())).or_default().alerting += 1;
        }
        if row.stage == Stage::Waiting
            && !state.index.lanes.contains(&(lane_of(row), order::rank(row), row.facts.conversation))
            && row.visit.held_until.is_none()
        {
            return Err(format!("conversation {} stands in no lane", row.facts.conversation));
        }
    }
    for (_, row) in &state.parts {
        let load = counted.entry((row.facts.tenant.clone(), row.agent.clone())).or_default();
        match row.stage {
            PartStage::Talking => load.talking += 1,
            PartStage::Parked => {}
            PartStage::WrapUp { .. } => load.wrap_up += 1,
        }
    }
    for (key, row) in &state.agents {
        let expected = counted.remove(key).unwrap_or_default();
        if row.load != expected {
            return Err(format!("{} carries {:?}, counted {expected:?}", key.1, row.load));
        }
        for (lane, standing) in eligibility::standings(state, key, row) {
            let is_listed = state.index.ready.contains(&(lane.clone(), row.idle_since, key.1.clone()));
            if is_listed != (standing == eligibility::Standing::Ready) {
                return Err(format!("{} is listed wrongly in {lane:?}", key.1));
            }
        }
    }
    match counted.into_keys().next() {
        Some(key) => Err(format!("{} carries work but is not known", key.1)),
        None => Ok(()),
    }
}
