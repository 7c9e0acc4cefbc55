//! R15's first half: whether an agent can be reached.
//!
//! Each gateway names the agents whose connections it holds every 10 s. Who is not named for 30 s,
//! or whose gateway is silent for 30 s, is not connected: no offers, and open ones are taken back.

use std::collections::BTreeSet;

use schemas::ids::AgentId;
use schemas::records::{ConnectionChange, ConnectionsHeld, Millis};

use super::{offer, owner_away};
use crate::core::Asked;
use crate::core::state::{AgentKey, GatewayKey, GatewayRow};
use crate::core::turn::Turn;

/// Longest silence about a connection, milliseconds.
pub const SILENCE_MAX_MS: Millis = 30_000;

/// A gateway names the agents it holds.
pub fn held(turn: &mut Turn<'_>, asked: &Asked<'_>, held: &ConnectionsHeld) {
    let gateway = (asked.tenant.clone(), held.gateway_id.clone());
    let former = turn.state.connections.get(&gateway).map_or(turn.now, |row| row.held_at);
    turn.put_gateway(&gateway, Some(GatewayRow { held_at: turn.now }));
    let named: BTreeSet<&AgentId> = held.agent_ids.iter().collect();
    for agent in linked(turn, &gateway).iter().filter(|agent| !named.contains(agent)) {
        turn.change_agent(&(gateway.0.clone(), agent.clone()), |row| {
            if let Some(missing_since) = row.gateways.get_mut(&gateway.1) {
                missing_since.get_or_insert(former);
            }
        });
    }
    for agent in named {
        link(turn, &(gateway.0.clone(), agent.clone()), &gateway.1);
    }
}

/// An agent has a connection.
pub fn back(turn: &mut Turn<'_>, asked: &Asked<'_>, change: &ConnectionChange) {
    let gateway = (asked.tenant.clone(), change.gateway_id.clone());
    turn.put_gateway(&gateway, Some(GatewayRow { held_at: turn.now }));
    link(turn, &(gateway.0, change.agent_id.clone()), &gateway.1);
}

/// An agent lost a connection.
pub fn lost(turn: &mut Turn<'_>, asked: &Asked<'_>, change: &ConnectionChange) {
    unlink(turn, &(asked.tenant.clone(), change.agent_id.clone()), &change.gateway_id);
}

/// Nothing was heard of a gateway for too long.
pub fn gateway_silent(turn: &mut Turn<'_>, gateway: &GatewayKey) {
    turn.put_gateway(gateway, None);
    for agent in linked(turn, gateway) {
        unlink(turn, &(gateway.0.clone(), agent), &gateway.1);
    }
}

/// An agent is no longer reached by a gateway.
pub fn unlink(turn: &mut Turn<'_>, key: &AgentKey, gateway: &str) {
    if turn.state.agents.get(key).is_none_or(|row| !row.gateways.contains_key(gateway)) {
        return;
    }
    turn.change_agent(key, |row| row.gateways.retain(|name, _| name != gateway));
    if turn.state.agents.get(key).is_some_and(|row| !row.is_connected()) {
        offer::withdraw_all(turn, key, "connection_lost");
        owner_away::refresh(turn, key);
    }
}

fn link(turn: &mut Turn<'_>, key: &AgentKey, gateway: &str) {
    if turn.state.agent(key).is_none() {
        return;
    }
    let now = turn.now;
    turn.change_agent(key, |row| {
        if !row.is_connected() {
            row.idle_since = now;
        }
        row.gateways.insert(gateway.to_owned(), None);
    });
    owner_away::refresh(turn, key);
}

fn linked(turn: &Turn<'_>, gateway: &GatewayKey) -> Vec<AgentId> {
    let from = (gateway.clone(), AgentId::default());
    let links = turn.state.index.links.range(from..).take_while(|(of, _)| of == gateway);
    links.map(|(_, agent)| agent.clone()).collect()
}

#[cfg(test)]
mod tests {
    use crate::core::testing::{Bench, secs};

    #[test]
    fn an_agent_not_named_for_thirty_seconds_gets_no_offers() {
        let mut bench = Bench::simple();
        bench.quiet().on_queue("ada");
        bench.held("g1", &["ada"], secs(10)).held("g1", &[], secs(20)).held("g1", &[], secs(30));
        bench.arrive_at("c1", secs(39));
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ada"));
        bench.advance(secs(40)).held("g1", &[], secs(40));
        assert_eq!(bench.offered_to("c1"), None);
        assert!(bench.said("withdrawn").is_some());
        bench.held("g1", &["ada"], secs(50));
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ada"));
    }

    #[test]
    fn a_silent_gateway_loses_everybody_it_held() {
        let mut bench = Bench::simple();
        bench.quiet().on_queue("ada").on_queue("ben");
        bench.advance(secs(29)).arrive("c1");
        assert!(bench.offered_to("c1").is_some());
        bench.advance(secs(31));
        assert_eq!(bench.offered_to("c1"), None);
        assert_eq!(bench.count_on_queue("sales"), 0);
    }

    #[test]
    fn a_lost_connection_counts_only_when_it_was_the_last() {
        let mut bench = Bench::simple();
        bench.on_queue("ada").held("g2", &["ada"], secs(1));
        bench.lost("ada", "g1", secs(2)).arrive("c1");
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ada"));
        bench.lost("ada", "g2", secs(3));
        assert_eq!(bench.offered_to("c1"), None);
    }
}
