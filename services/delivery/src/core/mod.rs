//! Decides what is sent when, and what its outcome means. No I/O, no clock.
//!
//! A customer's open messages form a lane; only its head can be claimed. A lane whose head could
//! leave is *ready*; its account admits ready lanes one by one. Every change of a message ends in
//! [`rules::order::turn`], which finds the lane's next step and its next deadline.

pub mod bots;
pub mod effect;
pub mod event;
pub mod media;
pub mod notice;
pub mod rendering;
pub mod rows;
pub mod rules;
pub mod state;
mod step;

use effect::Effect;
use event::Event;
use state::Deliveries;
use step::Step;
use stream::{Machine, Timestamp};

/// The machine of one partition.
#[derive(Debug, Clone, Default)]
pub struct Delivery {
    /// What an operator can set.
    pub policy: Policy,
}

/// What an operator can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Calls of one account that may be out at one time, per partition.
    pub account_claims_max: usize,
    /// Media that may be fetched at one time, per partition; 0: none are kept.
    pub copies_max: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self { account_claims_max: 32, copies_max: 0 }
    }
}

impl Machine for Delivery {
    type State = Deliveries;
    type Event = Event;
    type Effect = Effect;

    fn apply(&self, state: &mut Deliveries, event: Event, now: Timestamp) -> Vec<Effect> {
        let mut step = Step { state, policy: self.policy, now, effects: Vec::new() };
        match event {
            Event::Tick => rules::deadlines::tick(&mut step),
            Event::Configured(key, account) => rules::settings::configured(&mut step, key, account),
            Event::Asked(asked) => rules::accept::asked(&mut step, *asked),
            Event::Called(ended) => rules::outcome::called(&mut step, ended),
            Event::Receipt(receipt) => rules::receipts::receipt(&mut step, receipt),
            Event::Echo(echo) => rules::echoes::echo(&mut step, *echo),
            Event::Told(key, told) => rules::shared_health::told(&mut step, key, told),
            Event::Received(received) => {
                if received.wrote {
                    rules::consent::wrote(&mut step, received.customer_key);
                }
                rules::media::received(&mut step, *received);
            }
            Event::CopyAsked(asked) => rules::media::asked(&mut step, &asked),
            Event::Copied(ended) => rules::media::ended(&mut step, ended),
            Event::BotConfigured(key, bot) => rules::bots::configured(&mut step, key, bot.map(|bot| *bot)),
            Event::TurnAsked(asked) => rules::bots::asked(&mut step, *asked),
            Event::BotCalled(ended) => rules::bots::ended(&mut step, ended),
            Event::CalledBack(called) => rules::bots::called_back(&mut step, called),
            Event::Heard(heard) => rules::replies::heard(&mut step, heard),
            Event::Consented(customer, told) => rules::consent::changed(&mut step, customer, told),
            Event::Wrote(customer) => rules::consent::wrote(&mut step, customer),
            Event::Signalled(told) => rules::signals::signalled(&mut step, *told),
            Event::Noticed(asked) => rules::lifecycle::noticed(&mut step, *asked),
            Event::Resend(asked, again) => rules::resend::resend(&mut step, *asked, again),
        }
        step.effects
    }

    fn next_deadline(&self, state: &Deliveries) -> Option<Timestamp> {
        state.next_deadline()
    }
}
