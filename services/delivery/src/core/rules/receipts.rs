//! D4: receipts only move a message forward; one that comes before the send's answer tells what the
//! answer will be.

use schemas::ids::MessageId;
use schemas::records::{DeliveryEventKind, Failed, ReceiptStatus};
use stream::Timestamp;

use crate::core::effect::Ignored;
use crate::core::event::Receipt;
use crate::core::rows::{Message, Progress, Sent};
use crate::core::rules::{early, failures, order, outcome};
use crate::core::step::{About, Step};

/// How far a message is after a receipt; `None` if that is nothing new.
pub fn forward(progress: Progress, status: ReceiptStatus) -> Option<Progress> {
    match (progress, status) {
        (Progress::Failed | Progress::Sent, ReceiptStatus::Delivered) => Some(Progress::Delivered),
        (Progress::Failed | Progress::Sent | Progress::Delivered, ReceiptStatus::Read | ReceiptStatus::Played) => {
            Some(Progress::Read)
        }
        (Progress::Sent, ReceiptStatus::Failed) => Some(Progress::Failed),
        (Progress::Delivered | Progress::Read, ReceiptStatus::Failed | ReceiptStatus::Delivered)
        | (Progress::Read, ReceiptStatus::Read | ReceiptStatus::Played)
        | (Progress::Failed, ReceiptStatus::Failed)
        | (_, ReceiptStatus::Sent | ReceiptStatus::Deleted | ReceiptStatus::Unknown) => None,
    }
}

/// Takes one receipt.
pub(crate) fn receipt(step: &mut Step<'_>, receipt: Receipt) {
    let key = receipt.provider_message_id.clone().map(|id| (receipt.account.clone(), id));
    let id = receipt.message_id.or_else(|| key.as_ref().and_then(|key| step.state.find_sent(key)));
    let Some(id) = id else {
        return match key {
            Some(key) => early::keep(step, key, receipt),
            None => step.ignore(Ignored::Foreign),
        };
    };
    let open = step.state.message(id).cloned().filter(|message| message.asked.account() == receipt.account);
    let sent = step.state.sent(id).cloned().filter(|sent| sent.account == receipt.account);
    match (open, sent) {
        (Some(message), _) => prove(step, &message, &receipt),
        (None, Some(sent)) => advance(step, id, sent, &receipt),
        (None, None) => step.ignore(Ignored::Foreign),
    }
}

/// A receipt about a message whose answer we do not have tells what the answer was.
fn prove(step: &mut Step<'_>, message: &Message, receipt: &Receipt) {
    let id = message.asked.added.message_id;
    if message.attempts == 0 || matches!(receipt.status, ReceiptStatus::Deleted | ReceiptStatus::Unknown) {
        return step.ignore(Ignored::Stale);
    }
    if receipt.status == ReceiptStatus::Failed {
        let failed = failure(message.asked.channel, receipt);
        step.fail(message, receipt.at, failed);
    } else {
        outcome::accepted(step, message, receipt.provider_message_id.clone(), Timestamp::from_ms(receipt.at));
        if let Some(sent) = step.state.sent(id).cloned().filter(|_| receipt.status != ReceiptStatus::Sent) {
            advance(step, id, sent, receipt);
        }
    }
    end_settling(step, id, message.asked.customer_key);
}

/// Moves a settled message forward, if the receipt does.
pub(crate) fn advance(step: &mut Step<'_>, id: MessageId, mut sent: Sent, receipt: &Receipt) {
    let customer = sent.customer_key;
    let is_named = sent.provider_message_id.is_none() && receipt.provider_message_id.is_some();
    if is_named {
        sent.provider_message_id.clone_from(&receipt.provider_message_id);
        step.state.set_sent(id, sent.clone());
    }
    match forward(sent.progress, receipt.status) {
        Some(progress) => {
            step.say(About::sent(id, &sent), receipt.at, event(&sent, receipt, progress));
            sent.progress = progress;
            step.state.set_sent(id, sent);
        }
        None => step.ignore(Ignored::Stale),
    }
    end_settling(step, id, customer);
}

fn event(sent: &Sent, receipt: &Receipt, progress: Progress) -> DeliveryEventKind {
    let seen = schemas::records::Receipt { provider_message_id: sent.provider_message_id.clone(), at: receipt.at };
    match progress {
        Progress::Failed => DeliveryEventKind::Failed(failure(sent.channel, receipt)),
        Progress::Delivered => DeliveryEventKind::Delivered(seen),
        Progress::Read => DeliveryEventKind::Read(seen),
        Progress::Sent => DeliveryEventKind::Sent(schemas::records::Sent {
            provider_message_id: sent.provider_message_id.clone(),
            offered_choices: Vec::new(),
        }),
    }
}

fn failure(channel: schemas::records::Channel, receipt: &Receipt) -> Failed {
    Failed {
        reason: failures::receipt_reason(channel, receipt.provider_code.as_deref()).into(),
        provider_code: receipt.provider_code.clone(),
        detail: receipt.detail.clone(),
    }
}

/// The next message need not wait for this one any longer.
fn end_settling(step: &mut Step<'_>, id: MessageId, customer: schemas::ids::CustomerKey) {
    if let Some(mut lane) = step.state.lane(customer).cloned() {
        lane.settling = lane.settling.filter(|(settling, _)| *settling != id);
        step.state.set_lane(customer, Some(lane));
        order::turn(step, customer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Event, Outcome};
    use crate::core::rules::support::{Bench, account, account_key, asked, kinds, message_id};
    use schemas::records::Channel;

    fn accepted(provider: &str) -> Outcome {
        Outcome::Accepted { provider_message_id: Some(provider.into()) }
    }

    fn by_provider(provider: &str, status: ReceiptStatus) -> Event {
        Event::Receipt(Receipt {
            account: account_key(),
            message_id: None,
            provider_message_id: Some(provider.into()),
            status,
            at: 7,
            provider_code: None,
            detail: None,
        })
    }

    #[test]
    fn receipts_move_forward_only() {
        use Progress as P;
        use ReceiptStatus as S;
        for (progress, status, next) in [
            (P::Sent, S::Sent, None),
            (P::Sent, S::Delivered, Some(P::Delivered)),
            (P::Sent, S::Read, Some(P::Read)),
            (P::Sent, S::Failed, Some(P::Failed)),
            (P::Delivered, S::Sent, None),
            (P::Delivered, S::Delivered, None),
            (P::Delivered, S::Failed, None),
            (P::Delivered, S::Played, Some(P::Read)),
            (P::Read, S::Delivered, None),
            (P::Failed, S::Failed, None),
            (P::Failed, S::Sent, None),
            (P::Failed, S::Delivered, Some(P::Delivered)),
            (P::Failed, S::Read, Some(P::Read)),
        ] {
            assert_eq!(forward(progress, status), next, "{progress:?} then {status}");
        }
    }

    #[test]
    fn a_receipt_before_the_answer_settles_the_message_by_our_own_id() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        bench.ask(asked(1, "ada"));
        assert_eq!(kinds(&bench.receipt(1, ReceiptStatus::Delivered)), ["sent", "delivered"]);
        assert_eq!(kinds(&bench.receipt(1, ReceiptStatus::Sent)), ["ignored"]);
        assert!(kinds(&bench.called(1, accepted("wamid.1"))).is_empty(), "the answer only names it");
        assert_eq!(kinds(&bench.apply(by_provider("wamid.1", ReceiptStatus::Read))), ["read"]);
    }

    #[test]
    fn a_failure_by_receipt_says_why_and_a_later_proof_overrules_it() {
        let mut bench = Bench::with(account(Channel::Whatsapp));
        bench.ask(asked(1, "ada"));
        bench.called(1, accepted("wamid.1"));
        let mut failed = bench.receipt_of(1, ReceiptStatus::Failed);
        failed.provider_code = Some("131047".into());
        assert_eq!(kinds(&bench.apply(Event::Receipt(failed))), ["failed window_closed"]);
        assert_eq!(kinds(&bench.receipt(1, ReceiptStatus::Delivered)), ["delivered"]);
        assert_eq!(bench.driver_state().sent(message_id(1)).unwrap().progress, Progress::Delivered);
    }
}
