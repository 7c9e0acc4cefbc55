//! R11: after-call work, by the queue's policy.
//!
//! | policy | after-call work | ends by |
//! |---|---|---|
//! | `optional` | none; a code may be given while connected | |
//! | `mandatory` | until a code is given | code |
//! | `timed` | at most `timeout_s` | the agent, with or without a code; time: `TIMEOUT` |
//! | `timed_forced` | `timeout_s` or a code | code; time: `TIMEOUT` |
//! | `agent_requested` | only if the agent sent a wrap-up without a code while connected | as `timed` |
//!
//! A code given while connected ends the part at the disconnect. After-call work holds capacity.

use schemas::config::{Queue, WrapUpPolicy};
use schemas::ids::{PartId, WrapUpCodeId};
use schemas::records::{
    ConversationCommandKind, Ended, Millis, ReentryReleased, RoutingEventKind, WrapUpAsk, WrappedUp,
};

use super::{facts, part};
use crate::core::Asked;
use crate::core::state::{PartRow, PartStage, SettingKey, Spec, Stage, State};
use crate::core::turn::{Dims, Turn};

/// The code of after-call work that nobody finished.
pub const TIMEOUT: &str = "TIMEOUT";

/// After-call work that a part has to go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AfterCall {
    /// When it ends by itself.
    pub deadline_at: Option<Millis>,
    /// The policy as configured.
    pub policy: &'static str,
}

/// What follows when a part is disconnected now.
pub fn after_call(state: &State, part: &PartRow, now: Millis) -> Option<AfterCall> {
    let queue = state.queue(&part.facts.tenant, &part.queue)?;
    let timed = Some(now.saturating_add(queue.wrap_up.timeout_s.saturating_mul(1000)));
    let has_code = part.code.is_some();
    let (deadline_at, policy) = match queue.wrap_up.policy {
        WrapUpPolicy::Mandatory if !has_code => (None, "mandatory"),
        WrapUpPolicy::Timed if !has_code => (timed, "timed"),
        WrapUpPolicy::TimedForced if !has_code => (timed, "timed_forced"),
        WrapUpPolicy::AgentRequested if part.is_acw_requested => (timed, "agent_requested"),
        WrapUpPolicy::Optional
        | WrapUpPolicy::Mandatory
        | WrapUpPolicy::Timed
        | WrapUpPolicy::TimedForced
        | WrapUpPolicy::AgentRequested => return None,
    };
    Some(AfterCall { deadline_at, policy })
}

/// An agent gives a code, notes and tags.
pub fn ask(turn: &mut Turn<'_>, asked: &Asked<'_>, ask: &WrapUpAsk) {
    let Some((id, mut row)) = find(turn.state, asked, ask) else { return turn.refuse(asked, "unknown_part") };
    let policy = turn.state.queue(asked.tenant, &row.queue).map_or(WrapUpPolicy::Timed, |queue| queue.wrap_up.policy);
    if ask.code.as_ref().is_some_and(|code| !is_known(turn.state, &row, code)) {
        return turn.refuse(asked, "unknown_code");
    }
    let needs_code = matches!(policy, WrapUpPolicy::Mandatory | WrapUpPolicy::TimedForced);
    let is_open = matches!(row.stage, PartStage::WrapUp { .. });
    if is_open && needs_code && ask.code.is_none() && row.code.is_none() {
        return turn.refuse(asked, "code_required");
    }
    row.code = ask.code.clone().or(row.code);
    row.notes = ask.notes.clone().or(row.notes);
    row.tags.extend(ask.tags.iter().filter(|tag| !ask.tags.is_empty() && !tag.is_empty()).cloned());
    row.tags.sort();
    row.tags.dedup();
    row.is_acw_requested |= policy == WrapUpPolicy::AgentRequested && ask.code.is_none();
    turn.put_part(id, Some(row));
    if is_open {
        finish(turn, id);
    }
}

/// After-call work ends without the agent.
pub fn run_out(turn: &mut Turn<'_>, id: PartId) {
    let Some(mut row) = turn.state.parts.get(&id).cloned() else { return };
    row.code.get_or_insert_with(|| WrapUpCodeId::new(TIMEOUT));
    turn.put_part(id, Some(row));
    finish(turn, id);
}

/// Ends after-call work, the part, and the stint unless a new one has begun.
fn finish(turn: &mut Turn<'_>, id: PartId) {
    let Some(mut row) = turn.state.parts.get(&id).cloned() else { return };
    part::stop(turn, id, &mut row);
    say(turn, id, &row);
    facts::part(turn, id, &row);
    turn.put_part(id, None);
    let conversation = row.facts.conversation;
    let work = turn.state.work.get(&conversation).cloned();
    if let Some((work, Stage::With { part, released })) = work.map(|work| (work.clone(), work.stage))
        && part == id
    {
        if !released {
            let release = ReentryReleased { stint_id: work.facts.stint, seen_seq: work.last_seq };
            turn.tell(&work.facts, ConversationCommandKind::ReentryReleased(release));
            turn.say(&work.facts, Dims::part(id, &row), RoutingEventKind::Ended(Ended { cause: row.end_cause }));
        }
        turn.put_work(conversation, None);
    }
    let now = turn.now;
    turn.change_agent(&(row.facts.tenant, row.agent), |agent| {
        agent.load.wrap_up -= 1;
        agent.idle_since = now;
    });
}

/// Says what was written up.
pub fn say(turn: &mut Turn<'_>, id: PartId, row: &PartRow) {
    let wrapped = WrappedUp {
        code: row.code.clone(),
        notes: row.notes.clone(),
        tags: row.tags.clone(),
        acw_ms: row.totals.acw_ms,
    };
    turn.say(&row.facts, Dims::part(id, row), RoutingEventKind::WrappedUp(wrapped));
}

/// The named part, or the agent's part of the conversation: one in after-call work first.
fn find(state: &State, asked: &Asked<'_>, ask: &WrapUpAsk) -> Option<(PartId, PartRow)> {
    let of_conversation = asked.conversation.into_iter().flat_map(|conversation| {
        let parts = state.index.work_parts.range((conversation, PartId::default())..);
        parts.take_while(move |(of, _)| *of == conversation).map(|(_, part)| *part)
    });
    let parts = ask.part_id.map_or_else(|| of_conversation.collect::<Vec<_>>(), |id| vec![id]);
    let rows = parts.into_iter().filter_map(|id| Some((id, state.parts.get(&id)?)));
    let own = rows.filter(|(_, row)| row.agent == ask.agent_id && row.facts.tenant == *asked.tenant);
    let found = own.min_by_key(|(id, row)| (!matches!(row.stage, PartStage::WrapUp { .. }), *id));
    found.map(|(id, row)| (id, row.clone()))
}

/// Whether a code may be given: one of the queue's, else any of the tenant's; a tenant that
/// configured none takes any.
fn is_known(state: &State, row: &PartRow, code: &WrapUpCodeId) -> bool {
    let tenant = &row.facts.tenant;
    let codes = |queue: &Queue| queue.wrap_up.codes.clone();
    let allowed = state.queue(tenant, &row.queue).map(codes).unwrap_or_default();
    if !allowed.is_empty() {
        return allowed.iter().any(|allowed| allowed == code.as_str());
    }
    let from = SettingKey::WrapUpCode(tenant.clone(), WrapUpCodeId::default());
    let mut configured = state
        .settings
        .range(from..)
        .take_while(|(key, _)| matches!(key, SettingKey::WrapUpCode(of, _) if of == tenant));
    let key = SettingKey::WrapUpCode(tenant.clone(), code.clone());
    state.settings.get(&key).is_some_and(|row| row.spec != Spec::Removed)
        || !configured.any(|(_, row)| row.spec != Spec::Removed)
}

#[cfg(test)]
mod tests {
    use crate::core::testing::{Bench, secs};

    /// A part of a queue with this policy that is disconnected at second 0.
    fn disconnected(policy: &str) -> Bench {
        let rules = format!(r#"{{"wrap_up": {{"policy": "{policy}", "timeout_s": 20, "codes": ["done"]}}}}"#);
        let mut bench = Bench::with_queue(&rules);
        bench.on_queue("ada").arrive("c1").accept("c1", "ada").disconnect("c1", "ada");
        bench
    }

    #[test]
    fn each_policy_ends_as_the_table_says() {
        for (policy, is_open, after_20_s) in [
            ("optional", false, None),
            ("agent_requested", false, None),
            ("mandatory", true, None),
            ("timed", true, Some("TIMEOUT")),
            ("timed_forced", true, Some("TIMEOUT")),
        ] {
            let mut bench = disconnected(policy);
            assert_eq!(bench.disconnect_told().unwrap().acw_open, is_open, "{policy}");
            assert_eq!(bench.load("ada"), i64::from(is_open), "{policy}");
            bench.clear().advance(secs(20));
            let code = bench.part_ended().and_then(|part| part.wrap_up_code);
            assert_eq!(code.as_ref().map(|code| code.as_str()), after_20_s, "{policy}");
        }
    }

    #[test]
    fn a_code_ends_after_call_work_and_leaving_it_out_only_where_it_may_be() {
        for (policy, without) in
            [("mandatory", Some("code_required")), ("timed_forced", Some("code_required")), ("timed", None)]
        {
            let mut bench = disconnected(policy);
            bench.wrap_up("c1", "ada", None);
            assert_eq!(bench.refused().as_deref(), without, "{policy}");
            bench = disconnected(policy);
            bench.advance(secs(7)).wrap_up("c1", "ada", Some("other"));
            assert_eq!(bench.refused().as_deref(), Some("unknown_code"));
            bench.wrap_up("c1", "ada", Some("done"));
            let part = bench.part_ended().unwrap();
            assert_eq!((part.wrap_up_code.unwrap().as_str(), part.acw_ms), ("done", 7_000), "{policy}");
            assert_eq!(bench.load("ada"), 0);
            assert!(bench.released_told().is_some());
        }
    }

    #[test]
    fn after_call_work_asked_for_while_connected_follows() {
        let mut bench = Bench::with_queue(r#"{"wrap_up": {"policy": "agent_requested", "timeout_s": 20}}"#);
        bench.on_queue("ada").arrive("c1").accept("c1", "ada");
        bench.wrap_up("c1", "ada", None).disconnect("c1", "ada");
        assert_eq!(bench.load("ada"), 1);
    }

    #[test]
    fn a_code_given_while_connected_ends_the_part_at_the_disconnect() {
        let mut bench = Bench::with_queue(r#"{"wrap_up": {"policy": "mandatory"}}"#);
        bench.on_queue("ada").arrive("c1").accept("c1", "ada");
        bench.wrap_up("c1", "ada", Some("done")).disconnect("c1", "ada");
        assert_eq!(bench.part_ended().unwrap().wrap_up_code.unwrap().as_str(), "done");
        assert!(bench.is_gone("c1"));
    }
}
