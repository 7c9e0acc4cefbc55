//! R14: nobody waits while a suitable agent with capacity is free.
//!
//! Runs at the end of every `apply`. Agents who became able to take something choose first, the
//! longest idle of them first, one conversation each time; then conversations that came to wait
//! choose among the agents who are still free, who have nothing else they could take.

use schemas::ids::ConversationId;

use super::last_agent::{self, Answer};
use super::{decision, offer, owner_away, selection};
use crate::core::state::{AgentKey, QueueKey, Stage};
use crate::core::turn::Turn;

/// Matches until nothing more can be matched.
pub fn settle(turn: &mut Turn<'_>) {
    loop {
        if let Some((_, key)) = turn.feed.pop_first() {
            feed(turn, &key);
        } else if let Some((_, id)) = turn.place.pop_first() {
            place(turn, id);
        } else {
            break;
        }
    }
    let queues: Vec<QueueKey> = turn.queues.iter().cloned().collect();
    for queue in queues {
        decision::review_head(turn, &queue);
    }
}

fn feed(turn: &mut Turn<'_>, key: &AgentKey) {
    if owner_away::resume_one(turn, key) {
        return;
    }
    let Some(id) = selection::work_for(turn.state, key) else { return };
    let Some(row) = turn.state.work.get(&id).cloned() else { return };
    let rule = if row.visit.held_until.is_some() { "last_agent" } else { "standard" };
    offer::make(turn, row, &key.1, rule);
}

fn place(turn: &mut Turn<'_>, id: ConversationId) {
    let Some(mut row) = turn.state.work.get(&id).filter(|row| row.stage == Stage::Waiting).cloned() else { return };
    if row.visit.held_until.is_some() {
        return;
    }
    match last_agent::ask(turn.state, &row, turn.now) {
        Answer::Offer(agent) => {
            row.visit.is_last_agent_asked = true;
            return offer::make(turn, row, &agent, "last_agent");
        }
        Answer::Keep(until) => {
            row.visit.is_last_agent_asked = true;
            row.visit.held_until = Some(until);
            turn.put_work(id, Some(row));
            return decision::pass_over(turn, id);
        }
        Answer::Pass => {}
    }
    match selection::agent_for(turn.state, &row) {
        Some(agent) => offer::make(turn, row, &agent, "standard"),
        None => decision::pass_over(turn, id),
    }
}

/// The wait for the last agent is over.
pub fn release_held(turn: &mut Turn<'_>, id: ConversationId) {
    let Some(mut row) = turn.state.work.get(&id).cloned() else { return };
    row.visit.held_until = None;
    turn.to_place(&row);
    turn.put_work(id, Some(row));
}

#[cfg(test)]
mod tests {
    use crate::core::testing::{Bench, secs};

    #[test]
    fn the_longest_idle_agent_takes_the_next_conversation() {
        let mut bench = Bench::simple();
        bench.on_queue("ben").advance(secs(1)).on_queue("ada");
        bench.arrive_at("c1", secs(2)).arrive_at("c2", secs(3)).arrive_at("c3", secs(4));
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ben"));
        assert_eq!(bench.offered_to("c2").as_deref(), Some("ada"));
        assert_eq!(bench.offered_to("c3").as_deref(), Some("ben"));
    }

    #[test]
    fn equally_idle_agents_are_told_apart_by_id() {
        let mut bench = Bench::simple();
        bench.on_queue("ben").on_queue("ada").arrive("c1");
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ada"));
    }

    #[test]
    fn an_agent_takes_the_longest_waiting_of_all_their_queues_by_priority() {
        let mut bench = Bench::empty()
            .agent("ada", r#"{"capacity": {"message": 1}}"#)
            .members("sales", &["ada"], "{}")
            .members("vip", &["ada"], r#"{"priority": 10}"#)
            .account("main", "sales")
            .account("gold", "vip");
        bench.arrive_at("c1", secs(0)).arrive_by("gold", "c2", secs(300)).on_queue("ada");
        assert_eq!(bench.offered_to("c2").as_deref(), Some("ada"));
        assert_eq!(bench.offered_to("c1"), None);
    }

    #[test]
    fn only_agents_who_fit_are_asked() {
        let mut bench = Bench::empty()
            .agent("ada", "{}")
            .agent("ben", r#"{"skills": {"refunds": 2}}"#)
            .members("sales", &["ada", "ben"], r#"{"skills": ["refunds"]}"#)
            .account("main", "sales");
        bench.on_queue("ada").advance(secs(1)).arrive("c1");
        assert_eq!(bench.offered_to("c1"), None);
        bench.on_queue("ben");
        assert_eq!(bench.offered_to("c1").as_deref(), Some("ben"));
    }
}
