//! Decides: what every message and every change of ownership makes of a conversation.

mod desk;
pub mod effect;
pub mod event;
#[cfg(test)]
mod laws;
pub mod memory;
pub mod pending;
mod rules;
pub mod state;
#[cfg(test)]
mod testing;

use desk::Desk;
use effect::{Effect, Ignored};
use event::{Concern, Event, Happened};
use rules::{
    after_call, aliases, annotations, changes, closing, consents, deduplication, entry_points, joining, leaving,
    ownership, sends, settings, signals, views,
};
use state::Threads;
use stream::{Machine, Timestamp};

/// The rules of threading; without policy of its own, since configuration is state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Threading;

impl Machine for Threading {
    type State = Threads;
    type Event = Event;
    type Effect = Effect;

    fn apply(&self, state: &mut Threads, event: Event, now: Timestamp) -> Vec<Effect> {
        match event {
            Event::Tick => closing::tick(state, now),
            Event::Configured(change) => settings::configure(state, *change),
            Event::Concerns(concern) => concerns(state, *concern, now),
        }
    }

    fn next_deadline(&self, state: &Threads) -> Option<Timestamp> {
        closing::next_deadline(state)
    }
}

fn concerns(state: &mut Threads, concern: Concern, now: Timestamp) -> Vec<Effect> {
    let mut desk = Desk::new(state, concern.context, now);
    if deduplication::came_before(&mut desk, &concern.once) {
        desk.ignore(Ignored::Repeat);
        return desk.leave();
    }
    let before = views::is_shown(&desk);
    decide(&mut desk, concern.what);
    desk.settle();
    views::show(&mut desk, before);
    desk.leave()
}

fn decide(desk: &mut Desk<'_>, what: Happened) {
    match what {
        Happened::Message(heard) => {
            aliases::learn(desk, &heard.customer);
            joining::message(desk, heard);
        }
        Happened::Left(cause) => leaving::customer_left(desk, cause),
        Happened::CustomerTyping => signals::customer_types(desk),
        Happened::Changed(kind) => changes::pass_on(desk, kind),
        Happened::Send(send) => sends::send(desk, send),
        Happened::Signal(signal) => signals::we_signal(desk, *signal),
        Happened::Connect(ask) => ownership::connect(desk, ask),
        Happened::Disconnect(ask) => ownership::disconnect(desk, &ask),
        Happened::Released(stint_id) => after_call::released(desk, stint_id),
        Happened::SetAttributes(set) => annotations::set_attributes(desk, set),
        Happened::Noted(kind) => annotations::pass_on(desk, kind),
        Happened::Consented(consent) => consents::changed(desk, consent),
        Happened::Referred(referral) => entry_points::referred(desk, &referral),
    }
}
