//! D3, D6: an operator wants something to leave once more. A replay goes to the webhook under the id
//! by which it is known there; a redrive begins a given-up message's schedule anew, from the part
//! that failed. Both wait in the customer's lane and are asked for consent like everything else.

use schemas::ids::MessageId;
use schemas::records::Channel;

use crate::core::effect::Ignored;
use crate::core::event::{Again, Asked};
use crate::core::rows::{Progress, SentPart};
use crate::core::rules::accept::{self, Former};
use crate::core::step::Step;

/// Takes one wish.
pub(crate) fn resend(step: &mut Step<'_>, asked: Asked, again: Again) {
    match again {
        Again::Replay(request) => replay(step, asked, &request),
        Again::Redrive(attempts) => redrive(step, asked, attempts),
    }
}

fn replay(step: &mut Step<'_>, mut asked: Asked, request: &str) {
    if asked.channel != Channel::Open {
        return step.ignore(Ignored::Foreign);
    }
    let original = asked.added.message_id;
    asked.replay_of = Some(original);
    asked.added.message_id = MessageId::derive(&[&original.to_string(), "replay", request]);
    asked.added.customer = asked.added.customer.or_else(|| step.state.party(asked.customer_key).cloned());
    accept::asked(step, asked);
}

/// What a receipt has proved to have arrived is not sent again.
fn redrive(step: &mut Step<'_>, asked: Asked, attempts: i64) {
    let id = asked.added.message_id;
    let past = step.state.sent(id).map(|sent| (sent.past.clone(), sent.attempt_no));
    if step.state.message(id).is_some() || past.as_ref().is_some_and(|(past, _)| past.progress != Progress::Failed) {
        return step.ignore(Ignored::Repeated);
    }
    let (parts, made) = past.map(|(past, made)| (past.parts, made)).unwrap_or_default();
    let sent: Vec<SentPart> = parts.into_iter().take_while(|part| part.progress != Progress::Failed).collect();
    step.state.remove_sent(id);
    accept::again(step, asked, Former { sent, attempts: made.max(attempts) });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Account, Consented, Event, Outcome};
    use crate::core::rules::support::{Bench, account, asked, kinds, message_id};
    use schemas::records::ReceiptStatus;

    fn accepted() -> Outcome {
        Outcome::Accepted { provider_message_id: Some("p".into()), rest_ms: 0 }
    }

    fn on(channel: Channel, n: i64) -> Box<Asked> {
        Box::new(Asked { channel, ..asked(n, "ada") })
    }

    fn given_up() -> Bench {
        let mut bench = Bench::with(Account { schedule_ms: Some(Vec::new()), ..account(Channel::Whatsapp) });
        bench.ask(asked(1, "ada"));
        let effects = bench.called(1, Outcome::NotSent { reason: "no_connection" });
        assert_eq!(kinds(&effects), ["exhausted no_connection", "dead letter"]);
        bench
    }

    #[test]
    fn a_given_up_message_goes_through_its_schedule_again_and_counts_its_attempts_on() {
        let mut bench = given_up();
        let effects = bench.apply(Event::Resend(on(Channel::Whatsapp, 1), Again::Redrive(1)));
        assert_eq!(kinds(&effects), ["claimed", "send"]);
        assert_eq!(Bench::sends(&effects).next().unwrap().attempt_no, 2);
        assert_eq!(kinds(&bench.called(1, accepted())), ["sent"]);
        assert_eq!(kinds(&bench.apply(Event::Resend(on(Channel::Whatsapp, 1), Again::Redrive(1)))), ["ignored"]);
    }

    #[test]
    fn what_arrived_after_all_is_not_sent_again() {
        let mut bench = given_up();
        bench.receipt(1, ReceiptStatus::Delivered);
        assert_eq!(kinds(&bench.apply(Event::Resend(on(Channel::Whatsapp, 1), Again::Redrive(1)))), ["ignored"]);
    }

    #[test]
    fn neither_goes_past_consent() {
        for (channel, again) in [(Channel::Whatsapp, Again::Redrive(1)), (Channel::Open, Again::Replay("r".into()))] {
            let mut bench = Bench::with(account(channel));
            let told = Consented { purpose: "all".into(), granted: false, at: 1 };
            bench.apply(Event::Consented(asked(1, "ada").customer_key, told));
            let found = kinds(&bench.apply(Event::Resend(on(channel, 1), again)));
            assert!(["refused opted_out", "quiet refused"].contains(&found[0].as_str()), "{found:?}");
        }
    }

    #[test]
    fn a_replay_is_quiet_leaves_once_for_a_request_and_is_known_by_its_first_id() {
        let mut bench = Bench::with(account(Channel::Open));
        bench.ask(asked(1, "ada"));
        bench.called(1, accepted());
        let effects = bench.apply(Event::Resend(on(Channel::Open, 1), Again::Replay("r1".into())));
        assert_eq!(kinds(&effects), ["quiet claimed", "send"]);
        let send = Bench::sends(&effects).next().unwrap().clone();
        assert_eq!(send.known_as, message_id(1));
        assert_ne!(send.message_id, message_id(1));
        assert_eq!(kinds(&bench.apply(Event::Resend(on(Channel::Open, 1), Again::Replay("r1".into())))), ["ignored"]);
        let effects = bench.apply(Event::Resend(on(Channel::Whatsapp, 1), Again::Replay("r2".into())));
        assert_eq!(kinds(&effects), ["ignored"], "only webhooks are replayed");
    }
}
