//! D1: nobody knows whether a call arrived. It is said so; then the account decides between
//! perhaps twice and perhaps never.

use schemas::records::{Ambiguous, DeliveryEventKind};
use stream::Timestamp;

use crate::core::event::WhenUnknown;
use crate::core::rows::{Message, Phase};
use crate::core::rules::{capabilities, outcome};
use crate::core::step::{About, Step};

/// How long an account that sends at most once waits for a proof.
const HOLD_MS_MAX: i64 = 24 * 3_600_000;

/// Notes that the outcome of the claimed attempt is unknown since `at`.
pub(crate) fn unknown(step: &mut Step<'_>, message: Message, at: Timestamp, reason: &str) {
    let ambiguous = Ambiguous { reason: reason.into() };
    step.say(About::message(&message), at.as_ms(), DeliveryEventKind::Ambiguous(ambiguous));
    let account = step.state.account(&message.asked.account());
    match account.map(|account| account.when_unknown).unwrap_or_default() {
        WhenUnknown::SendAgain => {
            let least_ms = capabilities::proof_ms(message.asked.channel);
            outcome::retry(step, message, at, outcome::Again { reason, least_ms });
        }
        WhenUnknown::Hold => hold(step, message, at, reason),
    }
}

/// The provider says that it probably arrived: sent again by nobody, whatever the account wishes.
pub(crate) fn probably(step: &mut Step<'_>, message: Message, at: Timestamp, reason: &str) {
    let ambiguous = Ambiguous { reason: reason.into() };
    step.say(About::message(&message), at.as_ms(), DeliveryEventKind::Ambiguous(ambiguous));
    hold(step, message, at, reason);
}

fn hold(step: &mut Step<'_>, mut message: Message, at: Timestamp, reason: &str) {
    message.last_reason = reason.into();
    message.phase = Phase::Held(at.plus_ms(HOLD_MS_MAX));
    step.state.set_message(message.asked.added.message_id, message);
}

#[cfg(test)]
mod tests {
    use crate::core::event::{Outcome, WhenUnknown};
    use crate::core::rules::support::{Bench, account, asked, kinds};
    use schemas::records::{Channel, ReceiptStatus};

    const UNKNOWN: Outcome = Outcome::Unknown { reason: "timeout" };

    #[test]
    fn at_least_once_sends_again_after_leaving_time_for_a_proof() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        bench.ask(asked(1, "ada"));
        assert_eq!(kinds(&bench.called(1, UNKNOWN)), ["ambiguous timeout", "retrying timeout"]);
        assert!(bench.advance(29_999).is_empty());
        assert_eq!(kinds(&bench.advance(1)), ["claimed", "send"]);
    }

    #[test]
    fn at_most_once_holds_until_a_receipt_proves_it() {
        let mut once = account(Channel::Whatsapp);
        once.when_unknown = WhenUnknown::Hold;
        let mut bench = Bench::with(once.clone());
        bench.ask(asked(1, "ada"));
        assert_eq!(kinds(&bench.called(1, UNKNOWN)), ["ambiguous timeout"]);
        assert!(bench.advance(3_600_000).is_empty());
        assert_eq!(kinds(&bench.receipt(1, ReceiptStatus::Delivered)), ["sent", "delivered"]);

        let mut bench = Bench::with(once);
        bench.ask(asked(1, "ada"));
        bench.called(1, UNKNOWN);
        assert_eq!(kinds(&bench.advance(24 * 3_600_000)), ["failed ambiguous"]);
    }

    #[test]
    fn a_proof_in_time_saves_the_repeat() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        bench.ask(asked(1, "ada"));
        bench.called(1, UNKNOWN);
        assert_eq!(kinds(&bench.receipt(1, ReceiptStatus::Sent)), ["sent"]);
        assert!(bench.advance(3_600_000).is_empty());
    }
}
