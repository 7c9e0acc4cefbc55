//! R2 `standard`: the fitting agent who has been idle longest takes the conversation that has
//! waited longest; ties go by id.
//!
//! Idle counts from the last moment an agent was given or done with an interaction, or came on
//! queue: a burst is spread over everybody rather than poured into one.

use std::ops::Bound;

use schemas::ids::{AgentId, ConversationId};
use schemas::records::Millis;

use super::eligibility;
use super::order::Rank;
use crate::core::index::{Lane, lane_of};
use crate::core::state::{AgentKey, State, WorkRow};

/// Agents who can take a lane's work now, longest idle first.
pub fn ready<'a>(state: &'a State, lane: &Lane) -> impl Iterator<Item = (Millis, &'a AgentId)> + use<'a> {
    let lane = lane.clone();
    let from = (lane.clone(), Millis::MIN, AgentId::default());
    state.index.ready.range(from..).take_while(move |(of, _, _)| *of == lane).map(|(_, since, agent)| (*since, agent))
}

/// Whom to offer a waiting conversation to.
pub fn agent_for(state: &State, row: &WorkRow) -> Option<AgentId> {
    let asked = |agent: &AgentId| row.visit.declined.contains_key(agent);
    ready(state, &lane_of(row)).map(|(_, agent)| agent).find(|agent| !asked(agent)).cloned()
}

/// What to offer an agent: what is kept for them first, then the longest waiting of all lanes
/// they fit.
pub fn work_for(state: &State, key: &AgentKey) -> Option<ConversationId> {
    let row = state.agents.get(key)?;
    if eligibility::available(state.agent(key), row) != eligibility::Standing::Ready {
        return None;
    }
    let from = (key.clone(), Rank::MIN, ConversationId::default());
    if let Some((_, _, id)) = state.index.held.range(from..).take_while(|(of, _, _)| of == key).next() {
        return Some(*id);
    }
    let standings = eligibility::standings(state, key, row);
    let fitting = standings.into_iter().filter(|(_, standing)| *standing == eligibility::Standing::Ready);
    fitting.filter_map(|(lane, _)| head(state, &lane, &key.1)).min().map(|(_, id)| id)
}

/// The first of a lane that this agent has not declined.
fn head(state: &State, lane: &Lane, agent: &AgentId) -> Option<(Rank, ConversationId)> {
    let from = (lane.clone(), Rank::MIN, ConversationId::default());
    let in_lane =
        state.index.lanes.range((Bound::Included(from), Bound::Unbounded)).take_while(|(of, _, _)| of == lane);
    let asked = |id: &ConversationId| state.work.get(id).is_some_and(|row| row.visit.declined.contains_key(agent));
    in_lane.map(|(_, rank, id)| (*rank, *id)).find(|(_, id)| !asked(id))
}
