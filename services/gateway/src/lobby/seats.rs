//! Who sits where: the connections of each guest, and what they are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemas::config::Deployment;
use schemas::ids::CustomerKey;
use schemas::records::Millis;
use tokio::sync::mpsc;

use super::frames::{self, Body, Closed, Empty, Event, Receipt};
use super::{Chair, Inner, Lobby};
use crate::core::guests::GuestNews;
use crate::core::guests::session::Session;
use crate::hub::Closing;

/// How long somebody is shown as writing, milliseconds.
const TYPING_MS: i64 = 5_000;

/// A connection with a session.
pub(super) struct Seat {
    id: u64,
    session: Arc<Session>,
    spec: Arc<Deployment>,
    frames: mpsc::Sender<String>,
    close: mpsc::Sender<Closing>,
}

impl Seat {
    pub(super) fn of(chair: &Chair, session: &Arc<Session>) -> Self {
        Self {
            id: chair.id,
            session: Arc::clone(session),
            spec: Arc::clone(&chair.door.at.spec),
            frames: chair.frames.clone(),
            close: chair.close.clone(),
        }
    }

    fn end(&self, why: Closing) {
        // it may be closing by itself
        let _ = self.close.try_send(why);
    }
}

/// All connections with a session, by guest, oldest first.
#[derive(Default)]
pub(super) struct Seats {
    by_guest: BTreeMap<CustomerKey, Vec<Seat>>,
    guests: BTreeMap<u64, CustomerKey>,
}

impl Seats {
    pub(super) fn leave(&mut self, id: u64) -> Option<Seat> {
        let customer = self.guests.remove(&id)?;
        let seats = self.by_guest.get_mut(&customer)?;
        let at = seats.iter().position(|seat| seat.id == id)?;
        let seat = seats.remove(at);
        if seats.is_empty() {
            self.by_guest.remove(&customer);
        }
        Some(seat)
    }

    /// The oldest connections of a guest that are more than these.
    pub(super) fn beyond(&self, customer: CustomerKey, max: usize) -> Vec<u64> {
        let seats = self.by_guest.get(&customer).map(Vec::as_slice).unwrap_or_default();
        seats.iter().take(seats.len().saturating_sub(max)).map(|seat| seat.id).collect()
    }

    pub(super) fn take(&mut self, seat: Seat) {
        let customer = seat.session.customer();
        self.guests.insert(seat.id, customer);
        self.by_guest.entry(customer).or_default().push(seat);
    }

    pub(super) fn expired(&self, is_over: impl Fn(&Session) -> bool) -> Vec<u64> {
        self.by_guest.values().flatten().filter(|seat| is_over(&seat.session)).map(|seat| seat.id).collect()
    }

    fn of(&self, customer: CustomerKey, which: impl Fn(&Seat) -> bool) -> Vec<u64> {
        self.by_guest.get(&customer).into_iter().flatten().filter(|seat| which(seat)).map(|seat| seat.id).collect()
    }
}

impl Lobby {
    pub(super) fn tell(&self, inner: &mut Inner, to: CustomerKey, news: &GuestNews) {
        let cause;
        match news {
            GuestNews::Message(shown) => {
                self.tell_some(inner, to, &Body::StructuredMessage(Box::new(self.line(shown))), |_| true);
            }
            GuestNews::Typing(from) => {
                let (from, duration) = (Some(*from), Some(TYPING_MS));
                let body = Event { event_type: "Typing", from, duration, conversation_id: None, cause: None };
                self.tell_some(inner, to, &Body::Event(body), |seat| seat.spec.messenger.shows_typing);
            }
            GuestNews::Ended(conversation, why) => {
                cause = why.as_str();
                let body = Event {
                    event_type: "Disconnect",
                    from: None,
                    duration: None,
                    conversation_id: Some(*conversation),
                    cause: Some(cause),
                };
                self.tell_some(inner, to, &Body::Event(body), |seat| seat.spec.messenger.shows_end);
            }
            GuestNews::Receipt(message, status) => {
                let body = Body::Receipt(Receipt { message_id: message.to_string(), status });
                self.tell_some(inner, to, &body, |_| true);
            }
            GuestNews::Cleared => self.tell_some(inner, to, &Body::SessionClearedEvent(Empty {}), |_| true),
            GuestNews::Revoked(at) => self.log_out(inner, to, *at),
            GuestNews::SessionEnded(id) => {
                let body = Body::ConnectionClosedEvent(Closed { reason: "session_ended" });
                for seat in inner.seats.of(to, |seat| seat.session.id == *id) {
                    self.close(inner, seat, &body, Closing::SessionEnded);
                }
            }
        }
    }

    fn log_out(&self, inner: &mut Inner, to: CustomerKey, until: Millis) {
        for seat in inner.seats.of(to, |seat| seat.session.spec.began_at <= until) {
            self.close(inner, seat, &Body::LogoutEvent(Empty {}), Closing::SessionEnded);
        }
    }

    /// A connection that has no room is closed: it would otherwise miss something.
    fn tell_some(&self, inner: &mut Inner, to: CustomerKey, body: &Body<'_>, which: impl Fn(&Seat) -> bool) {
        let Some(seats) = inner.seats.by_guest.get(&to) else { return };
        let text = frames::message(body);
        let told = seats.iter().filter(|seat| which(seat));
        let (mut slow, mut count) = (Vec::new(), 0);
        for seat in told {
            count += 1;
            if seat.frames.try_send(text.clone()).is_err() {
                seat.end(Closing::Slow);
                slow.push(seat.id);
            }
        }
        self.shared.metrics.guest_frames_out.with_label_values(&[body.class().as_str()]).inc_by(count);
        for id in slow {
            inner.seats.leave(id);
        }
    }

    /// Closes a connection with a last word.
    pub(super) fn close(&self, inner: &mut Inner, id: u64, body: &Body<'_>, why: Closing) {
        let Some(seat) = inner.seats.leave(id) else { return };
        if seat.frames.try_send(frames::message(body)).is_ok() {
            self.shared.metrics.guest_frames_out.with_label_values(&[body.class().as_str()]).inc();
        }
        seat.end(why);
    }
}
