//! Receipts that are about everything until a time, as Messenger's, or about a message and all
//! before it, as a read mark is.

use schemas::ids::{CustomerKey, MessageId};
use schemas::records::{Channel, ReceiptStatus};
use stream::Timestamp;

use crate::core::effect::Ignored;
use crate::core::event::Receipt;
use crate::core::rules::receipts;
use crate::core::step::Step;

/// Moves everything forward that was settled until the watermark; a platform's clock may be a little
/// behind ours.
pub(crate) fn until(step: &mut Step<'_>, customer: CustomerKey, receipt: &Receipt) {
    const SKEW_MS: i64 = 1_000;
    let until = receipt.watermark.map(|at| Timestamp::from_ms(at.saturating_add(SKEW_MS)));
    let ids = until.map(|until| step.state.unread(customer, until)).unwrap_or_default();
    if ids.is_empty() {
        return step.ignore(Ignored::Stale);
    }
    for id in ids {
        whole(step, id, receipt);
    }
}

/// A read mark of one message is one of all before it, on channels that show them so.
pub(crate) fn before(step: &mut Step<'_>, id: MessageId, receipt: &Receipt) {
    let is_mark = matches!(receipt.status, ReceiptStatus::Read | ReceiptStatus::Played);
    let Some(sent) = step.state.sent(id).cloned() else { return };
    let shows_so = matches!(sent.channel, Channel::Facebook | Channel::Instagram | Channel::Twitter);
    if !is_mark || !shows_so {
        return;
    }
    for earlier in step.state.unread(sent.customer_key, sent.at) {
        whole(step, earlier, receipt);
    }
}

fn whole(step: &mut Step<'_>, id: MessageId, receipt: &Receipt) {
    let Some(sent) = step.state.sent(id).cloned().filter(|sent| sent.account == receipt.account) else { return };
    for no in 1..=sent.past.of {
        receipts::advance(step, id, no, receipt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Event, Outcome};
    use crate::core::rules::support::{Bench, account, asked, kinds};

    fn accepted(id: &str) -> Outcome {
        Outcome::Accepted { provider_message_id: Some(id.into()), rest_ms: 0 }
    }

    #[test]
    fn a_watermark_moves_what_was_sent_before_it_and_nothing_after() {
        let mut bench = Bench::with(account(Channel::Facebook));
        for n in 1..=3 {
            bench.ask(asked(n, "ada"));
            bench.called(n, accepted(&format!("m_{n}")));
            bench.advance(10_000);
        }
        let mut seen = bench.receipt_of(1, ReceiptStatus::Read);
        seen.message_id = None;
        seen.customer_key = Some(asked(1, "ada").customer_key);
        seen.watermark = Some(bench.now.as_ms() - 20_000);
        assert_eq!(kinds(&bench.apply(Event::Receipt(seen.clone()))), ["read", "read"]);
        assert_eq!(kinds(&bench.apply(Event::Receipt(seen))), ["ignored"]);
    }

    #[test]
    fn reading_one_is_reading_those_before() {
        let mut bench = Bench::with(account(Channel::Instagram));
        for n in 1..=3 {
            bench.ask(asked(n, "ada"));
            bench.called(n, accepted(&format!("m_{n}")));
            bench.advance(10_000);
        }
        let mut seen = bench.receipt_of(2, ReceiptStatus::Read);
        seen.message_id = None;
        seen.provider_message_id = Some("m_2".into());
        assert_eq!(kinds(&bench.apply(Event::Receipt(seen))), ["read", "read"]);
    }
}
