//! T9: a webhook is told of each change of its conversations, in order with their messages. These
//! notices wait, are tried and given up as messages are; reports hear nothing of them.

use schemas::records::Channel;

use crate::core::event::Asked;
use crate::core::notice::Change;
use crate::core::rules::accept;
use crate::core::step::Step;

/// A conversation changed.
pub(crate) fn noticed(step: &mut Step<'_>, mut asked: Asked) {
    if asked.channel != Channel::Open {
        return;
    }
    let customer = asked.customer_key;
    match asked.notice.as_ref().map(|notice| &notice.change) {
        Some(Change::Opened(opened)) => step.state.set_party(customer, Some(opened.customer.clone())),
        Some(Change::Reopened(_) | Change::OwnerChanged(_) | Change::StintEnded(_) | Change::Closed(_)) | None => {}
    }
    asked.added.customer = asked.added.customer.or_else(|| step.state.party(customer).cloned());
    if matches!(asked.notice.as_ref().map(|notice| &notice.change), Some(Change::Closed(_))) {
        step.state.set_party(customer, None);
    }
    let route = step.state.account(&asked.account()).map(|account| &account.route);
    if route.is_some_and(|route| route.webhook_url.is_some() && !route.messages_only) {
        accept::asked(step, asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::effect::Effect;
    use crate::core::event::{Account, Event, Outcome, Route};
    use crate::core::notice::Notice;
    use crate::core::rendering::Part;
    use crate::core::rules::support::{Bench, account, asked, kinds, message_id};
    use schemas::records::{Closed, Customer, MessageAdded, Opened, OwnerChanged, StintEnded};

    fn with_webhook(messages_only: bool) -> Account {
        let route = Route { webhook_url: Some("https://shop.example".into()), messages_only, ..Route::default() };
        Account { route, ..account(Channel::Open) }
    }

    fn notice(n: i64, change: Change) -> Event {
        let like = asked(n, "ada");
        let added = MessageAdded { message_id: message_id(n), ..MessageAdded::default() };
        let notice = Some(Notice { conversation_id: like.conversation_id, stint_id: None, change });
        Event::Noticed(Box::new(Asked { channel: Channel::Open, added, notice, ..like }))
    }

    fn opened() -> Change {
        Change::Opened(Box::new(Opened {
            customer: Customer { id: "ada".into(), ..Customer::default() },
            ..Opened::default()
        }))
    }

    fn accepted() -> Outcome {
        Outcome::Accepted { provider_message_id: None, rest_ms: 0 }
    }

    #[test]
    fn notices_and_messages_leave_in_the_order_in_which_they_happened() {
        let mut bench = Bench::with(with_webhook(false));
        assert_eq!(kinds(&bench.apply(notice(1, opened()))), ["quiet claimed", "send"]);
        assert!(bench.ask(asked(2, "ada")).is_empty(), "one after the other");
        bench.apply(notice(3, Change::OwnerChanged(OwnerChanged::default())));
        bench.apply(notice(4, Change::StintEnded(StintEnded::default())));
        let mut left = Vec::new();
        for n in 1..=4 {
            let effects = bench.called(n, accepted());
            left.extend(Bench::sends(&effects).map(|send| {
                if let Part::Notice(notice) = &send.part { notice.change.word() } else { "message" }.to_owned()
            }));
        }
        assert_eq!(left, ["message", "OwnerChanged", "Ended"]);
        assert!(bench.is_empty());
    }

    #[test]
    fn whom_it_is_about_is_known_until_the_conversation_closes() {
        let mut bench = Bench::with(with_webhook(false));
        bench.apply(notice(1, opened()));
        bench.called(1, accepted());
        let effects = bench.apply(notice(2, Change::Closed(Closed::default())));
        assert_eq!(Bench::sends(&effects).next().unwrap().customer.id, "ada");
        bench.called(2, accepted());
        let effects = bench.apply(notice(3, Change::OwnerChanged(OwnerChanged::default())));
        assert_eq!(kinds(&effects), ["quiet failed"], "nobody to tell it of");
    }

    #[test]
    fn an_account_may_want_messages_alone() {
        let mut bench = Bench::with(with_webhook(true));
        assert!(bench.apply(notice(1, opened())).is_empty());
        let mut bench = Bench::with(account(Channel::Open));
        assert!(bench.apply(notice(1, opened())).is_empty(), "without a webhook there is nobody to tell");
    }

    #[test]
    fn a_notice_that_cannot_be_delivered_is_laid_aside_as_the_event_that_told_it() {
        let mut bench = Bench::with(Account { schedule_ms: Some(Vec::new()), ..with_webhook(false) });
        bench.apply(notice(1, opened()));
        let effects = bench.called(1, Outcome::NotSent { reason: "no_connection" });
        let laid_aside =
            effects.iter().find_map(|effect| if let Effect::DeadLetter(one) = effect { Some(one) } else { None });
        assert!(laid_aside.unwrap().asked.notice.is_some());
        assert_eq!(kinds(&effects), ["quiet exhausted", "dead letter"]);
    }
}
