//! What time alone does: lanes and accounts wake, what is no longer needed is forgotten.

use crate::core::rules::{bots, breaker, claim, media, order};
use crate::core::step::Step;

/// Does everything due now.
pub(crate) fn tick(step: &mut Step<'_>) {
    while let Some(account) = step.state.due_account(step.now) {
        let health = breaker::resume(step.state.health(&account), step.now);
        step.set_health(&account, health);
        claim::admit(step, &account);
    }
    while let Some(customer) = step.state.due_lane(step.now) {
        order::turn(step, customer);
    }
    while let Some(id) = step.state.due_sent(step.now) {
        step.state.remove_sent(id);
    }
    while let Some(key) = step.state.due_early(step.now) {
        step.state.take_early(&key);
    }
    while let Some(customer) = step.state.due_replies(step.now) {
        step.state.set_replies(customer, None);
    }
    media::tick(step);
    bots::tick(step);
}
