//! The end of a conversation, by task time: an index names the next one that may be over, and
//! nothing is searched. Ids remembered for deduplication are forgotten in the same ticks.

use super::{session, window};
use crate::core::desk::Desk;
use crate::core::effect::Effect;
use crate::core::event::Context;
use crate::core::state::{Standing, Threads};
use schemas::ids::{CustomerKey, EventId};
use schemas::records::{Cause, Closed, ConversationEventKind};
use stream::Timestamp;

/// When something is next due.
pub(crate) fn next_deadline(state: &Threads) -> Option<Timestamp> {
    let closing = state.next_closing().map(|(at, _)| at);
    let session = state.next_session_end().map(|(at, _)| at);
    let forgetting = [state.seen.next_forgetting(), state.commands.next_forgetting(), state.pending.next_forgetting()];
    forgetting.into_iter().chain([closing, session]).flatten().min()
}

/// Does everything that is due.
pub(crate) fn tick(state: &mut Threads, now: Timestamp) -> Vec<Effect> {
    state.seen.forget(now);
    state.commands.forget(now);
    state.pending.forget(now);
    let mut effects = Vec::new();
    while let Some((_, customer)) = state.next_session_end().filter(|(at, _)| *at <= now) {
        effects.extend(session::look_at(state, customer, now));
    }
    while let Some((_, customer)) = state.next_closing().filter(|(at, _)| *at <= now) {
        effects.extend(look_at(state, customer, now));
    }
    effects
}

/// Closes a conversation, or looks again later if its window has become longer.
fn look_at(state: &mut Threads, customer: CustomerKey, now: Timestamp) -> Vec<Effect> {
    let mut thread = *state.customers.get(&customer).expect("the index names only threads");
    let closes_at = window::ends_at(state, &thread);
    if let Standing::Resting { grace_s, .. } = thread.standing
        && closes_at > now
    {
        thread.standing = Standing::Resting { grace_s, closes_at };
        state.put_thread(customer, thread);
        return Vec::new();
    }
    let (tenant, channel, account_id) = state.account_of(&thread);
    let context = Context {
        cause: EventId::derive(&[&thread.conversation_id(customer).to_string(), "closed"]),
        tenant: tenant.clone(),
        channel,
        account_id: account_id.clone(),
        customer_key: customer,
        occurred_at: now.as_ms(),
    };
    let mut desk = Desk::new(state, context, now);
    close_if_resting(&mut desk);
    desk.leave()
}

/// Closes the conversation that counts, if its window still runs.
pub(crate) fn close_if_resting(desk: &mut Desk<'_>) {
    let Some(mut thread) = desk.thread() else { return };
    if !matches!(thread.standing, Standing::Resting { .. }) {
        return;
    }
    thread.standing = Standing::Closed;
    desk.put_thread(thread);
    desk.state.attributes.remove(&desk.context.customer_key);
    let closed =
        Closed { cause: Cause::WindowEnded, opened_at: thread.opened_at.as_ms(), stints: i64::from(thread.stints) };
    desk.say(None, ConversationEventKind::Closed(closed));
}

#[cfg(test)]
mod tests {
    use crate::core::testing::*;

    #[test]
    fn conversations_close_in_order_each_at_the_end_of_its_window() {
        let mut driver = driver();
        for (n, customer) in [(0, ADA), (1, BOB)] {
            driver.apply(message(customer, "m1"), at(n));
            driver.apply(connect(customer, 1, 1, agent("alan")), at(n));
            driver.apply(disconnect(customer, 1, 1, 1), at(n));
        }
        assert_eq!(driver.state().open_conversations().values().sum::<i64>(), 2);
        assert!(said(&driver.advance_to(at(72 * HOUR - 1))).is_empty());
        assert_eq!(customers_of(&driver.advance_to(at(72 * HOUR + 1))), [key(ADA), key(BOB)]);
        assert_eq!(driver.state().open_conversations().values().sum::<i64>(), 0);
    }

    #[test]
    fn a_connected_conversation_never_closes_by_itself() {
        let mut driver = driver();
        driver.apply(message(ADA, "m1"), at(0));
        driver.apply(connect(ADA, 1, 1, agent("alan")), at(1));
        assert!(said(&driver.advance_to(at(400 * DAY))).is_empty());
        assert_eq!(said(&driver.apply(message(ADA, "m2"), at(400 * DAY))), ["message_added 2"]);
    }

    #[test]
    fn a_new_conversation_knows_its_predecessor() {
        use schemas::records::ConversationEventKind;
        let mut driver = driver();
        let mut opened = Vec::new();
        for n in 0..3 {
            let day = i64::from(n) * 30 * DAY;
            let effects = driver.apply(message(ADA, &format!("m{n}")), at(day));
            opened.extend(kinds(&effects).into_iter().filter_map(|kind| {
                if let ConversationEventKind::Opened(opened) = kind {
                    Some((opened.predecessor, opened.is_new_customer))
                } else {
                    None
                }
            }));
            driver.apply(disconnect_to(stint_id(ADA, n + 1, 1), ADA, 0, 1), at(day + 1));
        }
        let id = |n| Some(crate::core::state::conversation_id(key(ADA), n));
        assert_eq!(opened, [(None, true), (id(1), false), (id(2), false)]);
    }
}
